"""What is said of how a side's answers were decoded."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from assay import store
from assay.records import Decoding, Generation
from assay.text import flat

_MAX_VALUE = 60


def read(path: Path) -> Decoding | None:
    """Return what a child process has recorded, None where it has not."""
    return store.read_record(path, Decoding) if path.is_file() else None


def not_obeyed(generation: Generation) -> str:
    """Return what the model's own generation_config.json would have changed, "" for nothing."""
    own = generation.decoding.not_obeyed if generation.decoding else {}
    return ", ".join(f"{name}: {_short(value)}" for name, value in own.items())


def tell(generation: Generation, side: str) -> None:
    """Say on standard error what was `not_obeyed`, if anything was."""
    if own := not_obeyed(generation):
        told = f"{side or 'generate'}: the model's generation_config.json is not obeyed ({own})"
        print(flat(told), file=sys.stderr, flush=True)


def unasked(generation: Generation) -> str:
    """Return that part of `not_obeyed` which generate has no setting for."""
    own = generation.decoding.not_obeyed if generation.decoding else {}
    rest = {name: value for name, value in own.items() if name not in generation.settings}
    return ", ".join(f"{name}: {_short(value)}" for name, value in rest.items())


def differences(one: Generation, other: Generation) -> Iterator[tuple[str, object, object]]:
    """Yield each parameter that two sides were decoded with differently, and both its values,
    the precision of their weights among them; which tokens end an answer, or fill a row, is each
    model's own."""
    if one.decoding is None or other.decoding is None:
        return
    left, right = _chosen(one.decoding.used), _chosen(other.decoding.used)
    for name in sorted(left.keys() | right.keys()):
        if left.get(name) != right.get(name):
            yield name, left.get(name), right.get(name)
    one_in, other_in = one.decoding.dtype, other.decoding.dtype
    if one_in and other_in and one_in != other_in:
        yield "dtype", one_in, other_in


def _chosen(used: Mapping[str, object]) -> Mapping[str, object]:
    return {name: value for name, value in used.items() if not name.endswith("_token_id")}


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}…"
