"""What a judge is shown of a conversation: earlier turns, too, as answers without thoughts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from assay import cases, llamafactory, store
from assay.folder import GENERATION
from assay.llamafactory.thought import Marks, split, without_template
from assay.records import Case, Generation, Message


def read(samples: Path, predictions: Path) -> Iterator[Case]:
    """Yield every sample with its prediction, as cases.read does; where the thoughts of the answers
    stand apart, the earlier turns of the assistant have theirs no more."""
    marks = _marks(predictions.with_name(GENERATION))
    for sample, prediction in cases.read(samples, predictions):
        messages = tuple(_answer(turn, marks) for turn in sample.messages) if marks else ()
        yield replace(sample, messages=messages or sample.messages), prediction


def _answer(turn: Message, marks: Marks) -> Message:
    if turn.role not in ("assistant", "function_call"):
        return turn
    thought, answer, unended = split(turn.content, marks)
    return replace(turn, content=answer) if thought and answer and not unended else turn


def _marks(path: Path) -> Marks:
    """Return the marks around the thoughts of a side; None where nothing says so, it writes none,
    or they are scored with the answers."""
    if not path.is_file():
        return None
    side = store.read_record(path, Generation)
    if side.settings.get("score_thoughts"):
        return None
    given = side.settings.get("thought_marks")
    own = given if isinstance(given, Sequence) and not isinstance(given, str) else ()
    if side.served or side.given:
        return without_template(own)
    return llamafactory.marks(side.template, own)
