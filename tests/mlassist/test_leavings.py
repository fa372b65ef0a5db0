"""What a deleted project has learned is deleted with it."""

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from clustering import embeddings
from labeling import deleting
from mlassist.backbones import catalog
from mlassist.models import ModelVersion, TunedBackbone
from tests import factories

pytestmark = pytest.mark.django_db


def test_models_and_embeddings_go_with_their_project_alone(manager, django_capture_on_commit_callbacks):
    stored, projects = {}, [factories.make_project(manager=manager) for _ in range(2)]
    for project in projects:
        ids = [item.pk for item in factories.make_unread_items(project, 3)]
        shard = embeddings.add(embeddings.set_of(project), ids, np.eye(3, 4))
        tuned = f"tuned/{project.pk}/1"
        TunedBackbone.objects.create(project=project, name=tuned, base="bundled", learned_from=ids)
        head = default_storage.save(f"heads/{project.pk}/1.npz", ContentFile(b"head"))
        ModelVersion.objects.create(project=project, number=1, backbone="bundled", head=head, labels=3)
        weights = default_storage.save(catalog.stored_name(tuned), ContentFile(b"weights"))
        stored[project] = [shard.name, head, weights]
    gone, kept = projects
    deleting.delete(gone, manager, gone.name)
    with django_capture_on_commit_callbacks(execute=True):
        factories.run_jobs("quick")
    assert not any(default_storage.exists(name) for name in stored[gone])
    assert all(default_storage.exists(name) for name in stored[kept])
    assert not ModelVersion.objects.filter(project=gone).exists()
