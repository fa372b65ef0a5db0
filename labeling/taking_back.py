"""Taking an import back: images of it that nobody has touched go, and what people did stays."""

from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from labeling import jobs, refreshing, registering
from labeling.forgetting import TAKEN_BACK, forget_copies, forget_plain
from labeling.models import Annotation, DataSource, Event, Item, Job, User

TAKE_BACK = "take_back"


def untouched(source: DataSource) -> QuerySet[Item]:
    """Return the images of a source that nobody and nothing has labeled."""
    answers = Annotation.objects.filter(item=OuterRef("pk"))
    return source.items.filter(~Exists(answers), state=Item.State.UNLABELED)


def start(source: DataSource, by: User) -> Job:
    """Take an import back by a job, and look there no more: what is still to be read of it is not."""
    with transaction.atomic():
        locked = DataSource.objects.select_for_update(no_key=True).get(pk=source.pk)
        DataSource.objects.filter(pk=locked.pk).update(refresh=DataSource.Refresh.OFF)
        for job in refreshing.under_way().filter(project=locked.project_id, payload__source=locked.pk):
            jobs.cancel(job)
        return jobs.enqueue(TAKE_BACK, source.project, {"source": source.pk}, created_by=by)


@jobs.handler(TAKE_BACK, cluster="quick", priority=-1)
def take_back(job: jobs.RunningJob) -> dict[str, Any]:
    source = DataSource.objects.select_related("project").get(pk=job.payload["source"])
    with transaction.atomic(), connection.cursor() as cursor:
        DataSource.objects.select_for_update(no_key=True).get(pk=source.pk)
        # One of them would stand for an image that is taken away.
        source.items.filter(gone_at=None, duplicate_of__isnull=False).update(gone_at=timezone.now())
        registering.stage(source, (), 1, registering.Outcome(), lambda files: None)
        count = registering.take_away(
            cursor,
            source,
            "i.state = 'unlabeled' AND NOT EXISTS (SELECT FROM labeling_annotation a WHERE a.item_id = i.id)",
            TAKEN_BACK,
        )
        cursor.execute("DROP TABLE found")
        Event.record(
            "take_back", source.project, job.row.created_by, source=source.pk, name=source.name, count=count
        )
        forget_plain(source)
    forget_copies(source)
    return {"source": source.pk, "images": count}
