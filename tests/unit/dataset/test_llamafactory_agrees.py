"""LLaMA-Factory's own loader reads a user's file, and the one that we write from it, alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.dataset import load, to_llamafactory

CALL = json.dumps({"name": "lamp", "arguments": {"room": "hall", "on": True}})
TOOLS = json.dumps([{"name": "lamp", "description": "d", "parameters": {}}])
Turn = tuple[str, str]


def turns(*pairs: Turn, names: Turn = ("from", "value")) -> list[dict[str, str]]:
    return [dict(zip(names, pair, strict=True)) for pair in pairs]


ALPACA: list[dict[str, Any]] = [
    {"instruction": "Add", "input": "1 and 1", "output": "2", "system": "Be brief.", "history": []},
    {
        "instruction": "Größe?",
        "input": "",
        "output": " 3 \n",
        "system": "",
        "history": [["a", "b"]],
    },
    {"instruction": "x", "input": None, "output": "y", "system": None, "history": None},
]
SHAREGPT: list[dict[str, Any]] = [
    {"conversations": turns(("human", "hi"), ("gpt", "hello")), "system": "S", "tools": ""},
    {
        "conversations": turns(("system", "top"), ("human", "on"), ("function_call", CALL)),
        "system": "lost",
        "tools": TOOLS,
    },
    {
        "conversations": turns(
            ("human", "on"), ("function_call", CALL), ("observation", "ok"), ("gpt", "Done. 2025")
        ),
        "system": "",
        "tools": TOOLS,
    },
]
CHAT: list[dict[str, Any]] = [
    {
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "2024-01-01"},
            {"role": "assistant", "content": "2024-01-02"},
        ]
    },
    {"messages": turns(("user", "a"), ("assistant", "b"), names=("role", "content"))},
]
CHAT_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "function_tag": "function",
    "system_tag": "system",
}
CALLS = [{"type": "function", "function": {"name": "lamp", "arguments": {"room": "hall"}}}]
OPENAI: list[dict[str, Any]] = [
    {
        "messages": [
            {"role": "user", "content": "on", "tool_calls": None},
            {"role": "assistant", "content": "", "tool_calls": CALLS},
            {"role": "tool", "content": "one", "tool_calls": None},
            {"role": "tool", "content": "two", "tool_calls": None},
            {"role": "assistant", "content": "Done.", "tool_calls": None},
        ],
        "tools": TOOLS,
    },
    {
        "messages": [
            {"role": "system", "content": "s", "tool_calls": None},
            {"role": "user", "content": "hi", "tool_calls": None},
            {"role": "assistant", "content": "hello", "tool_calls": None},
        ],
        "tools": "",
    },
]
CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "alpaca, default columns": (ALPACA, {}),
    "alpaca, all columns": (
        ALPACA,
        {
            "columns": {
                "prompt": "instruction",
                "query": "input",
                "response": "output",
                "system": "system",
                "history": "history",
            }
        },
    ),
    "alpaca, renamed": (
        [{"q": "two and two", "a": "four"}, {"q": "one", "a": "1"}],
        {"columns": {"prompt": "q", "response": "a"}},
    ),
    "sharegpt": (
        SHAREGPT,
        {
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "system": "system", "tools": "tools"},
        },
    ),
    "sharegpt, role and content": (
        CHAT,
        {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": CHAT_TAGS},
    ),
    "openai": (
        OPENAI,
        {
            "formatting": "openai",
            "columns": {"messages": "messages", "tools": "tools"},
            "tags": CHAT_TAGS,
        },
    ),
}


def llamafactory_reads(folder: Path, name: str, cache: Path) -> list[dict[str, Any]]:
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import Seq2SeqTrainingArguments

    [attributes] = get_dataset_list([name], str(folder))
    dataset = _load_single_dataset(
        attributes,
        ModelArguments(model_name_or_path="none", cache_dir=str(cache)),
        DataArguments(dataset_dir=str(folder)),
        Seq2SeqTrainingArguments(output_dir=str(cache), report_to=[]),
    )
    # An absent system or tools is None or "", alike to every template.
    return [
        {key: row[key] or "" for key in ("_prompt", "_response", "_system", "_tools")}
        for row in dataset
    ]


@pytest.mark.parametrize("case", CASES)
def test_both_read_the_same_conversations(case: str, llamafactory: None, tmp_path: Path) -> None:
    rows, entry = CASES[case]
    user, ours = tmp_path / "user", tmp_path / "ours"
    user.mkdir()
    (user / "rows.json").write_text(json.dumps(rows))
    (user / "dataset_info.json").write_text(json.dumps({"d": {"file_name": "rows.json", **entry}}))
    to_llamafactory(load(f"{user}#d"), ours, "samples")
    assert llamafactory_reads(user, "d", tmp_path) == llamafactory_reads(ours, "samples", tmp_path)
