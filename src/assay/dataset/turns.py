"""A conversation that is evaluated at each of its assistant's turns, not only at the last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from assay.dataset.origins import RowOrigin
from assay.dataset.shelved import shelved
from assay.records import Sample


def every_turn(
    samples: Sequence[Sample], origins: Mapping[str, RowOrigin]
) -> tuple[Sequence[Sample], dict[str, RowOrigin]]:
    """Return a sample for each assistant turn of the `samples`, the targets among them, and the
    origins of these by id: that of the sample that each is of."""
    told: dict[str, RowOrigin] = {}

    def found() -> Iterator[Sample]:
        for sample in samples:
            origin = origins[sample.id]
            for each in _turns(sample):
                told[each.id] = origin
                yield each

    return shelved(found()), told


def _turns(sample: Sample) -> Iterator[Sample]:
    """Yield what reading with `every_turn` makes of the row: user and assistant alternate."""
    first = 1 if sample.messages[0].role == "system" else 0
    ends = range(first + 1, len(sample.messages), 2)
    for number, end in enumerate(ends, 1):
        answer = sample.messages[end]
        yield replace(
            sample,
            id=f"{sample.id}:{number}",
            messages=sample.messages[:end],
            target=answer.content,
            target_role="function_call" if answer.role == "function_call" else "assistant",
        )
    yield replace(sample, id=f"{sample.id}:{len(ends) + 1}")
