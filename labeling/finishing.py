"""Noticing that a project is finished: every image is labeled, or can never be."""

from django.db.models import Exists, Max, OuterRef

from labeling import announcing, jobs
from labeling.models import Announcement, Item, Project

OPEN = (Item.State.UNLABELED, Item.State.NEEDS_REVIEW, Item.State.SKIPPED)


@jobs.periodic(10)
def look() -> None:
    """Announce the projects that are finished; once, unless images are added later.

    Looked for rather than told by whoever submits the last page: labels come from many sides.
    """
    items = Item.objects.filter(project=OuterRef("pk"))
    done = Project.objects.filter(Exists(items.filter(state=Item.State.LABELED)), deleted_at=None)
    for project in done.exclude(Exists(items.filter(state__in=OPEN))):
        labeled = project.items.filter(state=Item.State.LABELED)
        key = f"finished:{project.pk}:{labeled.aggregate(newest=Max('id'))['newest']}"
        if not Announcement.objects.filter(key=key).exists():
            announcing.announce("finished", project, key=key, labeled=labeled.count())
