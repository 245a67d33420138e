"""The package stays readable: imports point one way, modules and functions stay short, docstrings are there."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "vae_course"
# Dotted names below vae_course; a folder, such as checks, counts as one module with several files.
FILES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))}
MODULES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}

# Who may import whom. Every other arrow is a mistake.
ARROWS = {
    "data": {"downloads", "pixels", "runtime"},
    "arguments": {"runtime"},
    "densities": {"arguments", "runtime"},
    "objectives": {"arguments", "densities"},
    "models": {"arguments", "checkpoints", "densities", "runtime"},
    "conditional": {"densities", "models", "runtime"},
    "evaluation": {"arguments", "densities", "objectives", "runtime"},
    "training": {"arguments", "checkpoints", "runtime"},
    # The command line stands above what it trains, the rest of its folder below.
    "training.__main__": {"checkpoints", "conditional", "data", "densities", "evaluation", "models", "objectives", "plots",
                          "runtime"},
    # The prover judges derivations, and one exercise of A1 stops and resumes a training.
    "checks": {"densities", "derivations", "models", "objectives", "semi_supervised", "training"},
    # The grader calls the checks, and reads derivations as text.
    "grade": {"checks", "derivations"},
    "samples": {"arguments", "evaluation"},
    "semi_supervised": {"conditional", "densities", "evaluation", "models", "objectives", "runtime"},
    "linear_gaussian": {"densities"},
    "trained": {"checkpoints", "data", "models", "objectives", "runtime", "training"},
    "drawings": {"plots"},
    "plots": {"pixels"},
    "widgets": {"derivations", "latent", "pixels", "plots"},
}
ONLY_IN = {"ipywidgets": {"widgets"}, "sympy": {"derivations"}}       # library → the modules that may import it
TORCH_FREE = {"downloads", "drawings", "latent", "pixels", "plots", "derivations", "widgets"}
LIMIT_MODULE, LIMIT_FUNCTION = 300, 40


def imported(tree: ast.AST) -> set[str]:
    """The modules that are imported anywhere in the tree, with dots; `from a import b` gives a and a.b."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def course_modules(tree: ast.AST) -> set[str]:
    return {name.split(".")[1] for name in imported(tree) if name.startswith("vae_course.")} & {top(n) for n in MODULES}


def top(name: str) -> str:
    return name.split(".")[0]


def libraries(tree: ast.AST) -> set[str]:
    return {name.split(".")[0] for name in imported(tree)}


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def body_lines(function: ast.FunctionDef) -> int:
    """Lines of the function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_one_way(name):
    allowed = ARROWS.get(name, ARROWS.get(top(name), set()))
    assert course_modules(MODULES[name]) <= allowed | ({top(name)} if "." in name else set())


@pytest.mark.parametrize("name", MODULES)
def test_libraries_stay_where_they_belong(name):
    used = libraries(MODULES[name])
    assert "notebooks" not in used and "tests" not in used
    for library, allowed in ONLY_IN.items():
        assert library not in used or top(name) in allowed, f"{library} is imported by {name}"
    assert top(name) not in TORCH_FREE or not used & {"torch", "torchvision"}
    assert not any(name.startswith("matplotlib.pyplot") for name in imported(MODULES[name]))


@pytest.mark.parametrize("name", MODULES)
def test_limits(name):
    length = len(FILES[name].read_text(encoding="utf-8").splitlines())
    assert length <= LIMIT_MODULE, f"{name}.py has {length} lines"
    for function in functions(MODULES[name]):
        assert body_lines(function) <= LIMIT_FUNCTION, f"{name}.{function.name} has {body_lines(function)} lines"


@pytest.mark.parametrize("name", MODULES)
def test_style(name):
    tree = MODULES[name]
    assert ast.get_docstring(tree), "the module says what it is for"
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names))
        wraps = isinstance(node, ast.FunctionDef) and any("wraps" in ast.unparse(d) for d in node.decorator_list)
        if isinstance(node, ast.FunctionDef) and node.args.kwarg and not wraps:  # a wrapper keeps the wrapped signature
            passed_on = [call for call in ast.walk(node) if isinstance(call, ast.keyword) and call.arg is None]
            assert not passed_on, f"{name}.{node.name} passes **{node.args.kwarg.arg} on: mistakes would pass in silence"
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{name}.{node.name} has no docstring"


def test_the_arrows_are_about_modules_that_exist():
    for name, targets in ARROWS.items():
        assert name in {*MODULES, *map(top, MODULES)} and targets <= {top(module) for module in MODULES}


def test_a_wrong_arrow_would_be_seen():
    tree = ast.parse("from vae_course import training\nimport vae_course.models as m")
    assert course_modules(tree) == {"training", "models"}
