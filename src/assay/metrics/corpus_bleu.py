"""corpus-bleu and corpus-bleu-zh: sacreBLEU's BLEU over a corpus."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from assay.metrics.ngrams import shared_ngrams

_ORDER = 4

# What sacreBLEU's "zh" takes for Chinese. Two of its ranges (from U+2001, from U+2F81) are not
# what they were meant to be; a score that bears its signature has to have them as they are.
_CHINESE = re.compile(
    "([\u2001-\u2a6d\u2e80-\u303f\u3100-\u312f\u31a0-\u31bf\u31c0-\u31ef\u3200-\u4db5"
    "\u4e00-\u9fbb\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef])"
)
_PUNCTUATION = (
    (re.compile(r"([{-~[-` -&(-+:-@/])"), r" \1 "),
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


def words_13a(text: str) -> list[str]:
    """Return the words of `text` by mteval-v13a, as sacreBLEU's tokenizer "13a" does."""
    line = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    if "&" in line:
        for entity, character in _ENTITIES:
            line = line.replace(entity, character)
    return _split(f" {line} ")


def words_zh(text: str) -> list[str]:
    """Return the words of `text`, each Chinese character one, as sacreBLEU's "zh" does."""
    return _split(" ".join(_CHINESE.split(text.strip())))


def bleu_counts(words: Callable[[str], list[str]], output: str, target: str) -> list[int]:
    """Return what a corpus' BLEU is summed from: the lengths of output and target in words, and
    for n = 1 to 4 the n-grams that they share, then those in the output."""
    given, wanted = words(output), words(target)
    totals = [max(0, len(given) - n) for n in range(_ORDER)]
    return [len(given), len(wanted), *shared_ngrams(given, wanted, _ORDER), *totals]


def bleu_score(counts: Sequence[int]) -> float:
    """Return BLEU, 0 to 100, from sums of `bleu_counts` (Papineni et al. 2002), with sacreBLEU's
    "exp" smoothing: the k-th order without a match counts 1 / 2^k matches. 0 where no word
    matches, and where no output has four words."""
    given, wanted = counts[:2]
    shared, totals = counts[2 : 2 + _ORDER], counts[2 + _ORDER :]
    if not shared[0] or not all(totals):
        return 0.0
    logs, misses = 0.0, 0
    for matched, total in zip(shared, totals, strict=True):
        misses += not matched
        logs += math.log(100 * (matched or 0.5**misses) / total)
    penalty = math.exp(1 - wanted / given) if given < wanted else 1.0
    return penalty * math.exp(logs / _ORDER)


def _split(line: str) -> list[str]:
    for pattern, spaced in _PUNCTUATION:
        line = pattern.sub(spaced, line)
    return line.split()
