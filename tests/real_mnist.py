"""Where the tests find the genuine files, which no network is asked for. Tests that need them are skipped without them."""

import contextlib
import os
from functools import lru_cache
from pathlib import Path

import pytest

from vae_course import data

ROOT = Path(__file__).resolve().parents[1]
LINKS = ROOT / "build" / "test-data"  # git-ignored
FASHION_PACKAGE = Path("/usr/share/datasets/fashion-mnist")  # of Debian's package dataset-fashion-mnist


@lru_cache(maxsize=1)  # as it was at the start: a test may hide the variable
def candidates() -> list[Path]:
    """Folders that may hold the data, the one that the user named first."""
    named = os.environ.get(data.DATA_FOLDER_VARIABLE)
    others = [ROOT / "build" / "data", ROOT / "notebooks" / "build" / "data", ROOT.parent / "shared" / "data", LINKS]
    return [Path(named).expanduser().absolute(), *others] if named else others


def holds(raw: Path, name: str) -> bool:
    """Whether the four files of a data set are in the folder, each unpacked or not."""
    return all(any((raw / f"{file}{ending}").is_file() for ending in ("", ".gz")) for file in data.UNPACKED_MD5[name])


@lru_cache(maxsize=1)
def find_mnist() -> Path | None:
    return next((folder for folder in candidates() if holds(folder / "MNIST" / "raw", "MNIST")), None)


def mnist_folder() -> Path:
    """A data folder with the genuine MNIST, or the test is skipped."""
    folder = find_mnist()
    if folder is None:
        pytest.skip(f"needs the full MNIST: set {data.DATA_FOLDER_VARIABLE} to a folder with MNIST/raw, "
                    f"or call vae_course.data.load_mnist() once where there is a network")
    return folder


def fixed_mnist_folder() -> Path:
    """A data folder with the fixed binarization, or the test is skipped."""
    for folder in candidates():
        if (folder / data.FIXED_FILE).is_file():
            return folder
    pytest.skip(f"needs the fixed binarization of MNIST: put {data.FIXED_FILE} into the folder that "
                f"{data.DATA_FOLDER_VARIABLE} names")


def fashion_mnist_folder() -> Path:
    """A data folder with the genuine Fashion-MNIST, or the test is skipped."""
    raw = LINKS / "FashionMNIST" / "raw"
    if holds(FASHION_PACKAGE, "FashionMNIST"):
        raw.mkdir(parents=True, exist_ok=True)
        for source in FASHION_PACKAGE.glob("*.gz"):
            with contextlib.suppress(FileExistsError):  # of an earlier run, or of another process at this moment
                (raw / source.name).symlink_to(source)
    for folder in candidates():
        if holds(folder / "FashionMNIST" / "raw", "FashionMNIST"):
            return folder
    pytest.skip("needs Fashion-MNIST: call vae_course.data.load_fashion_mnist() once where there is a network, "
                "or install Debian's package dataset-fashion-mnist")
