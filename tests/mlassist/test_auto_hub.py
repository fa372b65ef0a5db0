"""Models of images and words on the Auto-label page, with tiny random models of the real classes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from labeling import images
from labeling.models import Suggestion
from mlassist.autolabel import engines, examples, prompts, proposing, trials, untaught
from tests import factories
from tests.mlassist.hub_server import hub

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] a photo of circle square triangle red blue . the close - up bright dark"
)
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 37}
LOOKS = {
    "do_resize": True,
    "size": {"height": 32, "width": 32},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.25, 0.25, 0.25],
}


def tokenizer(folder: Path, longest: int) -> None:
    vocabulary = {word: at for at, word in enumerate(WORDS.split())}
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        eos_token="[SEP]", model_max_length=longest,
    ).save_pretrained(folder)  # fmt: skip


def save(folder: Path, kind: str) -> None:
    """Save a tiny model as its hub does, with a tokenizer of a few words and a model card."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    text = {**SMALL, "vocab_size": 99, "max_position_embeddings": 16}
    image = {**SMALL, "image_size": 32, "patch_size": 8}
    looks = {"image_processor_type": "ViTImageProcessor", **LOOKS}
    if kind == "clip":
        text |= {"eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0}
        config = transformers.CLIPConfig(text_config=text, vision_config=image, projection_dim=24)
        model = transformers.CLIPModel(config)
    elif kind == "siglip":
        text |= {"max_position_embeddings": 64}
        model = transformers.SiglipModel(transformers.SiglipConfig(text_config=text, vision_config=image))
    elif kind == "owlv2":
        config = transformers.Owlv2Config(text_config=text, vision_config=image, projection_dim=32)
        model = transformers.Owlv2ForObjectDetection(config)
        looks = {"image_processor_type": "Owlv2ImageProcessor", **LOOKS}
    elif kind == "grounding-dino":
        backbone = transformers.SwinConfig(
            image_size=64, embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=2,
            out_features=["stage2", "stage3", "stage4"],
        )  # fmt: skip
        config = transformers.GroundingDinoConfig(
            backbone_config=backbone, text_config={**SMALL, "model_type": "bert", "vocab_size": 99},
            d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, num_queries=20,
            decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_text_len=64,
        )  # fmt: skip
        model = transformers.GroundingDinoForObjectDetection(config)
        looks = {"image_processor_type": "GroundingDinoImageProcessor", **LOOKS}
        looks["size"] = {"shortest_edge": 64, "longest_edge": 96}
    elif kind == "sam2":
        backbone = transformers.Sam2HieraDetConfig(
            hidden_size=8, num_attention_heads=1, image_size=[64, 64], blocks_per_stage=[1, 1, 2, 1],
            embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 1, 2, 2],
            window_positional_embedding_background_size=[4, 4], window_size_per_stage=[4, 2, 2, 2],
            global_attention_blocks=[3],
        )  # fmt: skip
        config = transformers.Sam2Config(
            vision_config=transformers.Sam2VisionConfig(
                backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8], fpn_hidden_size=32,
                backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
            ),
            prompt_encoder_config={
                "hidden_size": 32, "image_size": 64, "patch_size": 16, "mask_input_channels": 4
            },
            mask_decoder_config={
                "hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2, "num_hidden_layers": 1,
                "iou_head_hidden_dim": 32,
            },
        )  # fmt: skip
        model = transformers.Sam2Model(config)
        looks_at = transformers.Sam2ImageProcessor(
            size={"height": 64, "width": 64}, mask_size={"height": 16, "width": 16}
        )
        transformers.Sam2Processor(looks_at).save_pretrained(folder)
    else:
        config = transformers.SamConfig(
            vision_config={
                "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
                "patch_size": 8, "mlp_dim": 64, "output_channels": 32, "global_attn_indexes": [1],
                "window_size": 2, "num_pos_feats": 16,
            },
            prompt_encoder_config={
                "hidden_size": 32, "image_size": 64, "patch_size": 8, "mask_input_channels": 4
            },
            mask_decoder_config={
                "hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2, "num_hidden_layers": 1,
                "iou_head_hidden_dim": 32,
            },
        )  # fmt: skip
        model = transformers.SamModel(config)
        size = {"longest_edge": 64}
        transformers.SamProcessor(
            transformers.SamImageProcessor(size=size, pad_size={"height": 64, "width": 64}, mask_size=size,
                                           mask_pad_size={"height": 64, "width": 64})
        ).save_pretrained(folder)  # fmt: skip
    model.save_pretrained(folder)
    if kind not in ("sam", "sam2"):
        tokenizer(folder, 64 if kind in ("grounding-dino", "siglip") else 16)
        (folder / "preprocessor_config.json").write_text(json.dumps(looks))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model\n")


@pytest.fixture
def weights(settings, tmp_path, monkeypatch) -> Path:
    settings.LOUPE_WEIGHTS_DIR = tmp_path / "weights"
    settings.LOUPE_WEIGHTS_DIR.mkdir()
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    return settings.LOUPE_WEIGHTS_DIR


def offered(project, name: str) -> engines.Offer:
    return engines.find(project, f"hub/{name}")


@given(st.text(max_size=60))
def test_prompts_are_read_as_people_write_them(text) -> None:
    found = prompts.alternatives(text)
    assert all(each == " ".join(each.split()) and each and ";" not in each for each in found)
    assert len(prompts.sentences(text)) >= len(found) == len(set(found))


@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "task"), [("clip", "multiclass"), ("siglip", "multilabel")])
def test_words_name_the_classes_of_images(kind, task, manager, weights) -> None:
    project = factories.make_project(manager=manager, task_type=task)
    items = factories.make_items(project, 12)
    save(weights / kind, kind)
    offer = offered(project, kind)
    assert (offer.problem, offer.licence) == ("", "Licence: apache-2.0.")
    circle = project.classes.get(name="circle")
    trial = trials.start(project, manager, offer.name, said={circle.pk: "red circle; a circle."})
    circle.refresh_from_db()
    assert circle.description == "red circle; a circle."
    factories.run_jobs("ml")
    trial.refresh_from_db()
    found = [each.found for each in trial.images.all()]
    assert len(found) == trials.SHOWN
    assert all(each is not None for each in found)
    wanted = dict.fromkeys(project.classes.values_list("pk", flat=True), 0.05)
    made = proposing.start(trial, manager, wanted)
    factories.run_jobs("ml", "long")
    made.refresh_from_db()
    assert made.done == made.total > 0
    assert made.model_version.backbone == offer.name
    assert len(items) >= made.total


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["owlv2", "grounding-dino"])
def test_words_find_objects(kind, manager, weights) -> None:
    project = factories.make_project(manager=manager, task_type="detection")
    factories.make_scenes(project, 6, size=(64, 48))
    save(weights / kind, kind)
    trial = trials.start(project, manager, f"hub/{kind}")
    factories.run_jobs("ml")
    trial.refresh_from_db()
    classes = set(project.classes.values_list("pk", flat=True))
    for image in trial.images.select_related("item"):
        assert image.problem == ""
        for region in image.found:
            x, y, width, height = region["bbox"]
            assert region["class"] in classes
            assert 0 <= x <= x + width <= image.item.width
            assert 0 <= y <= y + height <= image.item.height
    made = proposing.start(trial, manager, dict.fromkeys(classes, 0.05))
    factories.run_jobs("long")
    made.refresh_from_db()
    assert made.done == made.total
    assert Suggestion.objects.filter(project=project).count() == made.proposed
    # As a version of the project it looks as it did.
    pixels = np.asarray(images.open_upright(project.items.first()))
    noted, model = untaught.to_keep(trial)
    seen = untaught.of(trial, sorted(classes)).at(pixels)
    again = untaught.kept(project, noted, model, sorted(classes)).at(pixels)
    assert np.array_equal(seen.found.boxes, again.found.boxes)
    assert np.array_equal(seen.mirrored.scores, again.mirrored.scores)


@pytest.mark.django_db
@pytest.mark.parametrize("outliner", ["sam", "sam2"])
def test_outlines_need_what_outlines_boxes(outliner, manager, weights) -> None:
    project = factories.make_project(manager=manager, task_type="segmentation")
    factories.make_scenes(project, 2, size=(64, 48))
    save(weights / "owlv2", "owlv2")
    assert "SAM" in offered(project, "owlv2").problem
    save(weights / outliner, outliner)
    trial = trials.start(project, manager, f"hub/owlv2+{outliner}")
    factories.run_jobs("ml")
    for image in trial.images.all():
        assert image.found is not None
        assert all("polygon" in each and "bbox" not in each for each in image.found)


@pytest.mark.django_db
def test_what_is_missing_says_how_it_gets_here(manager, weights) -> None:
    project = factories.make_project(manager=manager)
    factories.make_items(project, 2)
    missing = offered(project, "openai/clip-vit-base-patch32")
    assert "fetch_model openai/clip-vit-base-patch32" in missing.problem
    with pytest.raises(examples.AutoLabelRefused, match="fetch_model"):
        trials.start(project, manager, missing.name)


def test_a_folder_is_taken_where_its_size_and_licence_were_shown(weights, tmp_path, capsys) -> None:
    save(tmp_path / "here" / "clip", "clip")
    call_command("fetch_model", str(tmp_path / "here" / "clip"), "--yes")
    said = capsys.readouterr().out
    assert "clip, " in said
    assert "Licence: apache-2.0." in said
    assert (weights / "clip" / "config.json").exists()
    named = tmp_path / "here" / "clip-vit-base-patch32"  # as the hub has it, without its owner
    (tmp_path / "here" / "clip").rename(named)
    call_command("fetch_model", str(named), "--yes")
    assert (weights / "openai" / named.name / "config.json").exists()
    with pytest.raises(CommandError, match="no folder"):
        call_command("fetch_model", str(tmp_path / "not here"), "--yes")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="holds no model"):
        call_command("fetch_model", str(tmp_path / "empty"), "--yes")


def test_a_model_is_fetched_by_name_after_its_size_and_licence_were_shown(tmp_path) -> None:
    save(tmp_path / "models" / "someone" / "clip", "clip")
    (tmp_path / "models" / "someone" / "clip" / "training_args.bin").write_bytes(b"of no use here")
    with hub(tmp_path / "models") as address:
        where = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache"), "LOUPE_HOME": str(tmp_path)}
        fetch = [sys.executable, "manage.py", "fetch_model", "someone/clip"]

        def fetched(answer: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                fetch, input=answer, capture_output=True, text=True, check=False, env={**os.environ, **where}
            )

        asked = fetched("n\n")
        assert "someone/clip: clip, 0 MB. Licence: apache-2.0." in asked.stdout
        assert "Nothing was changed." in asked.stderr
        assert not (tmp_path / "weights" / "someone").exists()
        assert "It lies in" in fetched("y\n").stdout
    here = tmp_path / "weights" / "someone" / "clip"
    original = tmp_path / "models" / "someone" / "clip" / "model.safetensors"
    assert (here / "model.safetensors").read_bytes() == original.read_bytes()
    assert not (here / "training_args.bin").exists()


def test_a_class_is_the_mean_of_its_sentences() -> None:
    vectors = np.array([[1.0, 0], [0, 2.0], [0, 3.0]])
    means = prompts.mean_directions(vectors, [2, 1])
    assert np.allclose(means, [[np.sqrt(0.5), np.sqrt(0.5)], [0, 1]])
