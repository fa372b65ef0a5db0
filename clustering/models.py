"""What looks alike: where embeddings lie, and the groups made from them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from labeling.models import LabelClass, Project


class EmbeddingSet(models.Model):
    """A project's images as one backbone sees them."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="embedding_sets")
    backbone = models.CharField(max_length=80)
    weights = models.CharField(
        max_length=64, blank=True, help_text="fingerprint of the network that made the vectors"
    )
    graph = models.CharField(max_length=200, blank=True, help_text="storage name of the neighbour graph")
    graph_count = models.BigIntegerField(default=0, help_text="how many vectors the graph spans")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "backbone"], name="embedding_set_once")]


class Shard(models.Model):
    """One immutable file of vectors, registered by the transaction that finished it."""

    embedding_set = models.ForeignKey(EmbeddingSet, on_delete=models.CASCADE, related_name="shards")
    name = models.CharField(max_length=200, unique=True, help_text="in storage")
    items = ArrayField(models.BigIntegerField(), help_text="ids of the items it holds, in file order")
    unreadable = ArrayField(
        models.BigIntegerField(), default=list, help_text="items that could not be embedded"
    )
    count = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)


class Group(models.Model):
    """Look-alike items that are shown on one page."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="groups")
    proposed_class = models.ForeignKey(LabelClass, null=True, on_delete=models.CASCADE, related_name="+")
    size = models.PositiveSmallIntegerField()
    similarity = models.FloatField(help_text="mean cosine to the group's seed")
    purity = models.FloatField(
        null=True, help_text="share predicted to be of the class; none for copies of one picture"
    )
    created_at = models.DateTimeField(auto_now_add=True)
