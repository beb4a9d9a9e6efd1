"""How a dataset's rows are laid out: which columns and tags hold the conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from assay.dataset.settings import Format
from assay.errors import DatasetError
from assay.records import Role
from assay.settings import check_names

Found = Literal["alpaca", "sharegpt", "openai"]

# Both families of names are known where no dataset_info.json says which one is meant.
ROLES: Mapping[str, Role] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "observation": "observation",
    "tool": "observation",
    "function_call": "function_call",
    "system": "system",
}
_COLUMNS = ("prompt", "query", "response", "history", "messages", "system", "tools")
_UNSUPPORTED = ("images", "videos", "audios", "chosen", "rejected", "kto_tag")
# what LLaMA-Factory's own files, and those made for it, have in columns beside the conversation
_USUAL = frozenset(
    {
        *("id", "instruction", "input", "output", "history", "system", "tools"),
        *("prompt", "query", "response", "conversations", "messages", "text"),
        *("images", "videos", "audios", "chosen", "rejected", "label", "kto_tag"),
    }
)
_TAGS: Mapping[str, Role] = {
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}
_DEFAULT_TAGS = {
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Names of columns ("" where there is none) and tags; `roles` maps a row's role names to
    ours. `thinking_switch` adds the words to the system prompt that LLaMA-Factory adds to its
    "openai" formatting."""

    format: Found
    prompt: str = "instruction"
    query: str = "input"
    response: str = "output"
    history: str = "history"
    messages: str = "conversations"
    system: str = "system"
    tools: str = "tools"
    role_tag: str = "from"
    content_tag: str = "value"
    roles: Mapping[str, Role] = field(default_factory=lambda: ROLES)
    thinking_switch: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that this layout reads, without those that it has no name for."""
        alpaca = (self.prompt, self.query, self.response, self.history)
        named = alpaca if self.format == "alpaca" else (self.messages,)
        return tuple(name for name in (*named, self.system, self.tools) if name)


def unused(layout: Layout, columns: Iterable[str]) -> set[str]:
    """Return which of the columns of a file its layout has no use for, but for those of
    LLaMA-Factory's own formats."""
    return set(columns) - set(layout.columns) - _USUAL


def detect(row: Mapping[str, Any], stated: Format) -> Layout | None:
    """Return the layout of a row that no dataset_info.json describes, or None if it has none."""
    messages = next((name for name in ("conversations", "messages") if name in row), "")
    if stated == "alpaca" or (stated == "auto" and not messages):
        alpaca = stated == "alpaca" or "instruction" in row or "output" in row
        return Layout(format="alpaca") if alpaca else None
    role, content = _tags(row.get(messages))
    format_name: Found = "openai" if role == "role" and stated != "sharegpt" else "sharegpt"
    return Layout(
        format=format_name, messages=messages or "conversations", role_tag=role, content_tag=content
    )


def _tags(messages: object) -> tuple[str, str]:
    first = messages[0] if isinstance(messages, list) and messages else None
    openai = isinstance(first, Mapping) and "role" in first and "from" not in first
    return ("role", "content") if openai else ("from", "value")


def from_entry(entry: Mapping[str, Any], where: str) -> Layout:
    """Return the layout that one entry of a dataset_info.json describes, as LLaMA-Factory 0.9.5
    (data/parser.py) reads it: where `columns` or `tags` is given, what it leaves out is absent.

    `where` names the entry. Raises DatasetError for what cannot be evaluated: ranking, images.
    """
    formatting = entry.get("formatting", "alpaca")
    if formatting not in ("alpaca", "sharegpt", "openai"):
        raise DatasetError(
            f"{where}: formatting is {formatting!r}", "Use alpaca, sharegpt or openai"
        )
    columns = _names(entry, "columns", (*_COLUMNS, *_UNSUPPORTED), where)
    tags = _names(entry, "tags", (*_TAGS, "role_tag", "content_tag"), where)
    _refuse_unsupported(entry, columns, where)
    given = {name: columns.get(name, "") for name in _COLUMNS} if "columns" in entry else {}
    none = {} if given else {"history": "", "system": "", "tools": ""}
    named = tags if "tags" in entry else _DEFAULT_TAGS
    pair = {name: tags.get(name, "") for name in ("role_tag", "content_tag")} if tags else {}
    roles = {named[tag]: role for tag, role in _TAGS.items() if named.get(tag)}
    switch = formatting == "openai"
    return Layout(
        format=formatting, roles=roles, thinking_switch=switch, **{**none, **given, **pair}
    )


def _names(
    entry: Mapping[str, Any], section: str, allowed: tuple[str, ...], where: str
) -> dict[str, str]:
    value = entry.get(section) or {}
    if not isinstance(value, Mapping):
        raise DatasetError(f"{where}: {section} is {value!r}, not an object", "Write name: column")
    check_names(value, allowed, f"{where}: {section}")
    for name, column in value.items():
        if column is not None and not isinstance(column, str):
            raise DatasetError(
                f"{where}: {section}.{name} is {column!r}, not a name", "Write the name as text"
            )
    return {name: column for name, column in value.items() if column}


def _refuse_unsupported(entry: Mapping[str, Any], columns: Mapping[str, str], where: str) -> None:
    if entry.get("ranking"):
        raise DatasetError(f"{where}: it is a ranking dataset", "Name a dataset with one answer")
    for name in _UNSUPPORTED:
        if name in columns:
            raise DatasetError(
                f"{where}: columns.{name} is not supported: samples are text with one answer",
                "Name a text dataset with one answer a row",
            )
