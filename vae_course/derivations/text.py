"""A line as a reader types it: text → a tree that keeps its order, grouping and brackets. A parser; nothing is executed.

`parse` reads a text, `evaluated` gives what is checked, `names_in` says which names a text may use. What can be typed:
numbers, + − * / **, brackets, the names of FUNCTIONS, CONSTANTS and OPERATORS below, N(z; mean, variance), and every symbol,
indexed symbol and unknown function that the derivation has.
"""

import difflib
from collections.abc import Callable, Mapping

import sympy as sp
from sympy.core.function import AppliedUndef, UndefinedFunction

from vae_course.derivations.gaussians import NormalDensity
from vae_course.derivations.grammar import Node, Unreadable, numbers, read
from vae_course.derivations.written import WrittenProduct, WrittenSum, as_written, check_size, evaluated

__all__ = ["parse", "evaluated", "names_in", "decimals"]

CONSTANTS = {"pi": sp.pi, "π": sp.pi, "E": sp.E, "e": sp.E, "oo": sp.oo, "∞": sp.oo, "I": sp.I, "True": sp.true}
FUNCTIONS: dict[str, tuple[type, int]] = {name: (getattr(sp, name), 1) for name in (
    "log exp Abs sign sin cos tan asin acos atan sinh cosh tanh erf erfc gamma loggamma digamma factorial "
    "Heaviside").split()}
FUNCTIONS |= {"ln": (sp.log, 1), "abs": (sp.Abs, 1), "binomial": (sp.binomial, 2)}


def parse(text: str, known: Mapping[str, object]) -> sp.Basic:
    """The tree of a typed line, unevaluated.

    Args:
        text: such as "(mu**2 + sigma**2)/2 - 1/2 - log(sigma)".
        known: name → symbol, indexed symbol or unknown function; see `names_in`. A variable of an integral, sum, product
            or limit may be new: it is taken to be real, or an integer.

    Raises:
        ValueError: what cannot be read, where, and what to write instead.
    """
    names = dict(known)
    try:
        tree = _Builder(names).expression(read(text, [name for name in names if not name.isidentifier()]))
        if not isinstance(tree, sp.Expr | sp.MatrixBase):
            raise Unreadable("a line is a formula, not a condition or a list", 0)
        for entry in tree if isinstance(tree, sp.MatrixBase) else [tree]:
            check_size(entry)
    except ValueError as error:
        raise ValueError((error if isinstance(error, Unreadable) else Unreadable(str(error), None)).shown(text)) from None
    return tree


def names_in(*exprs: sp.Basic) -> dict[str, object]:
    """Every symbol, indexed symbol and unknown function of the expressions, by its name."""
    names: dict[str, object] = {}
    for expr in exprs:
        indexed = {base for base in expr.atoms(sp.IndexedBase)}
        labels = {base.label for base in indexed}
        names |= {s.name: s for s in sorted(expr.atoms(sp.Symbol) - labels, key=str)
                  if not isinstance(s, sp.Dummy) and s.name not in ("+", "-", "+-")}  # a limit's direction is a symbol
        names |= {str(base.label): base for base in indexed}
        names |= {str(applied.func): applied.func for applied in expr.atoms(AppliedUndef)}
    return names


def decimals(text: str) -> str:
    """A sentence on the decimals of a text, such as "0.8 is read as 4/5."; empty where there are none."""
    found = dict.fromkeys(token for token in numbers(text) if not token.isdecimal())
    return " ".join(f"{token} is read as {sp.Rational(token)}." for token in found)


class _Builder:
    """Turns the nodes of the grammar into a SymPy tree."""

    def __init__(self, known: dict[str, object]):
        self.known = known

    def expression(self, node: Node) -> sp.Basic:
        return getattr(self, f"_{node.kind}")(node)

    def _number(self, node: Node) -> sp.Rational:
        return sp.Rational(node.word)

    def _sum(self, node: Node) -> sp.Expr:
        terms = [_minus(self.scalar(term)) if sign == "-" else self.scalar(term)
                 for sign, term in zip(node.word.split(), node.parts, strict=True)]
        return WrittenSum(*terms) if len(terms) > 1 else terms[0]

    def _product(self, node: Node) -> sp.Expr:
        return WrittenProduct(*(sp.Pow(self.scalar(part), -1, evaluate=False) if sign == "/" else self.scalar(part)
                                for sign, part in zip(node.word.split(), node.parts, strict=True)))

    def _power(self, node: Node) -> sp.Expr:
        return sp.Pow(*map(self.scalar, node.parts), evaluate=False)

    def _comparison(self, node: Node) -> sp.Basic:
        kinds = {"<": sp.StrictLessThan, "<=": sp.LessThan, ">": sp.StrictGreaterThan, ">=": sp.GreaterThan,
                 "==": sp.Equality, "!=": sp.Unequality}
        sides = [evaluated(self.scalar(part)) for part in node.parts]
        return sp.And(*(kinds[sign](a, b) for sign, a, b in zip(node.word.split(), sides, sides[1:], strict=False)))

    def _list(self, node: Node):
        raise Unreadable("a list of several formulas is read only inside a function", node.at)

    def _side(self, node: Node):
        raise Unreadable("text in quotes is not read", node.at)

    def scalar(self, node: Node) -> sp.Expr:
        """An expression that is a number, not a condition, a list or a matrix."""
        expr = self.expression(node)
        if not isinstance(expr, sp.Expr):
            raise Unreadable("a comparison is read only inside Piecewise, and a matrix only as a whole line", node.at)
        return expr

    def _name(self, node: Node) -> sp.Basic:
        value = self.find(node.word, _is_symbol)
        if value is None and node.word in CONSTANTS:
            return CONSTANTS[node.word]
        if value is None:
            raise self._unknown(node)
        return value

    def find(self, word: str, fits: Callable[[object], bool]):
        """What the derivation calls so, in this or in another spelling: σ or sigma, x1 or x_1, p_xz or p_{x,z}."""
        if word in self.known and fits(self.known[word]):
            return self.known[word]
        same = {value for name, value in self.known.items() if fits(value) and _spelling(name) == _spelling(word)}
        return same.pop() if len(same) == 1 else None

    def _unknown(self, node: Node, call: bool = False) -> Unreadable:
        if not call and (node.word in FUNCTIONS or node.word in OPERATORS or self.find(node.word, _is_function)):
            return Unreadable(f"{node.word} needs brackets with what it is of: {node.word}(…)", node.at)
        if not call and self.find(node.word, _is_indexed) is not None:
            return Unreadable(f"{node.word} needs an index: {node.word}[…]", node.at)
        usable = [*self.known, *(OPERATORS | FUNCTIONS if call else CONSTANTS)]
        close = difflib.get_close_matches(node.word, usable, 1)
        return Unreadable(f"the {'function' if call else 'name'} “{node.word}” is not known here" +
                          (f"; did you mean {close[0]}?" if close else ".") +
                          f" This derivation knows {', '.join(sorted(self.known, key=str.lower)) or 'no names'}", node.at)

    def _index(self, node: Node) -> sp.Expr:
        base = self.find(node.word, _is_indexed)
        if base is None:
            raise Unreadable(f"“{node.word}” has no index in this derivation", node.at)
        return sp.Indexed(base, *map(self.scalar, node.parts))

    def _call(self, node: Node) -> sp.Basic:
        own = self.find(node.word, _is_function)
        if own is not None:
            return own(*map(self.scalar, node.parts))
        if node.word in FUNCTIONS:
            f, count = FUNCTIONS[node.word]
            if len(node.parts) != count:
                raise Unreadable(f"{node.word} takes {count} argument{'s' * (count > 1)}, not {len(node.parts)}", node.at)
            return f(*map(self.scalar, node.parts), evaluate=False)
        if node.word in OPERATORS:
            build, pattern = OPERATORS[node.word]
            try:
                return build(self, node)
            except (TypeError, ValueError, IndexError, AttributeError) as error:
                if isinstance(error, Unreadable):
                    raise
                raise Unreadable(f"write {pattern}", node.at) from None
        if self.find(node.word, _is_indexed) is not None:
            raise Unreadable(f"{node.word} is not a function but has an index: write {node.word}[…]", node.at)
        if self.find(node.word, _is_symbol) is not None:
            raise Unreadable(f"{node.word} is not a function; write {node.word}*(…) for a product", node.at)
        raise self._unknown(node, call=True)

    def with_variables(self, limits: list[Node], assumption: str) -> "_Builder":
        """A builder that also knows the variables which these limits bring: real ones, or integers."""
        inner = _Builder(dict(self.known))
        for limit in limits:
            name = limit.parts[0] if limit.kind == "list" else limit
            if name.kind != "name" or name.word in CONSTANTS and name.word not in self.known:
                raise TypeError
            if inner.find(name.word, _is_symbol) is None:
                inner.known[name.word] = sp.Symbol(name.word, **{assumption: True})
        return inner


def _with_range(kind: type, assumption: str):
    def build(builder: _Builder, node: Node) -> sp.Expr:
        function, *limits = node.parts
        if not limits or any(len(limit.parts) != 3 or limit.kind != "list" for limit in limits):
            raise TypeError
        inner = builder.with_variables(limits, assumption)
        return as_written(kind, [inner.scalar(function), *(sp.Tuple(*map(inner.scalar, limit.parts)) for limit in limits)])
    return build


def _derivative(builder: _Builder, node: Node) -> sp.Expr:
    function, *rest = node.parts
    variables: list[list] = []
    for part in rest:
        if part.kind == "number":
            variables[-1][1] = builder.scalar(part)
        else:
            v, *times = map(builder.scalar, part.parts if part.kind == "list" else [part])
            variables.append([v, *(times or [sp.S.One])])
    sp.Derivative(sp.Dummy(), *((v, n) for v, n in variables))  # raises what is wrong with them
    if not variables:
        raise TypeError
    return as_written(sp.Derivative, [builder.scalar(function), *(sp.Tuple(v, n) for v, n in variables)])


def _limit(builder: _Builder, node: Node) -> sp.Expr:
    function, variable, to, *side = node.parts
    inner = builder.with_variables([variable], "real")
    direction = sp.Symbol(side[0].word if side and side[0].kind == "side" else "+")
    return as_written(sp.Limit, [*map(inner.scalar, (function, variable, to)), direction])


def _subs(builder: _Builder, node: Node) -> sp.Expr:
    function, variable, value = node.parts
    inner = builder.with_variables([variable], "real")
    return sp.Subs(inner.scalar(function), inner.scalar(variable), builder.scalar(value))


def _piecewise(builder: _Builder, node: Node) -> sp.Expr:
    pieces = [(builder.scalar(value), builder.expression(condition)) for value, condition in (p.parts for p in node.parts)]
    return sp.Piecewise(*pieces, evaluate=False)


def _largest(kind: type):
    def build(builder: _Builder, node: Node) -> sp.Expr:
        if len(node.parts) < 2:
            raise TypeError
        held = as_written(kind, map(builder.scalar, node.parts))
        held._argset = frozenset(held.args)
        return held
    return build


def _normal(builder: _Builder, node: Node) -> sp.Expr:
    z, mean, variance = map(builder.scalar, node.parts)
    if evaluated(variance).is_positive is False:
        raise Unreadable("the third argument of N is the variance, and it must be positive", node.parts[2].at)
    return NormalDensity(z, mean, variance, evaluate=False)


def _matrix(builder: _Builder, node: Node) -> sp.Basic:
    rows, = node.parts
    if any(part.kind != "list" for part in (rows, *rows.parts)):
        raise TypeError
    return sp.ImmutableMatrix([[builder.scalar(entry) for entry in row.parts] for row in rows.parts])


def _root(builder: _Builder, node: Node) -> sp.Expr:
    inside, = node.parts
    return sp.Pow(builder.scalar(inside), sp.S.Half, evaluate=False)


def _rational(builder: _Builder, node: Node) -> sp.Expr:
    return sp.Rational(*(evaluated(builder.scalar(part)) for part in node.parts))


OPERATORS: dict[str, tuple[Callable[[_Builder, Node], sp.Basic], str]] = {
    "sqrt": (_root, "sqrt(x)"), "Rational": (_rational, "Rational(1, 2)"), "N": (_normal, "N(z; mean, variance)"),
    "normal_density": (_normal, "normal_density(z, mean, variance)"),
    "Integral": (_with_range(sp.Integral, "real"), "Integral(f, (x, a, b)), with both ends"),
    "Sum": (_with_range(sp.Sum, "integer"), "Sum(f, (k, 1, n)), with both ends"),
    "Product": (_with_range(sp.Product, "integer"), "Product(f, (k, 1, n)), with both ends"),
    "Derivative": (_derivative, "Derivative(f, x), or Derivative(f, x, 2)"),
    "Limit": (_limit, "Limit(f, x, a), or Limit(f, x, a, '-') from below"), "Subs": (_subs, "Subs(f, x, value)"),
    "Piecewise": (_piecewise, "Piecewise((a, x > 0), (b, True))"), "Matrix": (_matrix, "Matrix([[a, b], [c, d]])"),
    "Max": (_largest(sp.Max), "Max(a, b)"), "Min": (_largest(sp.Min), "Min(a, b)"),
    "max": (_largest(sp.Max), "max(a, b)"), "min": (_largest(sp.Min), "min(a, b)")}


def _is_function(value: object) -> bool:
    return isinstance(value, UndefinedFunction)


def _is_indexed(value: object) -> bool:
    return isinstance(value, sp.IndexedBase)


def _is_symbol(value: object) -> bool:
    return isinstance(value, sp.Symbol | sp.Idx)


def _minus(expr: sp.Expr) -> sp.Expr:
    factors = expr.args if isinstance(expr, WrittenProduct) and expr.args[0] != -1 else [expr]
    return WrittenProduct(sp.S.NegativeOne, *factors)


GREEK = dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ", (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega").split(), strict=True)) | {"ϕ": "phi", "ϵ": "epsilon", "ϑ": "theta"}


def _spelling(name: str) -> str:
    """One spelling for μ and mu, ε and varepsilon, x₁ and x_1 and x1, p_{x,z} and p_xz."""
    name = "".join(GREEK.get(letter, letter) for letter in name)
    name = name.translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789", "_{},|\\ "))
    return name.replace("varepsilon", "epsilon").replace("varphi", "phi").replace("vartheta", "theta")
