"""One formula as LaTeX or as text, in the order of its author; where SymPy chose the order, a positive term comes first."""

import re

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.str import StrPrinter

from vae_course.derivations.written import WrittenProduct, WrittenSum

LARGE = (sp.Integral, sp.Sum, sp.Product, sp.Limit, sp.Derivative)  # operators that reach as far as they can to the right


class Filled(sp.Symbol):
    """A number in the place of a symbol: it is printed as a number and computes nothing."""

    __slots__ = ("value",)

    def __new__(cls, symbol: sp.Symbol, value: sp.Expr):
        made = sp.Symbol.__xnew__(cls, f"{symbol.name} = {value}", **symbol._assumptions_orig)
        made.value = value
        return made


def to_latex(expr: sp.Basic) -> str:
    """The formula as LaTeX, without dollars."""
    return _Latex({}).doprint(expr)


def to_text(expr: sp.Basic) -> str:
    """The formula as text that `text.parse` reads."""
    return _Text({}).doprint(expr)


def in_order(expr: sp.Add) -> list[sp.Expr]:
    """The terms as they were written, or SymPy's order with the first positive term in front."""
    if isinstance(expr, WrittenSum) or expr.args != sp.Add(*expr.args).args:
        return list(expr.args)
    names = {part: sp.Symbol(f"zz{k}") for k, part in enumerate(sorted(expr.atoms(*LARGE), key=sp.default_sort_key))}
    terms_of = {term.xreplace(names): term for term in expr.args}  # SymPy would compute the integrals to sort them
    terms = [terms_of[term] for term in sp.Add(*terms_of).as_ordered_terms()]
    first = next((k for k, term in enumerate(terms) if not term.could_extract_minus_sign() and not _negative(term)), 0)
    return [terms.pop(first), *terms]


def _negative(term: sp.Expr) -> bool:
    return bool(term.as_coeff_Mul()[0].is_extended_negative)


def _fraction(factors: tuple[sp.Expr, ...]) -> list[tuple[list[sp.Expr], list[sp.Expr]]]:
    """A product as fractions (above, below), from left to right: a*b/c*d is (a b, c) and (d, nothing)."""
    parts: list[tuple[list, list]] = [([], [])]
    for factor in factors:
        if isinstance(factor, sp.Pow) and factor.exp is sp.S.NegativeOne:
            parts[-1][1].append(factor.base)
        elif parts[-1][1]:
            parts.append(([factor], []))
        else:
            parts[-1][0].append(factor)
    return parts


class _Latex(LatexPrinter):

    def _print_Filled(self, expr: Filled) -> str:
        tex = self._print(expr.value)
        return rf"\left({tex}\right)" if tex.startswith("-") else tex

    def _print_Add(self, expr: sp.Add, order=None) -> str:
        texts = [self._bracketed(term) if term.is_Add else self._print(term) for term in in_order(expr)]
        return texts[0] + "".join(f" - {t[1:].lstrip()}" if t.startswith("-") else f" + {t}" for t in texts[1:])

    def _bracketed(self, expr: sp.Basic) -> str:
        return rf"\left({self._print(expr)}\right)"

    def _print_WrittenProduct(self, expr: WrittenProduct) -> str:
        sign, factors = ("-", expr.args[1:]) if expr.args[0] == -1 else ("", expr.args)
        parts = _fraction(factors)
        texts: list[str] = []
        for k, (above, below) in enumerate(parts):
            after = k < len(parts) - 1
            if not below:
                texts += self._factors(above, after, bool(texts) or bool(sign))
            elif any(map(_reaches, above)) and not any(f.has(*LARGE) for f in below):  # it stands behind the fraction
                texts += [rf"\frac{{1}}{{{self._row(below)}}}", *self._factors(above, after, True)]
            else:
                texts.append(rf"\frac{{{self._row(above) or '1'}}}{{{self._row(below)}}}")
        return f"{sign} {_beside(texts)}".strip()

    def _row(self, factors: list[sp.Expr]) -> str:
        if len(factors) == 1:
            return self._print(factors[0])
        return _beside(self._factors(factors, False, False))

    def _factors(self, factors: list[sp.Expr], more: bool, inside: bool) -> list[str]:
        """Each factor, in brackets where it needs them; more: others follow; inside: something stands before."""
        texts = []
        for k, factor in enumerate(factors):
            tex = self._print(factor)
            follows = more or k < len(factors) - 1
            alone = not follows and not inside and k == 0
            needs = not alone and (factor.is_Add or factor.is_Piecewise) or tex.startswith("-") and (inside or k > 0)
            texts.append(rf"\left({tex}\right)" if needs or follows and _reaches(factor) else tex)
        return texts

    def _print_Mul(self, expr: sp.Mul) -> str:
        large = [factor for factor in expr.args if isinstance(factor, LARGE)]
        rest = [factor for factor in expr.args if factor not in large]
        if not large or any(isinstance(f, sp.Pow) and f.exp.could_extract_minus_sign() and f.has(*LARGE) for f in rest):
            return super()._print_Mul(expr)
        texts = self._factors(large, False, bool(rest))
        coefficient = rest[0] if len(rest) == 1 else sp.Mul(*rest, evaluate=False)
        if coefficient in (1, -1):
            return ("- " if coefficient == -1 else "") + " ".join(texts)
        return " ".join([self._bracketed(coefficient) if coefficient.is_Add else self._print(coefficient), *texts])

    def _needs_mul_brackets(self, expr: sp.Expr, first: bool = False, last: bool = False) -> bool:
        return super()._needs_mul_brackets(expr, first, last or not _reaches(expr))  # SymPy looks inside log(…) too

    def _print_Pow(self, expr: sp.Pow) -> str:
        base, power = expr.args
        if isinstance(base, sp.log | sp.factorial) and power != -1 or isinstance(base, Filled) and power.is_Integer:
            if power.is_Integer and power > 0:
                simple = isinstance(base, Filled) and (base.value.is_Integer or base.value.is_Float) and base.value >= 0
                return rf"{self._print(base) if simple else self._bracketed_once(base)}^{{{self._print(power)}}}"
        if isinstance(base, Filled) and base.value.is_Rational and not base.value.is_Integer and not power.is_Number:
            return rf"{self._bracketed_once(base)}^{{{self._print(power)}}}"
        return super()._print_Pow(expr)

    def _bracketed_once(self, expr: sp.Basic) -> str:
        tex = self._print(expr)
        return tex if tex.startswith(r"\left(") else rf"\left({tex}\right)"

    def _print_Max(self, expr: sp.Max, exp=None) -> str:
        row = rf"\{type(expr).__name__.lower()}\left({', '.join(map(self._print, expr.args))}\right)"
        return row if exp is None else rf"{row}^{{{exp}}}"

    _print_Min = _print_Max

    def _print_Derivative(self, expr: sp.Derivative) -> str:
        tex, body = super()._print_Derivative(expr), self._print(expr.expr)
        if isinstance(expr.expr, sp.Mul | sp.Add) and tex.endswith(body):
            return rf"{tex[:-len(body)]}\left({body}\right)"
        return tex


def _reaches(expr: sp.Basic) -> bool:
    """Whether what follows the printed expression would seem to belong to it."""
    return isinstance(expr, LARGE) or isinstance(expr, sp.Mul) and any(isinstance(factor, LARGE) for factor in expr.args)


def _beside(texts: list[str]) -> str:
    """Factors side by side, with a dot where two numbers would meet."""
    row = ""
    for tex in texts:
        dot = row and re.match(r"\d|\\frac\{\d", tex) and re.search(r"[\d}]$", row) or row and re.match(r"\d", tex)
        row += (r" \cdot " if dot else " ") + tex
    return row.strip()


class _Text(StrPrinter):

    def _print_Filled(self, expr: Filled) -> str:
        return self.parenthesize(expr.value, PRECEDENCE["Atom"])

    def _print_Add(self, expr: sp.Add, order=None) -> str:
        texts = [f"({self._print(term)})" if term.is_Add else self._print(term) for term in in_order(expr)]
        return texts[0] + "".join(f" - {t[1:]}" if t.startswith("-") else f" + {t}" for t in texts[1:])

    def _print_WrittenProduct(self, expr: WrittenProduct) -> str:
        sign, factors = ("-", expr.args[1:]) if expr.args[0] == -1 else ("", expr.args)
        row = ""
        for factor in factors:
            below = isinstance(factor, sp.Pow) and factor.exp is sp.S.NegativeOne
            shown = factor.base if below else factor
            tight = below and (isinstance(shown, sp.Mul) or shown.is_Rational and not shown.is_Integer) or \
                precedence(shown) < PRECEDENCE["Mul"] and len(factors) > 1
            text = self._print(shown)
            text = f"({text})" if tight or (row or sign) and (text.startswith("-") or shown.is_Add) else text
            row += (f"{'' if row else '1'}/" if below else "*" if row else "") + text
        return sign + row

    def _print_Relational(self, expr: sp.core.relational.Relational) -> str:
        sign = {"!=": "≠", "<=": "≤", ">=": "≥", "==": "="}.get(expr.rel_op, expr.rel_op)
        return f"{self._print(expr.lhs)} {sign} {self._print(expr.rhs)}"

    def _print_MatrixBase(self, expr: sp.MatrixBase) -> str:
        return f"Matrix({self._print(expr.tolist())})"

    def _print_LatticeOp(self, expr: sp.Max) -> str:
        return f"{type(expr).__name__}({', '.join(map(self._print, expr.args))})"
