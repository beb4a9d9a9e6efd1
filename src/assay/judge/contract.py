"""The contract with the judge: the prompt that asks for a verdict, and the one parser that reads
it. Both change together, under one version.

The constant part (task, rubric, form of the reply) comes first, so that an endpoint's prefix cache
serves it. What is judged stands behind it between marker lines made of a random word that occurs
nowhere inside. The judge is not told which model wrote the answer.
"""

from __future__ import annotations

import functools
import json
import re
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.judge.frames import FRAMES
from assay.judge.rubric import COMMENTARY, Rubric
from assay.records import Prediction, Sample
from assay.text import one_line
from assay.thoughts import END, begins

VERSION = 1
COMMENTARY_LENGTH = 200
_FENCED = re.compile(
    r"\s*(`{3,}|~{3,})[ \t]*(?:json[5c]?)?\s*(\{.*\})\s*\1\s*", re.DOTALL | re.IGNORECASE
)
# to the end of a thought; an endpoint's chat template may have opened it already
_THOUGHT = re.compile(
    rf".*?(?:{END}|</(?:reasoning|analysis|scratchpad)>|"
    r"<\|channel\|>\s*final[^<{]*(?:<\|constrain\|>\w*)?<\|message\|>)",
    re.DOTALL | re.IGNORECASE,
)
# what a server leaves of its template around a reply
_LEFT = (
    r"(?:<[|｜][^<>\n]{1,40}[|｜]>|</?s>|<(?:start|end)_of_turn>|</?(?:answer|response)>|\s|"
    r"[\0\u200b\ufeff])*"
)
_WRAPPED = re.compile(rf"{_LEFT}(?=[{{`~])(.*?[}}`~]){_LEFT}", re.DOTALL)
_DIGITS = re.compile(r"[+-]?\d{1,9}(?:\.0{1,9})?", re.ASCII)
_MARK = re.compile(r"\[[^\]\n]+ ([a-z]+)\]\n")
_CONTROL = re.compile(
    r"<\s*[|｜][^<>\n]{1,40}[|｜]\s*>|</?s>|<</?SYS>>|\[/?INST\]|</?(?:start|end)_of_turn>|</?think>"
)

Chat = list[dict[str, Any]]


class ReplyError(Exception):
    """A reply that is no verdict: `cause` for the record, the message for the judge."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(one_line(message))
        self.cause = cause


@dataclass(frozen=True, kw_only=True)
class Grades:
    """What one valid reply says: dimension -> score within the rubric's scale, and why."""

    scores: Mapping[str, int]
    commentary: str


def ask_for(rubric: Rubric, sample: Sample, prediction: Prediction) -> Chat:
    """Return the messages that ask for a verdict on one prediction."""
    frame = FRAMES[rubric.language]
    task, answer, target = task_of(sample), prediction.output, sample.target
    word = fence(task, answer, target)
    parts = [block(frame["task"], word, task)]
    if target.strip():
        parts.append(block(frame["reference"], word, target))
    parts.append(block(frame["answer"], word, answer))
    parts.append(frame["close"].format(word=word))
    return [
        {"role": "system", "content": constant(rubric)},
        {"role": "user", "content": "\n".join(parts)},
    ]


def ask_again(rubric: Rubric, chat: Chat, reply: str, error: ReplyError) -> Chat:
    """Return the messages that give the judge its one chance to repair a reply."""
    return repair(rubric, chat, reply, error, _form(rubric))


def repair(rubric: Rubric, chat: Chat, reply: str, error: ReplyError, form: str) -> Chat:
    """Return the messages that say what was wrong with `reply`, and ask for the `form`."""
    text = FRAMES[rubric.language]["repair"].format(error=error, form=form)
    if not reply.strip():  # no turn may be empty for some endpoints, nor two of one role for others
        *before, last = chat
        return [*before, {**last, "content": f"{last['content']}\n\n{text}"}]
    return [
        *chat,
        {"role": "assistant", "content": reply},
        {"role": "user", "content": text},
    ]


@functools.lru_cache
def constant(rubric: Rubric) -> str:
    """Return the part of the prompt that is the same for every prediction."""
    frame = FRAMES[rubric.language]
    return frame["constant"].format(
        low=rubric.low, high=rubric.high, dimensions=levels_of(rubric), form=_form(rubric)
    )


def levels_of(rubric: Rubric) -> str:
    """Return what each level of each dimension means, a line a dimension."""
    return "\n".join(
        f"- {name}: " + "; ".join(f"{level} = {levels[level]}" for level in rubric.scale)
        for name, levels in rubric.dimensions.items()
    )


@functools.lru_cache
def schema(rubric: Rubric) -> Mapping[str, Any]:
    """Return the JSON schema of a verdict: the commentary first, so that reasons come before
    scores, then the dimensions in the rubric's order."""
    scores = list(range(rubric.low, rubric.high + 1))
    properties: dict[str, Any] = {
        COMMENTARY: {"type": "string", "maxLength": COMMENTARY_LENGTH},
        **{name: {"type": "integer", "enum": scores} for name in rubric.dimensions},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def parse(rubric: Rubric, reply: str, answer: str = "") -> Grades:
    """Return the verdict in `reply`, which must be exactly one JSON object with exactly the
    rubric's keys and integers on its scale. Raises ReplyError (parse_error, out_of_range).

    A code fence around the whole object, or a thought before it that has its end, is no part of it;
    8.0 and "8" are the integer 8. A reply that only repeats what stands in the `answer` is nobody's
    verdict.
    """
    values = object_in(reply, answer)
    check_keys([COMMENTARY, *rubric.dimensions], values)
    scores = {name: _score(rubric, name, values[name]) for name in rubric.dimensions}
    return Grades(scores=scores, commentary=one_line(values[COMMENTARY]))


def fence(*texts: str) -> str:
    """Return a random word that occurs in none of the `texts`."""
    inside = "\n".join(texts).lower()
    while True:
        word = "".join(string.ascii_lowercase[byte % 26] for byte in secrets.token_bytes(6))
        if word not in inside:
            return word


def without_fence(chat: Chat) -> Chat:
    """Return the messages of `ask_for`, or of a repair, without the random word: the same ones
    whenever the same is asked."""
    mark = _MARK.match(chat[1]["content"])
    word = mark[1] if mark else ""
    return [{**turn, "content": turn["content"].replace(word, "")} for turn in chat]


def neutralise(text: str) -> str:
    """Return `text` with a chat template's control tokens taken apart, so that an endpoint that
    reads them in content sees plain characters."""
    return _CONTROL.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)


def task_of(sample: Sample) -> str:
    """Return the whole prompt of a sample as text."""
    if len(sample.messages) == 1 and not sample.tools:
        return sample.messages[0].content
    turns = [f"{message.role}: {message.content}" for message in sample.messages]
    return "\n".join([f"tools: {sample.tools}", *turns] if sample.tools else turns)


def block(title: str, word: str, text: str) -> str:
    """Return `text` between marker lines made of `word`."""
    return f"[{title} {word}]\n{neutralise(text)}\n[/{title} {word}]"


def _form(rubric: Rubric) -> str:
    scores = ", ".join(f'"{name}": {rubric.low}-{rubric.high}' for name in rubric.dimensions)
    return '{"' + COMMENTARY + '": "' + FRAMES[rubric.language]["reason"] + f'", {scores}}}'


def object_in(reply: str, answer: str) -> dict[str, Any]:
    """Return the one JSON object that `reply` is. Raises ReplyError, also where it only repeats
    what stands in the `answer`."""
    text = _without_thought(reply.lstrip("\ufeff\u200b\u00a0 \t\r\n"))
    wrapped = _WRAPPED.fullmatch(text)
    text = wrapped[1] if wrapped else text
    fenced = _FENCED.fullmatch(text)
    values = _object(fenced[2] if fenced else text)
    if _bare(text) in _bare(answer):
        raise ReplyError("parse_error", "the reply repeats the answer")
    return values


def _without_thought(reply: str) -> str:
    """Return what stands behind the thoughts with which a reply may begin."""
    if reply.startswith(("{", "```", "~~~")):
        return reply
    thought = _THOUGHT.match(reply)
    while thought:
        reply = reply[thought.end() :]
        thought = _THOUGHT.match(reply) if begins(reply) else None
    return reply


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ReplyError("parse_error", f"the reply is not one JSON object ({error})") from None
    if not isinstance(value, dict):
        raise ReplyError("parse_error", "the reply is not one JSON object")
    return value


def _no_doubles(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def check_keys(wanted: Sequence[str], values: Mapping[str, Any]) -> None:
    """Raise ReplyError unless `values` has exactly the `wanted` keys, and a commentary."""
    missing = [name for name in wanted if name not in values]
    beside = [name for name in values if name not in wanted]
    if missing or beside:
        fault = f"{missing[0]} is missing" if missing else f"{beside[0][:40]} is not asked for"
        raise ReplyError("parse_error", fault)
    if not isinstance(values[COMMENTARY], str) or not values[COMMENTARY].strip():
        raise ReplyError("parse_error", f"{COMMENTARY} is no text")


def _score(rubric: Rubric, name: str, value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        value = int(value.strip().partition(".")[0])
    if not isinstance(value, int) or isinstance(value, bool):
        raise ReplyError("parse_error", f"{name} is not an integer")
    if not rubric.low <= value <= rubric.high:
        raise ReplyError(
            "out_of_range",
            f"{name} = {str(value)[:20]} is not between {rubric.low} and {rubric.high}",
        )
    return value


def _bare(text: str) -> str:
    return "".join(text.split())
