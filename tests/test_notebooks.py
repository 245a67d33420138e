"""The rules that every chapter keeps: its anatomy, lengths, stored outputs, exercises, addresses."""

import copy
import dis
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import notebooks as tool  # noqa: E402  (tools/notebooks.py)
from vae_course import checks  # noqa: E402

PATHS = sorted((ROOT / "notebooks").glob("[0-9A][0-9]_*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"
NEW_STYLE = {*range(9), 13, "A1"}   # narrow code, drawings and three kinds of exercises; 09 to 12 follow


def number(stem: str) -> int | str:
    """8 of "08_build_and_train", "A1" of "A1_training_in_practice", as figures and exercises are numbered."""
    return int(stem[:2]) if stem[:2].isdigit() else stem[:2]


# The set-up cell is the same in every chapter but for what it imports from the course and beside torch.
SETUP = re.compile(r"""(?P<install>from importlib\.util import find_spec
if not find_spec\("vae_course"\):
    %pip install -q git\+https://github\.com/[\w.-]+/[\w.-]+
    assert find_spec\("vae_course"\), "Not installed: no internet\? \(Kaggle: see Settings\)"
)(?P<imports>(?:(?:(?:import|from) [^\n*]+)?
)+)device = runtime\.pick_device\(\)
runtime\.seed_everything\(0\)\Z""")

every_notebook = pytest.mark.parametrize("notebook", [nbformat.read(path, as_version=4) for path in PATHS],
                                         ids=[path.stem for path in PATHS])
NEW_PATHS = [path for path in PATHS if number(path.stem) in NEW_STYLE]
every_new_chapter = pytest.mark.parametrize("notebook", [nbformat.read(path, as_version=4) for path in NEW_PATHS],
                                            ids=[path.stem for path in NEW_PATHS])
FIRST = nbformat.read(PATHS[0], as_version=4)
every_path = pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def prose(notebook) -> str:
    """The markdown without code blocks, which are solutions, and without tables."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.startswith("|"))


def lines(cell) -> int:
    return len([line for line in cell.source.splitlines() if line.strip()])


def test_there_are_chapters():
    assert {"00_start_here", "08_build_and_train"} <= {path.stem for path in PATHS}


@every_path
def test_opening_cell(path):
    opening = nbformat.read(path, as_version=4).cells[0]
    assert opening.cell_type == "markdown"
    assert opening.source.startswith(f"# {path.stem[:2]} · ")
    for part in ("**Goal.**", "**You need.**", "**Time.**", "**The question.**"):
        assert part in opening.source, f"the opening lacks {part}"
    badge = f"https://colab.research.google.com/github/{tool.address()}/blob/main/notebooks/{path.name}"
    assert badge in opening.source


@every_notebook
def test_one_setup_cell_the_same_everywhere(notebook):
    assert [tags(cell) == ["set-up"] for cell in code_cells(notebook)].count(True) == 1
    setup = notebook.cells[1]
    assert tags(setup) == ["set-up"] and SETUP.fullmatch(setup.source), setup.source
    assert len(setup.source.splitlines()) <= 12
    assert max(len(line) for line in SETUP.fullmatch(setup.source)["install"].splitlines()) <= 88


@every_notebook
def test_the_imports_of_the_setup_cell_are_sorted(notebook):
    """The linter is told not to look: it wants an empty line between the first import and what decides about the others."""
    groups = SETUP.fullmatch(notebook.cells[1].source)["imports"].strip().split("\n\n")
    assert [" vae_course" in group for group in groups] == [False, True], "first other packages, then the course"
    for group in groups:
        modules = [line.split()[1] for line in group.splitlines()]
        assert modules == sorted(modules)
        for names in (line.partition(" import ")[2].split(", ") for line in group.splitlines()):
            assert names == sorted(names)


@every_notebook
def test_cells_are_short(notebook):
    sizes = [lines(cell) for cell in code_cells(notebook)]
    assert max(sizes) <= 30
    assert statistics.median(sizes) <= 8
    for first, second in zip(notebook.cells, notebook.cells[1:]):
        long = all(cell.cell_type == "code" and lines(cell) > 10 for cell in (first, second))
        assert not long, f"two long code cells in a row:\n{first.source}\n---\n{second.source}"


@every_notebook
def test_enough_prose_and_not_too_much(notebook):
    words = len(prose(notebook).split())
    read = [cell for cell in code_cells(notebook) if "plumbing" not in tags(cell)]
    per_line = words / sum(map(lines, read))
    assert 1200 <= words <= 3000, f"{words} words"
    assert 8 <= per_line <= 24, f"{per_line:.1f} words of prose for each line of code"


@every_notebook
def test_sections_are_numbered_without_a_gap(notebook):
    numbers = [int(number) for cell in notebook.cells if cell.cell_type == "markdown"
               for number in re.findall(r"^## (\d+)\.", cell.source, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1)) and numbers


@every_notebook
def test_no_star_imports_and_no_absolute_paths(notebook):
    for cell in notebook.cells:
        assert not re.search(r"import\s+\*", cell.source)
    everything = json.dumps(notebook)
    found = re.search(r"(?<![\w.])(/home/|/root/|/tmp/|/work/|/Users/|/content/|[A-Z]:\\\\)[\w.-]*", everything)
    assert not found, found and found.group()


@every_notebook
def test_metadata_for_colab_and_github(notebook):
    assert notebook.metadata["accelerator"] == "GPU"
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert "widgets" not in notebook.metadata


@every_path
def test_stored_outputs_are_complete_or_absent(path):
    notebook = nbformat.read(path, as_version=4)
    cells = code_cells(notebook)
    counts = [cell.execution_count for cell in cells]
    if all(count is None for count in counts):
        assert not any(cell.outputs for cell in cells)
        return
    assert counts == list(range(1, len(cells) + 1)), "outputs are not of one run from top to bottom"
    assert notebook.metadata["vae_course"]["source"] == tool.source_hash(notebook), \
        f"outputs are of an older source: python tools/notebooks.py execute notebooks/{path.name}"
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            assert WIDGET not in output.get("data", {})
            shown = output.data["text/plain"] if [*output.get("data", {})] == ["text/plain"] else ""
            assert not re.match(r"[\[({]*(Text\(|<|array\(|tensor\()", shown), f"what a last line returned: {shown[:60]}"


@every_path
def test_size(path):
    assert path.stat().st_size <= 500_000


@every_notebook
def test_each_figure_is_followed_by_its_caption(notebook):
    chapter = number(notebook.cells[0].source.removeprefix("# "))
    captions = re.findall(rf"\*\*Figure {chapter}\.(\d+)\.\*\*", prose(notebook))
    assert captions == [str(k + 1) for k in range(len(captions))]
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and "plt.subplots(" in cell.source:
            assert notebook.cells[i + 1].source.startswith(f"**Figure {chapter}."), cell.source


@every_notebook
def test_closing(notebook):
    closing = notebook.cells[-1].source
    summary = closing.split("## Summary")[1].split("**References.**")[0]
    assert 1 <= len(re.findall(r"^- ", summary, flags=re.MULTILINE)) <= 5
    assert "**References.**" in closing and "**Next.**" in closing


def headings(path: Path) -> list[str]:
    """The headings of a notebook as JupyterLab, Colab and GitHub address them within a page."""
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    return [line.replace(" ", "-") for line in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)]


@every_path
def test_links_lead_somewhere(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)\s]+)\)", cell.source):
                name, _, heading = target.partition("#")
                there = path.parent / (name or path.name)
                assert target.startswith("https://") or there.is_file(), target
                assert not heading or name.startswith("https://") or heading in headings(there), target


# ---------------------------------------------------------------- folded cells

def notebook_of(*cells: tuple[str, list[str]]):
    """A notebook of code cells, each a source and its tags."""
    return nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {}) for source, tags in cells])


def names_in(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell reads before it binds them, and those that it binds."""
    code = compile(TransformerManager().transform_cell(source), "cell", "exec")
    read, bound = set(), set()
    for step in dis.get_instructions(code):
        if step.opname == "STORE_NAME":
            bound.add(step.argval)
        elif step.opname == "LOAD_NAME" and step.argval not in bound:
            read.add(step.argval)
    inner = [part for part in code.co_consts if hasattr(part, "co_code")]
    for part in inner:      # functions, comprehensions
        inner += [deeper for deeper in part.co_consts if hasattr(deeper, "co_code")]
        read |= {step.argval for step in dis.get_instructions(part) if step.opname == "LOAD_GLOBAL"} - bound
    return read, bound


def handed_on_unseen(notebook) -> list[str]:
    """Names that an open cell takes from a folded one which does not announce them in its title."""
    unseen: set[str] = set()
    found = []
    for cell in code_cells(notebook):
        read, bound = names_in(cell.source)
        folded = "plumbing" in tags(cell)
        if not folded:
            found += sorted(read & unseen)
        unseen -= bound
        if folded:
            unseen |= bound - set(re.findall(r"\w+", cell.source.splitlines()[0]))
    return found


@every_notebook
def test_the_cells_tagged_plumbing_are_folded_and_no_others(notebook):
    folded = copy.deepcopy(notebook)
    tool.fold(folded)
    assert folded == notebook, "python tools/notebooks.py fold"
    for cell in code_cells(notebook):
        if "plumbing" in tags(cell):
            assert len(cell.source.splitlines()[0]) <= 64, "a title is cut off in a window of 800 pixels"


@every_notebook
def test_a_folded_cell_hands_on_only_what_its_title_names(notebook):
    assert handed_on_unseen(notebook) == []


def test_folding_and_unfolding():
    notebook = notebook_of(("x = 1", []), ("# Draw it\nprint(x)  # again", ["plumbing", "nbval-check-output"]))
    notebook.cells[1].metadata["jupyter"] = {"outputs_hidden": False}
    before = copy.deepcopy(notebook)
    tool.fold(notebook)
    assert notebook.cells[0] == before.cells[0] and tool.source_hash(notebook) == tool.source_hash(before)
    assert notebook.cells[1].source == "# @title Draw it\nprint(x)  # again"
    assert notebook.cells[1].metadata == {"tags": ["plumbing", "nbval-check-output", "hide-input"], "cellView": "form",
                                          "jupyter": {"outputs_hidden": False, "source_hidden": True}}
    tool.fold(again := copy.deepcopy(notebook))
    assert again == notebook
    notebook.cells[1].metadata["tags"].remove("plumbing")
    before.cells[1].metadata["tags"].remove("plumbing")
    tool.fold(notebook)
    assert notebook == before


def test_a_cell_without_a_title_is_not_folded():
    with pytest.raises(ValueError, match="begins with a comment"):
        tool.fold(notebook_of(("print(1)", ["plumbing"])))


@pytest.mark.parametrize("folded, later, unseen", [
    ("# Draw\nfig, ax = subplots()", "ax.plot()", ["ax"]),
    ("# Draw\nfor k in range(3): print(k)", "for k in range(2): print(k)", []),
    ("# Draw\nfor k in range(3): print(k)", "f = lambda: [j + k for j in range(2)]", ["k"]),
    ("# Draw\nfor k in range(3): print(k)", "k += 1", ["k"]),
    ("# Read the images: x_train\nx_train, y = read()", "len(x_train)", []),
    ("# Read the images: x_train\nx_train, y = read()", "y", ["y"]),
    ("# Draw\ndef loss(): ...", "print([k for k in map(loss, range(2))])", ["loss"]),
])
def test_what_a_folded_cell_hands_on_would_be_seen(folded, later, unseen):
    assert handed_on_unseen(notebook_of((folded, ["plumbing"]), ("%pip list", []), (later, []))) == unseen


# ---------------------------------------------------------------- the new style

@every_new_chapter
def test_code_is_narrow(notebook):
    wide = [line for cell in code_cells(notebook) for line in cell.source.splitlines() if len(line) > 88]
    assert not wide, "\n".join(wide)


NOT_OXFORD = re.compile(r"\b(colors?|colored|gray\w*|centers?|centered|neighbors?|neighboring|favors?|favored|favorite|"
                        r"behaviors?|labeled|labeling|modeled|modeling|toward|analyz\w+|(?:minim|maxim|optim|binar|normal|"
                        r"summar|general|factor|regular|parametr|visual|organ|recogn|real|standard|amort|marginal|special|"
                        r"initial|penal|quant|discret)is(?:e[ds]?|ing|ations?))\b", re.IGNORECASE)


@every_new_chapter
def test_the_spelling_is_that_of_oxford(notebook):
    """-ize, and colour, grey, centre, neighbour, labelled: one spelling in all chapters. Code and addresses are left out."""
    text = re.sub(r"`[^`]*`|\]\([^)]*\)|<img[^>]*>|https?://\S+", " ", prose(notebook))
    assert NOT_OXFORD.findall(text) == []


@every_new_chapter
def test_there_is_a_drawing_of_an_idea(notebook):
    assert any(re.search(r"\bdrawings\.draw_\w+\(", cell.source) for cell in code_cells(notebook))


@every_new_chapter
def test_exercises_are_of_three_kinds(notebook):
    headings = re.findall(r"^### Exercise (.*)", prose(notebook), flags=re.MULTILINE)
    kinds = [re.fullmatch(r"((?:\d+|A\d)\.\d) · (derive|compute|experiment): \S.*", heading) for heading in headings]
    assert all(kinds), f"### Exercise 13.1 · derive: …, or compute: …, or experiment: …, not {headings}"
    chapter = number(notebook.cells[0].source.removeprefix("# "))
    assert [kind.group(1) for kind in kinds] == [f"{chapter}.{k + 1}" for k in range(len(kinds))]
    assert {kind.group(2) for kind in kinds} == {"derive", "compute", "experiment"}


# ---------------------------------------------------------------- exercises

def exercises():
    """(chapter, name of the function, stub cell, solution) of every exercise."""
    found = []
    for path in PATHS:
        cells = nbformat.read(path, as_version=4).cells
        for i, cell in enumerate(cells):
            if "exercise" in tags(cell):
                solution = re.search(r"<details><summary>Solution</summary>\n\n.*?```python\n(.*?)```.*?</details>",
                                     cells[i + 1].source, flags=re.DOTALL)
                name = re.search(r"^def (\w+)\(", cell.source, flags=re.MULTILINE).group(1)
                found.append(pytest.param(cells, cell, solution and solution.group(1), id=f"{path.stem[:2]}-{name}"))
    return found


def run_with_setup(cells, source: str) -> checks.Verdict:
    """Run `source` after the imports of the set-up cell; returns the value of its last line, which calls the check."""
    namespace: dict = {}
    imports = [line for line in cells[1].source.splitlines() if line.startswith(("import ", "from "))]
    body, last = source.rstrip().rsplit("\n", 1)
    exec("\n".join(imports) + "\n" + body, namespace)
    return eval(last, namespace)


@every_notebook
def test_three_to_six_exercises(notebook):
    assert 3 <= len([cell for cell in code_cells(notebook) if "exercise" in tags(cell)]) <= 6


@pytest.mark.parametrize("cells, stub, solution", exercises())
def test_the_solution_passes_its_check_and_the_stub_does_not(cells, stub, solution):
    assert solution is not None, "no folded solution follows the exercise"
    check = stub.source.rstrip().splitlines()[-1]
    assert check.startswith("checks.check_")
    refused = run_with_setup(cells, stub.source)
    assert not refused and "Not done yet" in refused.message
    verdict = run_with_setup(cells, f"{solution}\n{check}")
    assert verdict, verdict.message


def test_each_check_belongs_to_one_exercise():
    called = [re.search(r"checks\.(check_\w+)\(", param.values[1].source).group(1) for param in exercises()]
    assert sorted(called) == sorted(name for name in dir(checks) if name.startswith("check_"))


# ---------------------------------------------------------------- the set-up cell where the course is missing

# In a process of its own: a cell in IPython, and a pip that notes what it is asked, and installs an empty course or fails.
IN_IPYTHON = """
import importlib.machinery as machinery, json, pathlib, sys
from IPython.core.interactiveshell import InteractiveShell
shell, case = InteractiveShell.instance(), json.loads(sys.argv[1])
if case["hidden"]:
    sys.meta_path[:] = [machinery.BuiltinImporter, machinery.FrozenImporter, machinery.PathFinder]
    sys.path[:] = [folder for folder in sys.path if not pathlib.Path(folder, "vae_course").exists()]
error = shell.run_cell(case["cell"]).error_in_exec
print(json.dumps([type(error).__name__, str(error)]))
"""
PIP = """
import pathlib, sys
here = pathlib.Path(__file__).parents[1]
(here / "asked").write_text(" ".join(sys.argv[1:]))
if not (here / "online").exists():
    sys.exit("Could not resolve host: github.com")
(here / "vae_course").mkdir()
(here / "vae_course" / "__init__.py").touch()
"""


@pytest.fixture
def run_cell(tmp_path):
    """A function that runs a cell in IPython; returns its error's kind and words, what is printed, what pip was asked."""
    def run(cell: str, hidden: bool, online: bool) -> tuple[str, str, str, str]:
        folder = tmp_path / "site"
        (folder / "pip").mkdir(parents=True)
        (folder / "pip" / "__init__.py").touch()
        (folder / "pip" / "__main__.py").write_text(PIP)
        if online:
            (folder / "online").touch()
        done = subprocess.run(
            [sys.executable, "-c", IN_IPYTHON, json.dumps({"cell": cell, "hidden": hidden})], cwd=tmp_path, text=True,
            capture_output=True, check=True, env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython"),
                                                  "PYTHONPATH": str(folder) if hidden else f"{folder}{os.pathsep}{ROOT}"})
        *printed, error = done.stdout.splitlines()
        asked = (folder / "asked").read_text() if (folder / "asked").exists() else ""
        return *json.loads(error), "\n".join([*printed, done.stderr]).strip(), asked
    return run


def install_lines(notebook) -> str:
    return SETUP.fullmatch(notebook.cells[1].source)["install"]


def test_nothing_is_installed_where_the_course_is(run_cell):
    assert run_cell(install_lines(FIRST), hidden=False, online=True) == ("NoneType", "None", "", "")


def test_the_course_is_installed_wherever_it_is_missing(run_cell):
    error, _, _, asked = run_cell(install_lines(FIRST), hidden=True, online=True)
    assert error == "NoneType" and asked == f"install -q git+https://github.com/{tool.address()}"


def test_an_install_that_fails_stops_the_cell_and_says_what_to_do(run_cell):
    error, words, printed, asked = run_cell(FIRST.cells[1].source, hidden=True, online=False)
    assert error == "AssertionError" and words == "Not installed: no internet? (Kaggle: see Settings)"
    assert "Could not resolve host" in printed and asked.startswith("install -q git+")


# ---------------------------------------------------------------- the address of the repository

def test_the_address_stands_in_one_place():
    for path in tool.STAMPED:
        text = path.read_text(encoding="utf-8")
        assert tool.with_address(text, tool.address()) == text, f"run `make stamp`: {path.name} has another address"
        assert any(pattern.search(text) for pattern in tool.ADDRESS_IN_TEXT), f"{path.name} names no address"


def test_stamping_replaces_every_address():
    text = (ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8")
    moved = tool.with_address(text, "somebody/else")
    assert tool.address() not in moved
    assert moved.count("somebody/else") == text.count(tool.address()) >= 2
