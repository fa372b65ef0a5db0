"""Script Loupe, the image-labeling service: from a folder of images to a trained model and an export."""

from loupe_client.connection import JobFailed, LoupeError
from loupe_client.loupe import Loupe
from loupe_client.project import Item, Page, Project

__all__ = ["Item", "JobFailed", "Loupe", "LoupeError", "Page", "Project"]
