"""Take the README's pictures from the chapters, into docs/: a derivation, the pad under a pointer, 64 digits.

    python tools/pictures.py              # all three; runs chapters 03 and 09 as far as needed, two minutes
    python tools/pictures.py digits       # one of derivation, pad, digits

The digits are taken from the stored outputs of chapter 08: run it first (make notebooks).
"""

import base64
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS, DOCS = ROOT / "notebooks", ROOT / "docs"

# What the last cell of each run writes to the file `target`.
DERIVATION = """
import copy
import dataclasses
from vae_course.derivations.pad import Pad
from vae_course.widgets.formulas import picture_of_rows
begun = copy.copy(d)
begun.lines = [line for line in d.lines if line.shown.has(sp.Integral)]
pad = Pad(begun, kl)
slip = pad.check("(mu**2 + sigma**2 - log(sigma**2))/2", because="a slip: 1 is forgotten")
rows = [*pad.rows(), slip.row]
right = pad.check("(mu**2 + sigma**2 - 1 - log(sigma**2))/2", because=d.lines[len(begun.lines)].because)
assert (slip.outcome, right.outcome) == ("refuted", "proved"), (slip, right)
rows[-1] = dataclasses.replace(slip.row, note=f"✗ {slip.message}")
with open(target, "wb") as file:
    file.write(picture_of_rows([*rows, pad.rows()[-1]], "The KL term of a VAE"))
"""
PAD = """
import io
import numpy as np
from PIL import Image, ImageDraw
explorer = widgets.latent_pad(flat.picture, map_codes, map_labels)
codes, labels = np.asarray(map_codes), np.asarray(map_labels)
centres = [codes[labels == digit].mean(0) for digit in (0, 6, 2, 3, 8, 5, 1, 7, 9, 4)]
POINTER = [(0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12)]

def frame(x, y):
    explorer.move_to(float(x), float(y))
    image = Image.open(io.BytesIO(explorer.still())).convert("RGB")
    left, top = explorer.on_the_picture(explorer.position)
    left, top = left * image.height, top * image.height
    ImageDraw.Draw(image).polygon([(left + a, top + b) for a, b in POINTER], "black", "white")
    return image

path = [(1 - t) * a + t * b for a, b in zip(centres, centres[1:] + centres[:1]) for t in np.arange(6) / 6]
frames = [frame(*place) for place in path]
colours = frames[0].quantize(128, Image.Quantize.FASTOCTREE)
frames = [image.quantize(palette=colours, dither=Image.Dither.NONE) for image in frames]
frames[0].save(target, save_all=True, append_images=frames[1:], duration=140, loop=0, optimize=True)
"""


def run_to(chapter: str, marker: str, then: str, target: Path) -> None:
    """Run a chapter to the first cell that has the marker, and then a cell that writes `target`."""
    notebook = nbformat.read(NOTEBOOKS / chapter, as_version=4)
    sources = [cell.source for cell in notebook.cells]
    last = next(k for k, source in enumerate(sources) if notebook.cells[k].cell_type == "code" and marker in source)
    notebook.cells = [*notebook.cells[:last + 1], nbformat.v4.new_code_cell(f"target = {str(target)!r}\n{then}")]
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()


def stored_picture(chapter: str, marker: str) -> bytes:
    """The last picture among the stored outputs of the cell that has the marker."""
    notebook = nbformat.read(NOTEBOOKS / chapter, as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code" and marker in cell.source)
    return base64.b64decode([out.data["image/png"] for out in cell.outputs if "image/png" in out.get("data", {})][-1])


def derivation() -> None:
    """Chapter 03's KL term with its marks, and a wrong last line, refused."""
    run_to("03_kl_term.ipynb", "Step 3: the KL term", DERIVATION, DOCS / "derivation.png")


def pad() -> None:
    """Chapter 09's pad: a pointer drags the point from class to class, and the picture follows."""
    run_to("09_latent_space.ipynb", "widgets.latent_pad(", PAD, DOCS / "pad.gif")


def digits() -> None:
    """The 64 digits that chapter 08 keeps."""
    (DOCS / "digits.png").write_bytes(stored_picture("08_build_and_train.ipynb", "build/samples.png"))


PICTURES = {"derivation": derivation, "pad": pad, "digits": digits}


def main(names: list[str]) -> None:
    """Take the pictures that are named, or all."""
    if not set(names) <= set(PICTURES):
        sys.exit(__doc__)
    DOCS.mkdir(exist_ok=True)
    for name in names or PICTURES:
        PICTURES[name]()
        print("took", name)


if __name__ == "__main__":
    main(sys.argv[1:])
