"""Lines as text."""

import sympy as sp


def names_in(*exprs) -> dict[str, object]:
    return {}


def parse(line: str, known) -> sp.Basic:
    raise TypeError(f"a line must be a SymPy expression, got {line!r}")


def evaluated(tree: sp.Basic) -> sp.Basic:
    return tree
