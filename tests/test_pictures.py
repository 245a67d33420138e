"""The README's pictures: they are there, they are what the chapters show, and the cells that draw them work."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vae_course import widgets

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import pictures  # noqa: E402  (tools/pictures.py)


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_the_readme_shows_all_of_them_and_says_what_is_seen():
    shown = re.findall(r'<img src="([^"]+)" alt="([^"]+)"', (ROOT / "README.md").read_text(encoding="utf-8"))
    assert [Path(name).stem for name, _ in shown] == list(pictures.PICTURES)
    for name, words in shown:
        assert len(words) > 40 and (ROOT / name).stat().st_size < 500_000
        assert size(ROOT / name)[0] >= 260


def test_the_digits_are_those_of_chapter_08():
    stored = pictures.stored_picture("08_build_and_train.ipynb", "build/samples.png")
    assert (ROOT / "docs" / "digits.png").read_bytes() == stored


def test_the_derivation_is_that_of_chapter_03(monkeypatch, tmp_path):
    monkeypatch.setattr(pictures, "DOCS", tmp_path)
    pictures.derivation()  # it asserts that the slip is refused and the right line proved
    assert size(tmp_path / "derivation.png")[0] == 800


def test_the_pointer_leads_the_picture_through_all_classes(tmp_path):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 10
    angle = 0.2 * torch.pi * labels
    codes = 2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(200, 2, generator=generator)

    class Flat:
        def picture(self, z):
            return np.full((28, 28), (z[0] + 4) / 8)

    target = tmp_path / "pad.gif"
    exec(pictures.PAD, {"widgets": widgets, "flat": Flat(), "map_codes": codes, "map_labels": labels, "target": target})
    grey = []
    with Image.open(target) as image:
        assert image.n_frames == 60
        for k in range(0, 60, 6):
            image.seek(k)
            grey.append(np.asarray(image.convert("L"))[200, 500])
    for k, digit in enumerate((0, 6, 2, 3, 8, 5, 1, 7, 9, 4)):
        assert grey[k] == pytest.approx(255 * (codes[labels == digit, 0].mean() + 4) / 8, abs=12)
