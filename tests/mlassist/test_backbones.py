"""Backbones other than the bundled one, with small random weights of the real kinds."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from clustering import embeddings
from mlassist.backbones import catalog
from mlassist.models import TunedBackbone
from tests.mlassist.hub_models import save

torch = pytest.importorskip("torch")

from safetensors import torch as safetensors  # noqa: E402

from mlassist.backbones import loading, network, train  # noqa: E402


@pytest.fixture
def folder(tmp_path, settings, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    settings.LOUPE_WEIGHTS_DIR = tmp_path / "weights"
    settings.LOUPE_WEIGHTS_DIR.mkdir()
    return settings.LOUPE_WEIGHTS_DIR


def photos(count: int = 3) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (50, 90, 3), np.uint8)) for _ in range(count)]


def embeds(name: str) -> loading.Backbone:
    backbone = loading.load(name)
    vectors = backbone.embed(np.stack([backbone.prepare(each) for each in photos()]))
    assert vectors.shape == (3, backbone.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4
    return backbone


def put_torchvision(folder, name: str) -> None:
    import torchvision

    torch.manual_seed(0)
    torch.save(torchvision.models.get_model(name).state_dict(), folder / catalog.TORCHVISION[name][1])


def test_the_bundled_backbone_needs_nothing(folder):
    first = catalog.offers()[0]
    assert (first.name, first.problem) == ("bundled", "")
    assert first.megabytes < 25


def test_names_of_files_are_those_that_torchvision_downloads_and_the_readme_lists():
    import torchvision

    readme = Path("README.md").read_text()
    for name, (_, file) in catalog.TORCHVISION.items():
        assert f"`{file}`" in readme
        assert torchvision.models.get_model_weights(name).DEFAULT.url.rsplit("/", 1)[1] == file


@pytest.mark.parametrize(
    ("name", "dimension"),
    [
        ("mobilenet_v3_small", 1024),
        ("regnet_y_400mf", 440),
        ("resnet18", 512),
        ("efficientnet_b0", 1280),
        ("convnext_tiny", 768),
        ("swin_t", 768),
    ],
)
def test_weights_of_torchvision_embed_once_their_file_is_there(folder, name, dimension):
    before = catalog.find(f"torchvision/{name}")
    assert before.place is None
    assert catalog.TORCHVISION[name][1] in before.problem
    with pytest.raises(loading.CannotLoad, match="Not here"):
        loading.load(f"torchvision/{name}")
    put_torchvision(folder, name)
    assert catalog.find(f"torchvision/{name}").problem == ""
    backbone = embeds(f"torchvision/{name}")
    assert (backbone.side, backbone.dimension) == (224, dimension)


def test_a_damaged_file_is_named_in_a_sentence(folder):
    put_torchvision(folder, "mobilenet_v3_small")
    file = folder / catalog.TORCHVISION["mobilenet_v3_small"][1]
    file.write_bytes(file.read_bytes()[:1000])
    reason = r"mobilenet_v3_small.*cannot be read as MobileNet V3 Small: it is damaged or cut short"
    with pytest.raises(loading.CannotLoad, match=reason):
        loading.load("torchvision/mobilenet_v3_small")


class Harmful:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize("data", [b"", b"garbage", pickle.dumps(Harmful())])
def test_what_is_no_weight_file_is_refused_without_advice_to_trust_it(folder, data):
    (folder / catalog.TORCHVISION["resnet18"][1]).write_bytes(data)
    with pytest.raises(loading.CannotLoad) as refusal:
        loading.load("torchvision/resnet18")
    assert str(refusal.value) == "resnet18-f37072fd.pth is damaged or not a weight file of ResNet-18."


def test_weights_without_a_head_are_refused(folder):
    settings = json.dumps({"architecture": "loupe"})
    safetensors.save_file({"a": torch.zeros(3)}, folder / "part.safetensors", metadata={"settings": settings})
    with pytest.raises(loading.CannotLoad, match="damaged or not a weight file"):
        loading.load("file/part")


def test_weights_of_another_network_are_refused(folder):
    import torchvision

    torch.save(torchvision.models.resnet18().state_dict(), folder / catalog.TORCHVISION["resnet50"][1])
    with pytest.raises(loading.CannotLoad, match="ResNet-50: it does not hold the weights of this"):
        loading.load("torchvision/resnet50")


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", b"{}", "its config.json is damaged, or of a kind"),
        ("model.safetensors", b"cut", "it is damaged or cut short"),
        ("preprocessor_config.json", None, "its preprocessor_config.json, which says"),
    ],
)
def test_an_incomplete_folder_of_a_hub_model_says_what_is_wrong(folder, file, content, reason):
    place = folder / "vit"
    place.mkdir()
    save(place, "vit")
    (place / file).write_bytes(content) if content else (place / file).unlink()
    with pytest.raises(loading.CannotLoad, match=f"vit cannot be read as vit: {reason}"):
        loading.load("hub/vit")


def test_weights_of_other_sizes_than_the_folder_says_are_refused(folder):
    place = folder / "vit"
    place.mkdir()
    save(place, "vit")
    config = place / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"intermediate_size": 41}))
    with pytest.raises(loading.CannotLoad, match="its weights are not of the sizes that its config"):
        loading.load("hub/vit")


@pytest.mark.parametrize("kind", ["dinov2", "vit", "clip", "siglip", "resnet"])
def test_a_folder_of_a_hub_model_embeds(folder, kind):
    place = folder / "someone" / kind
    place.mkdir(parents=True)
    save(place, kind)
    offer = catalog.find(f"hub/someone/{kind}")
    assert (offer.problem, offer.licence) == ("", "Licence: apache-2.0.")
    backbone = embeds(f"hub/someone/{kind}")
    assert backbone.side == 32
    assert backbone.recipe.mean == (0.5, 0.5, 0.5)


def test_without_transformers_hub_models_say_what_to_install(folder, monkeypatch):
    place = folder / "vit"
    place.mkdir()
    save(place, "vit")
    monkeypatch.setattr(catalog, "find_spec", lambda name: None)
    assert "requirements-hub.txt" in catalog.find("hub/vit").problem


def test_models_in_the_cache_of_the_hub_are_found(folder, tmp_path):
    snapshot = tmp_path / "hf" / "hub" / "models--someone--vit" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    save(snapshot, "vit")
    assert embeds("hub/someone/vit").side == 32


def test_a_folder_without_weights_says_so(folder):
    (folder / "empty").mkdir()
    (folder / "empty" / "config.json").write_text("{}")
    assert "no weights" in catalog.find("hub/empty").problem


def put_bad(folder, kind: str) -> None:
    """Put an entry among the weights that cannot be used, of a kind that once disabled all others."""
    bad = folder / "bad.safetensors"
    if kind == "link to nowhere":
        bad.symlink_to("/nowhere")
    elif kind == "folder":
        bad.mkdir()
    elif kind in ("nested", "no settings"):
        head = b"[" * 200_000 if kind == "nested" else b'{"__metadata__": {"settings": "[]"}}'
        bad.write_bytes(len(head).to_bytes(8, "little") + head)
    elif kind == "long name":
        (folder / f"{'x' * 220}.safetensors").write_bytes(b"weights")
    elif kind == "name of bytes":
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.safetensors")).write_bytes(b"weights")
    else:
        (folder / "hub").mkdir()
        (folder / "hub" / "config.json").write_text("{}")
        (folder / "hub" / "model.safetensors").symlink_to("/nowhere")


BAD = (
    "link to nowhere",
    "folder",
    "nested",
    "no settings",
    "long name",
    "name of bytes",
    "hub without weights",
)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_entry_costs_only_itself(folder, kind):
    before = {offer.name for offer in catalog.offers()}
    put_bad(folder, kind)
    assert catalog.find("bundled").problem == ""
    (bad,) = (offer for offer in catalog.offers() if offer.name not in before)
    assert bad.problem
    assert len(bad.name) <= catalog.LONGEST_NAME
    assert bad.name.isprintable()
    with pytest.raises(loading.CannotLoad, match=r"\w"):
        loading.load(bad.name)


def test_a_name_is_looked_up_only_where_its_kind_lies(folder, monkeypatch):
    def fail():
        raise AssertionError

    monkeypatch.setattr(catalog, "hub_models", fail)
    monkeypatch.setattr(catalog, "own_files", fail)
    assert catalog.find("torchvision/resnet18").title == "ResNet-18"
    assert catalog.find("bundled").title == "Loupe's own"


def test_an_unknown_name_is_refused_in_a_sentence(folder):
    with pytest.raises(catalog.UnknownBackbone, match="There is no backbone called nonsense"):
        catalog.find("nonsense")
    with pytest.raises(loading.CannotLoad, match="no longer here"):
        loading.load("file/forgotten")


@pytest.mark.parametrize("architecture", list(network.ARCHITECTURES))
def test_networks_made_by_the_training_script_are_found_by_their_file(folder, architecture):
    torch.manual_seed(0)
    made = network.ARCHITECTURES[architecture](num_classes=5)
    train.write(made, folder / "mine.safetensors", {"architecture": architecture}, {})
    assert catalog.find("file/mine").problem == ""
    embeds("file/mine")
    maps = network.Stages(made.eval())(torch.zeros(1, 3, 128, 128))
    assert [128 // each.shape[-1] for each in maps] == [4, 8, 16, 32]


def test_other_files_among_the_weights_are_shown_with_the_reason(folder):
    safetensors.save_file({"a": torch.zeros(3)}, folder / "strange.safetensors")
    assert "its network is unknown" in catalog.find("file/strange").problem
    (folder / "empty.safetensors").write_bytes(b"")
    assert "It is empty, damaged" in catalog.find("file/empty").problem


# One name, other weights


def make(file, seed: int) -> None:
    torch.manual_seed(seed)
    train.write(network.ARCHITECTURES["loupe"](num_classes=5), file, {"architecture": "loupe"}, {})


def test_a_file_is_loaded_once_until_it_is_replaced(folder):
    file = folder / "mine.safetensors"
    make(file, seed=0)
    kept = file.read_bytes()
    first = loading.load("file/mine")
    assert loading.load("file/mine") is first
    make(file, seed=1)
    second = loading.load("file/mine")
    assert second.fingerprint != first.fingerprint
    assert not torch.equal(next(second.network.parameters()), next(first.network.parameters()))
    file.write_bytes(kept)
    assert loading.load("file/mine").fingerprint == first.fingerprint


def test_the_settings_of_a_hub_model_are_part_of_it(folder):
    place = folder / "vit"
    place.mkdir()
    save(place, "vit")
    first = loading.load("hub/vit")
    looks = place / "preprocessor_config.json"
    looks.write_text(looks.read_text().replace("0.25", "0.5"))
    second = loading.load("hub/vit")
    assert second.recipe.deviation == (0.5, 0.5, 0.5)
    assert second.fingerprint != first.fingerprint


def test_a_file_that_is_replaced_while_it_is_read_is_refused(folder, monkeypatch):
    file = folder / "mine.safetensors"
    make(file, seed=0)
    read = loading.read

    def slowly(offer, place):
        found = read(offer, place)
        make(file, seed=1)
        return found

    monkeypatch.setattr(loading, "read", slowly)
    with pytest.raises(loading.CannotLoad, match="replaced in the meantime"):
        loading.load("file/mine")


# Fine-tuned ones


@pytest.mark.parametrize("extra", [{}, {"learned_from": torch.arange(3)}])
def test_a_fine_tuned_network_is_made_like_its_base(folder, extra):
    make(folder / "base.safetensors", seed=0)
    base = loading.load("file/base")
    weights = {name: each.contiguous() for name, each in base.network.float().state_dict().items()}
    data = safetensors.save({**weights, **extra}, metadata={"settings": json.dumps({"base": "file/base"})})
    default_storage.save(catalog.stored_name("tuned/1/1"), ContentFile(data))
    embeds("tuned/1/1")
    assert catalog.find("tuned/1/1").title == "Fine-tuned from base"


def test_a_fine_tuned_network_without_its_file_says_so(folder):
    with pytest.raises(loading.CannotLoad, match="no longer in storage"):
        loading.load("tuned/1/2")


def test_what_a_network_was_tuned_from_is_known_without_its_weights(project, monkeypatch):
    monkeypatch.setattr(embeddings, "local_copy", None)  # a page must not fetch them from remote storage
    name = f"tuned/{project.pk}/1"
    TunedBackbone.objects.create(project=project, name=name, base="hub/vit", learned_from=[])
    assert catalog.base_of(name) == "hub/vit"
    assert catalog.base_of("hub/vit") == "hub/vit"
