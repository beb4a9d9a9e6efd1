"""LLaMA-Factory's templates over one small tokenizer, which gets the marks that each needs."""

from __future__ import annotations

import copy
import re
from typing import Any

from assay.llamafactory.answer import Reader, reader


def tokenizer_of(blank: Any, name: str) -> Any:
    """Return a tokenizer that has the marks of a template as its own family's has."""
    from llamafactory.data.template import TEMPLATES

    tokenizer, template = copy.deepcopy(blank), TEMPLATES[name]
    around = re.findall(r"\[TOOL_CALLS\]|<\|tool>|<tool\|>", f"{template.format_function.slots}")
    tokenizer.add_tokens(around, special_tokens=True)
    texts = [slot for slot in template.format_assistant.slots if isinstance(slot, str)]
    _, _, end = "".join(texts).partition("{{content}}")
    if end.strip() and end.strip() not in template.stop_words:
        tokenizer.add_special_tokens({"eos_token": end.strip()})
    return tokenizer


def prepare(tokenizer: Any, name: str, thinking: bool | None) -> Reader:
    """Return how answers under a template are read, which here has nothing to do with images."""
    from llamafactory.data import get_template_and_fix_tokenizer
    from llamafactory.data.mm_plugin import get_mm_plugin
    from llamafactory.hparams import DataArguments

    arguments = DataArguments(template=name, cutoff_len=4096, enable_thinking=thinking)
    template = copy.copy(get_template_and_fix_tokenizer(tokenizer, arguments))
    template.mm_plugin = get_mm_plugin("base")
    extra = [str(token) for token in tokenizer._extra_special_tokens]
    ends = [tokenizer.eos_token_id, *tokenizer.convert_tokens_to_ids(extra)]
    return reader(tokenizer, template, ends, [], skip_special=True)
