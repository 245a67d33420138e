"""What may stand as a line: numbers and matrices that mean something, with every variable where it belongs."""

from collections.abc import Mapping
from fractions import Fraction

import sympy as sp

from vae_course.derivations import text

BOUND = (sp.Integral, sp.Sum, sp.Product)
# What an assumption of a bound variable asks of the ends of its range; others are refused, since a range cannot show them.
BELOW = {"positive": "is_positive", "nonnegative": "is_nonnegative"}      # asked of the lower end
ABOVE = {"negative": "is_negative", "nonpositive": "is_nonpositive"}      # asked of the upper end
WEAK = {"positive": "is_extended_nonnegative", "nonnegative": "is_extended_nonnegative",
        "negative": "is_extended_nonpositive", "nonpositive": "is_extended_nonpositive"}
ALWAYS = {"commutative", "complex", "real", "extended_real", "finite", "infinite", "hermitian", "imaginary", "antihermitian"}


def to_line(name: str, line, known: Mapping[str, object]) -> tuple[sp.Basic, sp.Basic]:
    """(the line as it was written, the line that is checked). `known` are the names that a text may use.

    Raises:
        TypeError, ValueError: with the argument's name, if it is no line.
    """
    try:
        return _to_line(name, text.parse(line, known) if isinstance(line, str) else line, line)
    except NotImplementedError as error:
        raise ValueError(f"{name} is a line that SymPy cannot build ({error}), got {line}") from None


def _to_line(name: str, shown, line) -> tuple[sp.Basic, sp.Basic]:
    if isinstance(shown, bool) or shown is None:
        raise TypeError(f"{name} must be a SymPy expression or a text, got {line!r}")
    shown = sp.sympify(shown)
    if isinstance(shown, sp.MatrixBase):
        shown = shown.as_immutable()
    elif not isinstance(shown, sp.Expr | sp.MatrixExpr):
        hint = "; pass its right-hand side" if isinstance(shown, sp.core.relational.Relational) else ""
        raise TypeError(f"{name} must be a SymPy expression, got {line!r}{hint}")
    _refuse_undefined(name, shown)
    shown = shown.xreplace({number: exact(number) for number in shown.atoms(sp.Float)})
    entries = shown.as_explicit().as_immutable() if isinstance(shown, sp.MatrixExpr) else shown
    checked = text.evaluated(entries)
    _refuse_undefined(name, checked)
    for part in shown.atoms(*BOUND) | checked.atoms(*BOUND):
        _refuse_range(name, part)
    for limit in checked.atoms(sp.Limit):
        _, v, to, _ = limit.args
        if any(getattr(v, said) and getattr(to, WEAK[kind]) is False for kind, said in (BELOW | ABOVE).items()):
            raise ValueError(f"{name} has a limit of {v} to {to}, but {v} is declared never to be there")
    return shown, checked


def exact(number: sp.Float) -> sp.Expr:
    """The number that a float stands for: 0.8 is 4/5, and 1.118033988749895, whose square is 5/4, is √5/2."""
    decimal = sp.Rational(_digits(number))
    if decimal.q <= 10 ** 12:
        return decimal
    square = sp.Rational(Fraction(int(decimal.p ** 2), int(decimal.q ** 2)).limit_denominator(10 ** 6))
    close = abs(sp.sqrt(square) - abs(decimal)) < sp.Rational(1, 10 ** 13)
    return sp.sign(decimal) * sp.sqrt(square) if close else decimal


def _digits(number: sp.Float) -> str:
    return f"{float(number):.15g}"


def read_as(line: sp.Basic | str) -> str:
    """What is said of the floats of a line, "0.8 is read as 4/5"; empty where there are none."""
    if isinstance(line, str):
        return text.decimals(line)
    floats = sorted({abs(number) for number in line.atoms(sp.Float)}) if isinstance(line, sp.Basic) else []
    return " ".join(f"{_digits(number)} is read as {exact(number)}." for number in floats)


def _refuse_undefined(name: str, line: sp.Basic) -> None:
    if line.has(sp.nan, sp.zoo, sp.AccumBounds):
        what = "nan" if line.has(sp.nan) else "a division by zero"
        raise ValueError(f"{name} is not defined: it holds {what}; was a number put in where a denominator vanishes?")


def _refuse_range(name: str, part: sp.Expr) -> None:
    """Every limit is there, and what a bound variable is declared to be holds on its whole range."""
    if not all(len(limit) == 3 for limit in part.limits):
        raise TypeError(f"{name} must have limits on every integral and sum, got {part}")
    for v, low, high in part.limits:
        if not isinstance(part, sp.Integral) and not (high - low).is_integer and (high - low).is_finite is not False:
            raise ValueError(f"{name} has {_kind(part)} over {v} from {low} to {high}, whose ends are not shown to be whole "
                             "numbers apart; declare the symbols in them with integer=True")
        for assumption, value in getattr(v, "_assumptions_orig", {}).items():
            if value is None or assumption in ALWAYS and (value or assumption in ("infinite", "imaginary")):
                continue
            if not (value and _holds(assumption, part, low, high)):
                is_what = assumption if value else f"not {assumption}"
                raise ValueError(f"{name} has {_kind(part)} over {v} from {low} to {high}, but {v} is declared to be "
                                 f"{is_what}, which is not shown on that range; declare {v} without {assumption}={value}, "
                                 "or the ends so that it can be seen")


def _holds(assumption: str, part: sp.Expr, low: sp.Expr, high: sp.Expr) -> bool:
    """Whether all values of the variable have the assumption; a single point of an integral's range does not matter."""
    if isinstance(part, sp.Integral):
        return assumption == "nonzero" or assumption in WEAK and all(getattr(end, WEAK[assumption]) for end in (low, high))
    if assumption in ("integer", "rational"):
        return bool(getattr(low, f"is_{assumption}") or low == -sp.oo)
    if not (high == sp.oo or low == -sp.oo or (high - low + 1).is_nonnegative):  # reversed, it would leave the range
        return False
    if assumption == "nonzero":
        return bool(low.is_positive or high.is_negative)
    return bool(assumption in BELOW and getattr(low, BELOW[assumption])
                or assumption in ABOVE and getattr(high, ABOVE[assumption]))


def _kind(part: sp.Expr) -> str:
    return {sp.Integral: "an integral", sp.Sum: "a sum"}.get(type(part), "a product")


def shape_of(line: sp.Basic) -> tuple[int, ...]:
    """() for a number, (rows, columns) for a matrix."""
    return line.shape if isinstance(line, sp.MatrixBase) else ()


def check_names(*exprs: sp.Basic) -> None:
    """Raise ValueError if two different symbols have one name: SymPy takes x and a real x for two unknowns."""
    symbols = sorted(set().union(*(e.atoms(sp.Symbol) for e in exprs)), key=str)
    for one, other in zip(symbols, symbols[1:]):
        if one.name == other.name and not isinstance(one, sp.Dummy) and not isinstance(other, sp.Dummy):
            raise ValueError(f"two different symbols are called {one.name}, with the assumptions {one.assumptions0} and "
                             f"{other.assumptions0}; declare each symbol once")
