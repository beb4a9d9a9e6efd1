"""Answers that begin with what was asked: a server echoes its prompts, which are then scored."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from assay import store
from assay.folder import PREDICTIONS, SAMPLES
from assay.records import FAILURES, Prediction, Sample
from assay.report.contents import Caution
from assay.report.run import EvaluatedRun, SideRun

FEWEST = 5
MOSTLY = 0.9
_FIRST = 100  # answers that say whether the others are worth a look
_LEAST = 8  # characters of a question that an answer does not begin with by chance
_MARKS = 200  # characters of a template's own words and marks before the question


def cautions(run: EvaluatedRun) -> Iterator[Caution]:
    """Yield each side whose answers nearly all begin with what was asked, where the targets do
    not."""
    for side in run.sides:
        count, asked = _count(run, side, _FIRST)
        if asked < FEWEST or count < MOSTLY * asked:
            continue
        count, asked = _count(run, side, None)
        if count >= MOSTLY * asked:
            yield Caution(
                severe=False,
                text=f"{count:,} of {asked:,} answers of the {side.side} begin with what was "
                f"asked, which is scored with them: {_look(side)}.",
            )


def _look(side: SideRun) -> str:
    if side.generation.served:
        return "look whether its server repeats the prompt (echo, return_full_text)"
    if side.generation.given:
        return "look whether its file has the prompts in the answers"
    return "the model repeats it by itself"


def _count(run: EvaluatedRun, side: SideRun, first: int | None) -> tuple[int, int]:
    """Return how many of the `first` answers begin with the question, and of how many that is no
    surprise: a question is long enough, and its target has it not."""
    rows = islice(store.read_rows(side.folder / PREDICTIONS, Prediction), first)
    answers = {row.id: row for row in rows if row.unanswered not in FAILURES}
    pairs = (
        (sample, answers[sample.id])
        for sample in store.read_rows(run.folder / SAMPLES, Sample)
        if sample.id in answers
    )
    found = [echoes(*pair) for pair in islice(pairs, len(answers))]
    return found.count(True), len(found) - found.count(None)


def echoes(sample: Sample, answer: Prediction) -> bool | None:
    """Return whether an answer begins with the last turn of its sample, perhaps behind the turns
    before it and a template's marks; None where nothing can be said."""
    last = next((turn.content for turn in reversed(sample.messages)), "")
    question, target = _words(last), _words(sample.target)
    if len(question) < _LEAST or question in target:
        return None
    before = sum(len(_words(turn.content)) for turn in sample.messages[:-1]) + len(sample.tools)
    return 0 <= _words(answer.output).find(question) <= before + _MARKS


def _words(text: str) -> str:
    return " ".join(text.split())
