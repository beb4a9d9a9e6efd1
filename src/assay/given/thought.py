"""What was thought before an answer, in the marks that models write it in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from assay.generate import GenerateSettings
from assay.llamafactory.thought import without_template
from assay.thoughts import USUAL, Apart, apart


@dataclass(frozen=True, kw_only=True)
class Thoughts:
    """The marks that thoughts stand between in a file, which may be others that are known where
    none were `named`; `scored` says that they are a part of what is compared."""

    opening: str = USUAL[0]
    closing: str = USUAL[1]
    named: bool = False
    scored: bool = False

    def apart(self, text: str, *, begun: bool = False) -> Apart:
        """Return the thought before an answer and the answer; `begun` says that the prompt ended
        with the opening mark. Without one a closing mark ends a thought where a line ends with it
        or begins with it: an answer may speak of a mark."""
        if not self.named and (known := apart(text)):
            return known
        begun = begun or self._is_begun(text)
        if not (begun or text.lstrip().startswith(self.opening)):
            return Apart("", text, False)
        before, ended, after = text.partition(self.closing)
        if begun and not ended and self.opening not in before:
            return Apart("", text, False)
        return Apart(before.replace(self.opening, "", 1).strip(), after.lstrip("\r\n"), not ended)

    def compared(self, text: str, *, begun: bool = False) -> Apart:
        """Return the thought that stands apart from what is compared, and that: where thoughts are
        scored the whole text, but for the marks of one that is empty."""
        parts = self.apart(text, begun=begun)
        if not self.scored:
            return parts
        return Apart("", text if parts.thought or parts.unended else parts.answer, False)

    def _is_begun(self, text: str) -> bool:
        before, ended, after = text.partition(self.closing)
        alone = re.match(r"[ \t]*(?:\r?\n|\Z)", after) or re.search(r"(?:\A|\n)[ \t]*\Z", before)
        return bool(ended and alone) and self.opening not in before


def thoughts(settings: GenerateSettings) -> Thoughts:
    """Return how thoughts are written in a file, and whether they count, by `settings`."""
    opening, closing = without_template(settings.thought_marks)
    named = bool(settings.thought_marks)
    scored = settings.score_thoughts
    return Thoughts(opening=opening, closing=closing, named=named, scored=scored)
