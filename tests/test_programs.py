"""Whole networks in a file: TorchScript, torch.export and ONNX, and code of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from debias_cl.checkpoint import load_encoder
from debias_cl.errors import CheckpointError, UsageError
from debias_cl.foreign import as_rows
from debias_cl.networks import CifarResNet
from debias_cl.own_head import OwnHead, own_head, probabilities
from debias_cl.records import Column

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
LABEL = Column("y", ("a", "b", "c"))


class Small(nn.Module):
    """Of no known architecture."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, 2)
        self.top = nn.Linear(6, classes)

    def features(self, images: Tensor) -> Tensor:
        found: Tensor = self.stem(images).relu().mean(dim=(2, 3))
        return found

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.top(self.features(images))
        return logits


@pytest.fixture(scope="module")
def small() -> Small:
    torch.manual_seed(0)
    return Small().eval()


def pictures(n: int = 5, side: int = 16) -> Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(1))


def save(network: nn.Module, path: Path, fixed: int = 0, side: int = 16) -> Path:
    """Save by the file's ending; `fixed` is the one number of pictures it takes, 0 is any."""
    example = torch.zeros(fixed or 2, 3, side, side)
    free = None if fixed else {0: torch.export.Dim("n")}
    if path.suffix == ".ts":
        torch.jit.save(torch.jit.trace(network, example), str(path))
    elif path.suffix == ".pt2":
        exported = torch.export.export(
            network, (example,), dynamic_shapes=(free,) if free else None
        )
        torch.export.save(exported, str(path))
    else:
        axes = None if fixed else {"images": {0: "n"}}
        torch.onnx.export(
            network,
            (example,),
            str(path),
            dynamo=False,
            input_names=["images"],
            output_names=["out"],
            dynamic_axes=axes,
        )
    return path


@pytest.mark.parametrize("fixed", [0, 1, 2])
@pytest.mark.parametrize("suffix", [".ts", ".pt2", ".onnx"])
def test_a_program_gives_what_the_network_gives(
    tmp_path: Path, small: Small, suffix: str, fixed: int
) -> None:
    path = save(small, tmp_path / f"net{suffix}", fixed)
    encoder, report = load_encoder(path, image_size=16, trust=suffix != ".onnx")
    with torch.inference_mode():
        wanted, found = small(pictures()), encoder(pictures())
    assert torch.allclose(found, wanted, atol=1e-5) and encoder.feature_dim == 3
    assert encoder.architecture.endswith("program") and report.program.startswith("run as it is")
    assert report.classes == 3 and isinstance(encoder.classifier, nn.Identity)
    assert report.side == (0 if suffix == ".ts" else 16)
    for mode in (True, False):
        encoder.train(mode)  # no program refuses the mode


@pytest.mark.parametrize("outputs", ["features", "logits"])
def test_outputs_are_what_the_flag_says(tmp_path: Path, small: Small, outputs: Any) -> None:
    path = save(small, tmp_path / "net.onnx")
    encoder, _ = load_encoder(path, outputs=outputs)
    assert (encoder.classifier is None) == (outputs == "features")
    head = own_head(encoder, LABEL)
    assert (head.layer is not None) == (outputs == "logits")


def test_logits_of_a_program_are_its_own_predictions(tmp_path: Path, small: Small) -> None:
    encoder, _ = load_encoder(save(small, tmp_path / "net.onnx"), image_size=16)
    head = own_head(encoder, LABEL)
    with torch.inference_mode():
        rows, wanted = encoder(pictures()).numpy(), small(pictures()).double().softmax(1).numpy()
    found, notes = probabilities(rows, head)
    assert found == pytest.approx(wanted, abs=1e-6) and notes == ()
    again, notes = probabilities(wanted.astype(np.float32), head)  # a softmax stands in the graph
    assert again == pytest.approx(wanted, abs=1e-6) and "probabilities already" in notes[0]


def test_one_output_is_the_score_of_the_second_level() -> None:
    head = OwnHead(nn.Identity(), 1, (0, 1), "", raw=True)
    logit = np.array([[-2.0], [0.0], [3.0]], np.float32)
    found, _ = probabilities(logit, head)
    assert found[:, 1] == pytest.approx(1 / (1 + np.exp(-logit[:, 0])), abs=1e-7)
    shares, notes = probabilities(np.array([[0.2], [0.9]], np.float32), head)
    assert shares[:, 1] == pytest.approx([0.2, 0.9], abs=1e-7) and notes


def test_other_outputs_are_features_and_the_report_says_why(tmp_path: Path) -> None:
    encoder, _ = load_encoder(save(Small(5).eval(), tmp_path / "net.onnx"), image_size=16)
    head = own_head(encoder, LABEL)
    assert head.layer is None and head.said.endswith("taken as features")


@pytest.mark.parametrize("suffix", [".ts", ".pt2"])
def test_a_known_architecture_inside_a_program_gives_features_before_its_head(
    tmp_path: Path, suffix: str
) -> None:
    torch.manual_seed(2)

    class Whole(CifarResNet):
        def __init__(self) -> None:
            super().__init__(20)
            self.linear = nn.Linear(64, 10)

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.linear(super().forward(images))
            return logits

    whole = Whole().eval()
    path = save(whole, tmp_path / f"net{suffix}", side=32)
    encoder, report = load_encoder(path, trust=True)
    assert encoder.architecture == "cifar_resnet20" and report.classes == 10
    assert "so that is used" in report.program
    with torch.no_grad():
        assert torch.equal(encoder(pictures(2, 32)), CifarResNet.forward(whole, pictures(2, 32)))
    raw, _ = load_encoder(path, trust=True, outputs="logits")
    assert raw.feature_dim == 10


def test_a_program_that_does_more_than_its_architecture_is_run_as_it_is(tmp_path: Path) -> None:
    class More(CifarResNet):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images * 3 + 1)

    more = More(20).eval()
    encoder, _ = load_encoder(save(more, tmp_path / "net.ts", side=32), image_size=32, trust=True)
    assert encoder.architecture == "TorchScript program"
    with torch.inference_mode():
        assert torch.allclose(encoder(pictures(2, 32)), more(pictures(2, 32)), atol=1e-6)


@pytest.mark.parametrize("suffix", [".ts", ".pt2"])
def test_programs_that_torch_runs_need_trust(tmp_path: Path, small: Small, suffix: str) -> None:
    path = save(small, tmp_path / f"net{suffix}")
    with pytest.raises(CheckpointError, match="archive: it holds") as caught:
        load_encoder(path)
    assert caught.value.exit_code == 4 and "--trust" in caught.value.remedy


@pytest.mark.parametrize("suffix", [".ts", ".pt2", ".onnx"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_program_cut_off_is_refused(
    tmp_path: Path, small: Small, suffix: str, share: float
) -> None:
    path = save(small, tmp_path / f"net{suffix}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError):
        load_encoder(path, image_size=16, trust=True)


def test_a_graph_of_other_inputs_is_refused(tmp_path: Path) -> None:
    class Flat(nn.Module):
        def forward(self, rows: Tensor) -> Tensor:
            return rows * 2

    torch.onnx.export(Flat(), (torch.zeros(2, 4),), str(tmp_path / "net.onnx"), dynamo=False)
    with pytest.raises(CheckpointError, match="this ONNX graph takes") as caught:
        load_encoder(tmp_path / "net.onnx")
    assert "(n, 3, height, width)" in caught.value.expected


def test_rows_of_whatever_a_network_gives() -> None:
    maps, tokens = torch.rand(2, 5, 3, 3), torch.rand(2, 7, 5)
    assert torch.equal(as_rows(maps), maps.mean((2, 3)))
    assert torch.equal(as_rows(tokens), tokens.mean(1))
    assert torch.equal(as_rows({"map": maps, "pooled": tokens[:, 0]}), tokens[:, 0])
    assert as_rows((torch.ones(4),)).shape == (4, 1)
    with pytest.raises(CheckpointError, match="there is no tensor"):
        as_rows("text")


USERS_CODE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, 2)
        self.top = nn.Linear(6, 3)
    def forward(self, images):
        return self.top(self.stem(images).relu().mean(dim=(2, 3)))

def tokens():
    return nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.Flatten(2))

def broken():
    raise RuntimeError("no weather")

text = "no callable"
"""


@pytest.fixture
def users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "users_own_net.py").write_text(USERS_CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "users_own_net", raising=False)
    return tmp_path


def test_code_of_the_users_own(users_folder: Path, small: Small) -> None:
    state = {f"module.{key}": value for key, value in small.state_dict().items()}
    torch.save({"net": state}, users_folder / "w.pt")
    encoder, report = load_encoder("w.pt", "users_own_net:Net", 16)
    with torch.no_grad():
        assert torch.equal(encoder(pictures()), small.features(pictures()))
    assert report.classes == 3 and isinstance(encoder.classifier, nn.Linear)
    assert encoder.architecture == "users_own_net:Net" and "code of yours" in encoder.note
    logits, _ = load_encoder("w.pt", "users_own_net:Net", 16, outputs="logits")
    with torch.no_grad():
        assert torch.equal(logits(pictures()), small(pictures()))
    with pytest.raises(CheckpointError, match="no architecture that is known") as caught:
        load_encoder("w.pt")
    assert "module:callable" in caught.value.remedy
    with pytest.raises(CheckpointError, match="only 0 of the 2 weights"):
        load_encoder("w.pt", "users_own_net:tokens", 16)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("users_own_net:Nett", "did you mean 'Net'"),
        ("users_own_net:text", "no callable 'text'"),
        ("users_own_net:broken", "no weather"),
        ("users_other_net:Net", "no module of that name"),
        ("torchvison:resnet18", "did you mean 'torchvision'"),
    ],
)
def test_code_that_cannot_be_used_is_said(
    users_folder: Path, small: Small, name: str, said: str
) -> None:
    torch.save(small.state_dict(), users_folder / "w.pt")
    with pytest.raises(UsageError, match=said):
        load_encoder("w.pt", name, 16)
