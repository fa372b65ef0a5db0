"""Vision encoders of Hugging Face's real classes, tiny and with random weights, saved as its hub does."""

import json
from pathlib import Path

import pytest


def save(folder: Path, kind: str) -> None:
    """Save a model that looks at 32x32 pixels, with its preprocessing and a model card."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 37}
    images = {"image_size": 32, "patch_size": 8}
    if kind == "dinov2":
        model = transformers.Dinov2Model(transformers.Dinov2Config(**small, **images))
    elif kind == "vit":
        model = transformers.ViTModel(transformers.ViTConfig(**small, **images), add_pooling_layer=False)
    elif kind == "clip":
        model = transformers.CLIPModel(
            transformers.CLIPConfig(
                text_config={**small, "vocab_size": 99}, vision_config={**small, **images}, projection_dim=24
            )
        )
    elif kind == "siglip":
        model = transformers.SiglipModel(
            transformers.SiglipConfig(
                text_config={**small, "vocab_size": 99}, vision_config={**small, **images}
            )
        )
    else:
        model = transformers.ResNetModel(
            transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
        )
    model.save_pretrained(folder)
    looks = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": 32, "width": 32},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.25, 0.25, 0.25],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(looks))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model\n")
