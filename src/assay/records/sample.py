"""What a model is asked, and the answer that is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["system", "user", "assistant", "function_call", "observation"]
ENTRY, SCRIPT, PROMPT_LENGTH = "entry", "script", "prompt_length"
"""The tags that samples have by themselves."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One row of a dataset: the prompt as `messages` (the last one is not the assistant's) and the
    assistant's turn that is wanted, `target`: its answer, or the JSON of its function call.
    `tools` is a JSON list as LLaMA-Factory takes it. Samples of one `cluster` belong together (one
    conversation, one prompt, one value of a column that the user names); of "" each is its own.
    `tags` say of what kind it is, by name: what the user's columns hold, and what is known anyway.
    """

    id: str
    messages: tuple[Message, ...]
    target: str
    target_role: Literal["assistant", "function_call"] = "assistant"
    tools: str = ""
    cluster: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
