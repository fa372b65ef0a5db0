"""Backbones other than the bundled one, with small random weights of the real kinds."""

import numpy as np
import pytest
from PIL import Image

from mlassist.backbones import catalog
from tests.mlassist.hub_models import save

torch = pytest.importorskip("torch")

from mlassist.backbones import loading, network, train  # noqa: E402


@pytest.fixture
def folder(tmp_path, settings, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    settings.LOUPE_WEIGHTS_DIR = tmp_path / "weights"
    settings.LOUPE_WEIGHTS_DIR.mkdir()
    loading.load.cache_clear()
    yield settings.LOUPE_WEIGHTS_DIR
    loading.load.cache_clear()


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


def test_names_of_files_are_those_that_torchvision_downloads():
    import torchvision

    for name, (_, file) in catalog.TORCHVISION.items():
        assert torchvision.models.get_model_weights(name).DEFAULT.url.rsplit("/", 1)[1] == file


@pytest.mark.parametrize(("name", "dimension"), [("mobilenet_v3_small", 1024), ("regnet_y_400mf", 440)])
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
    with pytest.raises(loading.CannotLoad, match=r"mobilenet_v3_small.*cannot be read as MobileNet V3 Small"):
        loading.load("torchvision/mobilenet_v3_small")


def test_weights_of_another_network_are_refused(folder):
    import torchvision

    torch.save(torchvision.models.resnet18().state_dict(), folder / catalog.TORCHVISION["resnet50"][1])
    with pytest.raises(loading.CannotLoad, match="cannot be read as ResNet-50"):
        loading.load("torchvision/resnet50")


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


def test_an_unknown_name_is_refused_in_a_sentence(folder):
    with pytest.raises(catalog.UnknownBackbone, match="There is no backbone called nonsense"):
        catalog.find("nonsense")
    with pytest.raises(loading.CannotLoad, match="There is no backbone called nonsense"):
        loading.load("nonsense")


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
    (folder / "strange.safetensors").write_bytes(b"nothing of the kind")
    assert "unknown" in catalog.find("file/strange").problem
