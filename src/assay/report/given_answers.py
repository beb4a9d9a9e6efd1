"""What must be known of a side whose answers were in a file."""

from __future__ import annotations

from collections.abc import Iterator

from assay.records import AnswersFile, Side
from assay.report.contents import Caution
from assay.report.places import last
from assay.report.run import EvaluatedRun


def cautions(run: EvaluatedRun) -> Iterator[Caution]:
    """Yield what must be known of each such side."""
    given = {side.side: file for side in run.sides if (file := side.generation.given)}
    for side, file in given.items():
        yield _told(
            f"The {side}'s answers were in a file, {last(file.file)} (sha256 {file.sha256[:12]}): "
            "nothing proves which weights gave them, or how they were decoded."
        )
        yield from _rows(side, file, len(run.positions))
    if any(file.templated for file in given.values()):
        yield _told(
            "The prompts are those that LLaMA-Factory wrote, with the marks of its chat template "
            "in them: they are kept as they are."
        )
    asked = [side.side for side in run.sides if side.generation.settings.get("evaluate_loss")]
    if behind := [side for side in given if side in asked]:
        yield _told(
            "A file of answers gives no likelihood of the targets: eval_loss, accuracy and "
            f"perplexity are unavailable for the {' and the '.join(behind)}."
        )


def _rows(side: Side, file: AnswersFile, samples: int) -> Iterator[Caution]:
    if file.matched == "order":  # by id is no doubt
        yield _told(
            f"The {file.rows:,} rows of the {side}'s file were matched with the samples by their "
            "order."
        )
    if file.lacking:
        yield _told(
            f"The {side}'s file has no answer to {file.lacking:,} of {samples:,} samples: they "
            "have no score."
        )
    if file.unused:
        yield _told(f"{file.unused:,} rows of the {side}'s file answer no sample of the data.")


def _told(text: str) -> Caution:
    return Caution(severe=False, text=text)
