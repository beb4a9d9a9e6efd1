"""A model's tokenizer with the template that writes its prompts, and the places that the model has
for their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import ModelError, SettingsError
from assay.llamafactory.readable import accepted, readable

CONFIG = "Copy its config.json there again, from whoever made the model"
_TOKENIZER = "Copy the tokenizer's files there again, from whoever made the model"


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """LLaMA-Factory's `tokenizer` and `template`, and which ids of the tokenizer are `unknown` to
    the model: words that were added and that it has no place for."""

    tokenizer: Any
    template: Any
    unknown: frozenset[int]


def load(arguments: Any, data: Any, name: str, where: str) -> Vocabulary:
    """Return the vocabulary by LLaMA-Factory's `arguments` of the model that the user calls `name`,
    and of its `data`; `where` is the section of the settings.

    Raises ModelError where they cannot be loaded, or are another model's, and SettingsError where
    the template has words that the model has no place for."""
    from llamafactory.data import get_template_and_fix_tokenizer
    from llamafactory.model import load_config, load_tokenizer

    with readable(arguments.model_name_or_path, "config.json", CONFIG):
        config = load_config(arguments)
    with readable(arguments.model_name_or_path, "the tokenizer", _TOKENIZER):
        tokenizer = load_tokenizer(arguments)["tokenizer"]
    before = len(tokenizer)
    with accepted(f"{where}.llamafactory", vars(data)):
        template = get_template_and_fix_tokenizer(tokenizer, data)
    if arguments.resize_vocab:
        return Vocabulary(tokenizer=tokenizer, template=template, unknown=frozenset())
    room = config.get_text_config().vocab_size
    unknown = frozenset(id_ for id_ in tokenizer.get_added_vocab().values() if id_ >= room)
    _check_own(tokenizer, room, name)
    written = [*range(max(before, room), len(tokenizer)), *_written(tokenizer, template, unknown)]
    _check_template(tokenizer, written, room, name, data.template, where)
    _check_used(tokenizer, room, name, where)
    return Vocabulary(tokenizer=tokenizer, template=template, unknown=unknown)


def _check_own(tokenizer: Any, room: int, name: str) -> None:
    """Raise ModelError where a word of the tokenizer's own lies beyond the model's places: of some
    that were added later whole models have none either."""
    added = set(tokenizer.get_added_vocab().values())
    own = {id_ for id_ in tokenizer.get_vocab().values() if id_ not in added}
    if any(id_ >= room for id_ in own):
        raise ModelError(
            f"the tokenizer of {name} is another model's: it has {len(own)} words, and vocab_size "
            f"in its config.json is {room}",
            "Copy the tokenizer's files and config.json there again, from whoever made the model",
        )


def _written(tokenizer: Any, template: Any, unknown: frozenset[int]) -> list[int]:
    """Return the ids that a template writes around every sample and that are `unknown`."""
    if not unknown:
        return []
    turns = [{"role": role, "content": "1"} for role in ("user", "assistant")]
    prompt, target = template.encode_oneturn(tokenizer, turns)
    return sorted(unknown.intersection([*prompt, *target]))


def _check_template(
    tokenizer: Any, beyond: Sequence[int], room: int, name: str, template: str, where: str
) -> None:
    """Raise SettingsError where a template has words `beyond` the model's places."""
    words = [tokenizer.convert_ids_to_tokens(id_) for id_ in dict.fromkeys(beyond)]
    if words:
        raise SettingsError(
            f"{where}.template = {template} writes or ends with {', '.join(words)}, which "
            f"{name} does not know: its vocabulary has {room} tokens",
            f"Set the template that the model was tuned with, or {where}.llamafactory.resize_vocab "
            "where it was tuned so",
        )


def _check_used(tokenizer: Any, room: int, name: str, where: str) -> None:
    """Raise ModelError where what begins, ends or fills up a row lies beyond the model's places."""
    for kind in ("bos_token", "eos_token", "pad_token"):
        id_ = getattr(tokenizer, f"{kind}_id")
        if id_ is not None and id_ >= room:
            raise ModelError(
                f"{name}: the {kind} of its tokenizer, {getattr(tokenizer, kind)}, is its number "
                f"{id_}, and vocab_size in its config.json is {room}",
                "Restore its tokenizer_config.json, or set "
                f"{where}.llamafactory.resize_vocab where it was tuned so",
            )
