"""The grammar of typed lines: text → nodes. It knows no SymPy and no names, and says where a text cannot be read."""

import re
from typing import NamedTuple

LONGEST, DEEPEST, LONGEST_NUMBER = 4_000, 60, 60
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
TOKEN = re.compile(r"""\s*(?:
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+(?![\w.]))?)
  | (?P<side>(?:dir\s*=\s*)?(?:'(?:\+-|\+|-)'|"(?:\+-|\+|-)"))
  | (?P<super>[⁰¹²³⁴⁵⁶⁷⁸⁹]+)
  | (?P<name>(?:(?![⁰¹²³⁴⁵⁶⁷⁸⁹])[^\W\d]|∞)(?:(?![⁰¹²³⁴⁵⁶⁷⁸⁹])\w)*)
  | (?P<sign>\*\*|<=|>=|==|!=|[-+*/()\[\],;<>−·×≤≥≠])
  | (?P<end>$)
  | (?P<other>.))""", re.VERBOSE | re.DOTALL)
ONE_SIGN = {"−": "-", "·": "*", "×": "*", "≤": "<=", "≥": ">=", "≠": "!="}
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
ADVICE = {"^": "write ** for a power", "=": "write only the new line, without =", "'": "text in quotes is not read",
          '"': "text in quotes is not read", ".": "a point is read only inside a number", "!": "write factorial(n)",
          "|": "write Abs(x) for a modulus", "{": "write round brackets", "}": "write round brackets",
          "%": "write /100 for a percentage", "√": "write sqrt(x)", "∫": "write Integral(f, (x, a, b))",
          "∑": "write Sum(f, (k, 1, n))", "\\": "write the name without a backslash: mu, not \\mu",
          "$": "write the formula without dollars", ":": "write only a formula"}


class Node(NamedTuple):
    """One part of a formula.

    Attributes:
        kind: number, name, sum, product, power, call, index, comparison, list or side (of a limit).
        word: a name, a number, or the signs of a sum, product or comparison, with blanks between them.
        at: the character where it starts.
    """

    kind: str
    word: str
    parts: tuple["Node", ...]
    at: int


class Unreadable(ValueError):
    """A text that cannot be read: what is wrong and at which character (None: the whole)."""

    def __init__(self, words: str, at: int | None):
        super().__init__(words)
        self.at = at

    def shown(self, text: str) -> str:
        """The message, with the text and a mark under the place."""
        message = f"This line cannot be read: {self}."
        if self.at is None or len(text) > LONGEST:
            return message
        start = max(0, self.at - 60)
        row = re.sub(r"\s", " ", text[start:self.at + 40])
        return f"{message}\n    {row}\n    {' ' * (self.at - start)}^"


def numbers(text: str) -> list[str]:
    """The numbers of a text, as they stand there."""
    return [match["number"] for match in TOKEN.finditer(text[:LONGEST]) if match["number"]]


def read(text: str, odd_names: list[str]) -> Node:
    """The tree of nodes; `odd_names`: names that are no single word, such as p_{x,z} or p(x), to be read as they are."""
    if len(text) > LONGEST:
        raise Unreadable(f"it has {len(text):,} characters, and at most {LONGEST:,} are read", None)
    reader = _Reader(text, odd_names)
    if reader.kind == "end":
        raise Unreadable("it is empty", None)
    node = reader.comparison()
    if reader.kind != "end":
        raise reader.surprise()
    return node


class _Reader:
    """Reads from left to right, one token ahead."""

    def __init__(self, text: str, odd_names: list[str]):
        odd = "|".join(re.escape(name) for name in sorted(odd_names, key=len, reverse=True))
        self.text, self.word, self.depth, self.end = text, "", 0, 0
        self.odd = re.compile(rf"\s*(?<!\w)({odd})(?!\w)") if odd else None
        self.advance()

    def advance(self) -> None:
        self.before = self.word
        odd = self.odd.match(self.text, self.end) if self.odd else None
        match = odd or TOKEN.match(self.text, self.end)
        assert match is not None  # the last alternative of TOKEN is any character
        self.kind = "name" if odd else str(match.lastgroup)
        self.word = match[1] if odd else match[self.kind]
        self.at, self.end = match.end() - len(self.word), match.end()
        if self.kind == "other":
            raise Unreadable(ADVICE.get(self.word, f"“{self.word}” has no meaning here"), self.at)
        self.word = ONE_SIGN.get(self.word, self.word)

    def takes(self, *signs: str) -> str:
        """Step over one of these signs; gives it, or an empty text."""
        word = self.word if self.kind == "sign" and self.word in signs else ""
        if word:
            self.advance()
        return word

    def close(self, bracket: str, opened: int) -> None:
        if not self.takes(bracket):
            if self.kind == "end":
                raise Unreadable(f"the bracket that opens here is never closed: “{bracket}” is missing", opened)
            raise self.surprise()

    def surprise(self) -> Unreadable:
        """What stands here cannot follow what stands before."""
        if self.kind == "end":
            return Unreadable("it ends too early: something must follow", self.at)
        after_value = self.before[-1:].isalnum() or self.before[-1:] in (")", "]")
        if self.word in (")", "]") and after_value:
            return Unreadable(f"“{self.word}” closes a bracket that was not opened", self.at)
        if after_value and (self.word in ("(", "[") or self.kind in ("name", "number")):
            advice = f", for a function brackets: {self.before}({self.word})" if self.before.isidentifier() else ""
            return Unreadable(f"a sign is missing between “{self.before}” and “{self.word}”; for a product write *{advice}",
                              self.at)
        return Unreadable(f"“{self.word}” cannot stand here", self.at)

    def comparison(self) -> Node:
        at, sides, signs = self.at, [self.sum()], []
        while sign := self.takes(*COMPARISONS):
            signs.append(sign)
            sides.append(self.sum())
        return Node("comparison", " ".join(signs), tuple(sides), at) if signs else sides[0]

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable(f"more than {DEEPEST} brackets or signs stand inside one another", self.at)
        at, signs, terms = self.at, [self.takes("+", "-") or "+"], [self.product()]
        while sign := self.takes("+", "-"):
            signs.append(sign)
            terms.append(self.product())
        self.depth -= 1
        return Node("sum", " ".join(signs), tuple(terms), at) if signs != ["+"] else terms[0]

    def product(self) -> Node:
        at, signs, factors = self.at, ["*"], [self.factor()]
        while sign := self.takes("*", "/"):
            signs.append(sign)
            factors.append(self.factor())
        return Node("product", " ".join(signs), tuple(factors), at) if len(signs) > 1 else factors[0]

    def factor(self) -> Node:
        at = self.at
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable(f"more than {DEEPEST} brackets or signs stand inside one another", at)
        if sign := self.takes("+", "-"):
            node = Node("sum", sign, (self.factor(),), at)
        else:
            node = self.atom()
            if self.kind == "super":
                node = Node("power", "", (node, Node("number", self.word.translate(SUPERSCRIPTS), (), self.at)), at)
                self.advance()
            elif self.takes("**"):
                node = Node("power", "", (node, self.factor()), at)
        self.depth -= 1
        return node

    def atom(self) -> Node:
        at, word, kind = self.at, self.word, self.kind
        if kind == "number":
            if len(word) > LONGEST_NUMBER or abs(int((re.split("[eE]", word) + ["0"])[1])) > LONGEST_NUMBER:
                raise Unreadable("this number has too many digits", at)
            self.advance()
            return Node("number", word, (), at)
        if kind == "side":
            self.advance()
            return Node("side", word.strip("dir= '\""), (), at)
        if kind == "name":
            self.advance()
            if self.word in ("(", "[") and self.kind == "sign":
                opened, bracket = self.at, {"(": ")", "[": "]"}[self.word]
                return Node("call" if bracket == ")" else "index", word, self.several(bracket, opened), at)
            return Node("name", word, (), at)
        if word in ("(", "[") and kind == "sign":
            parts = self.several({"(": ")", "[": "]"}[word], at)
            return parts[0] if len(parts) == 1 and word == "(" else Node("list", word, parts, at)
        raise self.surprise()

    def several(self, bracket: str, opened: int) -> tuple[Node, ...]:
        """Formulas with commas or semicolons between them, up to the closing bracket."""
        self.advance()
        parts = [self.comparison()]
        while self.takes(",", ";"):
            parts.append(self.comparison())
        self.close(bracket, opened)
        return tuple(parts)
