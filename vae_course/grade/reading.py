"""What a notebook answers: the answer of each exercise, and the lines above it that bind the names it uses.

Nothing is executed. An answer is found by the call of its check, wherever that stands: cells may be moved, added or
renamed. Of the notebook only the statements are kept that bind a name which the answer uses, or one that these use, or
write an entry of it. What a call changes in place, `names.append(…)`, or an attribute, is not seen: an answer is a function
of its arguments.
"""

import ast
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager

from vae_course.grade.course import Cell, Chapter, Exercise

MAGICS = ("%%time", "%%timeit", "%%capture")    # cells that hold Python under one more line


@dataclass(frozen=True)
class Answer:
    """What is known of an answer before it runs.

    Attributes:
        state: "given", "stub" (as the course left it), "deleted" (its cell is gone), "no check" (only the call is gone) or
            "error" (its cell is no Python).
        cell: the number of the cell that calls the check, from 0; -1 if none does.
        answer: the expression that the check is given.
        statements: what has to run before, in order.
        printed: whether it is the printed solution, up to names.
        peeks: whether it uses the checks themselves, which hold the right functions.
    """

    state: str
    cell: int = -1
    answer: str = ""
    statements: tuple[str, ...] = ()
    printed: bool = False
    peeks: bool = False


@dataclass
class Statement:
    """A statement of a notebook outside of all functions, with the names that it binds and uses."""

    cell: int
    tree: ast.stmt
    binds: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)


def read_answers(cells: Sequence[Cell], chapters: Sequence[Chapter]) -> dict[str, Answer]:
    """Number of the exercise → its answer, for all exercises of the notebook's chapter, and others that it calls."""
    statements, broken = parsed(cells)
    calls = {check: (k, call) for k, statement in enumerate(statements) for check, call in calls_in(statement.tree)}
    found = {}
    for chapter in chapters:
        own = chapter is main_chapter(cells, chapters, set(calls))
        for exercise in chapter.exercises:
            if exercise.check in calls:
                found[exercise.number] = _given(exercise, statements, *calls[exercise.check])
            elif own:
                found[exercise.number] = _not_given(exercise, cells, statements, broken)
    return found


def main_chapter(cells: Sequence[Cell], chapters: Sequence[Chapter], checks: set[str]) -> Chapter | None:
    """The chapter that the notebook is of: the one whose title it has, else the one most of whose checks it calls."""
    title = next((cell.source for cell in cells if cell.kind == "markdown"), "")
    for chapter in chapters:
        if title.startswith(f"# {chapter.name} "):
            return chapter
    found = [(len(checks & {exercise.check for exercise in chapter.exercises}), chapter) for chapter in chapters]
    most, chapter = max(found, key=lambda pair: pair[0])
    return chapter if most else None


def parsed(cells: Sequence[Cell]) -> tuple[list[Statement], set[int]]:
    """The statements of all code cells in their order, and the numbers of the cells that are no Python."""
    statements, broken = [], set()
    for k, cell in enumerate(cells):
        if cell.kind != "code":
            continue
        try:
            for tree in ast.parse(python_of(cell.source)).body:
                statements.append(Statement(k, tree, *names_of(tree)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            broken.add(k)
    return statements, broken


def python_of(source: str) -> str:
    """The cell as Python: its magic lines become calls."""
    first, _, rest = source.partition("\n")
    if first.split(" ")[0].strip() in MAGICS:
        source = rest
    return TransformerManager().transform_cell(source)


def names_of(tree: ast.stmt) -> tuple[set[str], set[str]]:
    """The names that a statement binds, or writes an entry of, and those that it or a function in it uses of the outside."""
    binds, uses = set(), set()

    def walk(table: symtable.SymbolTable, outside: bool) -> None:
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (outside or symbol.is_global()):
                uses.add(symbol.get_name())
            if outside and (symbol.is_assigned() or symbol.is_imported()):
                binds.add(symbol.get_name())
        for child in table.get_children():
            walk(child, False)

    walk(symtable.symtable(ast.unparse(tree), "<cell>", "exec"), True)
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            binds.add(node.value.id)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            uses.add(node.target.id)
    if isinstance(tree, ast.ImportFrom) and tree.names[0].name == "*":
        binds.add("*")
    return binds, uses


def calls_in(tree: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """(check, its argument) of the calls checks.check_…(answer) in a statement, but not in the functions it defines."""
    open_nodes: list[ast.AST] = [tree]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call) and len(given := [*node.args, *(word.value for word in node.keywords)]) == 1:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name.startswith("check_"):
                yield name, given[0]
        open_nodes += ast.iter_child_nodes(node)


def _given(exercise: Exercise, statements: Sequence[Statement], position: int, call: ast.expr) -> Answer:
    """The answer that the last call of the check in the notebook is given."""
    expression = ast.Expr(call)
    needed, chosen = names_of(ast.fix_missing_locations(expression))[1], set[int]()
    grown = True
    while grown:
        new = {k for k in range(position) if k not in chosen and statements[k].binds & {*needed, "*"}}
        chosen |= new
        needed = needed.union(*(statements[k].uses for k in new))
        grown = bool(new)
    kept = [statements[k].tree for k in sorted(chosen)]
    name = call.id if isinstance(call, ast.Name) else ""
    own = alike(kept, name)
    stub = own is not None and own == alike(ast.parse(exercise.stub).body, name)
    printed = own is not None and own == _alike_in_text(exercise.solution, exercise.stub)
    return Answer("stub" if stub else "given", statements[position].cell, ast.unparse(call),
                  tuple(map(ast.unparse, kept)), printed,
                  "checks" in needed or any("vae_course.checks" in ast.unparse(tree) for tree in kept))


def _not_given(exercise: Exercise, cells: Sequence[Cell], statements: Sequence[Statement], broken: set[int]) -> Answer:
    """What became of an exercise whose check is called nowhere."""
    for k in broken:
        if exercise.check in cells[k].source or cells[k].id == exercise.cell:
            return Answer("error", k)
    name = _defined_last(ast.parse(exercise.stub).body)
    return Answer("no check" if any(name in statement.binds for statement in statements) else "deleted")


# ---------------------------------------------------------------- two functions that differ in names only

def _alike_in_text(solution: str, stub: str) -> str | None:
    try:
        return alike(ast.parse(solution).body, _defined_last(ast.parse(stub).body))
    except SyntaxError:
        return None


def _defined_last(body: Sequence[ast.stmt]) -> str:
    return next((tree.name for tree in reversed(body) if isinstance(tree, ast.FunctionDef)), "")


def alike(body: Sequence[ast.stmt], name: str) -> str | None:
    """The last function of this name in a form that is the same for every choice of names; None if there is none."""
    found = [tree for tree in body if isinstance(tree, ast.FunctionDef) and tree.name == name]
    if not found:
        return None
    function = _Renamed().visit(ast.parse(ast.unparse(found[-1])).body[0])
    if ast.get_docstring(function, clean=False) is not None:
        function.body = function.body[1:]
    return ast.dump(function)


class _Renamed(ast.NodeTransformer):
    """Numbers all names in the order in which they first stand."""

    def __init__(self):
        self.names: dict[str, str] = {}

    def _new(self, name: str) -> str:
        return self.names.setdefault(name, f"name{len(self.names)}")

    def visit_Name(self, node: ast.Name) -> ast.AST:  # noqa: N802  (the name that ast asks for)
        node.id = self._new(node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg, node.annotation = self._new(node.arg), None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # noqa: N802
        node.name, node.returns = self._new(node.name), None
        return self.generic_visit(node)
