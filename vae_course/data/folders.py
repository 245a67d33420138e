"""from_folder: pictures in one folder, or in one folder for each class, read by Pillow and brought to one size."""

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from vae_course.data.images import ImageData, assembled, checked_options, chosen
from vae_course.data.pixels import Values, as_pixels, has_alpha, is_deep, is_grey
from vae_course.data.stored import DataError, ImageFile, bar, file_name, made_before, note, stored

BLOCK = 64            # pictures that are read at a time
MANY = 3              # names that are listed before "and more"
DEEPEST = 5           # folders within folders that are looked at: links may go round in circles


def from_folder(folder: str | os.PathLike, size: int | tuple[int, int], *, channels: int | None = None,
                test_fraction: float = 1 / 6, seed: int = 0, device: torch.device | str = "cpu",
                file: str | os.PathLike | None = None) -> ImageData:
    """The pictures of a folder, or of its sub-folders, one for each class, whose names the classes get.

    Each picture is turned upright as its EXIF data say, scaled until it covers `size`, and cut to it at the centre. Files
    that are no pictures are passed over, broken ones are listed and left out. One line is printed that says so.

    Args:
        folder: where the pictures are, of any kind that Pillow reads.
        size: height and width of what comes out: (H, W), or one number for both.
        channels: 1 for grey, 3 for colour; None for grey if all pictures are grey, else colour.
        test_fraction: the share that is for the test, of each class.
        seed: of the random split.
        device: where the tensors shall live.
        file: a .npy file that the pictures are written to, instead of memory; train and test are then `ImageFile`s. When the
            same folder is asked for again, what the file holds is used.

    Raises:
        DataError: if the folder has no pictures, or has them where they cannot be meant, or the file cannot be written.
        TypeError, ValueError: for arguments that cannot be meant; says what came and what to call.
    """
    options, path = checked_options(test_fraction, seed, device), file_name(file)
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, Integral) and side > 0 for side in sides) or isinstance(size, bool):
        raise ValueError(f"size must be the height and width of the pictures in pixels, (64, 48), or one number for both, "
                         f"64, got {size!r}")
    if channels not in (None, 1, 3):
        raise ValueError(f"channels must be 1 for grey, 3 for colour, or None, got {channels!r}; alpha is composed on white")
    root = _existing(folder)
    paths, passed_over = _listed(root)
    made_from = {"folder": str(root), "size": list(map(int, sides)), "channels": channels, "files": _fingerprint(paths)}
    known = made_before(path, made_from)
    if path is not None and known is not None:
        images: Tensor | ImageFile = ImageFile(path)
        known["said"].append(f"{path.name} held them already.")
    else:
        reading = _Reading(paths)
        images = stored(reading.blocks((int(sides[0]), int(sides[1])), channels), len(paths), path)
        names = None if paths[0].parent == root else [_printable(picture.parent.name) for picture in reading.kept]
        known = {"made_from": made_from, "names": names, "said": [*reading.said(), *passed_over]}
        note(path, known)
    return assembled(root.name, len(images), partial(chosen, images), known["names"], options, known["said"])


# ---------------------------------------------------------------- reading

class _Reading:
    """Reads the files by several threads, and remembers what came of them."""

    def __init__(self, paths: list[Path]):
        self.paths = paths
        self.kept: list[Path] = []
        self.broken: list[str] = []             # the name and the reason of each
        self.facts: Counter[str] = Counter()    # what holds, for how many pictures

    def blocks(self, size: tuple[int, int], channels: int | None) -> Iterator[np.ndarray]:
        """The pictures in blocks (k, C, H, W) uint8; an error at the end if there are none, or all are dark."""
        by_hand = "np.asarray(PIL.Image.open(path))"
        values = Values("the pictures", lambda change: f"data.from_arrays([{change.format(x=by_hand)} for path in paths])",
                        np.dtype(np.uint8))
        threads = min(8, os.cpu_count() or 1)
        with warnings.catch_warnings(), bar(len(self.paths)) as shown, ThreadPoolExecutor(threads) as pool:
            warnings.simplefilter("ignore")     # Pillow's, about files that it reads all the same
            channels = channels or (3 if any(pool.map(_is_colour, self.paths)) else 1)
            for start in range(0, len(self.paths), BLOCK):
                some, good = self.paths[start:start + BLOCK], []
                for path, (pixels, facts) in zip(some, pool.map(partial(_read, channels=channels, size=size), some)):
                    self.facts.update(facts)
                    if isinstance(pixels, str):
                        self.broken.append(f"{_printable(path.name)}: {pixels}")
                    else:
                        self.kept.append(path)
                        good.append(pixels)
                if good:
                    block = np.stack(good)
                    values.take(block)
                    yield block
                shown.update(len(some))
        if not self.kept:
            raise DataError(f"folder names {self.paths[0].parent}, and none of its files can be read "
                            f"({_some(self.broken)}): put whole ones there, or name another folder")
        values.check_brightness()

    def said(self) -> list[str]:
        """Sentences about what was done, and about the files that are left out."""
        said = [f"{fact}: {n:,}." for fact, n in sorted(self.facts.items())]
        if self.broken:
            said.append(f"Left out, as they cannot be read: {len(self.broken):,} ({_some(self.broken)}).")
        return ["Scaled to cover the size, and cut to it at the centre.", *said]


def _read(path: Path, channels: int, size: tuple[int, int]) -> tuple[np.ndarray | str, list[str]]:
    """One file as (C, H, W) uint8, or why it cannot be read, since one of thousands must not stop the rest; and facts."""
    try:
        with Image.open(path) as image:
            facts = [fact for fact, holds in (
                ("Smaller, and enlarged", image.height < size[0] or image.width < size[1]),
                ("With alpha, which was composed on white", has_alpha(image)),
                ("Of 16 bits or more, and brought to 8", is_deep(image)),
                ("Grey, in a set of colour pictures (channels=1 would make all grey)", channels == 3 and is_grey(image)),
            ) if holds]
            return as_pixels(image, channels, size), facts
    except UnidentifiedImageError:
        return "no picture, or damaged", []
    except Exception as error:
        return (str(error) or type(error).__name__).splitlines()[0], []


def _is_colour(path: Path) -> bool:
    """Whether the file has a picture in colour, by its head alone."""
    try:
        with Image.open(path) as image:
            return not is_grey(image)
    except Exception:
        return False    # told by _read


# ---------------------------------------------------------------- which files

def _listed(root: Path) -> tuple[list[Path], list[str]]:
    """The pictures, judged by their endings, in the folder or, if there are none, in its sub-folders; and what to say.

    DataError if there are none, or they are in two places or too deep; says what to name instead.
    """
    Image.init()
    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    files = list(_files(root))
    pictures = [path for path in files if path.suffix.lower() in endings]
    others = [path.name for path in files if path.suffix.lower() not in endings]
    heic = "; HEIC needs pillow_heif.register_heif_opener()" if ".heic" in "".join(others).lower() else ""
    top = [path for path in pictures if path.parent == root]
    below = [path for path in pictures if path.parent.parent == root]
    deeper = [path for path in pictures if root not in path.parents[:2]]
    as_deep = f"as {_printable(str(deeper[0].relative_to(root)))}" if deeper else ""
    if top and below:
        raise DataError(f"folder names {root}, which holds pictures ({len(top):,}) beside sub-folders with some "
                        f"({below[0].parent.name}, …): move them into a sub-folder of their own, or name a sub-folder")
    if not top and not below:
        why = (f"they lie deeper, {as_deep}; name {deeper[0].parents[1]}" if deeper else
               f"it has other files ({_some(others)}){heic}; name the folder of the pictures" if others else
               "it is empty; name the folder of the pictures")
        raise DataError(f"folder names {root}, which holds no pictures: {why}")
    said = [f"Passed over, as no pictures: {len(others):,} ({_some(others)}{heic})."] if others else []
    if deeper:
        said.append(f"What lies deeper was passed over, {as_deep}: {len(deeper):,}.")
    return top or below, said


def _existing(folder: Any) -> Path:
    """The path, if it is a folder."""
    if not isinstance(folder, (str, os.PathLike)):
        raise TypeError(f"folder must be the path of a folder of pictures, got {type(folder).__name__}: put the files into "
                        f"one folder, or open them and call data.from_arrays")
    path = Path(folder).expanduser().absolute()
    if path.is_dir():
        return path
    what, there = "is a file" if path.exists() else "does not exist", next(p for p in path.parents if p.is_dir())
    raise DataError(f"folder names {path}, which {what}: name the folder of the pictures, as {there}; "
                    f"shutil.unpack_archive(file, folder) unpacks an archive, data.ImageFile(file) reads a .npy")


def _files(folder: Path, depth: int = DEEPEST) -> Iterator[Path]:
    """All files in and below the folder, by name, without hidden ones, which systems and notebooks leave behind."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror or error}): name a folder of your own") from error
    for entry in found:
        if entry.is_dir() and depth:
            yield from _files(folder / entry.name, depth - 1)
        elif entry.is_file():
            yield folder / entry.name


def _fingerprint(paths: list[Path]) -> str:
    """A hash of the names, sizes and times of the files, which changes when one is added or replaced."""
    digest = hashlib.sha256()
    for path in paths:
        state = path.stat()
        digest.update(f"{path} {state.st_size} {state.st_mtime_ns};".encode(errors="replace"))
    return digest.hexdigest()[:16]


def _some(names: list[str]) -> str:
    """The first of them, for a message."""
    return "; ".join(map(_printable, names[:MANY])) + (f"; and {len(names) - MANY:,} more" if len(names) > MANY else "")


def _printable(name: str) -> str:
    """The name of a file without bytes that are no text, which some systems allow and `print` does not."""
    return name.encode("utf-8", "replace").decode()
