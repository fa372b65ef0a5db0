"""What a change of classes has sent back to people."""

from django.db import models

from labeling.models.annotations import Annotation
from labeling.models.events import Event
from labeling.models.items import Item


class Relabeling(models.Model):
    """An image that a change of classes sent back, and how it stood: what it takes to undo that."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, db_index=False, related_name="relabelings")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="relabelings")
    annotation = models.ForeignKey(
        Annotation, null=True, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    state = models.CharField(max_length=12, choices=Item.State.choices)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        # A label that is deleted must not look through all of them.
        indexes = [models.Index(fields=["annotation"], name="relabeling_by_annotation")]
        constraints = [models.UniqueConstraint(fields=["event", "item"], name="relabeling_once")]
