"""Script Loupe, the image-labeling service: from a folder of images to a trained model and an export."""

from loupe_client.connection import JobFailed, LoupeError
from loupe_client.labels import LabelImport
from loupe_client.loupe import Loupe
from loupe_client.project import FILTERS, Item, Page, Project
from loupe_client.sources import Source

__all__ = [
    "FILTERS",
    "Item",
    "JobFailed",
    "LabelImport",
    "Loupe",
    "LoupeError",
    "Page",
    "Project",
    "Source",
]
