"""A derivation, a verdict or an explanation as one block of LaTeX that MathJax and KaTeX set alike, and as text.

A line is printed as its author wrote it. Its reason stands beside it, or under it in the same column where there is no room.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import sympy as sp

from vae_course.derivations import printing
from vae_course.derivations.breaking import SMALL, rows_of, sentence_rows, sentence_width
from vae_course.derivations.conditions import in_words
from vae_course.derivations.verdicts import DENIED, RELATIONS, Line, Verdict
from vae_course.derivations.widths import width_of

PAGE = 31.0  # em of a formula on a page of 800 pixels in JupyterLab, less the sign of the relation
GAP, NARROWEST, MARK = 2.0, 8.0, 1.1  # em: before a reason; the narrowest column of reasons; a mark and its blank
SIGNS = {"proved": "✓", "conditional": "✓", "refuted": "✗", "undecided": "?"}
MARKS = {"✓": r"\checkmark", "✗": r"\boldsymbol{\times}", "?": r"\textbf{?}"}
END_PART, END_ROW, END_WORDS = r" \\[4pt] ", r" \\[5pt] ", r" \\[-2pt] "
LATEX = {"=": "=", "≤": r"\le", "≥": r"\ge", "≠": r"\ne", ">": ">", "<": "<", "≈": r"\approx", "": ""}


class Row(NamedTuple):
    """A formula with the sign before it, and behind it a mark (✓, or a formula) and words."""

    sign: str
    latex: str
    mark: str = ""
    words: str = ""


def to_latex(title: str, given: Iterable, where: Iterable, lines: list[Line]) -> str:
    """The whole derivation: title, facts, conditions, and each line with its mark and reason."""
    rows = [Row(RELATIONS[line.relation], printing.to_latex(line.shown), *(("✓", reason(line)) if line.relation else ()))
            for line in lines]
    head = sentence_rows(title, PAGE, r"\textbf") if title else []
    return _page([*head, *_known(given, where, lines), _aligned(rows)])


def unmarked_to_latex(blocks: Iterable[tuple[str, Iterable, list[tuple[str, sp.Basic]]]]) -> str:
    """Lines that nobody has judged: blocks of a title, facts, and lines with what stands before each, in LaTeX."""
    parts: list[str] = []
    for title, given, lines in blocks:
        parts += sentence_rows(title, PAGE, r"\textbf") if title else []
        parts += _known(given, (), [Line(None, line) for _, line in lines])
        parts.append(_aligned([Row(before, printing.to_latex(line)) for before, line in lines]))
    return _page(parts)


def to_text(title: str, given: Iterable, where: Iterable, lines: list[Line]) -> str:
    """The same for a terminal: one row for each line."""
    rows = [title] * bool(title)
    rows += [f"{word} {', '.join(items)}" for word, items in _facts(given, where, lines, printing.to_text) if items]
    return "\n".join(rows + [_row_of_text(line, "✓") for line in lines])


def reason(line: Line, printed: Callable = printing.to_latex, dollar: str = "$") -> str:
    """What stands behind the mark: the conditions that the proof needed, and the reason; mathematics between dollars."""
    words = in_words(line.assumed, lambda condition: f"{dollar}{printed(condition)}{dollar}")
    return words + ": " * bool(words and line.because) + line.because


def _row_of_text(line: Line, mark: str) -> str:
    if line.relation is None:
        return f"    {printing.to_text(line.shown)}"
    formula, words = printing.to_text(line.shown), reason(line, printing.to_text, "")
    return f"  {RELATIONS[line.relation]} {formula}   {mark} {words}".rstrip()


# ---------------------------------------------------------------- facts and conditions

def _facts(given: Iterable, where: Iterable, lines: list[Line], printed: Callable) -> list[tuple[str, list[str]]]:
    """("given", the facts) and ("for", the conditions), printed; a symbol that is in no line means all its values."""
    free = set().union(*(line.expression.free_symbols for line in lines))
    facts = []
    for fact in given:
        every = sorted(fact.free_symbols - free, key=str) if fact.has(sp.Integral, sp.Sum) and free else []
        words = r"\text{ for all }" if printed is printing.to_latex else " for all "
        facts.append(_equation(fact, printed) + (words + ", ".join(map(printed, every))) * bool(every))
    return [("given", facts), ("for", [
        _condition(part, printed) for c in where for part in sorted(sp.And.make_args(c), key=str)])]


def _equation(fact: sp.Basic, printed: Callable) -> str:
    return f"{printed(fact.lhs)} = {printed(fact.rhs)}" if isinstance(fact, sp.Eq) else printed(fact)


def _condition(condition: sp.Basic, printed: Callable) -> str:
    """0 < p < 1 where p is declared positive and the condition is p < 1."""
    below = isinstance(condition, sp.StrictLessThan | sp.LessThan) and condition.lhs.is_Symbol
    return "0 < " * bool(below and condition.lhs.is_positive) + printed(condition)


def _known(given: Iterable, where: Iterable, lines: list[Line]) -> list[str]:
    rows = []
    for word, items in _facts(given, where, lines, printing.to_latex):
        start, room = rf"\text{{{word} }}", PAGE - 3
        for k, item in enumerate(items):
            item = item + "," * (k < len(items) - 1)
            if k and width_of(start) + width_of(item) + 1 < room:
                start += rf"\quad {item}"
                continue
            rows += [start] if k else []
            start = rf"\text{{{word} }}{item}" if k == 0 else rf"\hphantom{{\text{{{word} }}}}{item}"
        rows += [start] if items else []
    return [rf"\displaystyle {row}" for row in rows]


# ---------------------------------------------------------------- the block

def _page(parts: list[str]) -> str:
    r"""The parts under one another, as inline mathematics like SymPy's own output: it is set at the left everywhere."""
    return rf"$\displaystyle \begin{{array}}{{l}} {END_PART.join(parts)} \end{{array}}$"


def _aligned(rows: list[Row]) -> str:
    """The rows with their signs and their notes in columns."""
    room = min(_rooms(rows), key=lambda room: _height(rows, room))
    beside = PAGE - GAP - room
    broken = [rows_of(row.latex, PAGE) for row in rows]
    widest = max((width_of(part) for parts in broken for part in parts), default=0.0)
    strut = min(beside, max(widest - GAP - room, 0.0))
    body = []
    for row, parts in zip(rows, broken, strict=True):
        note = _note(row, room)
        for k, part in enumerate(parts):
            wide = any(r.mark for r in rows) and width_of(part) + bool(k) > beside
            shown = rf"\rlap{{\text{{$\displaystyle {part}$}}}}" if wide else part  # KaTeX takes text alone there
            last = k == len(parts) - 1
            body.append(rf"{LATEX.get(row.sign, row.sign)}\;& {shown}" if k == 0 else rf"& \quad {shown}")
            if last and note:
                body[-1] += rf" && {note}" if not wide else rf" \\[1pt] & \hspace{{{strut:.1f}em}} && {note}"
    return rf"\begin{{aligned}} {END_ROW.join(body)} \end{{aligned}}"


def _rooms(rows: list[Row]) -> list[float]:
    """Widths that the column of notes may have."""
    natural = [_note_width(row) for row in rows if row.mark]
    if not natural:
        return [0.0]
    steps = [NARROWEST + k for k in range(int(PAGE - NARROWEST - GAP))]
    return [max(natural), *(room for room in steps if room < max(natural))]


def _height(rows: list[Row], room: float) -> float:
    """About how high the block is, in rows of text, if the notes have this room; what is too wide counts as very high."""
    total = 0.0 if room <= PAGE - 4 else 1000.0
    for row in rows:
        parts = rows_of(row.latex, PAGE)
        lines = len(_words(row, room)) if row.mark else 0
        fits = width_of(parts[-1]) + (len(parts) > 1) <= PAGE - GAP - room
        total += 1.6 * len(parts) + (max(0.25 * (lines - 1), 0.85 * lines - 1.2) if fits else 0.85 * lines + 0.2)
    return total


def _note_width(row: Row) -> float:
    return width_of(LATEX.get(row.mark, row.mark)) if row.mark not in MARKS else MARK + SMALL * sentence_width(row.words)


def _words(row: Row, room: float) -> list[str]:
    return sentence_rows(row.words, (room - MARK) / SMALL) if row.words else [""]


def _note(row: Row, room: float) -> str:
    if not row.mark:
        return ""
    if row.mark not in MARKS:
        return row.mark
    mark = rf"{MARKS[row.mark]}\ "
    first, *more = _words(row, room)
    if not more:
        return rf"{{\small \textstyle {mark}{first}}}"
    lines = END_WORDS.join(rf"& \textstyle \hphantom{{{mark}}}{words}" for words in more)
    return rf"{{\small \begin{{aligned}} & \textstyle {mark}{first} \\[-2pt] {lines} \end{{aligned}}}}"


# ---------------------------------------------------------------- verdicts and explanations

def verdict_to_latex(verdict: Verdict) -> str:
    """The two lines with the mark, and what was found: both numbers, or what is left and what to try."""
    line = verdict.line
    parts = [_aligned([Row("", printing.to_latex(verdict.before.shown)),
                       Row(RELATIONS[line.relation], printing.to_latex(line.shown), SIGNS[verdict.outcome], reason(line))])]
    if verdict.outcome == "refuted":
        parts += _numbers(verdict)
    elif verdict.outcome == "undecided":
        if verdict.left_over is not None:
            parts += [r"\text{What is left of the difference:}", _aligned([Row("", printing.to_latex(verdict.left_over))])]
        parts += sentence_rows(verdict.hint or verdict.message, PAGE)
    return _page(parts)


def _numbers(verdict: Verdict) -> list[str]:
    """Where the claim fails, and both lines with the numbers put in."""
    values = tuple(map(sp.sympify, (verdict.left_value, verdict.right_value)))
    shapes = {value.shape if isinstance(value, sp.MatrixBase) else () for value in values}
    if len(shapes) > 1 or not all(isinstance(value, sp.Expr | sp.MatrixBase) for value in values):
        return sentence_rows(verdict.message, PAGE)
    point = verdict.counterexample
    at = ",".join(rf"\; {_value_of(symbol, value)}" for symbol, value in point.items())
    numbers = _apart(*values)
    rows = []
    lines = ("", verdict.before), (DENIED[verdict.line.relation], verdict.line)
    for (sign, line), value, number in zip(lines, values, numbers, strict=True):
        equal = "=" if value.is_Rational or value.is_Matrix and not value.has(sp.Float) else r"\approx"
        rows.append(Row(sign, printing.to_latex(_filled(line.shown, point)), rf"{equal} {number}"))
    return [rf"\text{{At}}{at}\text{{:}}" if at else r"\text{Their values:}", _aligned(rows)]


def _filled(expr: sp.Basic, point: dict) -> sp.Basic:
    """The line with the numbers put in and nothing computed; as it stands where it differentiates by one of the symbols."""
    moved = {v for part in expr.atoms(sp.Derivative, sp.Subs) for v in part.variables}
    if moved & set(point):
        return expr
    return expr.subs({s: printing.Filled(s, value) for s, value in point.items() if isinstance(s, sp.Symbol | sp.Indexed)})


def _value_of(symbol, value) -> str:
    if isinstance(value, sp.Lambda):  # for an unknown function
        return f"{printing.to_latex(symbol(*value.variables))} = {printing.to_latex(value.expr)}"
    return f"{printing.to_latex(symbol)} = {_number(value, 6)}"


def _number(value, digits: int) -> str:
    value = sp.sympify(value)
    if value.is_Matrix:
        return printing.to_latex(value.applyfunc(lambda entry: entry if entry.is_Rational else sp.N(entry, digits)))
    if value.is_Rational and len(f"{value.p}{value.q}") <= 8 or not isinstance(value, sp.Expr) or not value.is_number:
        return printing.to_latex(value)
    return printing.to_latex(sp.N(value, digits))


def _apart(left: sp.Expr, right: sp.Expr) -> tuple[str, str]:
    """Both numbers with as many digits as show that they differ."""
    for digits in (4, 6, 9, 15, 30):
        pair = _number(left, digits), _number(right, digits)
        if pair[0] != pair[1]:
            break
    return pair


def verdict_to_text(verdict: Verdict) -> str:
    """The verdict as one row for the line, and what was found."""
    return f"{_row_of_text(verdict.line, SIGNS[verdict.outcome])}\n    {verdict.message}"


def explanation_to_latex(number: int, before: Line, line: Line) -> str:
    """How a step was proved: the two lines, the words, and the forms on the way."""
    words, forms = (line.proof.how, line.proof.forms) if line.proof else ("it was not proved", ())
    parts = [rf"\textbf{{Step {number}}}", _aligned([Row("", printing.to_latex(before.shown)), Row(
        RELATIONS[line.relation], printing.to_latex(line.shown), "✓", reason(line))])]
    parts += sentence_rows(f"How it was proved: {words}.", PAGE)
    return _page(parts + [_aligned([Row("", printing.to_latex(form)) for form in forms])] * bool(forms))


def explanation_to_text(number: int, before: Line, line: Line) -> str:
    """The same for a terminal."""
    words, forms = (line.proof.how, line.proof.forms) if line.proof else ("it was not proved", ())
    return "\n".join([f"Step {number}: {words}.", f"    {printing.to_text(before.shown)}", _row_of_text(line, "✓"),
                      *(f"    {printing.to_text(form)}" for form in forms)])
