"""from_folder: pictures in one folder, or in one folder for each class, read by Pillow and brought to one size."""

import hashlib
import operator
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from vae_course import runtime
from vae_course.data.images import ImageData
from vae_course.data.labels import understand
from vae_course.data.listing import Listing, listed, printable
from vae_course.data.pillow import as_pixels, has_alpha, is_deep, is_grey
from vae_course.data.pixels import Pixels
from vae_course.data.splitting import assembled, check_split, pick, split
from vae_course.data.stored import DataError, ImageFile
from vae_course.data.storing import bar, file_name, made_before, note, stored

BLOCK = 64            # pictures that are read at a time
MANY = 3              # names that are listed before "and more"

# What is said where it holds for n pictures.
SMALLER = "Smaller, and enlarged: {n}."
ALPHA = "With alpha, which was composed on white: {n}."
DEEP = "Of 16 bits or more, and brought to 8: {n}."

# What reads a file without changing a value, for pictures whose scale only the reader knows.
BY_HAND = "np.asarray(PIL.Image.open(path))"


class Read(NamedTuple):
    """A picture as it was read, or why it could not be."""

    pixels: np.ndarray | None = None        # (C, H, W) uint8
    reason: str = ""
    facts: tuple[str, ...] = ()             # what there is to say of it


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
    check_split(test_fraction, seed)
    device = runtime.pick_device(None if device is None else str(device))
    size, path = _height_and_width(size), file_name(file)
    if channels not in (None, 1, 3):
        raise ValueError(f"channels must be 1 for grey, 3 for colour, or None, got {channels!r}; alpha is composed on white")
    found = listed(folder)
    made_from = {"folder": str(found.folder), "size": list(size), "channels": channels, "files": _fingerprint(found)}
    known = None if path is None else made_before(path, made_from)
    if path is not None and known is not None:
        images: Tensor | ImageFile = ImageFile(path)
        names, said = known["names"], [*known["said"], f"{path.name} held them already."]
    else:
        images, names, said = _read_all(found, size, channels, path)
        if path is not None:
            note(path, {"made_from": made_from, "names": names, "said": said})
    labels = understand(names, len(images))
    parts = split(len(images), labels, test_fraction, seed)
    halves = [pick(images, index) for index in parts]
    return assembled(found.folder.name, halves, labels, parts, device, said)


class _Outcome:
    """What came of the files so far: which gave pictures, which are broken and why, and what there is to say."""

    def __init__(self) -> None:
        self.kept: list[Path] = []
        self.broken: dict[Path, str] = {}
        self.facts: Counter[str] = Counter()


def _read_all(found: Listing, size: tuple[int, int], channels: int | None, path: Path | None
              ) -> tuple[Tensor | ImageFile, list[str] | None, list[str]]:
    """The pictures, the names of their classes (None where there are none), and what there is to say."""
    outcome, said = _Outcome(), [f"Scaled to cover {size[0]}×{size[1]}, and cut to it at the centre."]
    with warnings.catch_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")     # Pillow's, about files that it reads all the same
        if channels is None:
            is_colour = [grey is False for grey in pool.map(_grey_or_broken, found.paths)]
            channels = 3 if any(is_colour) else 1
            if any(is_colour) and not all(is_colour):
                said.append(f"Grey ones among them: {len(is_colour) - sum(is_colour):,}; channels=1 would make all grey.")
        blocks = _blocks(found.paths, pool, partial(_read, channels=channels, size=size), outcome)
        images = stored(blocks, len(found.paths), path)
    said += [sentence.format(n=f"{outcome.facts[sentence]:,}") for sentence in sorted(outcome.facts)]
    if outcome.broken:
        said.append(f"Left out, as they cannot be read: {len(outcome.broken):,} ({_reasons(outcome.broken)}).")
    names = None if not found.classes else [printable(path.parent.name) for path in outcome.kept]
    return images, names, [*said, *found.said]


def _blocks(paths: list[Path], pool: ThreadPoolExecutor, read: Callable[[Path], Read],
            outcome: _Outcome) -> Iterator[np.ndarray]:
    """The pictures in blocks (k, C, H, W) uint8, read by several threads, and never many in memory."""
    values = Pixels("the pictures", lambda change: f"data.from_arrays([{change.format(x=BY_HAND)} for path in paths])")
    with bar(len(paths), "picture") as shown:
        for start in range(0, len(paths), BLOCK):
            some = paths[start:start + BLOCK]
            pictures = list(pool.map(read, some))
            outcome.broken |= {path: picture.reason for path, picture in zip(some, pictures) if picture.pixels is None}
            outcome.kept += [path for path, picture in zip(some, pictures) if picture.pixels is not None]
            outcome.facts.update(fact for picture in pictures for fact in picture.facts)
            good = [picture.pixels for picture in pictures if picture.pixels is not None]
            if good:
                yield values(np.stack(good))
            shown.update(len(some))
    if not outcome.kept:
        raise DataError(f"folder names {paths[0].parent}, and none of its files can be read: {_reasons(outcome.broken)}. "
                        f"Put whole ones there, or name another folder")
    values.check_brightness()


def _read(path: Path, channels: int, size: tuple[int, int]) -> Read:
    """One file; whatever is wrong with it becomes the reason, since one file of thousands must not stop the rest."""
    try:
        with Image.open(path) as image:
            facts = [fact for fact, holds in ((SMALLER, image.height < size[0] or image.width < size[1]),
                                              (ALPHA, has_alpha(image)), (DEEP, is_deep(image))) if holds]
            return Read(as_pixels(image, channels, size), facts=tuple(facts))
    except Exception as error:
        return Read(reason=_reason(error))


def _grey_or_broken(path: Path) -> bool | None:
    """Whether the file has a grey picture, by its head alone; None if it cannot be read."""
    try:
        with Image.open(path) as image:
            return is_grey(image)
    except Exception:
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no picture, or damaged"
    if isinstance(error, Image.DecompressionBombError):
        return (f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels; if the file can be trusted, allow it by "
                f"PIL.Image.MAX_IMAGE_PIXELS = None")
    return (str(error) or type(error).__name__).splitlines()[0]


def _reasons(broken: dict[Path, str]) -> str:
    """The first of the files that could not be read, with the reason of each."""
    shown = [f"{printable(path.name)}: {reason}" for path, reason in list(broken.items())[:MANY]]
    return "; ".join(shown) + (f"; and {len(broken) - MANY:,} more" if len(broken) > MANY else "")


def _fingerprint(found: Listing) -> str:
    """A hash of the names, sizes and times of the files, which changes when one is added or replaced."""
    digest = hashlib.sha256()
    for path in found.paths:
        state = path.stat()
        digest.update(f"{path.relative_to(found.folder)} {state.st_size} {state.st_mtime_ns};".encode(errors="replace"))
    return digest.hexdigest()[:16]


def _height_and_width(size: Any) -> tuple[int, int]:
    """`size` as (H, W); TypeError or ValueError if it is none."""
    try:
        sides = [operator.index(side) for side in (size if isinstance(size, (tuple, list)) else (size, size))]
    except TypeError:
        sides = []
    if len(sides) != 2 or min(sides) < 1 or isinstance(size, bool):
        raise ValueError(f"size must be the height and width of the pictures in pixels, (64, 48), or one number for both, "
                         f"64, got {size!r}")
    return sides[0], sides[1]
