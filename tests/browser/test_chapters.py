"""Each chapter in a real browser, as a reader runs it: Run All, then every explorer moved by keyboard and by pointer."""

import re
from pathlib import Path

import lab
import moves
import nbformat
import pytest
from cell_rules import printed

CHAPTERS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("[0-9A][0-9]_*.ipynb"))
SECONDS = 1800  # for Run All; a busy machine may need many, and only a failure takes them all
MAKES_EXPLORER = re.compile(r"\bwidgets\.[a-z]\w*\(")


def code_cells(path: Path) -> list:
    """As they are stored."""
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])
def test_chapter(notebook, path, record_property):
    notebook.open(path, path.stem)
    record_property("notebook", (path.name, str(notebook.run_strictly(SECONDS))))
    for stored, cell in zip(code_cells(path), notebook.cells(), strict=True):
        if "nbval-check-output" in cell["tags"]:
            assert printed(cell["outputs"]) == printed(stored.outputs), cell["source"]
    assert not notebook.broken_widgets()
    explorers = notebook.explorers()
    source = "\n".join(cell.source for cell in code_cells(path))
    assert len(explorers) == len(MAKES_EXPLORER.findall(source)) > 0
    for k, explorer in enumerate(explorers):
        explorer.element.scroll_into_view_if_needed()
        notebook.screenshot(f"{path.stem}-{k + 1}-{explorer.kind}", explorer.element)
        moves.try_everything(explorer)
        others = [other for other in explorers if other is not explorer]
        assert all(other.words() for other in others)
    assert not notebook.broken_widgets()


def test_console_errors_are_seen(notebook):
    # Otherwise the silence of the chapters would mean nothing.
    notebook.open(["1 + 1"], "console")
    notebook.page.evaluate("() => console.error('planted')")
    notebook.page.evaluate("() => setTimeout(() => { throw new Error('thrown'); })")
    lab.until(notebook.page, lambda: len(notebook.unlisted_errors()) == 2, "two errors on the console")
    notebook.console.clear()


@pytest.mark.parametrize("cell, complaint", [
    ("import warnings\nwarnings.warn('look here')", "wrote to stderr"),
    ("%matplotlibb inline", "Run All failed"),
    ("!false", "failed with exit status 1"),
    ("exit()", "left cells out|ended the kernel|Run All failed"),
    ("from vae_course import widgets\nwidgets.latent_pad(abs, [])", "an explorer does not work"),
])
def test_a_cell_that_fails_in_silence_is_refused(notebook, cell, complaint):
    notebook.open([cell, "x = 1"], "silent")
    with pytest.raises(AssertionError, match=complaint):
        notebook.run_strictly()
    notebook.console.clear()
