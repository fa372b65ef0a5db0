"""The tables of the labeling domain, one module per noun."""

from labeling.models.accounts import ApiToken, User
from labeling.models.annotations import Annotation, Decoy, Recheck, Region, Review, Suggestion
from labeling.models.checking import CheckPage, ObjectCheck
from labeling.models.events import Event
from labeling.models.items import DataSource, Item
from labeling.models.jobs import Job, WorkerHeartbeat
from labeling.models.projects import Instructions, Invitation, LabelClass, Membership, Project
from labeling.models.queueing import Claim, Page, QueueEntry
from labeling.models.relabeling import Relabeling

__all__ = [
    "Annotation",
    "ApiToken",
    "CheckPage",
    "Claim",
    "DataSource",
    "Decoy",
    "Event",
    "Instructions",
    "Invitation",
    "Item",
    "Job",
    "LabelClass",
    "Membership",
    "ObjectCheck",
    "Page",
    "Project",
    "QueueEntry",
    "Recheck",
    "Region",
    "Relabeling",
    "Review",
    "Suggestion",
    "User",
    "WorkerHeartbeat",
]
