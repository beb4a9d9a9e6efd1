"""What an endpoint answers for a model: its text, the thought before it, its calls, its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from assay.judge.causes import CONTENT_FILTER, OVERFLOW
from assay.judge.outcome import ELSEWHERE, THOUGHTS, CallError, Reply, is_cut, reply_in, text_of
from assay.judge.refusal import Hide
from assay.llamafactory.answer import canonical
from assay.records import THOUGHT_UNENDED, Failure, Prediction, Sample
from assay.served.chat import apart, wanted

_FAILURES: Mapping[str, Failure] = {
    OVERFLOW: "prompt_too_long",
    CONTENT_FILTER: "answer_filtered",
    "refused": "answer_refused",
}


@dataclass(frozen=True, kw_only=True)
class ModelReply(Reply):
    """A reply with the `thought` that came beside its text, the `calls` of functions in it as JSON
    ("" for none), and its `finish`. That it was cut is no failure: what there is is the answer."""

    thought: str = ""
    calls: str = ""
    finish: Literal["stop", "length"] = "stop"


def answer_in(body: Any, content: bytes, hide: Hide) -> ModelReply:
    """Return the answer in a body without an error, which was `content`. Raises CallError."""
    choice = _first(body)
    if choice is None:
        raise _no_answer(body, content, hide)
    message = choice["message"]
    kept = {name: value for name, value in message.items() if name not in ELSEWHERE}
    end = {"finish_reason": "stop"} if is_cut(choice) else {}
    bare = {**body, "choices": [{**choice, "message": kept, **end}]}
    reply = reply_in(bare, content, hide)
    thought = next((text for name in THOUGHTS if (text := text_of(message.get(name)))), "")
    return ModelReply(
        text=reply.text,
        tokens=reply.tokens,
        written=reply.written + len(thought.encode(errors="replace")),
        model=reply.model,
        thought=thought.strip(),
        calls=_calls(message.get("tool_calls")),
        finish="length" if end else "stop",
    )


def prediction(sample: Sample, answer: ModelReply) -> Prediction:
    """Return what an answer comes to."""
    thought, text = _apart(answer)
    unended = not text.strip() and not answer.calls and bool(thought) and answer.finish == "length"
    return Prediction(
        id=sample.id,
        output=answer.calls or text,
        finish=answer.finish,
        prompt_tokens=answer.tokens[0],
        output_tokens=answer.tokens[1],
        thought=thought,
        written=text if answer.calls else "",
        unanswered=THOUGHT_UNENDED if unended else "",
        wanted=wanted(sample),
        wanted_thought=apart(sample.target)[0],
    )


def unanswered(sample: Sample, error: CallError) -> Prediction:
    """Return the row of a sample that got no answer."""
    return Prediction(
        id=sample.id,
        output="",
        finish="stop",
        prompt_tokens=0,
        output_tokens=0,
        unanswered=_FAILURES.get(error.cause, "no_answer"),
        wanted=wanted(sample),
        wanted_thought=apart(sample.target)[0],
    )


def _first(body: Any) -> Mapping[str, Any] | None:
    """Return the first choice of a chat completion, None where it is none."""
    choices = body.get("choices") if isinstance(body, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    whole = isinstance(choice, Mapping) and isinstance(choice.get("message"), Mapping)
    return choice if whole else None


def _no_answer(body: Any, content: bytes, hide: Hide) -> CallError:
    try:
        reply_in(body, content, hide)
    except CallError as error:
        return error
    return CallError("server_error", "its answer has no message", transient=True, answered=True)


def _apart(answer: ModelReply) -> tuple[str, str]:
    """Return the thought and the text, which may begin with a thought in marks."""
    text = answer.text
    return (answer.thought, text) if answer.thought else apart(text)


def _calls(listed: Any) -> str:
    rows = [row.get("function") for row in listed or () if isinstance(row, Mapping)]
    named = [row for row in rows if isinstance(row, Mapping) and row.get("name")]
    pairs = [(str(row["name"]), str(row.get("arguments") or "{}")) for row in named]
    return canonical(pairs) if pairs else ""
