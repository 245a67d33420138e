"""Keep the notebooks in order: fold cells, store outputs, stamp the repository's address.

    python tools/notebooks.py execute [notebook …]   # fold, run each from a fresh kernel and store its outputs
    python tools/notebooks.py fold [notebook …]      # fold the cells tagged `plumbing`, without running anything
    python tools/notebooks.py stamp                  # write the address of pyproject.toml into badges, set-up cells, README
"""

import base64
import hashlib
import html
import io
import re
import sys
import tomllib
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
STAMPED = [*sorted(NOTEBOOKS.glob("[0-9A][0-9]_*.ipynb")), ROOT / "README.md", ROOT / "CITATION.cff"]
STILL = re.compile(r'<img class="vae-still"[^>]* src="data:image/png;base64,([^"]+)"')
ADDRESS_IN_TEXT = [  # the places where owner/name stands
    re.compile(r"(?<=colab\.research\.google\.com/github/)[\w.-]+/[\w.-]+"),
    re.compile(r"(?<=git\+https://github\.com/)[\w.-]+/[\w.-]+"),
    re.compile(r"(?<=git clone https://github\.com/)[\w.-]+/[\w.-]+"),
    re.compile(r'(?<=repository-code: "https://github\.com/)[\w.-]+/[\w.-]+'),
]


def address() -> str:
    """owner/name of the repository, from pyproject.toml, the one place where it is written by hand."""
    url = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    return url.removeprefix("https://github.com/").rstrip("/")


def with_address(text: str, owner_and_name: str) -> str:
    """The text with every address of the repository replaced."""
    for pattern in ADDRESS_IN_TEXT:
        text = pattern.sub(owner_and_name, text)
    return text


def untitled(source: str) -> str:
    """The source of a cell as it is unfolded: its title is a plain comment."""
    return re.sub(r"\A# @title ", "# ", source)


def fold(notebook) -> None:
    """Fold the cells tagged `plumbing`, and unfold all others, in JupyterLab, Colab and on the site (tag `hide-input`).

    A folded cell begins with a comment, which JupyterLab shows in place of the source, and Colab too after "@title".

    Raises:
        ValueError: if a cell tagged `plumbing` begins with anything else.
    """
    for cell in notebook.cells:
        tags = [tag for tag in cell.metadata.pop("tags", []) if tag != "hide-input"]
        jupyter = {key: value for key, value in cell.metadata.pop("jupyter", {}).items() if key != "source_hidden"}
        cell.metadata.pop("cellView", None)
        cell.source = untitled(cell.source)
        if "plumbing" in tags:
            if not re.match(r"# \w", cell.source):
                raise ValueError(f"a folded cell begins with a comment that says what it does:\n{cell.source}")
            cell.source = cell.source.replace("# ", "# @title ", 1)
            cell.metadata["cellView"], jupyter["source_hidden"], tags = "form", True, [*tags, "hide-input"]
        cell.metadata.update({key: value for key, value in {"tags": tags, "jupyter": jupyter}.items() if value})


def source_hash(notebook) -> str:
    """A fingerprint of the cells' sources, folded or not: stored outputs belong to it."""
    sources = "\0".join(f"{cell.cell_type}\0{untitled(cell.source)}" for cell in notebook.cells)
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def stamp() -> None:
    """Write the address into every file that names it, and keep the fingerprints of the outputs right."""
    for path in STAMPED:
        text = path.read_text(encoding="utf-8")
        new = with_address(text, address())
        if new == text:
            continue
        path.write_text(new, encoding="utf-8")
        if path.suffix == ".ipynb":
            notebook = nbformat.read(path, as_version=4)
            if "vae_course" in notebook.metadata:
                notebook.metadata["vae_course"]["source"] = source_hash(notebook)
                nbformat.write(notebook, path)
        print("stamped", path.relative_to(ROOT))


def smaller(png: str) -> str:
    """The same pixels in fewer bytes: without a channel of transparency or colour that says nothing. PNG in base64."""
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(png)))
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    if image.mode == "RGB" and image.getchannel("R") == image.getchannel("G") == image.getchannel("B"):
        image = image.convert("L")
    target = io.BytesIO()
    image.save(target, "PNG", optimize=True)
    return min(base64.b64encode(target.getvalue()).decode(), png, key=len)


def bar_at_the_end(view: dict, widgets: dict) -> str | None:
    """The line of a progress bar as it ended: what it showed is in the state of its widgets. None if it is no bar."""
    parts = [widgets.get(child.removeprefix("IPY_MODEL_"), {})
             for child in widgets.get(view["model_id"], {}).get("children", [])]
    if [part.get("_model_name") for part in parts] != ["HTMLModel", "FloatProgressModel", "HTMLModel"]:
        return None
    left, bar, right = parts
    done = round(10 * bar["value"] / bar["max"]) if bar["max"] else 0
    return html.unescape(f"{left['value']}|{'█' * done:10}|{right['value']}").replace("\u2007", " ")


def without_widgets(outputs: list, widgets: dict) -> list:
    """The outputs of a cell for a static page: an explorer's two become one, its still picture and its words.

    A widget without its kernel is shown as an error, and GitHub shows a picture more surely than HTML with one in it. A
    progress bar is stored as it ended, given the states of all widgets by their ids; its first line would be stored else.
    """
    kept: list = []
    for output in outputs:
        still = STILL.search(kept[-1].get("data", {}).get("text/html", "")) if kept else None
        view = output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
        if view and (line := bar_at_the_end(view, widgets)):
            output["data"]["text/plain"] = line
        elif view and still:
            kept.pop()
            output["data"]["image/png"] = still[1]
        kept.append(output)
    return kept


def execute(path: Path) -> None:
    """Run a notebook from a fresh kernel in its own folder, and store outputs that a static page can show."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    fold(notebook)
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", store_widget_state=True, record_timing=False,
                            resources={"metadata": {"path": str(path.parent)}})
    client.execute()
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = without_widgets(cell.outputs, client.widget_state)
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output["data"]["image/png"] = smaller(output["data"]["image/png"])
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["vae_course"] = {"source": source_hash(notebook)}
    nbformat.write(notebook, path)
    print("executed", path.relative_to(ROOT))


def store_folded(path: Path) -> None:
    """Fold the cells of a notebook file where that changes it; its outputs stay."""
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    fold(notebook)
    if notebook != nbformat.reads(text, as_version=4):
        nbformat.write(notebook, path)
        print("folded", path.name)


def main(arguments: list[str]) -> None:
    """Run the command that is named first."""
    match arguments:
        case ["stamp"]:
            stamp()
        case [("execute" | "fold") as command, *names]:
            for path in map(Path, names) if names else sorted(NOTEBOOKS.glob("[0-9A][0-9]_*.ipynb")):
                {"execute": execute, "fold": store_folded}[command](path.resolve())
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
