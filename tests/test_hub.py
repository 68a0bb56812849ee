"""Weights from the Hugging Face hub, with a repository of our own in its place."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import safetensors.torch
import torch

from debias_cl.errors import CheckpointError
from debias_cl.hub import is_hub, told
from debias_cl.sources import from_checkpoint

CONFIG = {
    "architecture": "resnet10t",
    "num_classes": 4,
    "pretrained_cfg": {
        "input_size": [3, 176, 176],
        "mean": [0.5, 0.4, 0.3],
        "std": [0.2, 0.2, 0.2],
    },
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands in for the repository `someone/small`."""
    asked: dict[str, Any] = {}

    def listed(name: str, revision: str | None, timeout: float) -> Any:
        assert name == "someone/small" and revision in (None, "v2")
        names = sorted(path.name for path in tmp_path.iterdir())
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in names])

    def fetched(name: str, file: str, **options: Any) -> str:
        asked[file] = options
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub, "model_info", listed)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetched)
    (tmp_path / "README.md").write_text("a card")
    return tmp_path


def test_a_repository_as_timm_writes_it(repository: Path) -> None:
    import timm

    model = timm.create_model("resnet10t", num_classes=4).eval()
    safetensors.torch.save_file(model.state_dict(), repository / "model.safetensors")
    torch.save({"never": "read"}, repository / "pytorch_model.bin")
    (repository / "config.json").write_text(json.dumps(CONFIG))
    source = from_checkpoint("hf:someone/small@v2", "", 0, "cpu")
    assert source.name == "small" and source.description["name"] == "hf:someone/small@v2"
    assert source.encoder.architecture == "timm:resnet10t"
    assert source.image_size == 176
    taken = source.description["checkpoint"]["input"]
    assert taken["mean"] == (0.5, 0.4, 0.3) and taken["std"] == (0.2, 0.2, 0.2)
    assert set(taken["said_by"].values()) == {"the model's config.json"}
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert source.encoder.classifier is not None
        assert torch.allclose(source.encoder.classifier(source.encoder(x)), model(x), atol=1e-5)


def test_pickles_of_a_repository_do_not_run(repository: Path) -> None:
    import os

    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(repository / "owned"),)

    torch.save({"weights": Evil()}, repository / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="could run any code"):
        from_checkpoint("hf:someone/small", "", 0, "cpu")
    assert not (repository / "owned").exists()


def test_a_repository_without_weights(repository: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no weights in someone/small") as caught:
        from_checkpoint("hf:someone/small", "", 0, "cpu")
    assert "README.md" in caught.value.where and "model.safetensors" in caught.value.expected


def test_without_a_network_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: Any, **options: Any) -> Any:
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "model_info", offline)
    with pytest.raises(CheckpointError, match="no route to host") as caught:
        from_checkpoint("hf:someone/small", "", 0, "cpu")
    assert caught.value.exit_code == 4 and "give that file" in caught.value.remedy


def test_what_a_config_says() -> None:
    assert is_hub("hf:a/b") and is_hub("hf-hub:a/b") and not is_hub("weights.pt")
    assert told({"architectures": ["ViTModel"]}) == {"said_by": "the model's config.json"}
