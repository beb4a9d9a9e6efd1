"""Prompts that an endpoint has cut without a word: it counts far fewer tokens than it was sent, or
just as many for prompts of quite different sizes.

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
LIMITED = 3  # prompts of the most tokens of all, no fewer than these many
LIMIT = 128
WIDER = 1.2  # times as long as the shortest of them is the longest, at least


def silently_cut(sizes: Sequence[tuple[int, int]]) -> list[bool]:
    """Return for each prompt, as (bytes sent, tokens counted, 0 for none), whether it was cut: it
    has fewer tokens than any tokeniser makes of it, or than `SHARE` of what others let expect, or
    as many as shorter ones, at what seems a limit."""
    counted = sorted((sent, tokens) for sent, tokens in sizes if tokens)
    usual = _bytes_a_token(counted) if counted else None
    limited = _limited(counted)
    return [row in limited or _is_cut(*row, usual) for row in sizes]


def _limited(counted: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the prompts that have the most tokens of all, where those of so different sizes have
    as many that it is no chance, without the shortest: it may just end there."""
    most = max((tokens for _, tokens in counted), default=0)
    there = sorted({row for row in counted if row[1] == most})
    several = most >= LIMIT and len(there) >= LIMITED
    return set(there[1:]) if several and there[-1][0] >= WIDER * there[0][0] else set()


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
