"""The most confident mistakes: the right cells, rows and neighbours, and their pictures."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from debias_cl.data.contract import Dataset, LabelledImages
from debias_cl.document import PICTURES, Judged, assemble, write_report
from debias_cl.metrics import Settings
from debias_cl.mistakes import MISTAKES, NEIGHBOURS, mistakes, pictures
from debias_cl.probe import predictions
from debias_cl.records import Annotations, Column, Features, Predictions

SIDES = {"train": 40, "test": 60}


def make(levels: int = 2, side: int = 28) -> tuple[Features, Predictions, Dataset]:
    """Rows whose first feature is a number of their own, so that neighbours are known."""
    rng = np.random.default_rng(0)
    n = sum(SIDES.values())
    names = tuple(str(level) for level in range(levels))
    truth, group = rng.integers(0, levels, n), rng.integers(0, 2, n)
    about = Annotations(
        np.array([f"{i:03d}.png" for i in range(n)]),
        Column("y", names),
        truth,
        (Column("g", ("0", "1")),),
        {"g": group},
    )
    split = np.repeat(list(SIDES), list(SIDES.values()))
    features = Features(rng.normal(size=(n, 5)).astype(np.float32), split, about)
    test = features.part("test").annotations
    probability = rng.dirichlet(np.ones(levels), len(test))
    images = rng.integers(0, 256, (n, side, side, 3)).astype(np.uint8)
    splits = {
        name: LabelledImages(images[split == name], features.part(name).annotations)
        for name in SIDES
    }
    dataset = Dataset("made", "", splits, (0.5,) * 3, (0.5,) * 3)
    return features, predictions(test, probability, "1", "--positive", {}), dataset


def test_the_worst_cells_come_first_and_their_surest_mistakes() -> None:
    features, made, _ = make()
    found = mistakes(features, made, "test", 1)
    assert found["attribute"] == "g"
    assert found["confidence"] == "probability of the answer given"
    shares = [cell["wrong"] / cell["n"] for cell in found["cells"]]
    assert shares == sorted(shares, reverse=True)
    about = made.annotations
    assert about.truth is not None and made.scores is not None
    for cell in found["cells"]:
        y, g = int(cell["group"]["y"]), int(cell["group"]["g"])
        here = (about.truth == y) & (about.groups["g"] == g)
        wrong = here & (made.predicted != about.truth)
        assert (cell["n"], cell["wrong"]) == (here.sum(), wrong.sum())
        sure = np.where(made.predicted == 1, made.scores, 1 - made.scores)
        expected = sorted(sure[wrong], reverse=True)[:MISTAKES]
        assert [one["confidence"] for one in cell["shown"]] == pytest.approx(expected)
        assert all(one["truth"] == str(y) != one["predicted"] for one in cell["shown"])


def test_the_neighbours_are_the_nearest_training_rows_by_cosine() -> None:
    features, made, _ = make()
    train, test = features.part("train"), features.part("test")
    one = mistakes(features, made, "test", 1)["cells"][0]["shown"][0]
    row = int(one["picture"].removeprefix("test:"))
    assert one["id"] == test.annotations.ids[row]
    unit = train.values / np.linalg.norm(train.values, axis=1, keepdims=True)
    cosine = unit @ (test.values[row] / np.linalg.norm(test.values[row]))
    nearest = np.argsort(-cosine)[:NEIGHBOURS]
    assert [near["picture"] for near in one["neighbours"]] == [f"train:{i}" for i in nearest]
    shown = [near["cosine"] for near in one["neighbours"]]
    assert shown == pytest.approx(cosine[nearest], abs=1e-6)


def test_without_scores_the_neighbours_vote() -> None:
    features, made, _ = make(levels=3)
    assert made.scores is None
    found = mistakes(features, made, "test", 1)
    assert found["confidence"] == "share of the 20 nearest training rows with the answer given"
    assert all(0 <= one["confidence"] <= 1 for cell in found["cells"] for one in cell["shown"])


def test_nothing_wrong_gives_no_cell_and_small_cells_only_where_all_are_small() -> None:
    features, made, _ = make()
    truth = made.annotations.truth
    assert truth is not None
    assert mistakes(features, replace(made, predicted=truth), "test", 1)["cells"] == []
    assert mistakes(features, made, "test", 10_000)["cells"]


@pytest.mark.parametrize(("side", "kind"), [(28, "PNG"), (200, "JPEG")])
def test_pictures_are_those_of_the_rows(side: int, kind: str) -> None:
    features, made, dataset = make(side=side)
    found = pictures(mistakes(features, made, "test", 1), dataset)
    for name, address in found.items():
        split, _, row = name.partition(":")
        head, _, body = address.partition(",")
        assert head == f"data:image/{kind.lower()};base64"
        image = Image.open(io.BytesIO(base64.b64decode(body)))
        assert image.format == kind
        assert max(image.size) <= 96
        if kind == "PNG":
            assert (np.asarray(image) == dataset.splits[split].images[int(row)]).all()


def test_the_report_shows_them_and_draws_them_again(tmp_path: Path) -> None:
    features, made, dataset = make()
    found = mistakes(features, made, "test", 1)
    facts: dict[str, Any] = dict.fromkeys(
        ("command", "seed", "commit", "device", "wall_seconds", "platform")
    )
    about = {
        "name": "made", "title": "Made", "card": "", "licence": "", "protocol": "",
        "noun": "rows", "test_split": "test", "splits": {}, "notes": [],
        "exclusions": {"count": 0, "listed": []},
    }  # fmt: skip
    encoder = {"name": "made", "judge": "linear probe", "objective": None}
    audited = Judged(encoder, made, mistakes=found, pictures=pictures(found, dataset))
    document = assemble(
        audited,
        (),
        dataset=about,
        provenance={**facts, "versions": {}},
        settings=Settings(permutations=19, min_group=1),
    )
    report = write_report(document, tmp_path, audited.pictures)
    page = report.read_text(encoding="utf-8")
    first = found["cells"][0]["shown"][0]
    assert page.count("<img") == sum(
        1 + len(one["neighbours"]) for cell in found["cells"] for one in cell["shown"]
    )
    assert f'alt="Test picture {first["id"]}"' in page
    assert "base64" not in (tmp_path / "metrics.json").read_text(encoding="utf-8")
    assert write_report(json.loads((tmp_path / "metrics.json").read_text()), tmp_path) == report
    assert report.read_text(encoding="utf-8") == page
    write_report(document, tmp_path, {})
    assert not (tmp_path / PICTURES).exists()
    assert "<img" not in report.read_text(encoding="utf-8")
