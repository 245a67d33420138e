"""Whether conditions and facts can hold together: from a contradiction anything follows."""

from collections.abc import Iterable
from itertools import islice, product

import sympy as sp
from sympy.core.assumptions import assumptions, check_assumptions
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational

from vae_course.derivations.closed_forms import closed_form, is_ordered
from vae_course.derivations.domain import inside, simple_values, single_conditions
from vae_course.derivations.linear import infeasible
from vae_course.derivations.scopes import unconditionally

OPEN = (sp.Integral, sp.Sum, sp.Product, sp.Limit, sp.Derivative, sp.Subs, sp.Indexed, AppliedUndef)
MOST_POINTS = 300


def contradiction(conditions: Iterable, given: Iterable = ()) -> str | None:
    """Which of the conditions and facts cannot hold together, in words; None if that is not shown."""
    claims = [*single_conditions(conditions), *single_conditions(given)]
    if not _impossible(claims):
        return None
    for claim in list(claims):  # those that play no part are not named
        rest = [c for c in claims if c is not claim]
        claims = rest if _impossible(rest) else claims
    return " and ".join(map(_words, claims)) + (" cannot hold together" if len(claims) > 1 else " cannot hold")


def satisfiable(conditions: Iterable, given: Iterable = ()) -> bool:
    """Whether values and functions that meet all conditions and facts are known to exist."""
    facts, conditions = single_conditions(given), single_conditions(conditions)
    claims = [*facts, *conditions]
    while free := [k for k, f in enumerate(facts) if _can_be_chosen(f, [c for c in claims if c is not f])]:
        del facts[free[0]]
        claims = [*facts, *conditions]
    if any(not isinstance(part, sp.Indexed) and part.free_symbols for c in claims for part in c.atoms(*OPEN)):
        return False
    claims = _named(claims)
    for k in range(len(claims)):
        if isinstance(claims[k], sp.Eq) and (found := solved(claims[k])) is not None:
            symbol, value, more = found
            claims = [c.subs(symbol, value) for c in claims] + more
    known = inside(tuple(claims)).known
    unknowns = sorted(set().union(*(c.free_symbols for c in known)), key=str) if known else []
    points = product(*(simple_values(s, far=len(unknowns) == 1) for s in unknowns))
    return any(all(c.subs(list(zip(unknowns, point))) == sp.true for c in known) for point in islice(points, MOST_POINTS))


def solved(fact: sp.Eq) -> tuple[sp.Symbol, sp.Expr, list] | None:
    """(symbol, value, what its assumptions say of the value) for a fact that is linear in a symbol; None for others."""
    difference = sp.expand(fact.lhs - fact.rhs)
    for symbol in sorted(difference.free_symbols, key=str):
        slope = difference.coeff(symbol)
        if slope.is_number and slope.is_nonzero and not (rest := difference - slope * symbol).has(symbol):
            value = sp.expand(-rest / slope)
            signs = {"positive": value > 0, "negative": value < 0, "nonnegative": value >= 0, "nonpositive": value <= 0}
            said = [condition for sign, condition in signs.items() if getattr(symbol, f"is_{sign}")]
            plain = sp.Dummy(**{sign: True for sign in signs if getattr(symbol, f"is_{sign}")}, real=symbol.is_real)
            extra = {name: v for name, v in assumptions(symbol).items() if plain.assumptions0.get(name) is not v}
            if check_assumptions(value, **extra) and (value.is_real or not symbol.is_real):
                return symbol, value, said
    return None


def _words(claim: sp.Basic) -> str:
    return f"{claim.lhs} = {claim.rhs}" if isinstance(claim, sp.Eq) else str(claim)


# ---------------------------------------------------------------- names for what is not a symbol

def _closed(e: sp.Basic) -> sp.Basic:
    closed = unconditionally(closed_form, e)
    return e if closed is None else closed


def _named(claims: list) -> list:
    """The claims with a symbol for each integral, function value and entry of a vector; equal ones get the same."""
    claims = [c.func(*map(_closed, c.args)) if isinstance(c, Relational) and c.has(*OPEN) else c for c in claims]
    names: dict = {}

    def name(e: sp.Expr) -> sp.Dummy:
        key = e.as_dummy() if isinstance(e, sp.Integral | sp.Sum) else e
        return names.setdefault(key, sp.Dummy(str(e), **_signs(e)))

    def put(e: sp.Basic) -> sp.Basic:
        if isinstance(e, OPEN):
            return name(e)
        return e.func(*map(put, e.args)) if e.args and e.has(*OPEN) else e

    return [put(c) for c in claims]


def _signs(e: sp.Expr) -> dict:
    """What is known of the value: an integral of what is never negative is not negative."""
    if isinstance(e, sp.Integral | sp.Sum):
        ordered = all(len(limit) == 3 and is_ordered(*limit[1:]) for limit in e.limits)
        return {"real": True, "nonnegative": True} if ordered and e.function.is_nonnegative else {}
    return {name: v for name, v in assumptions(e).items() if isinstance(e, sp.Indexed | AppliedUndef)}


def _can_be_chosen(fact: sp.Basic, others: list) -> bool:
    """Whether something that occurs in no other claim can be chosen so that the fact holds: a function, or a new symbol."""
    if not isinstance(fact, sp.Eq):
        return False
    for side, value in (fact.args, fact.args[::-1]):
        inner = side.function if isinstance(side, sp.Integral | sp.Sum) else side
        if value.is_Symbol and not any(c.has(value) for c in (*others, side)) and isinstance(side, sp.Integral):
            if value.is_positive is None or inner.is_nonnegative:  # the name of an integral
                return True
        for f in side.atoms(AppliedUndef, sp.Indexed):
            weight, name = inner / f, f.base if isinstance(f, sp.Indexed) else f.func
            alone = weight == 1 or side is not inner and not weight.has(name) and weight.is_positive
            if alone and not any(c.has(name) for c in (value, *others)) and _suits(value, f):
                return True
    return False


def _suits(value: sp.Expr, f: sp.Expr) -> bool:
    """Whether a value of the function may be this one, at every point."""
    value = _named([sp.Eq(value, sp.Dummy(), evaluate=False)])[0].lhs
    arguments = f.indices if isinstance(f, sp.Indexed) else f.args
    return bool(arguments) and all(a.is_Symbol for a in arguments) and bool(check_assumptions(value, **assumptions(f)))


# ---------------------------------------------------------------- proofs that nothing satisfies the claims

def _impossible(claims: list) -> bool:
    if sp.false in claims:
        return True
    claims = _named([c for c in claims if isinstance(c, Relational) and all(isinstance(a, sp.Expr) for a in c.args)])
    pending = [c for c in claims if isinstance(c, sp.Eq)]
    kept: list[sp.Eq] = []
    claims = [c for c in claims if not isinstance(c, sp.Eq)]
    while pending:
        fact = pending.pop()
        difference = sp.expand(fact.lhs - fact.rhs)
        if difference.is_zero is False:
            return True
        for symbol in sorted(difference.free_symbols, key=str):
            slope = difference.coeff(symbol)
            if slope.is_number and slope.is_nonzero and not (rest := difference - slope * symbol).has(symbol):
                value = sp.expand(-rest / slope)
                if check_assumptions(value, against=symbol) is False:
                    return True
                claims = [c.subs(symbol, value) for c in claims] + _said_of(symbol, value)
                left = [sp.expand((c.lhs - c.rhs).subs(symbol, value)) for c in (*pending, *kept)]
                pending = [sp.Eq(e, 0, evaluate=False) for e in left]
                kept = []
                break
        else:
            kept += [fact] if difference != 0 else []
    claims = [c for c in claims if c != sp.true]
    return sp.false in claims or _no_common_root(kept) or _no_set(claims + kept) or _no_point(claims, kept)


def _said_of(symbol: sp.Symbol, value: sp.Expr) -> list:
    """The sign that the symbol has, said of its value."""
    if value.is_extended_real is False:
        return []
    zero = sp.S.Zero
    return [sp.Gt(value, zero)] * bool(symbol.is_positive) + [sp.Lt(value, zero)] * bool(symbol.is_negative) + \
           [sp.Ge(value, zero)] * bool(symbol.is_nonnegative) + [sp.Le(value, zero)] * bool(symbol.is_nonpositive)


def _no_common_root(facts: list) -> bool:
    """Polynomial equations of low degree without a common root, not even a complex one."""
    equations = [sp.expand(f.lhs - f.rhs) for f in facts]
    gens = sorted(set().union(*(e.free_symbols for e in equations)), key=str) if equations else []
    if not 2 <= len(equations) <= 4 or len(gens) > 4 or not all(e.is_polynomial(*gens) for e in equations):
        return False
    if any(sp.total_degree(e) > 4 for e in equations):
        return False
    return list(sp.groebner(equations, *gens).exprs) == [1]


def _no_set(claims: list) -> bool:
    """Claims about one real symbol whose sets have nothing in common."""
    for symbol in set().union(*(c.free_symbols for c in claims)) if claims else ():
        about = [c for c in claims if c.free_symbols == {symbol}]
        if not symbol.is_real or len(about) < 2 and not symbol.is_integer:
            continue
        plain = sp.Dummy(real=True)
        try:
            sets = [c.subs(symbol, plain).as_set() for c in about]
            sets += [sp.S.Integers] * bool(symbol.is_integer) + [sp.Interval.open(0, sp.oo)] * bool(symbol.is_positive)
            if sp.Intersection(*sets) is sp.S.EmptySet:
                return True
        except Exception:  # of many kinds: these sets SymPy cannot find
            continue
    return False


def _no_point(claims: list, facts: list) -> bool:
    """Linear inequalities that cannot hold together; powers and products count as further symbols of a known sign."""
    halves = [(sp.expand(c.gts - c.lts), isinstance(c, sp.StrictLessThan | sp.StrictGreaterThan))
              for c in claims if not isinstance(c, sp.Ne)]
    for fact in facts:
        e = sp.expand(fact.lhs - fact.rhs)
        halves += [(e, False), (-e, False)] if e.is_real else []
    if any(e.is_negative or strict and e.is_nonpositive for e, strict in halves) or infeasible(halves):
        return True
    apart = [sp.expand(c.lhs - c.rhs) for c in claims if isinstance(c, sp.Ne)]
    return any(e == 0 or e.is_real and infeasible([*halves, (e, True)]) and infeasible([*halves, (-e, True)])
               for e in apart)
