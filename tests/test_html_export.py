"""The stored notebooks as HTML: what a reader without a kernel sees in the place of each explorer."""

import base64
import copy
import io
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from vae_course.widgets.explorer import _small

nbconvert = pytest.importorskip("nbconvert", reason="needs nbconvert, which comes with jupyterlab: pip install nbconvert")

PATHS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("[0-9A][0-9]_*.ipynb"))
MAKES_EXPLORER = re.compile(r"\bwidgets\.[a-z]\w*\(")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


def read(path: Path):
    """The notebook, or the test is skipped where no outputs are stored."""
    notebook = nbformat.read(path, as_version=4)
    if not any(cell.get("outputs") for cell in notebook.cells):
        pytest.skip(f"{path.name} is stored without outputs: make notebooks")
    return notebook


def html_of(cells: list) -> str:
    """These cells as a page."""
    body, _ = nbconvert.HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=cells))
    return body


def explorer_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and MAKES_EXPLORER.search(cell.source)]


def pictures(html: str) -> list[Image.Image]:
    """The PNG pictures that stand in the page."""
    found = re.findall(r'<img[^>]*src="data:image/png;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_page_has_no_dead_widgets_and_no_errors(path):
    notebook = read(path)
    html, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    assert WIDGET_STATE not in html
    assert WIDGET_VIEW not in html, "a widget's script without its state: the page would show nothing in its place"
    outputs = re.findall(r'<div class="jp-OutputArea jp-Cell-outputArea">.*?(?=<div class="jp-Cell |\Z)', html, re.DOTALL)
    assert outputs
    for output in outputs:
        assert "Error displaying widget" not in output and 'mime="application/vnd.jupyter.stderr"' not in output
        assert not re.search(r'data-mime-type="application/vnd\.jupyter\.(error|stderr)"', output)


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_a_still_picture_stands_in_place_of_each_explorer(path):
    notebook = read(path)
    assert explorer_cells(notebook), "a chapter without an explorer"
    for cell in explorer_cells(notebook):
        shown = pictures(html_of([cell]))
        assert len(shown) >= len(MAKES_EXPLORER.findall(cell.source)), f"no still picture:\n{cell.source}"
        for picture in shown:
            assert np.asarray(picture.convert("L")).std() > 5, f"an empty picture:\n{cell.source}"


@pytest.fixture
def saved():
    """A cell with an explorer's outputs, as JupyterLab saves it, and the explorer."""
    from vae_course import widgets

    explorer = widgets.figure_sliders(lambda ax, height: ax.bar([0], [height]) and "a bar > 0", {"height": (0.0, 2.0, 1.0)})
    cell = nbformat.v4.new_code_cell("widgets.figure_sliders(…)", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("display_data", data=data) for data in explorer.outputs()]
    return cell, explorer


def test_an_explorers_output_without_its_state_is_exported_as_its_picture(saved):
    # What a notebook holds when it is saved from JupyterLab rather than by `make notebooks`.
    html = html_of([saved[0]])
    shown = pictures(html)
    assert len(shown) == 1 and np.asarray(shown[0].convert("L")).std() > 5
    assert WIDGET_VIEW not in html


def test_make_notebooks_stores_one_output_with_picture_and_words(saved, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "tools"))
    from notebooks import without_widgets

    cell, explorer = saved
    before = nbformat.v4.new_output("display_data", data={"text/html": "<p>something else</p>"})
    stored = without_widgets([before, *copy.deepcopy(cell.outputs), *cell.outputs, before], {})
    both = ["image/png", "text/plain"]
    assert [sorted(output["data"]) for output in stored] == [["text/html"], both, both, ["text/html"]]
    assert base64.b64decode(stored[1]["data"]["image/png"]) in [_small(explorer.still())]
    assert stored[1]["data"]["text/plain"] == "Explorer: a bar > 0"


def test_make_notebooks_stores_a_progress_bar_as_it_ended(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "tools"))
    import ipywidgets
    from tqdm.notebook import tqdm

    from notebooks import without_widgets

    with tqdm(total=40, unit="step", display=False) as bar:
        for step in range(40):
            bar.set_postfix({"elbo": -110 - step}, refresh=False)
            bar.update()
    box = bar.container
    widgets = {widget.model_id: widget.get_state() for widget in (box, *box.children)}
    for state in widgets.values():  # as a front end is told it
        if "children" in state:
            state["children"] = [f"IPY_MODEL_{child.model_id}" for child in box.children]
    first = {"text/plain": "  0%|          | 0/40 [00:00<?, ?step/s]", WIDGET_VIEW: {"model_id": box.model_id}}
    other = {"text/plain": "IntSlider(value=0)", WIDGET_VIEW: {"model_id": ipywidgets.IntSlider().model_id}}
    outputs = [nbformat.v4.new_output("display_data", data=data) for data in (first, other)]
    bar_line, slider = (output["data"] for output in without_widgets(outputs, widgets))
    assert bar_line.keys() == {"text/plain"} and slider == {"text/plain": "IntSlider(value=0)"}
    assert bar_line["text/plain"].startswith("100%|██████████| 40/40 [") and "elbo=-149]" in bar_line["text/plain"]
