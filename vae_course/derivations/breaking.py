"""What does not fit on one row: a formula in several rows, and words with mathematics in several rows of text."""

import re
from collections.abc import Iterator
from functools import lru_cache

from vae_course.derivations.widths import TOKEN, width_of, width_of_text

BINARY = ("+", "-")
FULL = 0.35  # a row is not broken before this part of it is filled
SMALL = 0.86  # reasons stand in smaller letters
IN_WORDS = {letter: f"{{{latex}}}" for letter, latex in zip(
    "−≤≥≠≈→∞√·×±∈∫∂²³½¼σμαβγδεζηθκλνξπρτφχψωΓΔΘΛΞΠΣΦΨΩ₀₁₂₃₄₅₆₇₈₉",
    (r"- \le \ge \ne \approx \to \infty \surd \cdot \times \pm \in \int \partial {}^2 {}^3 \tfrac{1}{2} "
     r"\tfrac{1}{4} \sigma \mu \alpha \beta \gamma \delta \varepsilon \zeta \eta \theta \kappa \lambda \nu \xi \pi "
     r"\rho \tau \varphi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Phi \Psi \Omega {}_0 {}_1 "
     r"{}_2 {}_3 {}_4 {}_5 {}_6 {}_7 {}_8 {}_9"
     ).split(), strict=True)}  # each as one letter, without the blanks of a formula


# ---------------------------------------------------------------- formulas

@lru_cache(4096)
def rows_of(latex: str, width: float) -> tuple[str, ...]:
    """The formula in rows of at most this width where it can be broken: at signs, else between factors, outside first."""
    if width_of(latex) <= width:
        return (latex,)
    tokens = _without_braces_of_calls(TOKEN.findall(latex))
    places = list(_places(tokens))
    rows: list[str] = []
    start = opened = 0
    while width_of("".join(tokens[start:])) > width:
        room = width if not rows else width - 1
        fits = [(level, -at, at) for at, level in places if at > start
                and FULL * room <= width_of("".join(tokens[start:at])) <= room]
        if not fits:
            break
        at = min(fits)[2]
        opened = _add(rows, tokens[start:at], opened)
        start = at
    _add(rows, tokens[start:], opened)
    return tuple(rows)


def _add(rows: list[str], tokens: list[str], opened: int) -> int:
    """Add a row; brackets that stay open over its end are closed and opened again without a sign. Returns how many."""
    after = opened + tokens.count(r"\left") - tokens.count(r"\right")
    text = "".join(tokens).strip()
    if rows:
        text = ("{} " if text.startswith(BINARY) else r"\cdot\, ") + text
    rows.append(r"\left. " * opened + text + r" \right." * after)
    return after


def _places(tokens: list[str]) -> Iterator[tuple[int, int]]:
    """(index, level) of each place before which a row may end: signs by the brackets around them, then factors."""
    braces = brackets = 0
    tables = 0
    for k, token in enumerate(tokens):
        braces += (token == "{") - (token == "}")
        tables += (token == r"\begin") - (token == r"\end")
        brackets += (token == r"\left") - (token == r"\right")
        before = next((t for t in reversed(tokens[:k]) if t != " "), "")
        if braces or tables or not before:
            continue
        if token in BINARY and before not in ("(", "=", r"\left", "[") and tokens[k - 1] == " ":
            yield k, brackets
        elif token in (r"\left", r"\mathcal", r"\log", r"\int", r"\sum") and before == ")":
            yield k, 10 + brackets - (token == r"\left")


def _without_braces_of_calls(tokens: list[str]) -> list[str]:
    """`\\log{\\left(…\\right)}` without the braces, so that a row may end inside."""
    kept, stack = [], []
    for k, token in enumerate(tokens):
        if token == "{":
            stack.append(tokens[k + 1:k + 2] == [r"\left"] and k > 0 and tokens[k - 1] not in ("^", "_", "}")
                         and tokens[k - 1] not in (r"\frac", r"\sqrt"))
            if stack[-1]:
                continue
        elif token == "}" and stack.pop():
            continue
        kept.append(token)
    return kept


# ---------------------------------------------------------------- words

def sentence_rows(words: str, width: float = 1e9, style: str = r"\text") -> list[str]:
    r"""Words for \text{…} in rows of at most this width, in em; what stands between dollars is mathematics."""
    rows: list[list[tuple[str, bool]]] = [[]]
    used = 0.0
    for word in _words(words):
        wide = _width(word)
        if rows[-1] and used + wide > width:
            rows.append([])
            used = 0.0
        rows[-1] += ([(" ", False)] if rows[-1] else []) + word
        used += wide + 0.3
    return [_row_of_words(row, style) for row in rows]


def sentence_width(words: str) -> float:
    """The width of the words in one row."""
    return sum(_width(word) + 0.3 for word in _words(words))


def _width(word: list[tuple[str, bool]]) -> float:
    return sum(width_of(part) if is_math else width_of_text(part) for part, is_math in word)


def _words(words: str) -> Iterator[list[tuple[str, bool]]]:
    """Each word as its parts (LaTeX or text, is it mathematics)."""
    pieces = words.split("$")
    if len(pieces) % 2 == 0:  # a lone dollar is a dollar
        pieces[-2:] = ["$".join(pieces[-2:])]
    word: list[tuple[str, bool]] = []
    for k, piece in enumerate(pieces):
        if k % 2:
            word.append((piece, True))
            continue
        for space, text in re.findall(r"(\s+)|(\S+)", piece):
            if space and word:
                yield word
                word = []
            word += [(IN_WORDS.get(part, part), part in IN_WORDS) for part in _runs(text)]
    if word:
        yield word


def _runs(text: str) -> list[str]:
    return re.findall(f"[{''.join(IN_WORDS)}]|[^{''.join(IN_WORDS)}]+", text)


def _row_of_words(row: list[tuple[str, bool]], style: str) -> str:
    latex, text = "", ""
    for part, is_math in [*row, ("", True)]:
        if not is_math:
            text += part
            continue
        latex += f"{style}{{{escaped(text)}}}" if text else ""
        latex, text = latex + part, ""
    return latex


def escaped(words: str) -> str:
    """Words that mean themselves inside \\text{…}."""
    words = words.replace("\\", " ")
    for character in "{}%&#_$":
        words = words.replace(character, "\\" + character)
    return words.replace("^", "ˆ").replace("~", " ")
