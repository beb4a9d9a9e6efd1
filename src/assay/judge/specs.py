"""What the judge's metrics are: the dimensions of a rubric, and those of pairwise judging."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.records import Direction, MetricSpec

WIN_RATE = MetricSpec(
    name="win-rate",
    direction="higher",
    scale=(0.0, 100.0),
    meaning="Share of samples on which the judge prefers the candidate's answer, asked in both "
    "orders; a tie, or a preference that the order turns around, counts half. The difference "
    "is from 50, an even match.",
    group="pairwise",
)
ORDER_FLIP = MetricSpec(
    name="order-flip",
    direction="lower",
    kind="rate",
    scale=(0.0, 100.0),
    meaning="Share of pairs on which the judge's preference changed with the order: ties.",
    group="pairwise",
)
PAIRWISE = (WIN_RATE, ORDER_FLIP)

_MEANINGS = {
    "overall": "its own overall score",
    "instruction_following": "does the answer do what was asked, as it was asked",
    "quality": "is the content correct, complete and useful",
    "clarity": "is the answer clear, well ordered and free of padding",
    "safety": "is the answer harmless",
}
DIMENSIONS = tuple(_MEANINGS)
"""The dimensions of the built-in rubrics, in the order in which they are shown."""


def dimension_specs(
    names: Iterable[str], scale: tuple[int, int], directions: Mapping[str, Direction]
) -> tuple[MetricSpec, ...]:
    """Return what each dimension is; the judge grades answers, so that a higher score is better
    where `directions`, the rubric's, say nothing."""
    low, high = scale
    return tuple(
        MetricSpec(
            name=name,
            direction=directions.get(name, "higher"),
            scale=(low, high),
            meaning=f"Judge: {_MEANINGS.get(name, 'a dimension of the rubric')}, {low} to {high}.",
            group="judge",
        )
        for name in names
    )
