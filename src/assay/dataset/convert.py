"""One row of any layout -> one conversation, as LLaMA-Factory 0.9.5 (data/converter.py) reads it.

Where LLaMA-Factory drops a row with a warning, or would fail on it in training, a DatasetError
says what is wrong; the caller adds where.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.dataset.layout import Layout
from assay.dataset.validity import ANSWERS, check_conversation, show
from assay.errors import DatasetError
from assay.records import Message

_OPEN = Message(role="assistant", content="-")  # in the place of an answer that nobody needs
_OBSERVATIONS = "\n</tool_response>\n<tool_response>\n"


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A whole row: `turns` alternate between user (or observation) and assistant (or
    function_call), and end with the latter."""

    system: str
    turns: tuple[Message, ...]
    tools: str


def convert(row: object, layout: Layout, *, needs_target: bool = True) -> Conversation:
    """Return the conversation in `row`, which may lack its last answer ("" then) unless it
    `needs_target`. Raises DatasetError, without place, if there is none."""
    if not isinstance(row, Mapping):
        raise DatasetError(f"the row is {show(row)}, not an object", "Write {column: value, ...}")
    if layout.format == "alpaca":
        turns, system = _alpaca(row, layout, needs_target), _text(row, layout.system)
    else:
        turns, system = _sharegpt(row, layout)
    tools = _tools(row.get(layout.tools) if layout.tools else None)
    if layout.thinking_switch:
        system = _thinking(system, tools)
    if needs_target or not (asked := _unanswered(turns)):
        check_conversation(turns, system, tools)
    else:
        check_conversation([*asked, _OPEN], system, tools)
        turns = [*asked, Message(role="assistant", content="")]
    return Conversation(system=system, turns=tuple(turns), tools=tools)


def _unanswered(turns: list[Message]) -> list[Message]:
    """Return the turns up to the last question where it has no answer, or none but white space."""
    if turns and turns[-1].role == "assistant" and not turns[-1].content.strip():
        return turns[:-1]
    return turns if turns and turns[-1].role not in ANSWERS else []


def _alpaca(row: Mapping[str, Any], layout: Layout, needs_target: bool) -> list[Message]:
    query = [text for name in (layout.prompt, layout.query) if (text := _text(row, name))]
    if not query:
        raise DatasetError(f"{layout.prompt or 'the prompt'} is missing or empty", "Write a prompt")
    answered = layout.response and row.get(layout.response) is not None
    if needs_target and not answered:
        raise DatasetError(f"{layout.response or 'the answer'} is missing", "Write the answer")
    turns = _history(row.get(layout.history) if layout.history else None, layout.history)
    turns.append(Message(role="user", content="\n".join(query)))
    turns.append(Message(role="assistant", content=_text(row, layout.response)))
    return turns


def _history(history: object, name: str) -> list[Message]:
    if history is None or history == "":
        return []
    if not isinstance(history, Sequence) or isinstance(history, str):
        raise DatasetError(f"{name} is {show(history)}, not a list", "Write [[prompt, answer]]")
    turns = []
    for pair in history:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise DatasetError(f"{name} has {show(pair)}", "Write pairs: [[prompt, answer]]")
        turns.append(Message(role="user", content=_string(pair[0], name)))
        turns.append(Message(role="assistant", content=_string(pair[1], name)))
    return turns


def _sharegpt(row: Mapping[str, Any], layout: Layout) -> tuple[list[Message], str]:
    messages = row.get(layout.messages)
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        raise DatasetError(
            f"{layout.messages} is {show(messages)}, not a list", "Write a list of messages"
        )
    turns = [_message(message, layout) for message in messages]
    if turns and turns[0].role == "system":
        return _merge(turns[1:], layout), turns[0].content
    return _merge(turns, layout), _text(row, layout.system)


def _message(message: object, layout: Layout) -> Message:
    if not isinstance(message, Mapping):
        raise DatasetError(f"a message is {show(message)}, not an object", "Write role and text")
    name = message.get(layout.role_tag)
    role = layout.roles.get(name) if isinstance(name, str) else None
    if role is None:
        raise DatasetError(
            f"a message's {layout.role_tag} is {show(name)}", f"Use {', '.join(layout.roles)}"
        )
    calls = message.get("tool_calls") if layout.format == "openai" else None
    if role in ANSWERS and calls:
        return Message(role="function_call", content=_calls(calls))
    content = message.get(layout.content_tag)
    _refuse_parts(content, layout.content_tag)
    return Message(role=role, content=_string(content, layout.content_tag))


def _refuse_parts(content: object, name: str) -> None:
    """Name the kind of the first part that is no text: text there may be, and would be the rest."""
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, Mapping) else None
        if isinstance(kind, str) and kind != "text":
            raise DatasetError(
                f"{name} has a part of type {show(kind)}: samples are text with one answer",
                f"Write {name} as text, or name a text dataset",
            )


def _calls(calls: object) -> str:
    if isinstance(calls, Sequence) and not isinstance(calls, str):
        functions = [call.get("function") for call in calls if isinstance(call, Mapping)]
        if len(functions) == len(calls) and all(
            isinstance(function, Mapping) for function in functions
        ):
            return json.dumps(functions, ensure_ascii=False)
    raise DatasetError(f"tool_calls is {show(calls)}", "Write a list of {function: {...}}")


def _merge(turns: list[Message], layout: Layout) -> list[Message]:
    """Join neighbouring observations, which the openai format allows, into one turn."""
    if layout.format != "openai":
        return turns
    merged: list[Message] = []
    for turn in turns:
        if merged and turn.role == merged[-1].role == "observation":
            content = merged.pop().content + _OBSERVATIONS + turn.content
            turn = Message(role="observation", content=content)
        merged.append(turn)
    return merged


def _tools(tools: object) -> str:
    text = tools if isinstance(tools, str) else json.dumps(tools or "", ensure_ascii=False)
    if text.strip() in ("", '""'):
        return ""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"tools is not JSON: {error}", "Write a JSON list of tools") from None
    if not isinstance(value, list) or not all(isinstance(tool, dict) for tool in value):
        raise DatasetError(f"tools is {show(value)}", "Write a JSON list of objects")
    return text


def _thinking(system: str, tools: str) -> str:
    switch = "detailed thinking off"
    if tools:
        return system + "\n" if system else ""
    if not system:
        return switch
    switched = switch in system or "detailed thinking on" in system
    return system if switched else f"{system}\n{switch}"


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name) if name else None
    return "" if value is None else _string(value, name)


def _string(value: object, name: str) -> str:
    if isinstance(value, str):
        return value
    raise DatasetError(f"{name} is {show(value)}, not text", f"Write {name} as text")
