"""choice-match: the letter that an answer chooses."""

from __future__ import annotations

import re
from collections.abc import Callable

from assay.metrics.contract import Unscored
from assay.metrics.reading import compared, equal, rate
from assay.metrics.task import TaskSettings

_ANSWER = (
    r"(?:answer|correct(?:\s+(?:one|option|choice))?|\u7b54\u6848|\u9009\u62e9?|\u9078\u64c7?)"
)
_PICK = r"(?:\b(?:choose|pick|select|go\s+with|going\s+with))"
_OPTION = r"(?:option|choice|letter)"
_IS = (
    r"(?:is|are|was|(?:would|should|must|will|has\s+to|to)\s+be|[-:=>\u2013\u2014\u2192\uff1a]|"
    r"\u662f|\u4e3a|\u70ba|\u9009|\u9078|text)"
)
_OPEN, _CLOSE = r"[\s\"'*_`$\\({\[\uff08\u3010]*", r"(?![\w'\u2019-])"
_LINK = rf"(?:{_OPEN[:-1]}*(?:{_IS}|{_OPTION}))*"
_TO = r"(?:\s+(?:to|for)\s+[\w ]{1,40}?(?=\s*(?:is\b|:)))?"
_NOT = r"(?:\bnot|n['\u2019]t(?:\s+be)?|\u4e0d\u662f|\u4e0d\u9009)"
_RIGHT = r"(?:correct|right|the\s+(?:best|correct|right)(?:\s+(?:answer|option|choice|one))?)"
_WRONG = r"(?:is|was)\s+(?:not|wrong|incorrect|false)\b"
_WIDE = {code: code - 0xFEE0 for code in (*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}


def read_choice(task: TaskSettings) -> Callable[[str], str]:
    """Return what reads the letter that a text chooses, of the settings' choices.

    In this order: the text is the letter, whatever marks stand around it; it says so last ("the
    answer is B", "B is correct", a box); it begins with the letter and a mark ("B) ..."), and no
    other line with another; one letter alone is spoken of as an option or marked ("(B)", "B)",
    "**B**"); it ends with a letter, and no other stands alone in it. What the text says it is not
    ("not A") is left out. Raises Unscored("no_choice"), and "several_choices" where these are
    several letters, or it says several at once ("A and C").
    """
    capital, either = f"[{task.choices.upper()}]", f"[{task.choices.upper()}{task.choices.lower()}]"
    small = f"[{task.choices.lower()}]"
    whole = re.compile(rf"[\W_]*({either})[\W_]*")
    denied = re.compile(rf"(?i:{_NOT})\s+(?i:{_OPTION}\s+)?{_OPEN}{capital}{_CLOSE}[)\]]?")
    more = (
        rf"(?:[\W_]*?\s*(?:and|or|&|/|\u548c|\u4e0e|\u6216)\s*{_OPEN}(?:(?i:{_OPTION})\s+)?{capital}"
        rf"{_CLOSE}(?!\s+(?:is|was|would|can|could|does|has)\b)|,\s*{capital}{_CLOSE}(?!\s+\w))"
    )
    said = re.compile(
        rf"(?i:{_ANSWER}){_TO}(?i:{_LINK}){_OPEN}({capital}){_CLOSE}({more})?"
        rf"|(?i:{_PICK}\s+(?:the\s+)?(?:{_OPTION}|answer)?){_OPEN}({capital}){_CLOSE}({more})?"
        rf"|(?<![\w'\u2019-])({capital})[)\]*]*\s+is\s+{_RIGHT}\b()"
        rf"|(?i:{_ANSWER}){_TO}(?i:{_LINK}){_OPEN}({small})(?=[\W_]*(?:\n|\Z))()"
        rf"|(?i:{_ANSWER})\s*\(({either})\)()|\\boxed{{{_OPEN}(?:text)?{_OPEN}({either})\W()"
    )
    option = rf"(?i:{_OPTION})\s*{_OPEN}({capital}){_CLOSE}|(?i:{_OPTION})\s*\(({either})\)"
    mark = rf"[ \t]*[(\[*]*({either})\s*[)\].:\uff1a\u3001\uff0e*]+(?:\s|$|(?=[^\s\w]))"
    first, line = re.compile(rf"\s*{mark}(?!\s*{_WRONG})"), re.compile(rf"^{mark}", re.MULTILINE)
    marked = re.compile(
        rf"{option}|(?<!\w)(?:\(({either})\)|\*\*({either})\*\*|\[({either})\]|({capital})\))"
    )
    alone = re.compile(rf"(?<![\w'\u2019-])({capital})(?![\w'\u2019-])")
    last = re.compile(rf"{alone.pattern}[\W_]*\Z")

    def read(text: str) -> str:
        text = text.translate(_WIDE)
        if match := whole.fullmatch(text):
            return str(match[1]).upper()
        text = denied.sub(" ", text)
        if sayings := said.findall(text):
            letter, *others = filter(None, sayings[-1])
            return _only({letter, *alone.findall(" ".join(others))})
        if match := first.match(text):
            return _only({match[1], *line.findall(text)})
        letters = {"".join(groups) for groups in marked.findall(text)}
        if not letters and last.search(text):
            letters = set(alone.findall(text))
        return _only(letters)

    return read


def _only(letters: set[str]) -> str:
    """Return the one letter that there is, whatever its case."""
    found = {letter.upper() for letter in letters}
    if len(found) == 1:
        return found.pop()
    raise Unscored("several_choices" if found else "no_choice")


CHOICE_MATCH = rate("choice-match", "that choose the target's letter", compared(read_choice, equal))
