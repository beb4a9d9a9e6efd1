"""Samples -> tokens, as LLaMA-Factory makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.errors import MissingExtraError, ModelError
from assay.records import Role, Sample


def count_tokens(samples: Sequence[Sample], model: str, template: str) -> list[int]:
    """Return the tokens of each sample, prompt and target, in the conversation `template` of
    LLaMA-Factory ("": the model's own) and with the tokenizer of the `model` directory. Raises
    ModelError."""
    try:
        from llamafactory.data.template import get_template_and_fix_tokenizer
        from llamafactory.hparams import DataArguments
        from transformers import AutoTokenizer
    except ImportError:
        raise MissingExtraError("llamafactory", "finetune") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(model)
        form = get_template_and_fix_tokenizer(tokenizer, DataArguments(template=template or None))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{model} has no usable tokenizer or template: {str(error).splitlines()[0]}",
            "Name a model directory, and a template that LLaMA-Factory knows",
        ) from None
    return [_count(sample, form, tokenizer) for sample in samples]


def _count(sample: Sample, form: Any, tokenizer: Any) -> int:
    system, turns = "", sample.messages
    if turns[0].role == "system":
        system, turns = turns[0].content, turns[1:]
    messages = [_message(turn.role, turn.content) for turn in turns]
    messages.append(_message(sample.target_role, sample.target))
    pairs = form.encode_multiturn(tokenizer, messages, system, sample.tools)
    return sum(len(asked) + len(answered) for asked, answered in pairs)


def _message(role: Role, content: str) -> dict[str, str]:
    return {"role": "function" if role == "function_call" else role, "content": content}
