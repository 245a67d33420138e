"""A notebook that was saved and is opened again: still pictures where the explorers were, and no word of broken widgets."""

import nbformat
import pytest
import spot
from test_explorers_in_browser import open_and_run
from views import until

SHOWN = """images => images.filter(image => image.checkVisibility() && image.complete && image.naturalWidth > 100
    && image.getBoundingClientRect().width > 100).length"""


def stills(notebook):
    """The still pictures, seen or not."""
    return notebook.page.locator(".jp-OutputArea-output img.vae-still")


def shown(notebook) -> int:
    """How many still pictures a reader sees."""
    return stills(notebook).evaluate_all(SHOWN)


@pytest.fixture
def saved(notebook):
    """A notebook with two explorers from one cell, one from another, and a Notice; run, and looked at while alive."""
    open_and_run(notebook, f"display({spot.CALLS['pad']}, {spot.CALLS['figure']})", spot.CALLS["posterior"],
                 "widgets.latent_pad(picture, codes)")
    assert len(notebook.explorers()) == 3 and all(explorer.element.is_visible() for explorer in notebook.explorers())
    assert stills(notebook).count() == 3 and shown(notebook) == 0, "a still picture beside its living explorer"
    notebook.screenshot("still-hidden-while-alive", notebook.page.locator(".jp-Cell").nth(1))
    notebook.allowed += ["model not found", "widget model"]  # JupyterLab says it on the console, and rightly so
    return notebook


def looks_as_it_should(notebook, name: str) -> None:
    """Three still pictures and the Notice are seen, and no words of a broken widget."""
    until(notebook.page, lambda: shown(notebook) == 3, lambda: f"three still pictures; there are {shown(notebook)}")
    notebook.screenshot(name, notebook.page.locator(".jp-Cell").nth(1))
    notice = notebook.page.locator(".jp-OutputArea-output", has_text="axis_sliders")
    assert notice.is_visible() and notice.count() == 1
    assert not notebook.explorers() and not notebook.broken_widgets()


def test_opened_again_while_the_kernel_lives_and_with_a_new_one(saved):
    saved.save()
    saved.reopen(end_kernels=False)
    saved.wait_for_explorers()
    until(saved.page, lambda: shown(saved) == 0, "no still picture beside a living explorer")
    assert len(saved.explorers()) == 3 and not saved.broken_widgets()
    saved.reopen()
    until(saved.page, lambda: "Error displaying widget" in saved.page.content(), "JupyterLab has looked for the widgets")
    looks_as_it_should(saved, "still-new-kernel")


def test_opened_again_without_a_kernel(saved):
    saved.save(kernel="none of this name")
    saved.reopen(without_kernel=True)
    assert saved.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.hasNoKernel")
    looks_as_it_should(saved, "still-no-kernel")


def test_opened_again_where_it_is_not_trusted(saved):
    saved.save()
    path = saved.root / "explorers.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("Changed by somebody else: its signature is gone."))
    nbformat.write(notebook, path)
    saved.reopen()
    looks_as_it_should(saved, "still-not-trusted")
