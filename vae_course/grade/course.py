"""What the course asks: the exercises of its own notebooks, and the cells of any notebook."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LARGEST = 100 * 2**20       # bytes of a notebook, outputs and all
SOLUTION = re.compile(r"<details><summary>Solution</summary>.*?```python\n(.*?)```.*?</details>", re.DOTALL)


class NotANotebook(ValueError):
    """The file is no notebook that can be read; the text says why."""


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook."""

    id: str
    kind: str
    source: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exercise:
    """An exercise of the course: its number ("13.1"), check, cell, the stub in it, and the solution that is printed."""

    number: str
    check: str
    cell: str
    stub: str
    solution: str


@dataclass(frozen=True)
class Chapter:
    """A notebook of the course: "13", the file's name without its ending, the imports of its set-up cell."""

    name: str
    stem: str
    imports: str
    exercises: tuple[Exercise, ...]


def read_cells(path: Path) -> list[Cell]:
    """The cells of a notebook file; nothing in it is executed, or believed to be of any kind.

    Raises:
        NotANotebook: if it is none.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise NotANotebook(f"larger than {LARGEST // 2**20} MB: clear the outputs")
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, NotANotebook):
            raise
        raise NotANotebook(f"not a notebook ({type(error).__name__})") from None
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list):
        raise NotANotebook("not a notebook: it has no cells")
    return [_cell(cell) for cell in cells if isinstance(cell, dict)]


def _cell(cell: dict) -> Cell:
    source, metadata = cell.get("source", ""), cell.get("metadata")
    lines = source if isinstance(source, list) else [source]
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return Cell(str(cell.get("id", "")), str(cell.get("cell_type", "")), "".join(map(str, lines)),
                tuple(map(str, tags)) if isinstance(tags, list) else ())


def read_course(folder: Path = NOTEBOOKS) -> list[Chapter]:
    """The chapters of the course in their order.

    Raises:
        ValueError: if the folder holds no chapter with exercises.
    """
    chapters = [read_chapter(path) for path in sorted(folder.glob("[0-9A][0-9]_*.ipynb"))]
    chapters = [chapter for chapter in chapters if chapter.exercises]
    if not chapters:
        raise ValueError(f"no chapter of the course with exercises in {folder}: name the folder of the course's own "
                         "notebooks with --notebooks")
    return chapters


def read_chapter(path: Path) -> Chapter:
    """One notebook of the course: its exercise cells are tagged `exercise`, and a folded solution follows each."""
    cells, found, number = read_cells(path), [], "?"
    for k, cell in enumerate(cells):
        if cell.kind == "markdown":
            number = (re.findall(r"^### Exercise (\w+\.\w+)", cell.source, re.MULTILINE) or [number])[-1]
        elif "exercise" in cell.tags and (call := re.search(r"\bchecks\.(check_\w+)\(", cell.source)):
            solution = SOLUTION.search(cells[k + 1].source) if k + 1 < len(cells) else None
            found.append(Exercise(number, call[1], cell.id, cell.source, solution[1] if solution else ""))
    set_up = next((cell.source for cell in cells if "set-up" in cell.tags), "")
    imports = "\n".join(line for line in set_up.splitlines() if line.startswith(("import ", "from ")))
    return Chapter(path.stem[:2], path.stem, imports, tuple(found))
