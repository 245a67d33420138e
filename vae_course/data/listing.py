"""Which files of a folder are pictures, and whether its sub-folders are classes."""

import os
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from vae_course.data.stored import DataError

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz")
HEIC = (".heic", ".heif")


class Listing(NamedTuple):
    """The pictures of a folder, sorted by name, and what there is to say."""

    folder: Path
    paths: list[Path]
    classes: bool           # whether the sub-folders are the classes
    said: list[str]


class _Content(NamedTuple):
    """What is in one folder, sorted by name; without hidden files, which systems and notebooks leave behind."""

    pictures: list[Path]    # by their endings
    others: list[Path]
    subfolders: list[Path]


def listed(folder: str | os.PathLike) -> Listing:
    """The files that Pillow can read, judged by their endings, in the folder or, if there are none, in its sub-folders.

    Raises:
        TypeError: if `folder` is no path.
        DataError: if it is no folder, or has no pictures, or has them in two places or too deep; says what to name instead.
    """
    root = _existing(folder)
    top = _content(root)
    below = [_content(subfolder) for subfolder in top.subfolders]
    of_classes = [path for content in below for path in content.pictures]
    others = top.others + [path for content in below for path in content.others]
    if top.pictures and of_classes:
        names = _some([subfolder.name for subfolder, content in zip(top.subfolders, below) if content.pictures])
        raise DataError(f"folder names {root}, which holds pictures ({len(top.pictures):,}) beside sub-folders with some "
                        f"({names}): move them into a sub-folder of their own, or name one of the sub-folders")
    if not top.pictures and not of_classes:
        raise DataError(f"folder names {root}, which holds no pictures: {_why_empty(root, top, others)}")
    said = []
    if others:
        said.append(f"Passed over, as no pictures: {len(others):,} ({_some([p.name for p in others])}).{_heic(others)}")
    empty = [subfolder.name for subfolder, content in zip(top.subfolders, below) if not content.pictures]
    if empty:
        said.append(f"Sub-folders without pictures: {_some(empty)}.")
    deeper = next((path for content in below for deep in content.subfolders for path in _content(deep).pictures), None)
    if deeper is not None:
        said.append(f"What lies deeper was passed over, as {deeper.relative_to(root)}.")
    return Listing(root, top.pictures or of_classes, not top.pictures, said)


def _existing(folder: str | os.PathLike) -> Path:
    """The path, if it is a folder that can be read."""
    if not isinstance(folder, (str, os.PathLike)):
        hint = ": put the files into one folder, or open them and call data.from_arrays" if isinstance(folder, list) else ""
        raise TypeError(f"folder must be the path of a folder of pictures, got {type(folder).__name__}{hint}")
    path = Path(folder).expanduser().absolute()
    if path.is_dir():
        return path
    if not path.exists():
        raise DataError(f"folder names {path}, which does not exist: name the right one; what there is of it is "
                        f"{next(parent for parent in path.parents if parent.is_dir())}")
    way = (f"unpack it by shutil.unpack_archive({str(path)!r}, {str(path.parent / path.stem)!r}), and name the folder"
           if path.suffix.lower() in ARCHIVES else f"data.from_arrays(data.ImageFile({str(path)!r})) takes it"
           if path.suffix == ".npy" else f"name its folder, {path.parent}")
    raise DataError(f"folder names {path}, which is a file: {way}")


def _content(folder: Path) -> _Content:
    """What is in a folder; what is a picture is judged by the ending."""
    Image.init()
    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    content = _Content([], [], [])
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path = folder / entry.name
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    content.subfolders.append(path)
                elif entry.is_file():
                    (content.pictures if path.suffix.lower() in endings else content.others).append(path)
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror or error}): name a folder of your own") from error
    return content


def _why_empty(root: Path, top: _Content, others: list[Path]) -> str:
    """What there is instead of pictures, and what to do."""
    deeper = _first_picture(top.subfolders)
    if deeper is not None:
        return f"they lie deeper, as {deeper.relative_to(root)}; name {deeper.parents[1]}"
    if others:
        heic = _heic(others) or " Name the folder of the pictures."
        return f"it has other files ({_some([path.name for path in others])}).{heic}"
    if top.subfolders:
        return f"its sub-folders ({_some([path.name for path in top.subfolders])}) are empty; name another folder"
    return "it is empty; name the folder of the pictures"


def _first_picture(folders: list[Path], depth: int = 5) -> Path | None:
    """A picture in one of these folders, or somewhere in theirs, but not without end: links may go round in circles."""
    for folder in folders if depth else ():
        content = _content(folder)
        found = content.pictures[0] if content.pictures else _first_picture(content.subfolders, depth - 1)
        if found is not None:
            return found
    return None


def _heic(paths: list[Path]) -> str:
    """What to do where an iPhone took the pictures."""
    if not any(path.suffix.lower() in HEIC for path in paths):
        return ""
    return " HEIC needs a package: pip install pillow-heif, then pillow_heif.register_heif_opener(), and run again."


def _some(names: list[str]) -> str:
    return ", ".join(map(printable, names[:3])) + (", …" if len(names) > 3 else "")


def printable(name: str) -> str:
    """The name of a file without bytes that are no text, which some systems allow and `print` does not."""
    return name.encode("utf-8", "replace").decode()
