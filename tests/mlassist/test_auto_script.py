"""The script of the Auto-label page, run as it is pasted, with tiny models in place of the hub's."""

import sys
import types

import pytest

from labeling import storing
from labeling.models import Suggestion
from mlassist.autolabel import outside, script
from tests import factories
from tests.mlassist.test_auto_hub import save

pytest.importorskip("torch")
pytest.importorskip("transformers")


class Client:
    """Stands for the client's project: what the script says goes through the door that the server has."""

    def __init__(self, project, by) -> None:
        self.row, self.by = project, by

    def project(self, number: int) -> "Client":
        assert number == self.row.pk
        return self

    def suggest(self, model, look, thresholds, prompts) -> int:
        ids = dict(self.row.classes.values_list("name", "pk"))
        wanted = {ids[name]: value for name, value in thresholds.items()}
        said = {ids[name]: text for name, text in prompts.items()}
        self.made = outside.begin(self.row, self.by, model, wanted, said)
        items = list(self.row.items.filter(draw__gte=self.row.validation_rate))
        given = {each.pk: look(storing.read_bytes(each)) for each in items}
        self.found = given
        return list(outside.take(self.made, given).values()).count("taken")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("task", "kinds", "shape"),
    [
        ("multilabel", {"google/siglip-base-patch16-224": "siglip"}, None),
        ("detection", {"IDEA-Research/grounding-dino-tiny": "grounding-dino"}, "bbox"),
        (
            "segmentation",
            {"IDEA-Research/grounding-dino-tiny": "grounding-dino", "facebook/sam-vit-base": "sam"},
            "polygon",
        ),
    ],
)
def test_the_script_runs_as_it_is_pasted(task, kinds, shape, manager, tmp_path, monkeypatch) -> None:
    project = factories.make_project(manager=manager, task_type=task)
    factories.make_scenes(project, 3, size=(64, 48))
    before = dict.fromkeys(map(str, project.classes.values_list("pk", flat=True)), 0.0)
    text = script.of(project, "http://loupe.example", before)
    for name, kind in kinds.items():
        save(tmp_path / kind, kind)
        assert name in text
        text = text.replace(f"'{name}'", repr(str(tmp_path / kind)))
    client = Client(project, manager)
    module = types.ModuleType("loupe_client")
    module.Loupe = lambda url: client
    monkeypatch.setitem(sys.modules, "loupe_client", module)
    exec(compile(text, "script.py", "exec"), {})
    assert any(client.found.values())
    for region in (each for found in client.found.values() for each in found):
        assert {"bbox", "polygon"} & set(region) == ({shape} if shape else set())
    assert Suggestion.objects.filter(project=project).count() > 0
