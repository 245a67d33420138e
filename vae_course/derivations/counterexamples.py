"""Look for values of the symbols at which two lines differ. Numbers refute, with a certificate; they never prove."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import sympy as sp
from sympy.core.function import AppliedUndef, UndefinedFunction

from vae_course.derivations import examples
from vae_course.derivations.closed_forms import closed_form
from vae_course.derivations.domain import inside, simple_values
from vae_course.derivations.numbers import Certified, NoValue, certified
from vae_course.derivations.preparing import OPEN, prepared
from vae_course.derivations.scan import suspects

PLAIN_POINTS, OPEN_POINTS = 16, 10   # how many points are compared: of formulas, and where an integral or a limit stands
SPECIAL = (sp.S.Zero, sp.S.One, sp.S.NegativeOne)
SMALL, LARGE = sp.Rational(1, 5), 10 # ordinary numbers lie between
DIGITS = 8                           # of a value that is shown


@dataclass(frozen=True)
class Difference:
    """Values at which two lines differ: symbol or function → value, what each side gives there, and how that is known."""

    point: dict
    left: sp.Basic
    right: sp.Basic
    certificate: str


@dataclass
class Search:
    """What a search met.

    Attributes:
        found: a difference, or None.
        n_compared, n_complex, n_unknown: at how many points both sides have a value, one is not real, one has no value.
        undefined_at: a point where one side has a value and the other is undefined.
        divergent: which side diverges at a point, or None.
    """

    found: Difference | None = None
    n_compared: int = 0
    n_complex: int = 0
    n_unknown: int = 0
    undefined_at: dict | None = None
    divergent: str | None = None


def search(left: sp.Basic, right: sp.Basic, relation: str, conditions: tuple = (), given: tuple = (),
           n_points: int | None = None) -> Search:
    """Compare both sides at up to n_points points inside the assumptions of the symbols, the conditions and the facts."""
    result = Search()
    left, right, *others = _without_open_indices((left, right, *given, *conditions))
    facts, conditions = others[:len(given)], tuple(others[len(given):])
    is_open = sp.Tuple(left, right).has(sp.Integral, sp.Limit, sp.Sum, sp.Product)
    n_points = min(n_points or PLAIN_POINTS, OPEN_POINTS) if is_open else 2 * (n_points or PLAIN_POINTS)
    if is_open and sp.Tuple(left, right).has(sp.Derivative):
        n_points = min(n_points, 4)  # each slope takes several integrals
    last: tuple[dict | None, list, list] = (None, [], [])
    for point in points(left, right, conditions, tuple(facts), relation):
        if result.n_compared >= n_points or result.n_complex + result.n_unknown >= (5 if is_open else 2 * n_points):
            break
        functions = functions_of(point)
        if last[0] != functions:
            last = functions, _ready(left, functions), _ready(right, functions)
        found = _compare(last[1], last[2], numbers_of(point), relation, result, point)
        if found:
            one, other, how = found
            result.found = Difference(point, *_shown(one, other, getattr(left, "shape", ())), how)
            return result
    return result


def _ready(side: sp.Basic, functions: dict) -> list[sp.Expr]:
    """The entries of a side, each so that numbers can be put in."""
    entries = list(side) if isinstance(side, sp.MatrixBase) else [side]
    return [prepared(examples.put_in(entry, functions)) for entry in entries]


def _compare(left: list, right: list, numbers: dict, relation: str, result: Search,
             point: dict) -> tuple[list[Certified], list[Certified], str] | None:
    """(left values, right values, certificate) if a pair violates the relation at the point; counts what happened."""
    outcomes = [[_outcome(entry.xreplace(numbers)) for entry in side] for side in (left, right)]
    failed = [[o for o in side if isinstance(o, NoValue)] for side in outcomes]
    if not any(failed):
        result.n_compared += 1
        if not any(_violates(a, b, relation) for a, b in zip(*outcomes)):
            return None
        sure = [[_outcome(entry.xreplace(numbers), 60, True) for entry in side] for side in (left, right)]
        if any(isinstance(o, NoValue) for side in sure for o in side):
            return None
        one, other = ([o for o in side if isinstance(o, Certified)] for side in sure)  # all of them
        if not any(_violates(a, b, relation) for a, b in zip(one, other)):
            return None
        ways = sorted(set().union(*(o.how for o in (*one, *other))))
        return one, other, "; ".join(ways) or "intervals that exclude each other"
    kinds = {o.kind for side in failed for o in side}
    result.n_complex += "complex" in kinds
    result.n_unknown += "complex" not in kinds
    for name, side in (("the line before", failed[0]), ("the new line", failed[1])):
        if any(o.kind == "diverges" for o in side) and result.divergent is None:
            result.divergent = name
    if result.undefined_at is None and bool(failed[0]) != bool(failed[1]) and kinds == {"undefined"}:
        result.undefined_at = point
    return None


def _outcome(expr: sp.Expr, digits: int = 30, careful: bool = False) -> Certified | NoValue:
    try:
        return certified(expr, digits, careful)
    except NoValue as error:
        return error
    except Exception as error:  # of many kinds, SymPy's and mpmath's: the point has no number
        return NoValue("unknown", str(error))


def _violates(a: Certified, b: Certified, relation: str) -> bool:
    """Whether the relation is wrong for all values in the two intervals."""
    above, below = a.low > b.high, a.high < b.low
    return {"==": above or below, "<=": above, ">=": below}[relation]


# ---------------------------------------------------------------- points

def points(left: sp.Basic, right: sp.Basic, conditions: tuple, given: tuple, relation: str = "==") -> Iterator[dict]:
    """Different simple values for all free symbols and unknown functions; only such that meet conditions and facts."""
    where = inside(conditions)
    shapes = where.shapes
    together = sp.Tuple(left, right, *given, *conditions)
    arity = examples.unknown_functions([together])
    unknowns = [s for s in _unknowns(together, set(arity)) if s not in shapes]
    helpers = sorted(set().union(*(shape.free_symbols for shape in shapes.values())) - set(unknowns), key=str)
    wanted = _unknowns(together, set(arity))
    applied, seen = together.atoms(AppliedUndef), set()
    largest = 60 if together.has(sp.factorial, sp.binomial, sp.gamma, sp.Sum, sp.Product) or any(
        not e.exp.is_number for e in together.atoms(sp.Pow)) else 10 ** 9  # 10⁶! has too many digits
    choices, looked_at = _choices([*unknowns, *helpers], largest), None if arity or given else (left, right, relation)
    for k, numbers in enumerate(chain(islice(choices, 3), _suspects(looked_at, [*unknowns, *helpers], shapes), choices)):
        numbers |= {symbol: shape.xreplace(numbers) for symbol, shape in shapes.items()}
        numbers = {s: numbers[s] for s in wanted}
        for point in _meeting_facts(numbers, arity, given, k):
            values = numbers_of(point)
            key = tuple(values.items())
            if (not arity and key in seen) or not all(examples.obeys(s, v) for s, v in values.items()):
                continue
            seen.add(key)
            functions = functions_of(point)
            if examples.keep_to_assumptions(applied, functions, values) and all(
                    examples.put_in(c, functions).xreplace(values) == sp.true for c in conditions):
                yield point


def _suspects(looked_at: tuple[sp.Basic, sp.Basic, str] | None, symbols: list, shapes: dict) -> list[dict]:
    """Where double precision says that two closed formulas differ most; none where it has no word for a function."""
    if not (looked_at and symbols and all(s.is_real for s in symbols)) or sp.Tuple(*looked_at[:2]).has(*OPEN):
        return []
    try:
        return list(suspects(*looked_at, symbols, shapes))
    except Exception:
        return []


def _unknowns(together: sp.Tuple, functions: set) -> list[sp.Basic]:
    """Free symbols, indexed symbols and function values such as p(2), which get numbers."""
    indexed = sorted(together.atoms(sp.Indexed), key=str)
    labels = {part for atom in indexed for part in atom.free_symbols if part != atom}
    symbols = sorted((s for s in together.free_symbols - labels if isinstance(s, sp.Symbol)), key=str)
    at_numbers = sorted((a for a in together.atoms(AppliedUndef) if a.func not in functions), key=str)
    return [*symbols, *indexed, *at_numbers]


def _choices(symbols: list, largest: int) -> Iterator[dict]:
    """Ordinary values; then special, complex, large and small ones, for all symbols together and for each alone."""
    pools = {s: [v for v in [*simple_values(s, True), *[sp.I] * (s.is_real is None)] if abs(v) <= largest] for s in symbols}
    if not all(pools.values()):
        return
    ordinary = {s: [v for v in pool if v not in SPECIAL and v.is_real and SMALL <= abs(v) < LARGE] or pool
                for s, pool in pools.items()}
    rest = list(dict.fromkeys(v for s, pool in pools.items() for v in pool if v not in ordinary[s]))
    rest.sort(key=lambda v: (v not in SPECIAL, bool(v.is_real), bool(v) and abs(math.log(abs(v))) > 5))

    def mixed(k: int) -> dict:
        return {s: pool[(k * (2 * i + 1) + 3 * i) % len(pool)] for i, (s, pool) in enumerate(ordinary.items())}
    yield from map(mixed, range(3))
    for k, v in enumerate(rest):
        yield {s: v if v in pools[s] else mixed(k)[s] for s in symbols}
    for k, v in enumerate(rest):
        for s in symbols if v in SPECIAL else [symbols[k % len(symbols)]] if symbols else []:
            if v in pools[s]:
                yield mixed(k) | {s: v}
    yield from ({s: pools[s][(k + 5 * i) % len(pools[s])] for i, s in enumerate(symbols)} for k in range(20))


def _meeting_facts(numbers: dict, arity: dict, given: tuple, k: int) -> Iterator[dict]:
    """The point with numbers and functions changed so that every fact holds; nothing if that was not managed."""
    functions = examples.concrete_functions(arity, given, k)
    if not given:
        yield numbers | functions
        return
    functions = examples.through_points(given, functions, numbers)
    sides = [[closed_form(examples.put_in(side, functions)) for side in fact.args] for fact in given]
    for solved in examples.satisfying([a - b for a, b in sides if a != b], numbers) if numbers else [numbers]:
        point = solved | {f: sp.Lambda(e.variables, e.expr.xreplace(solved)) for f, e in functions.items()}
        if all(_agree(a, b, solved) for a, b in sides):
            yield point


def _agree(a: sp.Expr, b: sp.Expr, numbers: dict) -> bool:
    one, other = (_outcome(prepared(side).xreplace(numbers)) for side in (a, b))
    if isinstance(one, NoValue) or isinstance(other, NoValue) or _violates(one, other, "=="):
        return False
    return all(o.high - o.low <= 1e-6 * (1 + abs(o.middle)) for o in (one, other))


def _without_open_indices(exprs: Iterable[sp.Basic]) -> list[sp.Basic]:
    """Sums of qₖ to a number are written out; a q whose k stays a variable somewhere is a function everywhere, in q₁ too."""
    exprs = [closed_form(e) if e.has(sp.Indexed) and e.has(sp.Sum, sp.Product) else e for e in exprs]
    names = {q.base: sp.Function(str(q.base), **q.base.label.assumptions0) for e in exprs for q in e.atoms(sp.Indexed)
             if not all(index.is_number for index in q.indices) and isinstance(q.base.label, sp.Symbol)}
    return [e.replace(lambda q: isinstance(q, sp.Indexed) and q.base in names, lambda q: names[q.base](*q.indices))
            for e in exprs]


def numbers_of(point: dict) -> dict:
    """The part of the point that gives numbers, without the functions."""
    return {s: v for s, v in point.items() if not isinstance(s, UndefinedFunction)}


def functions_of(point: dict) -> dict:
    """The part of the point that gives concrete functions."""
    return {f: example for f, example in point.items() if isinstance(f, UndefinedFunction)}


# ---------------------------------------------------------------- what is shown

def _shown(left: list[Certified], right: list[Certified], shape: tuple) -> tuple[sp.Basic, sp.Basic]:
    """Both values with few digits, but enough to see that they differ."""
    digits = next((d for d in (DIGITS, 15, 30) if any(_rounded(a, d) != _rounded(b, d) for a, b in zip(left, right))), 50)
    rounded = [[_rounded(o, digits) for o in side] for side in (left, right)]
    return tuple(sp.ImmutableMatrix(*shape, side) if shape else side[0] for side in rounded)


def _rounded(o: Certified, digits: int) -> sp.Expr:
    """The middle with at most so many digits, and no more than are certain."""
    if o.low <= 0 <= o.high:
        return sp.S.Zero
    certain = int(-math.log10((o.high - o.low) / abs(o.middle))) if o.high > o.low else digits
    return sp.Float(o.middle, max(1, min(digits, certain)))


def filled_in(expr: sp.Basic, point: dict) -> sp.Basic:
    """The formula with the counterexample put in and nothing computed, as a reader would write it."""
    expr, numbers = examples.put_in(expr, functions_of(point)), numbers_of(point)
    if isinstance(expr, sp.MatrixBase):
        return expr.applyfunc(lambda entry: filled_in(entry, numbers))
    expr = expr.replace(lambda e: isinstance(e, sp.Derivative), lambda d: sp.Subs(d, tuple(d.variables), tuple(d.variables))
                        if set(d.variables) & set(numbers) else d)
    return _uncomputed(expr, numbers)


def _uncomputed(expr: sp.Basic, numbers: dict) -> sp.Basic:
    if expr in numbers:
        return numbers[expr]
    if not expr.args or not expr.has(*numbers):
        return expr
    args = [_uncomputed(arg, numbers) for arg in expr.args]
    plain = isinstance(expr, sp.Add | sp.Mul | sp.Pow | sp.Function)
    return expr.func(*args, evaluate=False) if plain else expr.func(*args)
