"""Which prompts are answered together: those of similar length, as many as fit one memory.

They are put in order a WINDOW of the file after the other, or many would fill the memory. The
batches depend on all the prompts of a job and on nothing else, so that an answer does not depend on
how many processes share them, nor on what an earlier try has answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from assay.llamafactory.prompts import Prompt

WINDOW = 16_384  # prompts


def in_windows(prompts: Iterable[Prompt], size: int, new_tokens: int) -> Iterator[list[Prompt]]:
    """Yield the `batches` of each window, whose prompts are made when those before are done."""
    coming = iter(prompts)
    while window := list(islice(coming, WINDOW)):
        yield from batches(window, size, new_tokens)


def batches(prompts: Sequence[Prompt], size: int, new_tokens: int) -> list[list[Prompt]]:
    """Return the prompts in batches, the longest first: `size` of the longest, and of shorter ones
    as many as take no more memory with their answers, of at most `new_tokens` tokens each. None has
    more than two places of padding for a token: some short prompts apart would take all the steps
    of a batch for few rows."""
    longest_first = sorted(prompts, key=lambda prompt: (-len(prompt.tokens), prompt.id))
    made: list[list[Prompt]] = []
    start, room = 0, 0
    while start < len(longest_first):
        each = len(longest_first[start].tokens) + new_tokens
        room = room or size * each
        batch = [
            prompt
            for prompt in longest_first[start : start + room // each]
            if 3 * (len(prompt.tokens) + new_tokens) >= each
        ]
        made.append(batch)
        start += len(batch)
    return made
