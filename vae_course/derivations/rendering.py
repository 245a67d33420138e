"""A derivation as one block of aligned LaTeX, with nothing that MathJax in JupyterLab, GitHub, nbconvert or Colab lacks."""

import sympy as sp

WIDTH = 92  # characters of a line, as SymPy's plain-text layout counts them
MARK = r"\checkmark"
RELATIONS = {"==": ("=", "="), "<=": (r"\le", "≤"), ">=": (r"\ge", "≥")}


def width(expr: sp.Basic) -> int:
    """About how wide the formula is, in characters."""
    return max(map(len, sp.pretty(expr, use_unicode=True, num_columns=10_000).splitlines()))


def rows(expr: sp.Basic, printed) -> list[str]:
    """The formula in one row, or a long sum in several."""
    if not isinstance(expr, sp.Add) or width(expr) <= WIDTH:
        return [printed(expr)]
    lines: list[list[sp.Expr]] = [[]]
    for term in expr.as_ordered_terms():
        if lines[-1] and width(sp.Add(*lines[-1], term, evaluate=False)) > WIDTH:
            lines.append([])
        lines[-1].append(term)
    texts = [printed(sp.Add(*line, evaluate=False)) for line in lines]
    return [text if k == 0 or text.lstrip().startswith("-") else f"+ {text}" for k, text in enumerate(texts)]


def text_in_latex(words: str) -> str:
    r"""Plain words for \text{…}; what stands between dollars stays mathematics."""
    pieces = words.split("$")
    escaped = [piece if k % 2 else rf"\text{{{_escape(piece)}}}" for k, piece in enumerate(pieces) if piece]
    return "".join(escaped)


def _escape(words: str) -> str:
    words = words.replace("\\", " ")
    for character in "{}%&#_":
        words = words.replace(character, "\\" + character)
    return words.replace("^", "ˆ").replace("~", " ")


def to_latex(title: str, given, where, lines: list) -> str:
    """lines: (relation or None, expression, reason), the first without a relation."""
    given = [sp.latex(fact) for fact in (*given, *where)]
    lines = [(l.relation, l.expression, l.because) for l in lines]
    body = []
    if title:
        body.append(rf"&\rlap{{\textbf{{{_escape(title)}}}}}")
    body += [rf"&\rlap{{\text{{given: }}{fact}}}" for fact in given]
    for relation, expr, reason in lines:
        first, *more = rows(expr, sp.latex)
        sign = RELATIONS[relation][0] if relation else ""
        note = rf"\quad {MARK}\ {text_in_latex(reason)}" if relation else ""
        if relation and width(expr) + len(reason) > WIDTH:
            body.append(rf"&\quad {MARK}\ {text_in_latex(reason)}")
            note = ""
        body.append(rf"{sign}\;& \displaystyle {first}" + ("" if more else note))
        body += [rf"& \displaystyle\qquad {text}" + (note if text is more[-1] else "") for text in more]
    return "$$\\begin{aligned}\n" + " \\\\[4pt]\n".join(body) + "\n\\end{aligned}$$"


def to_text(title: str, given, where, lines: list) -> str:
    """The same for a terminal: one line for each step."""
    given = [str(fact) for fact in (*given, *where)]
    lines = [(l.relation, l.expression, l.because) for l in lines]
    body = [title] if title else []
    body += [f"given: {fact}" for fact in given]
    for relation, expr, reason in lines:
        body.append(f"  {RELATIONS[relation][1]} {expr}   ✓ {reason}" if relation else f"    {expr}")
    return "\n".join(body)


def verdict_to_latex(verdict) -> str:
    return "$$" + sp.latex(verdict.line.shown) + "$$"


def explanation_to_text(number, before, line) -> str:
    return f"Step {number}: {line.proof.how}."


def explanation_to_latex(number, before, line) -> str:
    return rf"$$\text{{Step {number}: {line.proof.how}.}}$$"
