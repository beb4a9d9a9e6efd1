"""Tokens that a fine-tune added to its base's vocabulary, which the base's own tokenizer lacks.

LLaMA-Factory reads prompts with the base's tokenizer: it adds them where its settings say so, as
training had them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import store
from assay.errors import ModelError
from assay.model import files
from assay.model.base import tensors
from assay.model.place import CONFIG, is_folder

_TOKENIZER = "tokenizer.json"
_ADD = {True: "add_special_tokens", False: "add_tokens"}
_EMBEDDINGS = (".embed_tokens.weight", ".lm_head.weight", ".wte.weight")


@dataclass(frozen=True, kw_only=True)
class Added:
    """The words of an adapter that its base lacks, by the setting that adds them, and whether its
    weights are of a larger vocabulary (`rows`, where the base has `base_rows`)."""

    words: Mapping[str, tuple[str, ...]]
    rows: int
    base_rows: int

    @property
    def settings(self) -> str:
        """The settings that have them added, as they are written."""
        return ", ".join(f'{name}: "{",".join(words)}"' for name, words in self.words.items())


def check(name: str, adapter: str, base: str, values: Mapping[str, Any], where: str) -> None:
    """Raise ModelError where the weights of the `adapter` do not fit the vocabulary of its `base`,
    which the settings `values` do not enlarge."""
    added = find(adapter, base)
    asked = {*_ADD.values(), "new_special_tokens_config", "resize_vocab"} & values.keys()
    if added and added.rows > added.base_rows > 0 and not asked:
        raise ModelError(
            f"{name} was tuned with {added.rows} tokens, its base has {added.base_rows}",
            f"Set {where}: {{{added.settings or 'resize_vocab: true'}}}",
        )


def find(adapter: str, base: str) -> Added | None:
    """Return what was added to the vocabulary of the `base` of an `adapter`, both directories, None
    where nothing was or they do not say. Raises InputError for files that cannot be read."""
    tuned, known = (Path(name) / _TOKENIZER for name in (adapter, base))
    words = dict(_words(tuned, known)) if tuned.is_file() and known.is_file() else {}
    rows = _rows(adapter)
    base_rows = _vocabulary(base) if rows and is_folder(base) else 0
    if not words and rows <= base_rows:
        return None
    return Added(words=words, rows=rows, base_rows=base_rows)


def _words(tuned: Path, base: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    here, there = _read(tuned), _read(base)
    known = {*_vocabulary_of(there), *(content for content, _ in _added(there))}
    for special, setting in _ADD.items():
        words = [word for word, kind in _added(here) if kind is special and word not in known]
        if words:
            yield setting, tuple(words)


def _added(tokenizer: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    for token in tokenizer.get("added_tokens") or ():
        if isinstance(token, dict) and isinstance(token.get("content"), str):
            yield token["content"], bool(token.get("special"))


def _vocabulary_of(tokenizer: Mapping[str, Any]) -> set[str]:
    model = tokenizer.get("model")
    words = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(words, dict):
        return set(words)
    return {str(word[0]) for word in words or () if isinstance(word, list) and word}


def _read(path: Path) -> Mapping[str, Any]:
    value = store.read_json(path)
    return value if isinstance(value, dict) else {}


def _rows(adapter: str) -> int:
    """Return how many tokens the embeddings have that were saved with an adapter, 0 for none."""
    saved = tensors(files.look(adapter), adapter=True)
    return max(
        (tensor.shape[0] for name, tensor in saved.items() if name.endswith(_EMBEDDINGS)), default=0
    )


def _vocabulary(base: str) -> int:
    config = _read(Path(base) / CONFIG)
    text = config.get("text_config")
    size = config.get("vocab_size", text.get("vocab_size") if isinstance(text, dict) else 0)
    return size if isinstance(size, int) else 0
