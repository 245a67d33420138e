"""A derivation as the Python code of a notebook's cell, which makes the same derivation again."""

import keyword
import re
from collections.abc import Mapping

import sympy as sp
from sympy.core.function import UndefinedFunction

from vae_course.derivations import printing, text
from vae_course.derivations.derivation import Derivation
from vae_course.derivations.gaussians import written_out
from vae_course.derivations.verdicts import Line

KINDS = {sp.Symbol: "symbols", sp.IndexedBase: "IndexedBase", UndefinedFunction: "Function"}


def cell_of(derivation: Derivation, typed: Mapping[int, tuple[str, str]]) -> str:
    """The code; `typed` has lines and reasons, by the line's number, that a reader typed: they stay as they are."""
    held = [*(line.expression for line in derivation.lines), *derivation.where, *derivation.given]
    names = dict(sorted(text.names_in(*held).items()))
    lines = [repr(typed[k][0]) if k in typed else _line(line, names) for k, line in enumerate(derivation.lines)]
    options = [f"{option}=[{', '.join(values)}]" for option, values in (
        ("where", [_code(condition, names) for condition in derivation.where]),
        ("given", [_code(fact, names) for fact in derivation.given]), ("symbols", list(map(_variable, names)))) if values]
    start = ", ".join([lines[0], *([repr(derivation.title)] if derivation.title else []), *options])
    steps = [_step(line, lines[k], typed[k][1] if k in typed else line.because)
             for k, line in enumerate(derivation.lines) if line.relation]
    return "\n".join(["import sympy as sp", "from vae_course.derivations import Derivation", "", *_declarations(names),
                      f"d = Derivation({start})", *steps, "d"])


def _step(line: Line, code: str, because: str) -> str:
    why = f"because={because!r}"
    return f"d.step({code}, {why})" if line.relation == "==" else f"d.bound({code}, {why}, relation={line.relation!r})"


def _line(line: Line, names: dict) -> str:
    """A line as text, if its text is read as the same line, else as an expression."""
    printed = printing.to_text(line.shown)
    try:
        if text.evaluated(text.parse(printed, names)) == line.expression:
            return repr(printed)
    except ValueError:
        pass
    return _code(line.expression, names)


def _code(expr: sp.Basic, names: dict) -> str:
    """An expression in Python: SymPy's own names with the prefix sp, no fraction a float."""
    own = {thing: sp.Symbol(_variable(name)) for name, thing in names.items() if isinstance(thing, sp.Symbol)}
    printed = re.sub(r"(?<![\w.])(\d+)/(\d+)", r"Rational(\1, \2)", sp.sstr(written_out(expr).xreplace(own)))
    variables = set(map(_variable, names))
    return re.sub(r"[A-Za-z_]\w*", lambda m: f"sp.{m[0]}" if m[0] not in variables and hasattr(sp, m[0]) else m[0], printed)


def _declarations(names: dict) -> list[str]:
    """One line for all names of one kind with the same assumptions."""
    groups: dict[tuple, list[str]] = {}
    for name, thing in names.items():
        groups.setdefault((_kind(thing), _assumptions(thing)), []).append(name)
    return [line for (kind, assumed), group in groups.items() for line in _declaration(kind, assumed, group)]


def _declaration(kind: str, assumed: str, names: list[str]) -> list[str]:
    if kind == "symbols" and all(re.fullmatch(r"\w+", name) for name in names):
        return [f"{', '.join(map(_variable, names))} = sp.symbols({' '.join(names)!r}{assumed})"]
    kind = "Symbol" if kind == "symbols" else kind
    return [f"{_variable(name)} = sp.{kind}({name!r}{assumed})" for name in names]


def _kind(thing) -> str:
    return next(kind for of, kind in KINDS.items() if isinstance(thing, of))


def _assumptions(thing) -> str:
    """As they were declared: ", positive=True"."""
    holder = thing.label if isinstance(thing, sp.IndexedBase) else thing
    declared = holder._kwargs if isinstance(holder, UndefinedFunction) else getattr(holder, "_assumptions_orig", {})
    return "".join(f", {name}={value}" for name, value in declared.items() if value is not None)


def _variable(name: str) -> str:
    """A name for Python: p_{x,z} becomes p_x_z."""
    name = re.sub(r"\W+", "_", name).strip("_") or "x"
    return name + "_" if keyword.iskeyword(name) or name in ("sp", "d") else name
