"""Every derivation of the chapters, found by running the cells tagged `derivation`, and wrong steps made of them."""

import contextlib
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import sympy as sp

from vae_course.derivations import Derivation
from vae_course.derivations.gaussians import written_out

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
CHAPTERS = [path.stem for path in sorted(NOTEBOOKS.glob("[0-9A][0-9]_*.ipynb")) if path.stem[:2] != "00"]


@cache
def of_chapter(stem: str) -> list[Derivation]:
    """Run the chapter's imports and its derivation cells alone, in order; returns every Derivation that they make."""
    cells = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4).cells
    sources = [cell.source for cell in cells if "derivation" in cell.metadata.get("tags", [])]
    imports = [line for line in cells[1].source.splitlines() if line.startswith(("import ", "from "))]
    made: list[Derivation] = []
    initialise = Derivation.__init__

    def record(self, *args, **kwargs):
        initialise(self, *args, **kwargs)
        made.append(self)

    Derivation.__init__ = record
    try:
        namespace: dict = {}
        with contextlib.redirect_stdout(io.StringIO()):
            for source in ["\n".join(imports), *sources]:
                exec(source.rstrip().rstrip(";"), namespace)
    finally:
        Derivation.__init__ = initialise
    return [d for d in made if len(d.lines) > 1]


# ---------------------------------------------------------------- planting mistakes

def mutants(expr: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    """(kind of mistake, wrong line): sign, factor, exponent, dropped term, two swapped symbols, log σ for log σ²."""
    if isinstance(expr, sp.MatrixBase):
        for k, entry in enumerate(expr):
            for kind, wrong in mutants(entry):
                changed = list(expr)
                changed[k] = wrong
                yield kind, sp.ImmutableMatrix(*expr.shape, changed)
        return
    parts = sorted(sp.preorder_traversal(expr), key=lambda part: (part.count_ops(), str(part)))
    inside_limits = {part for whole in expr.atoms(sp.Integral, sp.Sum, sp.Limit) for limit in whole.args[1:]
                     for part in sp.preorder_traversal(limit)}
    for part in parts:
        if part in inside_limits:
            continue
        if isinstance(part, sp.Add):
            for term in part.args[:2]:
                yield "sign", expr.xreplace({part: part - 2 * term})
                yield "factor", expr.xreplace({part: part + term})
                yield "dropped term", expr.xreplace({part: part - term})
        if isinstance(part, sp.Pow) and part.exp.is_integer:
            yield "exponent", expr.xreplace({part: part.base ** (part.exp + 1)})
        if isinstance(part, sp.log):
            yield "log σ for log σ²", expr.xreplace({part: part / 2})
    if not isinstance(expr, sp.Add):
        yield "sign", -expr
        yield "factor", 2 * expr
    bound = {s for whole in expr.atoms(sp.Integral, sp.Sum, sp.Limit) for s in whole.free_symbols ^ whole.atoms(sp.Symbol)}
    free = sorted((s for s in expr.free_symbols - bound if isinstance(s, sp.Symbol)), key=str)
    for a, b in zip(free, free[1:]):
        yield "swapped", expr.subs({a: b, b: a}, simultaneous=True)


def one_of_each(expr: sp.Expr, are_different) -> dict[str, sp.Expr]:
    """The first mutant of every kind that is truly different."""
    chosen: dict[str, sp.Expr] = {}
    for kind, wrong in mutants(expr):
        if kind not in chosen and are_different(expr, wrong):
            chosen[kind] = wrong
    return chosen


# ---------------------------------------------------------------- a second way to numbers, apart from the package's

GRID = np.linspace(-60, 60, 48_001)


def number(expr: sp.Basic, point: dict) -> np.ndarray:
    """The value at the point in double precision; integrals by the trapezoid rule on a fixed grid. NaN if that fails."""
    if isinstance(expr, sp.MatrixBase):
        return np.array([number(entry, point) for entry in expr])
    expr = written_out(expr).doit(integrals=False, deep=not expr.has(sp.Limit))
    for integral in sorted(expr.atoms(sp.Integral), key=lambda e: e.count_ops()):
        (v, low, high), = integral.limits
        grid = GRID if low == -sp.oo else np.linspace(float(low), 60 if high == sp.oo else float(high), 48_001)
        f = sp.lambdify(v, integral.function.subs({s: value for s, value in point.items() if s != v}), "numpy")
        with np.errstate(all="ignore"):
            values = np.broadcast_to(np.asarray(f(grid.astype(np.float64))), grid.shape)
            values = np.nan_to_num(np.where(np.imag(values) == 0, np.real(values), np.nan))
        expr = expr.xreplace({integral: sp.Float(np.trapezoid(values, grid))})
    return np.array(complex(sp.N(expr.subs(point))).real if expr.subs(point).is_real is not False else np.nan)


def number_if_any(expr: sp.Basic, point: dict) -> np.ndarray:
    """The value at the point, NaN where there is no second way to it: unknown functions, limits."""
    try:
        return number(expr, point)
    except Exception:
        return np.array(np.nan)


def different(points: list[dict]):
    """A function that says whether two lines are clearly different at one of the points."""
    @cache  # a right line is compared with many wrong ones
    def values(right: sp.Basic) -> list[np.ndarray]:
        return [number_if_any(right, point) for point in points]

    def are_different(right: sp.Basic, wrong: sp.Basic) -> bool:
        for point, a in zip(points, values(right)):
            if not np.all(np.isfinite(a)):
                continue
            b = number_if_any(wrong, point)
            if np.all(np.isfinite(b)) and np.any(np.abs(a - b) > 1e-3 * (1 + np.abs(a))):
                return True
        return False
    return are_different


def points_for(d: Derivation) -> list[dict]:
    """Two ordinary points inside the assumptions and conditions of all symbols of the derivation."""
    symbols = sorted({s for line in d.lines for s in line.expression.atoms(sp.Symbol, sp.Indexed)}, key=str)
    rng, found = np.random.default_rng(0), []
    for _ in range(200):
        point = {}
        for s in symbols:
            value = rng.integers(2, 6) if s.is_integer else rng.uniform(0.3, 1.7) if s.is_positive else rng.uniform(-2, 2)
            point[s] = sp.Integer(int(value)) if s.is_integer else sp.Float(value)
        if all(condition.subs(point) == sp.true for condition in d.where):
            found.append(point)
        if len(found) == 2:
            break
    return found
