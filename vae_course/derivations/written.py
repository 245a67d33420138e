"""Trees that keep a line as it was written, and what SymPy makes of them: the line that is checked."""

import math

import sympy as sp

MOST_BITS, HIGHEST_POWER, MOST_TERMS = 10_000, 1_000, {sp.Sum: 1_000_000, sp.Product: 1_000}
GROWING = (sp.exp, sp.factorial, sp.gamma, sp.loggamma, sp.binomial, sp.sinh, sp.cosh)


class WrittenSum(sp.Add):
    """A sum whose terms stay in the order and the groups in which they were typed."""

    def __new__(cls, *terms):
        return as_written(cls, terms)


class WrittenProduct(sp.Mul):
    """A product as typed. A factor Pow(b, −1) is a division by b; a typed exponent −1 is the product of −1 and 1."""

    def __new__(cls, *factors):
        return as_written(cls, factors)


def as_written(cls: type, args) -> sp.Expr:
    """A node of this class with exactly these arguments; SymPy would put them in order and compute."""
    node = sp.Expr.__new__(cls, *map(sp.sympify, args))
    if not issubclass(cls, sp.Derivative | sp.Limit):  # those find it out for themselves
        node.is_commutative = True
    return node


def evaluated(tree: sp.Basic) -> sp.Basic:
    """The tree built again as SymPy builds it by itself: what is checked."""
    if isinstance(tree, sp.MatrixBase):
        return tree.applyfunc(evaluated).as_immutable()
    if not tree.args:
        return tree
    args = [evaluated(arg) for arg in tree.args]
    if isinstance(tree, sp.UnevaluatedExpr):
        return args[0]
    return (sp.Add if isinstance(tree, sp.Add) else sp.Mul if isinstance(tree, sp.Mul) else tree.func)(*args)


def check_size(tree: sp.Basic) -> float:
    """About log₂ of the largest number that evaluating the tree makes; ValueError where that would take for ever."""
    inner = [check_size(arg) for arg in tree.args]
    size = sum(inner) if isinstance(tree, sp.Mul) else max(inner, default=0.0)
    if isinstance(tree, sp.Rational):
        size = math.log2(max(abs(tree.p), tree.q))
    elif isinstance(tree, sp.Pow) and not tree.exp.free_symbols:
        power = 2.0 ** 40 if inner[1] > 40 else abs(complex(sp.N(evaluated(tree.exp), 15)))
        size = inner[0] * power
        if power > HIGHEST_POWER and tree.base.free_symbols:
            raise ValueError(f"a power above {HIGHEST_POWER:,} is too high")
    elif isinstance(tree, GROWING) and not tree.free_symbols:
        size = 2 ** min(size, 64)
    elif isinstance(tree, sp.Sum | sp.Product):
        for _, low, high in tree.limits:
            terms = evaluated(high) - evaluated(low)
            if terms.is_Rational and terms > MOST_TERMS[type(tree)]:
                raise ValueError(f"more than {MOST_TERMS[type(tree)]:,} terms are too many for {type(tree).__name__}")
    if size > MOST_BITS:
        raise ValueError("it would make a number of thousands of digits")
    return size
