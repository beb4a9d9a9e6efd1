"""The contract of a pairwise verdict: the prompt that asks which answer is better, and the parser
that reads the reply. Both change together with that of a score."""

from __future__ import annotations

from typing import Any

from assay.judge import contract
from assay.judge.contract import Chat, ReplyError
from assay.judge.frames import FRAMES
from assay.judge.rubric import COMMENTARY, Rubric
from assay.records import Sample
from assay.text import one_line

BETTER = "better"
CHOICES = ("A", "B", "tie")


def ask_for(rubric: Rubric, sample: Sample, first: str, second: str) -> Chat:
    """Return the messages that ask which answer is better; nothing says which model wrote one."""
    frame = FRAMES[rubric.language]
    task, target = contract.task_of(sample), sample.target
    word = contract.fence(task, target, first, second)
    parts = [contract.block(frame["task"], word, task)]
    if target.strip():
        parts.append(contract.block(frame["reference"], word, target))
    parts += [
        contract.block(frame["first"], word, first),
        contract.block(frame["second"], word, second),
        frame["close_pair"].format(word=word),
    ]
    constant = frame["pair"].format(dimensions=contract.levels_of(rubric), form=form_of(rubric))
    return [
        {"role": "system", "content": constant},
        {"role": "user", "content": "\n".join(parts)},
    ]


def parse(reply: str, answers: str) -> tuple[str, str]:
    """Return the choice (A, B or tie) in `reply`, exactly one JSON object, and why. Raises
    ReplyError."""
    values = contract.object_in(reply, answers)
    contract.check_keys([COMMENTARY, BETTER], values)
    if values[BETTER] not in CHOICES:
        raise ReplyError("parse_error", f"{BETTER} is not one of {', '.join(CHOICES)}")
    return values[BETTER], one_line(values[COMMENTARY])


def schema() -> dict[str, Any]:
    """Return the JSON schema of a reply: reasons before the choice."""
    properties = {
        COMMENTARY: {"type": "string", "maxLength": contract.COMMENTARY_LENGTH},
        BETTER: {"type": "string", "enum": list(CHOICES)},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def form_of(rubric: Rubric) -> str:
    """Return what a reply looks like, for the prompt."""
    frame = FRAMES[rubric.language]
    return f'{{"{COMMENTARY}": "{frame["reason"]}", "{BETTER}": "{frame["choice"]}"}}'
