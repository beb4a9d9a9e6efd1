"""A sample as chat messages: its own turns, the system's and its tools, as OpenAI writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from assay.judge.contract import Chat
from assay.llamafactory.answer import canonical
from assay.llamafactory.thought import split
from assay.records import Message, Sample
from assay.thoughts import USUAL
from assay.thoughts import apart as begun_with


def messages(sample: Sample) -> Chat:
    """Return the turns of a sample; a function call goes as the text that it is where its JSON
    names no function."""
    chat: Chat = []
    waiting: list[str] = []  # calls that no turn has answered yet
    for turn in sample.messages:
        if turn.role == "function_call" and (calls := _calls(turn)):
            names = [f"call_{len(chat)}_{number}" for number in range(len(calls))]
            waiting.extend(names)
            named = [_call(*call, name) for call, name in zip(calls, names, strict=True)]
            chat.append({"role": "assistant", "content": "", "tool_calls": named})
        elif turn.role == "observation" and waiting:
            answered = {"role": "tool", "tool_call_id": waiting.pop(0)}
            chat.append({**answered, "content": turn.content})
        else:
            role = {"function_call": "assistant", "observation": "user"}.get(turn.role, turn.role)
            chat.append({"role": role, "content": turn.content})
    return chat


def tools(sample: Sample) -> dict[str, Any]:
    """Return what goes with the messages of a sample: its tools, {} where it has none."""
    listed = _json(sample.tools) if sample.tools.strip() else []
    functions = [tool for tool in listed if isinstance(tool, Mapping)] if listed else []
    wrapped = [
        tool if "function" in tool else {"type": "function", "function": tool} for tool in functions
    ]
    return {"tools": wrapped} if wrapped else {}


def apart(text: str) -> tuple[str, str]:
    """Return the thought and the answer in a text, which may lack the thought's opening mark."""
    if known := begun_with(text):
        return known.thought, known.answer
    if USUAL[1] not in text:
        return "", text
    thought, answer, _ = split(text, USUAL)
    return thought, answer


def wanted(sample: Sample) -> str | None:
    """Return the target as an answer is read, None where that is its own text: without its thought,
    and its calls as those of an answer are written."""
    _, text = apart(sample.target)
    if sample.target_role == "function_call":
        calls = _calls(Message(role="function_call", content=text))
        text = canonical(calls) if calls else text
    return None if text == sample.target else text


def size(chat: Chat, beside: Mapping[str, Any]) -> int:
    """Return how many bytes of text a prompt sends."""
    turns = sum(len(turn["content"].encode(errors="replace")) for turn in chat)
    calls = [turn["tool_calls"] for turn in chat if "tool_calls" in turn]
    return turns + sum(len(json.dumps(part)) for part in (*calls, *beside.values()))


def _calls(turn: Message) -> list[tuple[str, str]]:
    """Return the calls in a turn as (name, arguments as JSON), none where it is no such JSON."""
    value = _json(turn.content)
    rows = value if isinstance(value, list) else [value]
    return list(_named(rows))


def _named(rows: list[Any]) -> Iterator[tuple[str, str]]:
    for row in rows:
        if isinstance(row, Mapping) and isinstance(row.get("name"), str):
            given = row.get("arguments", {})
            text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
            yield row["name"], text


def _call(name: str, arguments: str, id_: str) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
