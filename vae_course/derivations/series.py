"""Infinite sums as numbers: the rest is bounded by a geometric series, or two ways to sum agree."""

import mpmath as mp
import sympy as sp

from vae_course.derivations.integrands import NoValue

LONGEST_SUM = 400             # terms that are added one by one
MOST_TERMS = 4000
STEADY = 0.98                 # the factor by which terms must fall at least, for the rest to be bounded
FAR = (10 ** 6, 10 ** 9 + 1)  # terms that show how the sum goes on; one is odd


def infinite_sum(f: sp.Expr, k: sp.Symbol, low: int, digits: int) -> tuple[mp.mpf, mp.mpf]:
    """(value, bound on its error) of Σ f from k = low to ∞, for f without other symbols.

    Raises:
        NoValue: if the sum diverges, is complex, or falls off too slowly to be known.
    """
    term = sp.lambdify(k, f, "mpmath")
    with mp.workdps(digits):
        terms, ratios = _first_terms(term, low)
        later = [abs(term(mp.mpf(n))) for n in sorted({*(int(len(terms) * 1.05 ** j) for j in range(1, 160)), *FAR})]
        falls = max(later) <= abs(terms[-1])
        if min(ratios) >= 1 and later == sorted(later) and later[0] >= abs(terms[-1]):
            raise NoValue("diverges", "the terms do not fall off")
        if not falls or max(ratios) > 1:
            raise NoValue("unknown", "the terms rise before they fall")
        if max(ratios) < STEADY:
            rest = 2 * abs(terms[-1]) * max(ratios) / (1 - max(ratios))
            return mp.fsum(terms), rest + mp.mpf(10) ** (8 - digits) * mp.fsum(map(abs, terms))
        return _slow_sum(term, low, [term(mp.mpf(n)) for n in FAR])


def _first_terms(term, low: int) -> tuple[list, list]:
    """Terms until they fall by a steady factor, or are many; and the factors between the last of them."""
    terms: list = []
    while len(terms) < MOST_TERMS:
        terms += [term(mp.mpf(low + len(terms) + i)) for i in range(LONGEST_SUM)]
        if any(isinstance(t, mp.mpc) for t in terms):
            raise NoValue("complex")
        ratios = [abs(b / a) for a, b in zip(terms[-60:], terms[-59:]) if a] or [mp.mpf(0)]
        if max(ratios) < STEADY or max(ratios) <= 1 and min(ratios) > STEADY:
            break
    return terms, ratios


def _slow_sum(term, low: int, far: list[mp.mpf]) -> tuple[mp.mpf, mp.mpf]:
    """A sum whose terms fall off like a power of k, or change their sign from one to the next."""
    alternates = far[0] * term(mp.mpf(FAR[0] + 1)) < 0 and far[0] * term(mp.mpf(FAR[0] + 2)) > 0
    power = -mp.log(abs(far[1] / far[0])) / mp.log(mp.mpf(FAR[1]) / FAR[0])
    if not (alternates and power > 0.1 or power > 1.05):
        slow = power < 1.0001 and far[0] * far[1] > 0 and not alternates
        raise NoValue("diverges" if slow else "unknown", "the terms do not fall off fast enough")
    ways = ("levin", "alternating" if alternates else "euler-maclaurin")
    total, other = (mp.nsum(lambda i: term(mp.mpf(i)), [low, mp.inf], method=way) for way in ways)
    radius = abs(total - other) * 10 + abs(total) * mp.mpf("1e-10")
    if not radius < 1e-8 * abs(total):
        raise NoValue("unknown", "two ways to sum do not agree")
    return total, radius
