"""About how wide a formula or a sentence is on the page, in em of the formula's font, from its LaTeX alone."""

import re
from functools import lru_cache

TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|.", re.DOTALL)
SCRIPT = 0.71  # size of exponents and indices
WIDE = {"\\quad": 1.0, "\\qquad": 2.0, "\\ ": 0.25, "\\,": 0.17, "\\;": 0.28, "\\:": 0.22, "\\!": -0.17, "\\infty": 1.0,
        "\\int": 0.95, "\\sum": 1.45, "\\prod": 1.28, "\\checkmark": 0.83, "\\partial": 0.57, "\\mathcal": 0.25,
        "\\cdot": 0.72, ",": 0.45, ";": 0.45, "(": 0.39, ")": 0.39, "[": 0.28, "]": 0.28, "|": 0.28, " ": 0.0, "!": 0.28,
        "m": 0.88, "w": 0.72, "M": 1.0, "N": 0.85, "W": 1.0, "\\pi": 0.57, "\\omega": 0.65, "\\varphi": 0.65, "/": 0.5}
WIDE |= dict.fromkeys("ijl", 0.35) | dict.fromkeys("ABCDEFGHKOPQRSTUVXYZ", 0.74) | dict.fromkeys("0123456789", 0.5)
SIGNS = ("+", "-", "=", "<", ">", "\\le", "\\ge", "\\ne", "\\neq", "\\leq", "\\geq", "\\to", "\\in")
NOTHING = ("{", "}", "&", "\\displaystyle", "\\limits", "\\begin", "\\end", "\\\\", "\\text", "\\textbf")
IN_LETTERS = ("\\log", "\\exp", "\\sin", "\\cos", "\\lim", "\\max", "\\min", "\\tanh")
TALL = ("\\frac", "\\int", "\\sum", "\\prod", "\\begin")


def width_of_text(words: str) -> float:
    """The width of plain words."""
    return sum(0.3 if c in "iljtfrI.,;:'()|! " else 0.75 if c in "mwMW" or c.isupper() else 0.5 for c in words)


@lru_cache(4096)
def width_of(latex: str) -> float:
    """The width of mathematics."""
    return _row(TOKEN.findall(latex))


def _argument(tokens: list[str]) -> list[str]:
    """Take the next argument, a group or one token, off the list."""
    while tokens and tokens[0] == " ":
        tokens.pop(0)
    if not tokens:
        return []
    if tokens[0] != "{":
        return [tokens.pop(0)]
    depth, taken = 0, []
    while tokens:
        token = tokens.pop(0)
        depth += (token == "{") - (token == "}")
        taken.append(token)
        if depth == 0:
            break
    return taken[1:-1]


def _table(tokens: list[str]) -> float:
    """Take what stands between a begin and its end off the list; its width: columns side by side."""
    _argument(tokens)
    depth, rows = 1, [[0.0]]
    cell: list[str] = []
    while tokens and depth:
        token = tokens.pop(0)
        depth += (token == "\\begin") - (token == "\\end")
        if depth == 1 and token in ("&", "\\\\") or not depth:
            rows[-1][-1] = _row(cell)
            cell = []
            if token == "&":
                rows[-1].append(0.0)
            else:
                rows.append([0.0])
        else:
            cell.append(token)
    _argument(tokens)
    columns = max(map(len, rows))
    return sum(max((row[k] for row in rows if len(row) > k), default=0.0) for k in range(columns)) + 1.0 * (columns - 1)


def _row(tokens: list[str]) -> float:
    tokens, total, operator = list(tokens), 0.0, 0.0  # operator: the width of one whose limits stand above and below it
    bracket = 0.62 if any(token in TALL for token in tokens) else 0.45
    while tokens:
        token = tokens.pop(0)
        if token in ("^", "_"):
            scripts = [SCRIPT * _row(_argument(tokens))]
            if tokens and tokens[0] in ("^", "_"):
                tokens.pop(0)
                scripts.append(SCRIPT * _row(_argument(tokens)))
            total += max(0.0, max(scripts) - operator) if operator else max(scripts)
            operator = 0.0
            continue
        if token.strip() and token != "\\limits":
            operator = WIDE[token] if token in ("\\sum", "\\prod", "\\int") else 1.3 if token == "\\lim" else 0.0
        if token in ("\\frac", "\\tfrac"):
            total += max(_row(_argument(tokens)), _row(_argument(tokens))) * (SCRIPT if token == "\\tfrac" else 1) + 0.25
        elif token == "\\substack":
            total += max(map(width_of, "".join(_argument(tokens)).split("\\\\")))
        elif token == "\\sqrt":
            total += 0.85 + _row(_argument(tokens))
        elif token in ("\\text", "\\textbf"):
            total += width_of_text("".join(_argument(tokens)))
        elif token == "\\begin":
            total += _table(tokens)
        elif token in ("\\left", "\\right"):
            total += 0.0 if (_argument(tokens) or ["."])[0] == "." else bracket
        elif token in SIGNS:
            total += 1.2
        elif token not in NOTHING:
            total += WIDE.get(token, 0.52 * (len(token) - 1) + 0.17 if token in IN_LETTERS else 0.55)
    return total
