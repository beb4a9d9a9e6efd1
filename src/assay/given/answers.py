"""A row of a file of answers -> the prediction for its sample, and what is kept of the file."""

from __future__ import annotations

from assay.given.file import GivenFile
from assay.given.matching import Matched
from assay.given.rows import GivenRow
from assay.given.thought import Thoughts
from assay.records import THOUGHT_UNENDED, AnswersFile, Prediction, Sample


def prediction(sample: Sample, row: GivenRow | None, thoughts: Thoughts) -> Prediction:
    """Return what a row answers to a sample, a failed one without a row. How the answer ended and
    how many tokens it has is in no such file."""
    wanted = _wanted(sample, row, thoughts)
    if row is None:
        return Prediction(
            id=sample.id,
            output="",
            finish="unknown",
            prompt_tokens=0,
            output_tokens=0,
            unanswered="no_answer",
            wanted=wanted,
        )
    thought, answer, unended = thoughts.compared(row.output, begun=row.begun)
    return Prediction(
        id=sample.id,
        output=answer,
        finish="unknown",
        prompt_tokens=0,
        output_tokens=0,
        thought=thought,
        unanswered=THOUGHT_UNENDED if unended else "",
        wanted=wanted,
    )


def file_of(file: GivenFile, matched: Matched, lacking: int) -> AnswersFile:
    """Return what is kept of a file that so many samples were `lacking` a row in."""
    return AnswersFile(
        file=file.source,
        sha256=file.sha256,
        format=file.columns.format,
        rows=len(file.rows),
        matched=matched.by,
        lacking=lacking,
        unused=matched.unused,
        templated=file.templated and matched.by == "own",
    )


def _wanted(sample: Sample, row: GivenRow | None, thoughts: Thoughts) -> str | None:
    """Return the target in the form of the answer, None where that is its own text: without its
    thought, unless that counts, and a function call as the file writes it."""
    call = sample.target_role == "function_call" and row is not None and row.reference
    text = thoughts.compared(row.reference if call and row else sample.target).answer
    return None if text == sample.target else text
