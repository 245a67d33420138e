"""The normal density as one symbol, N(z; mean, variance), so that a line of a derivation reads as it is written on paper."""

import sympy as sp


class NormalDensity(sp.Function):
    """N(z; mean, variance); `doit` and the prover write it out. See `normal_density`."""

    nargs = 3

    def formula(self) -> sp.Expr:
        """The density written out."""
        z, mean, variance = self.args
        return sp.exp(-(z - mean) ** 2 / (2 * variance)) / sp.sqrt(2 * sp.pi * variance)

    def doit(self, **hints) -> sp.Expr:
        return self.formula()

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        z, mean, variance = self.args
        slope = (z - mean) / variance
        return self * {1: -slope, 2: slope, 3: (slope ** 2 - 1 / variance) / 2}[argindex]

    def _eval_is_positive(self) -> bool | None:
        z, mean, variance = self.args
        return True if z.is_real and mean.is_real and variance.is_positive else None

    def _eval_is_real(self) -> bool | None:
        return self._eval_is_positive()

    def _eval_evalf(self, prec):
        return self.formula()._eval_evalf(prec)

    def _latex(self, printer, exp=None) -> str:
        z, mean, variance = map(printer.doprint, self.args)
        symbol = r"\mathcal{N}" if exp is None else rf"\mathcal{{N}}^{{{exp}}}"
        return rf"{symbol}\left({z};\, {mean},\, {variance}\right)"

    def _sympystr(self, printer) -> str:
        z, mean, variance = map(printer.doprint, self.args)
        return f"N({z}; {mean}, {variance})"

    def _pretty(self, printer):
        return printer._print(sp.Symbol(self._sympystr(sp.printing.StrPrinter())))


def normal_density(z: sp.Expr, mean: sp.Expr, variance: sp.Expr) -> sp.Expr:
    """The density N(z; mean, variance) as a SymPy expression; the third argument is σ², not σ.

    Raises:
        ValueError: if the variance is known not to be positive.
    """
    z, mean, variance = map(sp.sympify, (z, mean, variance))
    if variance.is_positive is False:
        raise ValueError(f"variance must be positive, got {variance}")
    return NormalDensity(z, mean, variance)


def written_out(expr: sp.Basic) -> sp.Basic:
    """The expression, matrix or condition with every normal density as its formula, and nothing held unevaluated.

    The variable of a limit gets a name of its own, since SymPy would put numbers in for it as for a free symbol.
    """
    if isinstance(expr, sp.MatrixBase):
        return expr.applyfunc(written_out)
    if expr.has(sp.UnevaluatedExpr):
        expr = expr.replace(sp.UnevaluatedExpr, lambda held: held)
    if expr.has(sp.Limit):
        expr = expr.replace(sp.Limit, _with_own_variable)
    return expr.replace(NormalDensity, lambda *args: NormalDensity(*args).formula()) if expr.has(NormalDensity) else expr


def _with_own_variable(f: sp.Expr, x: sp.Symbol, to: sp.Expr, direction: sp.Symbol) -> sp.Limit:
    own = sp.Dummy(x.name, **{name: value for name, value in x._assumptions_orig.items() if value is not None})
    return sp.Limit(f.subs(x, own), own, to, str(direction))
