"""Prompts that an endpoint has cut without a word: it counts far fewer tokens than it was sent.

An endpoint's tokeniser is not known here, but that it is one and the same: what more a text has
than the shortest prompt has about as many tokens a byte as the others'.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from assay.judge.cost import MOST_BYTES

FEWEST = 5  # prompts that say how many bytes a token has
SHARE = 0.5  # of the expected tokens: texts differ in how many bytes a token of theirs has
LEAST = 64  # tokens that are missing


def silently_cut(sizes: Sequence[tuple[int, int]]) -> list[bool]:
    """Return for each prompt, as (bytes sent, tokens counted, 0 for none), whether it was cut: it
    has fewer tokens than any tokeniser makes of it, or than half of what the others let expect."""
    counted = sorted((sent, tokens) for sent, tokens in sizes if tokens)
    shortest = counted[0] if counted else (0, 0)
    usual = _bytes_a_token(counted[: max(FEWEST + 1, len(counted) // 2)], shortest)
    return [_is_cut(sent, tokens, shortest, usual) for sent, tokens in sizes]


def _bytes_a_token(shorter: Sequence[tuple[int, int]], shortest: tuple[int, int]) -> float | None:
    """Return how many bytes a token has in what the `shorter` prompts have more than the shortest,
    which takes off what the template adds; None where too few say so."""
    ratios = [
        (sent - shortest[0]) / (tokens - shortest[1])
        for sent, tokens in shorter
        if tokens > shortest[1] and sent > shortest[0]
    ]
    return median(ratios) if len(ratios) >= FEWEST else None


def _is_cut(sent: int, tokens: int, shortest: tuple[int, int], usual: float | None) -> bool:
    if not tokens:
        return False
    if tokens < sent / MOST_BYTES:
        return True
    expected = (sent - shortest[0]) / usual if usual else 0.0
    more = tokens - shortest[1]
    return more < SHARE * expected and expected - more > LEAST
