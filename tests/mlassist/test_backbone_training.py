"""The training script on a few tiny pictures: learns, survives a kill, refuses what it cannot use."""

import contextlib
import dataclasses
import io
import json
import signal
import subprocess
import sys
import zipfile
from unittest import mock

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402

from mlassist.backbones import catalog, network, photos, recipe, train  # noqa: E402
from mlassist.backbones.muon import Muon, orthogonalized  # noqa: E402

WIDTHS, DEPTHS = (8, 16, 16, 32), (1, 1, 1, 1)  # Loupe's network learns in twenty times the time
KILLED_AT_ITS_FIFTH_STEP = f"""
import os, signal
from mlassist.backbones import lanes, network, train

def learn_or_die(*given):
    if next(steps, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    return learn(*given)

network.WIDTHS, network.DEPTHS = {WIDTHS}, {DEPTHS}
learn, steps = lanes.Lanes.learn, iter(range(4))
lanes.Lanes.learn = learn_or_die
train.main()
"""
COLOURS = [(200, 40, 40), (40, 200, 40), (40, 40, 200)]


def picture(colour, rng) -> bytes:
    pixels = np.clip(rng.normal(colour, 40, (64, 64, 3)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP")
    return buffer.getvalue()


def packed(path, names, damaged=b""):
    """Write an archive of images under these names, the last of them with the contents given."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, damaged if damaged and name == names[-1] else picture(COLOURS[0], rng))
    return path


@pytest.fixture(autouse=True)
def _small_network(monkeypatch):
    monkeypatch.setattr(network, "WIDTHS", WIDTHS)
    monkeypatch.setattr(network, "DEPTHS", DEPTHS)


@pytest.fixture
def archive(tmp_path):
    """Three classes that differ in colour, 32 images each to learn from and 4 to judge by."""
    rng = np.random.default_rng(0)
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as made:
        for number, colour in enumerate(COLOURS):
            for split, count in (("train", 32), ("val", 4)):
                for at in range(count):
                    made.writestr(f"{split}/{number}/{at}.webp", picture(colour, rng))
    return path


def command(archive, out, *more: str) -> list[str]:
    given = ["--data", str(archive), "--out", str(out), "--batch", "16", "--sizes", "32", "48", *more]
    return [sys.executable, "-m", "mlassist.backbones.train", *given]


def done(archive, out, *more: str) -> dict:
    """Run the command in this process: loading torch anew takes longer than such a training."""
    with mock.patch.object(sys, "argv", command(archive, out, *more)[2:]), io.StringIO() as said:
        with contextlib.redirect_stdout(said):
            train.main()
        return json.loads(said.getvalue())


def refusal(archive, out, *more: str) -> str:
    with pytest.raises(SystemExit) as refused:
        done(archive, out, *more)
    return str(refused.value)


def weights(path) -> dict:
    with safe_open(path, "pt") as opened:
        return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118


def settings(epochs: float) -> train.Settings:
    return train.Settings(
        "loupe", "muon", epochs, 16, 0.05, 0.8, 0.01, 5e-4, 0.35, 0, (32, 48), 0.5, start_from="", data=""
    )


def trained(archive, out, epochs: float) -> dict:
    with photos.Photos(archive, out.parent / "cache") as opened:
        return train.train(settings(epochs), opened, out)


def test_it_learns_and_what_it_writes_says_how_it_was_made(archive, tmp_path):
    out = tmp_path / "made.safetensors"
    report = done(archive, out, "--epochs", "24")  # how soon it has learned differs between processors
    assert report["val_top1"] > 0.5  # a third is chance
    assert catalog.trained_as(out)["architecture"] == "loupe"
    assert weights(out)["head.weight"].dtype == torch.float16


def test_a_killed_training_goes_on_after_its_last_epoch(archive, tmp_path, capsys):
    out = tmp_path / "made.safetensors"
    more = ("--batch", "32", "--epochs", "24")  # three steps each
    given = command(archive, out, *more)[3:]
    killed = subprocess.run([sys.executable, "-c", KILLED_AT_ITS_FIFTH_STEP, *given], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not out.exists()
    report = done(archive, out, *more)
    assert "Going on after epoch 1." in capsys.readouterr().err
    assert report["val_top1"] > 0.5


def test_an_interrupted_training_ends_as_if_nothing_had_happened(archive, tmp_path, monkeypatch):
    class Interrupted(Exception):
        pass

    def keep_and_stop(*state) -> None:
        keep(*state)
        raise Interrupted

    keep = train.keep
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    trained(archive, whole, 2)
    monkeypatch.setattr(train, "keep", keep_and_stop)
    with pytest.raises(Interrupted):
        trained(archive, broken, 2)
    monkeypatch.setattr(train, "keep", keep)
    trained(archive, broken, 2)
    made, again = weights(whole), weights(broken)
    for name in made:
        if "running" in name:  # the parts of a batch reach these in the order that chance gives
            assert torch.allclose(made[name].float(), again[name].float(), rtol=0.2, atol=0.05), name
        elif "num_batches" not in name:  # two lanes count without a lock, and nothing reads it
            assert torch.equal(made[name], again[name]), name


def test_a_checkpoint_of_other_settings_is_not_continued(archive, tmp_path):
    out = tmp_path / "made.safetensors"
    trained(archive, out, 0.5)
    with pytest.raises(train.OtherSettings, match="other settings"):
        trained(archive, out, 1)


def test_another_archive_does_not_go_on_with_the_first_ones_images(archive, tmp_path):
    other = packed(tmp_path / "other.zip", ["train/a/1.webp", "train/b/1.webp", "val/a/1.webp"])
    with photos.Photos(archive, tmp_path / "cache") as opened:
        first = opened.identity
    archive.rename(tmp_path / "moved.zip")
    with photos.Photos(tmp_path / "moved.zip", tmp_path / "cache") as opened:
        assert opened.identity == first
    with pytest.raises(photos.NotPhotos, match=r"another archive than .*other\.zip"):
        photos.Photos(other, tmp_path / "cache").__enter__()


def test_another_archive_does_not_go_on_with_the_first_ones_checkpoint(tmp_path):
    trained_on_first = dataclasses.replace(settings(1), data="first")
    checkpoint = tmp_path / "made.checkpoint"
    train.keep(checkpoint, trained_on_first, torch.nn.Linear(1, 1), [], 1, 0.0)
    with pytest.raises(train.OtherSettings, match=r"other settings \(data\)"):
        train.resume(checkpoint, settings(1), torch.nn.Linear(1, 1), [])


def test_fewer_images_than_a_batch_are_refused_and_nothing_is_written(archive, tmp_path):
    out = tmp_path / "made.safetensors"
    assert "96 images to train on, 97 in a batch" in refusal(archive, out, "--batch", "97")
    assert not out.exists()


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            ["t/train/n1/images/1.JPEG", "t/train/n2/images/1.JPEG", "t/val/images/1.JPEG"],
            "train/CLASS/IMAGE",
        ),
        (
            ["train/a/1.webp", "val/a/1.webp"],
            "images of 1 classes in train/ and of 1 in val/. It should hold",
        ),
        (["train/a/1.webp", "train/b/1.webp"], "of 0 in val/"),
        (
            ["train/a/1.webp", "train/b/1.webp", "val/c/1.webp"],
            "The class c of .* is in val/ but not in train/",
        ),
    ],
)
def test_an_archive_of_another_layout_is_told_what_is_expected(names, sentence, tmp_path):
    with pytest.raises(photos.NotPhotos, match=sentence):
        photos.Photos(packed(tmp_path / "photos.zip", names), tmp_path / "cache").__enter__()


def test_a_damaged_image_is_named(tmp_path):
    names = ["train/a/1.JPG", "train/b/1.webp", "train/b/._1.webp", "val/b/2.webp"]
    path = packed(tmp_path / "photos.zip", names, damaged=b"nothing")
    with pytest.raises(photos.NotPhotos, match=r"val/b/2\.webp in the archive is damaged or not an image"):
        photos.Photos(path, tmp_path / "cache").__enter__()


def test_help_names_the_defaults_and_the_side_in_use(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train", "--help"])
    with pytest.raises(SystemExit):
        train.main()
    told = capsys.readouterr().out
    for part in ("default: 32", "default: 512", "WebP, JPEG, PNG", f"Loupe uses them at {recipe.OWN.side}"):
        assert part in told


@pytest.mark.parametrize("content", [b"no archive", None])
def test_what_holds_no_photos_is_refused_in_a_sentence(content, tmp_path):
    path = tmp_path / "photos.zip"
    if content is None:
        with zipfile.ZipFile(path, "w") as made:
            made.writestr("readme.txt", "nothing here")
    else:
        path.write_bytes(content)
    assert len(refusal(path, tmp_path / "x.safetensors").splitlines()) == 1


def test_crops_are_repeatable_and_of_the_size_asked_for(archive, tmp_path):
    with photos.Photos(archive, tmp_path / "cache") as opened:
        rows = np.arange(8)
        first = opened.crops(rows, 48, 0.35, np.random.default_rng(1))
        again = opened.crops(rows, 48, 0.35, np.random.default_rng(1))
    assert first.images.shape == (8, 3, 48, 48)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.light, again.light)
    assert first.labels.tolist() == [0] * 8


def test_images_grow_while_the_rate_rises_and_falls():
    progress = np.linspace(0, 1, 101)
    growing = dataclasses.replace(settings(1), sizes=(64, 112))
    sizes = [train.size_at(growing, each) for each in progress]
    rates = [train.schedule(each) for each in progress]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (64, 112)
    assert np.argmax(rates) == 10
    assert rates[0] == rates[-1] == 0


def test_muon_steps_by_a_share_of_the_weight_in_all_directions_alike():
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(16, 8, 3, 3))
    weight.grad = torch.randn(16, 8, 3, 3) * torch.logspace(-3, 3, 16).view(16, 1, 1, 1)
    values = torch.linalg.svdvals(orthogonalized(weight.grad.flatten(1)).float())
    assert values[0] < 1.4
    assert torch.linalg.svdvals(weight.grad.flatten(1))[0] > 1000
    before = weight.detach().clone() * (16**0.5 / weight.detach().norm())
    Muon([weight], lr=0.05, momentum=0.8).step()
    assert torch.isclose((weight - before).norm() / before.norm(), torch.tensor(0.05), rtol=1e-2)


def test_mixed_images_show_as_much_of_each_other_as_their_share_says():
    numbers = torch.arange(4)
    images = numbers.to(torch.uint8).view(4, 1, 1, 1).expand(4, 3, 64, 64)
    plain = photos.Batch(images, torch.ones(4, 3, 1, 1), numbers, numbers, 1.0)
    for seed in range(20):
        batch = photos.mixed(plain, np.random.default_rng(seed))
        for image, own, other in zip(batch.images, batch.labels, batch.others, strict=True):
            shown = (image[0] == own).float().mean().item()
            assert shown == pytest.approx(1.0 if own == other else batch.share)
            assert ((image == own) | (image == other)).all()


def test_a_training_can_start_from_the_weights_of_another(archive, tmp_path):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    learned = done(archive, first, "--epochs", "6")["val_top1"]
    report = done(archive, second, "--epochs", "0.2", "--lr", "1e-6", "--start-from", str(first))
    assert report["val_top1"] >= learned - 0.2
    assert max((weights(first)[name].float() - each.float()).abs().max()
               for name, each in weights(second).items() if name.endswith("conv1.weight")) < 0.05  # fmt: skip


def test_blended_weights_lie_between_start_and_end(archive, tmp_path):
    first, end = tmp_path / "first.safetensors", tmp_path / "end.safetensors"
    done(archive, first, "--epochs", "16")
    more = ("--epochs", "1", "--start-from", str(first))
    done(archive, end, *more)
    whole = weights(end)
    report = done(archive, end, *more, "--blend", "0.5", "--side", "96")  # from the finished checkpoint
    assert (report["blend"], report["side"]) == (0.5, 96)
    assert report["val_top1"] > 0.5
    start, blended = weights(first), weights(end)
    for name in blended:
        if name.endswith("conv1.weight"):
            middle = (start[name].float() + whole[name].float()) / 2
            assert torch.allclose(blended[name].float(), middle, atol=2e-3)
            assert not torch.equal(whole[name], start[name])
