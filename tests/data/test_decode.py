"""Decoding: against torchvision's transforms, odd modes, damage of every kind, the cache."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from debias_cl.data import decode as module
from debias_cl.data.decode import Picture, cache_folder, decode
from debias_cl.data.picture import Rule, read_picture

RULE = Rule(36, 32)


def by_torchvision(data: bytes, rule: Rule) -> np.ndarray:
    import io

    from torchvision.transforms import CenterCrop, Compose, Resize

    picture = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(Compose([Resize(rule.shorter), CenterCrop(rule.side)])(picture))


@pytest.mark.parametrize("size", [(80, 60), (61, 97), (36, 36), (20, 31), (200, 40)])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_lossless_picture_is_what_torchvision_gives(
    picture_bytes: Callable[..., bytes], size: tuple[int, int], mode: str
) -> None:
    data = picture_bytes(3, mode, size, "PNG")
    image, found = read_picture(data, RULE)
    assert found == (mode,)
    np.testing.assert_array_equal(image, by_torchvision(data, RULE))


def test_a_jpeg_decoded_at_half_size_stays_close(picture_bytes: Callable[..., bytes]) -> None:
    data = picture_bytes(4, "RGB", (400, 300))
    image, _ = read_picture(data, RULE)
    difference = np.abs(image.astype(int) - by_torchvision(data, RULE))
    assert difference.mean() < 2


def test_cmyk_and_16_bit_pictures_keep_their_brightness(tmp_path: Path) -> None:
    import io

    def saved(picture: Image.Image, kind: str) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, kind)
        return buffer.getvalue()

    grey = np.full((40, 40), 32896, np.uint16)  # 128 x 257
    image, mode = read_picture(saved(Image.fromarray(grey), "PNG"), RULE)
    assert mode[0].startswith("I")
    assert np.unique(image).tolist() == [128]
    red = Image.new("RGB", (40, 40), (200, 20, 20)).convert("CMYK")
    image, mode = read_picture(saved(red, "JPEG"), RULE)
    assert mode == ("CMYK",)
    assert np.abs(image.reshape(-1, 3).mean(0) - (200, 20, 20)).max() < 6


def test_a_picture_turned_by_exif_is_turned_upright() -> None:
    import io

    left_red = np.zeros((40, 40, 3), np.uint8)
    left_red[:, :20, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    buffer = io.BytesIO()
    Image.fromarray(left_red).save(buffer, "PNG", exif=exif)
    image, traits = read_picture(buffer.getvalue(), Rule(40, 40))
    assert traits == ("RGB", "turned")
    assert image[:10, :, 0].min() == 255
    assert image[30:, :, 0].max() == 0


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: b"", "empty file"),
        (lambda data: data[: len(data) // 2], "damaged picture"),
        (lambda data: b"<!DOCTYPE html><html>quota", "not a picture"),
        (lambda data: b"\xff\xd8\xff\xe0" + b"\0" * 40, "picture"),
    ],
)
def test_damage_is_said_in_plain_words(picture_bytes, damage, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_picture(damage(picture_bytes(size=(200, 200))), RULE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_the_bytes_there_is_a_picture_or_a_reason(picture_bytes, kind: str, data) -> None:
    content = bytearray(picture_bytes(2, "RGB", (30, 24), kind))
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=8)
    ):
        content[place] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of damage that it can live with
        try:
            image, _ = read_picture(bytes(content[: data.draw(st.integers(0, len(content)))]), RULE)
        except ValueError as error:
            assert str(error)
        else:
            assert image.shape == (32, 32, 3)


def test_a_very_long_strip_does_not_fill_the_memory(picture_bytes) -> None:
    image, _ = read_picture(picture_bytes(1, "RGB", (50_000, 2), "PNG"), RULE)
    assert image.shape == (32, 32, 3)


def test_a_picture_of_too_many_pixels_is_refused(picture_bytes, monkeypatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="too many pixels"):
        read_picture(picture_bytes(), RULE)


def a_folder(folder: Path, picture_bytes: Callable[..., bytes]) -> list[Picture]:
    """Six pictures: good, empty, greyscale, absent, cut short, good."""
    folder.mkdir()
    good = [picture_bytes(i, "RGB", (90, 70)) for i in range(2)]
    contents = [good[0], b"", picture_bytes(5, "L", (90, 70)), None, good[1][:300], good[1]]
    for number, content in enumerate(contents):
        if content is not None:
            (folder / f"{number}.jpg").write_bytes(content)
    return [Picture(f"{n}.jpg", f"t.csv, line {n + 2}", folder / f"{n}.jpg") for n in range(6)]


def test_what_cannot_be_read_is_listed_and_the_rest_stays_in_order(
    tmp_path: Path, picture_bytes: Callable[..., bytes]
) -> None:
    pictures = a_folder(tmp_path / "p", picture_bytes)
    out = decode(pictures, RULE, tmp_path / "cache")
    assert out.kept.tolist() == [0, 2, 5]
    for place, row in enumerate(out.kept):
        source = pictures[row].source
        assert isinstance(source, Path)
        np.testing.assert_array_equal(out.images[place], read_picture(source.read_bytes(), RULE)[0])
    reasons = {(e.item, e.where): e.reason for e in out.exclusions}
    assert reasons["1.jpg", "t.csv, line 3"] == "empty file"
    assert reasons["3.jpg", "t.csv, line 5"] == "the picture is not there"
    assert reasons["4.jpg", "t.csv, line 6"].startswith("damaged")
    assert out.notes == ("1 greyscale picture was turned into RGB",)


def test_the_cache_is_used_and_a_changed_picture_is_decoded_anew(
    tmp_path: Path, picture_bytes: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = a_folder(tmp_path / "p", picture_bytes)
    first = decode(pictures, RULE, tmp_path / "cache")
    monkeypatch.setattr(module, "read_picture", None)  # a second decoding would fail
    again = decode(pictures, RULE, tmp_path / "cache")
    np.testing.assert_array_equal(first.images, again.images)
    assert (again.exclusions, again.notes) == (first.exclusions, first.notes)
    monkeypatch.undo()
    (tmp_path / "p" / "0.jpg").write_bytes(picture_bytes(9, "RGB", (90, 70)))
    os.utime(tmp_path / "p" / "0.jpg", ns=(1, 1))
    changed = decode(pictures, RULE, tmp_path / "cache")
    assert not np.array_equal(changed.images[0], first.images[0])
    assert decode(pictures, Rule(20, 16), tmp_path / "cache").images.shape == (3, 16, 16, 3)
    assert [p.name for p in (tmp_path / "cache").iterdir() if p.name.startswith(".")] == []


def test_a_large_array_is_mapped_and_can_be_written_without_touching_the_file(
    tmp_path: Path, picture_bytes: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_MEMORY_BYTES", 0)
    pictures = a_folder(tmp_path / "p", picture_bytes)
    images = decode(pictures, RULE, tmp_path / "cache").images
    assert isinstance(images, np.memmap)
    before = images[0].copy()
    images[0] = 0
    np.testing.assert_array_equal(decode(pictures, RULE, tmp_path / "cache").images[0], before)


def test_many_pictures_in_batches_and_threads(picture_bytes, tmp_path: Path) -> None:
    contents = [picture_bytes(i, "RGB", (24, 20), "PNG") for i in range(150)]
    pictures = [
        Picture(str(i), "memory", lambda i=i: contents[i], stamp=str(i)) for i in range(150)
    ]
    images = decode(pictures, Rule(16, 16), tmp_path).images
    for i in (0, 63, 64, 149):
        np.testing.assert_array_equal(images[i], read_picture(contents[i], Rule(16, 16))[0])


def test_where_the_cache_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBIAS_CL_CACHE", str(tmp_path / "chosen"))
    assert cache_folder(tmp_path, "set") == tmp_path / "chosen" / "set"
    monkeypatch.delenv("DEBIAS_CL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert cache_folder(tmp_path, "set") == tmp_path / "home" / "debias_cl" / "set"
    (tmp_path / "set").mkdir()
    assert cache_folder(tmp_path, "set") == tmp_path / "set" / ".cache"
    (tmp_path / "set").chmod(0o555)
    assert cache_folder(tmp_path, "set") == tmp_path / "home" / "debias_cl" / "set"
