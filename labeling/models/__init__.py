"""The tables of the labeling domain, one module per noun."""

from labeling.models.accounts import ApiToken, User
from labeling.models.annotations import Annotation, Decoy, Recheck, Region, Suggestion
from labeling.models.assigning import AssignedItem, Assignment
from labeling.models.checking import CheckPage, ObjectCheck
from labeling.models.events import Event
from labeling.models.faces import Face, MaskedImage
from labeling.models.importing import ImportedLabel, LabelImport
from labeling.models.items import DataSource, Item
from labeling.models.jobs import Job, WorkerHeartbeat
from labeling.models.notifying import Announcement, Letter, Notification, NotificationChoice
from labeling.models.pictures import InstructionPicture
from labeling.models.projects import Instructions, Invitation, LabelClass, Membership, Project
from labeling.models.quality import AgreementReport, Disagreement, GoldItem, WorkerQuality
from labeling.models.queueing import Claim, Page, QueueEntry
from labeling.models.relabeling import Relabeling
from labeling.models.repeating import KeptReply
from labeling.models.reviewing import (
    Comment,
    Listing,
    Review,
    ReviewBatch,
    ReviewLock,
    SamplingRate,
    SavedFilter,
)
from labeling.models.tallies import Tally
from labeling.models.teams import ProjectTeam, Team, TeamMember
from labeling.models.uploading import Upload, UploadFile
from labeling.models.webhooks import Delivery, Webhook

__all__ = [
    "AgreementReport",
    "Annotation",
    "Announcement",
    "ApiToken",
    "AssignedItem",
    "Assignment",
    "CheckPage",
    "Claim",
    "Comment",
    "DataSource",
    "Decoy",
    "Delivery",
    "Disagreement",
    "Event",
    "Face",
    "GoldItem",
    "ImportedLabel",
    "InstructionPicture",
    "Instructions",
    "Invitation",
    "Item",
    "Job",
    "KeptReply",
    "LabelClass",
    "LabelImport",
    "Letter",
    "Listing",
    "MaskedImage",
    "Membership",
    "Notification",
    "NotificationChoice",
    "ObjectCheck",
    "Page",
    "Project",
    "ProjectTeam",
    "QueueEntry",
    "Recheck",
    "Region",
    "Relabeling",
    "Review",
    "ReviewBatch",
    "ReviewLock",
    "SamplingRate",
    "SavedFilter",
    "Suggestion",
    "Tally",
    "Team",
    "TeamMember",
    "Upload",
    "UploadFile",
    "User",
    "Webhook",
    "WorkerHeartbeat",
    "WorkerQuality",
]
