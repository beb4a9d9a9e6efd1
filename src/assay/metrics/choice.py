"""choice-match: the letter that an answer chooses."""

from __future__ import annotations

import re
from collections.abc import Callable

from assay.metrics.contract import Unscored
from assay.metrics.reading import compared, equal, rate
from assay.metrics.task import TaskSettings

_SAID = r"(?:answer|choice|option|correct(?:\s+one)?|\u7b54\u6848|\u9009\u62e9?|\u9078\u64c7?)"
_LINK = r"(?:\s*(?:is|are|was|:|\uff1a|=|\u662f|\u4e3a|\u70ba|\u9009|\u9078|option|choice|letter))*"
_OPEN, _CLOSE = r"[\s\"'*_`$\\({\[\uff08\u3010]*", r"(?![\w'\u2019-])"


def read_choice(task: TaskSettings) -> Callable[[str], str]:
    """Return what reads the letter that a text chooses, of the settings' choices.

    In this order: the text is the letter, whatever marks stand around it; it says so last ("the
    answer is B"); it begins with the letter and a mark ("B) ..."); one letter alone is marked in
    it ("(B)", "B)", "**B**"); it ends with a letter, and no other stands alone in it. Raises
    Unscored("no_choice"), and "several_choices" where these are several letters.
    """
    capital, either = f"[{task.choices.upper()}]", f"[{task.choices.upper()}{task.choices.lower()}]"
    whole = re.compile(rf"[\W_]*({either})[\W_]*")
    said = re.compile(
        rf"(?i:{_SAID}){_LINK}{_OPEN}({capital}){_CLOSE}|(?i:{_SAID})\s*\(({either})\)"
    )
    first = re.compile(rf"\s*[(\[*]*({either})\s*[)\].:\uff1a\u3001\uff0e*]+(?:\s|$|(?=[^\s\w]))")
    marked = re.compile(
        rf"(?<!\w)(?:\(({either})\)|\*\*({either})\*\*|\[({either})\]|({capital})\))"
        rf"|\\boxed{{({either})}}"
    )
    alone = re.compile(rf"(?<![\w'\u2019-])({capital})(?![\w'\u2019-])")
    last = re.compile(rf"{alone.pattern}[\W_]*\Z")

    def read(text: str) -> str:
        if match := whole.fullmatch(text):
            return str(match[1]).upper()
        if sayings := said.findall(text):
            return "".join(sayings[-1]).upper()
        if match := first.match(text):
            return str(match[1]).upper()
        letters = {"".join(groups).upper() for groups in marked.findall(text)}
        if not letters and last.search(text):
            letters = set(alone.findall(text))
        if len(letters) == 1:
            return letters.pop()
        raise Unscored("several_choices" if letters else "no_choice")

    return read


CHOICE_MATCH = rate("choice-match", "that choose the target's letter", compared(read_choice, equal))
