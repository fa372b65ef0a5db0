"""What learning has stored outside of tables for a project, to be deleted with it."""

import shutil

from django.core.files.storage import default_storage

from clustering import embeddings
from labeling import extensions
from labeling.models import Project
from mlassist import finetuning, runs
from mlassist.backbones import catalog
from mlassist.models import BackboneOffer, Candidate, ModelVersion, Run, Trial, TunedBackbone


@extensions.register_emptying
def remove_models(project: Project) -> None:
    """Delete the heads, detectors and backbones that a project has learned, and what tries have left."""
    for head in ModelVersion.objects.filter(project=project).exclude(head="").values_list("head", flat=True):
        default_storage.delete(head)
    for model in Trial.objects.filter(project=project).exclude(model="").values_list("model", flat=True):
        default_storage.delete(model)
    made = Candidate.objects.filter(custom_model__project=project).exclude(model="")
    for model in made.values_list("model", flat=True):
        default_storage.delete(model)
    for run in Run.objects.filter(project=project):
        finetuning.discard(run)
    tuned = TunedBackbone.objects.filter(project=project)
    names = list(tuned.values_list("name", flat=True))
    for name in names:
        embeddings.discard(catalog.stored_name(name))
    BackboneOffer.objects.filter(name__in=names).delete()
    tuned.delete()
    shutil.rmtree(runs.workplace(project), ignore_errors=True)


@extensions.register_emptying
def remove_embeddings(project: Project) -> None:
    for each in project.embedding_sets.all():
        embeddings.delete(each)
