"""Prompts that an endpoint has cut without a word: it counts far fewer tokens than it was sent.

An endpoint's tokeniser is not known here, but that it is one and the same: what more a text has
than the shortest prompt has about as many tokens a byte as the others'.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from assay.judge.cost import MOST_BYTES

FEWEST = 5  # prompts that say how many bytes a token has
TIMES = 4  # the shortest prompt, at least, is as long as one that says so
SHARE = 0.4  # of the expected tokens: texts differ in how many bytes a token of theirs has
LEAST = 64  # tokens that are missing


def silently_cut(sizes: Sequence[tuple[int, int]]) -> list[bool]:
    """Return for each prompt, as (bytes sent, tokens counted, 0 for none), whether it was cut: it
    has fewer tokens than any tokeniser makes of it, or than `SHARE` of what others let expect."""
    counted = sorted((sent, tokens) for sent, tokens in sizes if tokens)
    usual = _bytes_a_token(counted) if counted else None
    return [_is_cut(sent, tokens, usual) for sent, tokens in sizes]


def _bytes_a_token(counted: Sequence[tuple[int, int]]) -> float | None:
    """Return how many bytes a token has in what prompts have more than the shortest, which takes
    off what the template adds, over the shorter half of them; None where too few say so."""
    least, most = counted[0]
    longer = [(sent, tokens) for sent, tokens in counted if sent >= TIMES * least and tokens > most]
    ratios = [(sent - least) / (tokens - most) for sent, tokens in longer]
    return median(ratios[: max(FEWEST, len(ratios) // 2)]) if len(ratios) >= FEWEST else None


def _is_cut(sent: int, tokens: int, usual: float | None) -> bool:
    if not tokens:
        return False
    if tokens < sent / MOST_BYTES:
        return True
    expected = sent / usual if usual else 0.0
    return tokens < SHARE * expected and expected - tokens > LEAST
