"""Prove that two lines are equal for all values that their symbols may take.

Nothing here looks at numbers: a proof is a chain of exact rewritings. Logarithms are split only where SymPy knows the
factors to be positive, so a proof never holds "up to a complex branch". To add a rule, add a line to CHEAP or COSTLY (a
rewriting of the difference that is zero only if the lines are equal) and its name to tests/test_proofs.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sympy as sp
from sympy.core.function import AppliedUndef

from vae_course.derivations.closed_forms import WHOLES, closed_form, is_open, same_range_together, terms_of
from vae_course.derivations.conditions import collecting, is_known, known, need
from vae_course.derivations.definedness import exist_with, exists
from vae_course.derivations.domain import Inside, cases, put_inside, put_outside
from vae_course.derivations.facts import define, with_facts
from vae_course.derivations.verdicts import Proof

Rewritings = dict[str, Callable[[sp.Expr], sp.Expr]]


def simplify(expr: sp.Expr) -> sp.Expr:
    """SymPy's simplify, which leaves integrals and sums alone: closed_form has seen to them and to their ends."""
    names = {whole: sp.Dummy(real=whole.is_real, positive=whole.is_positive) for whole in expr.atoms(sp.Sum, sp.Product)}
    return sp.simplify(expr.xreplace(names), doit=False).xreplace({name: whole for whole, name in names.items()})


class Unproved(Exception):
    """No rule applied; the argument is what was left over."""


@dataclass(frozen=True)
class Way:
    """One way of seeing the difference of two lines: zero only if they are equal, under the conditions."""

    words: str
    difference: sp.Expr
    needed: tuple = ()
    forms: tuple[sp.Basic, ...] = ()


def prove_equal(left: sp.Basic, right: sp.Basic, conditions: tuple = (), given: tuple = (), costly: bool = True) -> Proof:
    """How left = right was proved; what it needs is said with `need`. Raises Unproved with what was left over.

    Without `costly` only the rules of the table CHEAP are tried.
    """
    if isinstance(left, sp.MatrixBase):
        proofs = [prove_equal(one, other, conditions, given, costly) for one, other in zip(left, right)]
        return Proof("entry by entry: " + "; ".join(dict.fromkeys(proof.how for proof in proofs)))
    proofs = [_prove_case(domain, left, right, conditions, given, costly) for domain in cases(conditions)]
    return Proof(" or ".join(dict.fromkeys(proof.how for proof in proofs)), proofs[0].forms)


def _prove_case(domain: Inside, left: sp.Expr, right: sp.Expr, conditions: tuple, given: tuple,
                costly: bool) -> Proof:
    """The proof where the symbols lie inside `domain`, with conditions and forms in the author's symbols."""
    free = set().union(*(e.free_symbols for e in (left, right, *conditions)))
    (left, right), others = define((left, right), given, free)
    one, other, *facts = (put_inside(domain, e) for e in (left, right, *others))
    if any(shape.is_number for shape in domain.shapes.values()) and not all(
            exist_with(e, lambda part: put_inside(domain, part)) for e in (left, right)):
        raise Unproved(one - other)
    free |= put_inside(domain, sp.Tuple(*sorted(free, key=str))).free_symbols
    try:
        with known((*conditions, *domain.known)), collecting() as needed:
            proof = _prove(one, other, facts, free, costly)
    except Unproved as error:
        raise Unproved(put_outside(domain, error.args[0])) from None
    for condition in needed:
        rest = [c for c in needed if c is not condition]
        if not _holds_at_the_special_value(condition, one, other, facts, free, rest):
            need(condition if isinstance(condition, str) else put_outside(domain, condition))
    return Proof(proof.how, tuple(put_outside(domain, form) for form in proof.forms))


def _prove(left: sp.Expr, right: sp.Expr, facts: list, free: set, costly: bool = True) -> Proof:
    left_over = left - right
    for way, name, form in _rewritings(left, right, facts, free, costly):
        if form == 0 or form.is_zero:
            for condition in way.needed:
                need(condition)
            return Proof(way.words if name == "" else f"{way.words}; {name}", way.forms)
        if form.count_ops() < left_over.count_ops():
            left_over = form
    raise Unproved(left_over)


def _holds_at_the_special_value(condition, left: sp.Expr, right: sp.Expr, facts: list, free: set, others: list) -> bool:
    """Whether the line is also proved where a condition a ≠ c fails, with a = c put in from the start."""
    if not isinstance(condition, sp.Ne) or not condition.lhs.is_Symbol:
        return False
    at = {condition.lhs: condition.rhs}
    one, other, *rest = (e.subs(at) for e in (left, right, *facts))
    if any(e.has(sp.nan, sp.zoo, sp.oo, -sp.oo) and not e.has(sp.Integral, sp.Sum, sp.Limit) for e in (one, other)):
        return False
    if not all(exist_with(e, lambda part: part.subs(at)) for e in (left, right)):
        return False
    try:
        with collecting() as more:
            _prove(one, other, rest, free)
        return all(c in others for c in more)
    except Exception:  # not proved, or undefined there
        return False


def _rewritings(left: sp.Expr, right: sp.Expr, facts: list, free: set, costly: bool) -> Iterator[tuple[Way, str, sp.Expr]]:
    """Forms that are zero only if left = right. The cheap rewritings of every way of seeing the difference come first."""
    if left == right:
        yield Way("the two lines are the same expression", sp.S.Zero), "", sp.S.Zero
    ways = []
    for way in _ways(left, right, facts, free):
        ways.append(way)
        yield from _each(CHEAP, way)
    for way in sorted(ways if costly else (), key=lambda way: way.difference.has(sp.exp)):  # first without exponentials
        yield from _each(COSTLY, way)


def _each(rewritings: Rewritings, way: Way) -> Iterator[tuple[Way, str, sp.Expr]]:
    difference, names = held_apart(way.difference)
    for name, rewrite in rewritings.items():
        form = attempt(rewrite, difference)
        if form is not None and not form.has(sp.nan, sp.zoo):
            yield way, name, form.xreplace(names)


def _ways(left: sp.Expr, right: sp.Expr, facts: list, free: set) -> Iterator[Way]:
    """The difference as it stands; with integrals and sums in closed form; of logarithms; under one integral; with facts."""
    needed: list = []
    forms: tuple = ()
    words, one, other = "as the lines stand", left, right
    if is_open(left - right):
        with collecting() as needed:
            one, other = attempt(closed_form, left), attempt(closed_form, right)
        if one is None or other is None or one.has(sp.nan, sp.zoo) or other.has(sp.nan, sp.zoo):
            return
        with collecting():  # what is needed here was needed above
            if not all(exists(whole) for pair in ((left, one), (right, other)) for whole in _cancelled(*pair)):
                return
        words = "integrals, sums, derivatives and limits carried out"
        forms = tuple(new for old, new in ((left, one), (right, other)) if old != new)
    if one.is_infinite or other.is_infinite:
        if one == other and (left == one or right == other):  # a limit is ∞: said with ∞ on one side only
            yield Way(words, sp.S.Zero, tuple(needed), forms)
        return
    yield Way(words, one - other, tuple(needed), forms)
    if one.is_positive and other.is_positive:  # ratios of exponentials become sums
        logs = sp.expand_log(sp.log(sp.powsimp(one))) - sp.expand_log(sp.log(sp.powsimp(other)))
        yield Way(f"{words}; logarithms of both sides", logs, tuple(needed), forms)
    for difference in (left - right, one - other):
        if len(difference.atoms(sp.Integral, sp.Sum)) > 1:
            with collecting() as more:
                together = attempt(lambda e: closed_form(same_range_together(e)), difference)
            if together is not None:
                yield Way("what has one range put under one integral or sum", together, (*needed, *more), forms)
    facts_in = with_facts(left, right, facts, free)
    while True:
        with collecting() as more:
            form = next(facts_in, None)
        if form is None:
            return
        yield Way("with the facts put in", form, (*needed, *more), forms)


def _cancelled(expr: sp.Expr, closed: sp.Expr) -> list[sp.Expr]:
    """The integrals and limits of a line that stay open by themselves, and of which nothing is left in its closed form."""
    wholes = expr.atoms(sp.Integral, sp.Limit)
    left = closed.atoms(*WHOLES)
    return [whole for whole in wholes if closed_form(whole).atoms(*WHOLES) - left] if len(wholes) > 1 else []


def attempt(rewrite: Callable[[sp.Expr], sp.Expr], expr: sp.Expr) -> sp.Expr | None:
    """rewrite(expr), or None where SymPy gives up with an error of its own: then another rule has its turn."""
    try:
        return rewrite(expr)
    except Exception:
        return None


COUNTING = (sp.binomial, sp.factorial, sp.gamma, sp.loggamma, sp.beta, sp.RisingFactorial, sp.FallingFactorial,
            sp.factorial2, sp.catalan, sp.harmonic, sp.digamma, sp.polygamma)


def held_apart(d: sp.Expr) -> tuple[sp.Expr, dict]:
    """The expression with a name for each factorial and the like whose arguments may be negative, and what the names mean.

    SymPy's rules for them, such as mirroring a binomial coefficient, hold for arguments that are not negative.
    """
    unsafe = {e for e in d.atoms(*COUNTING) if not all(is_known(a >= 0) for a in e.args)}
    names = {e: sp.Dummy(real=e.is_real) for e in sorted(unsafe, key=str)}
    return d.xreplace(names), {name: e for e, name in names.items()}


def expand_factored_logs(d: sp.Expr) -> sp.Expr:
    """log(a² − b²) as log(a − b) + log(a + b), log(1/(1 + a)) as −log(1 + a)."""
    factored = d.replace(lambda e: isinstance(e, sp.log), lambda e: sp.log(sp.factor(sp.together(e.args[0]))))
    return sp.expand_log(factored)


def _with_plain_exponents(d: sp.Expr) -> sp.Expr:
    """All exponentials of a product in one, whose exponent is expanded."""
    d = sp.powsimp(sp.expand(d, power_exp=False, power_base=False), combine="exp")
    return sp.expand(d.replace(lambda e: isinstance(e, sp.exp), lambda e: sp.exp(sp.expand(sp.cancel(sp.together(e.exp))))),
                     power_exp=False, power_base=False)


CASES = (sp.Abs, sp.Max, sp.Min, sp.sign, sp.Heaviside, sp.Piecewise)
CHEAP: Rewritings = {
    "multiplied out": sp.expand,
    "logarithms split": lambda d: sp.Add(*terms_of(d)),
    "over a common denominator": lambda d: sp.cancel(sp.together(sp.Add(*terms_of(d)))) if not d.has(AppliedUndef) else d,
    "exponents multiplied out": _with_plain_exponents,
}
COSTLY: Rewritings = {
    "simplified": simplify,
    "logarithms of factors split": lambda d: simplify(sp.expand(expand_factored_logs(d))),
    "logarithms split and simplified": lambda d: simplify(sp.expand_log(sp.expand(d))),
    "written with exponentials": lambda d: simplify(sp.expand(d.rewrite(sp.exp), power_base=True)),
    "logarithms of factored exponentials split": lambda d: simplify(expand_factored_logs(d.rewrite(sp.exp))),
    "case by case": lambda d: simplify(sp.piecewise_fold(d.rewrite(sp.Piecewise))) if d.has(*CASES) else d,
    "written with error functions": lambda d: simplify(d.rewrite(sp.erf)) if d.has(sp.erfc) else d,
    "over a common root": lambda d: sp.radsimp(simplify(sp.powdenest(sp.expand(d)))),
}
