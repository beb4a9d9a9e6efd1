"""What a conversation must be, to be trained on or evaluated."""

from __future__ import annotations

import json
import re

from assay.errors import DatasetError
from assay.records import Message

# About a million tokens: more than a model reads, and a sign of a broken file.
MAX_CHARACTERS = 4_000_000
ASKS = ("user", "observation")
ANSWERS = ("assistant", "function_call")

# in the marks of LLaMA-Factory's templates
_THOUGHT = re.compile(
    r"<think>.*?</think>|<seed:think>.*?</seed:think>|◁think▷.*?◁/think▷"
    r"|<\|channel>thought\n.*?<channel\|>"
    r"|<\|channel\|>analysis<\|message\|>.*?<\|channel\|>final<\|message\|>",
    re.DOTALL,
)


def check_conversation(turns: list[Message], system: str, tools: str) -> None:
    """Raise DatasetError, without place, where LLaMA-Factory would drop or fail on it."""
    for number, turn in enumerate(turns, 1):
        expected = ANSWERS if number % 2 == 0 else ASKS
        if turn.role not in expected:
            raise DatasetError(
                f"turn {number} is of {turn.role}, not of {' or '.join(expected)}",
                "Let user and assistant take turns, the user first",
            )
        if turn.role == "function_call":
            _check_call(turn.content, number)
    if not turns or len(turns) % 2:
        end = f"ends with {turns[-1].role}" if turns else "is empty"
        raise DatasetError(f"the conversation {end}", "Let the assistant have the last turn")
    for name, turn in (("the last prompt", turns[-2]), ("the answer", turns[-1])):
        if not turn.content.strip():
            raise DatasetError(f"{name} is empty", "Write it or remove the row")
    check_text([system, tools, *(turn.content for turn in turns)])


def _check_call(content: str, number: int) -> None:
    if "<tool_call" in content:
        return
    try:
        calls = json.loads(_THOUGHT.sub("", content))
    except (ValueError, RecursionError):
        calls = None
    for call in calls if isinstance(calls, list) else [calls]:
        if not isinstance(call, dict) or not {"name", "arguments"} <= set(call):
            raise DatasetError(
                f"turn {number} is the function call {show(content)}",
                'Write it as JSON: {"name": ..., "arguments": {...}}',
            )


def check_text(texts: list[str]) -> None:
    """Raise DatasetError, without place, for texts of a row that nothing could read or write."""
    size = sum(map(len, texts))
    if size > MAX_CHARACTERS:
        raise DatasetError(
            f"the row has {size:,} characters, the limit is {MAX_CHARACTERS:,}", "Split the row"
        )
    for text in texts:
        if "\0" in text:
            raise DatasetError("the row holds a NUL character", "Remove it")
        if not text.isascii():
            _check_unicode(text)


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DatasetError(
            f"the row holds half a character, \\u{ord(text[error.start]):04x}",
            "Write whole characters: the text was cut or decoded wrongly",
        ) from None


def show(value: object) -> str:
    """Return a value as short JSON, for a message."""
    try:
        text = json.dumps(value, default=repr)
    except RecursionError:  # a little less deep than what cannot be read at all
        text = "nested too deeply"
    return text if len(text) <= 60 else f"{text[:57]}..."
