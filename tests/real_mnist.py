"""Where the tests find the genuine files, which no network is asked for. Tests that need them are skipped without them."""

import gzip
import os
import shutil
from functools import lru_cache
from pathlib import Path

import pytest

from vae_course import data

ROOT = Path(__file__).resolve().parents[1]
COPY = ROOT / "build" / "test-data"  # git-ignored; torchvision unpacks in place, so the originals are left alone
FASHION_PACKAGE = Path("/usr/share/datasets/fashion-mnist")  # of Debian's package dataset-fashion-mnist


def candidates() -> list[Path]:
    """Folders that may hold the data, the one that the user named first."""
    named = os.environ.get(data.DATA_FOLDER_VARIABLE)
    others = [ROOT / "build" / "data", ROOT / "notebooks" / "build" / "data", ROOT.parent / "shared" / "data"]
    return [Path(named).expanduser(), *others] if named else others


def copy_whole(source: Path, target: Path, opener=open) -> None:
    """Copy one file so that it is whole or not there, also when tests run in several processes."""
    if target.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    with opener(source, "rb") as read, open(part, "wb") as write:
        shutil.copyfileobj(read, write)
    os.replace(part, target)


@lru_cache(maxsize=1)
def find_mnist() -> Path | None:
    for folder in candidates():
        for ending in ("", ".gz"):
            sources = [folder / "MNIST" / "raw" / f"{name}{ending}" for name in data.UNPACKED_MD5["MNIST"]]
            if all(source.is_file() for source in sources):
                for source in sources:
                    copy_whole(source, COPY / "MNIST" / "raw" / source.name)
                return COPY
    return None


def mnist_folder() -> Path:
    """A writable data folder with the genuine MNIST, or the test is skipped."""
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
    names = data.UNPACKED_MD5["FashionMNIST"]
    raw = COPY / "FashionMNIST" / "raw"
    for folder in (folder / "FashionMNIST" / "raw" for folder in candidates()):
        if all((folder / name).is_file() for name in names):
            for name in names:
                copy_whole(folder / name, raw / name)
            return COPY
    if not all((FASHION_PACKAGE / f"{name}.gz").is_file() for name in names):
        pytest.skip("needs Fashion-MNIST: call vae_course.data.load_fashion_mnist() once where there is a network, "
                    "or install Debian's package dataset-fashion-mnist")
    for name in names:  # Debian compressed them anew: the .gz files differ from torchvision's, what is in them does not
        copy_whole(FASHION_PACKAGE / f"{name}.gz", raw / name, gzip.open)
    return COPY
