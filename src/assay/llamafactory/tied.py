"""Weights that a configuration ties to others though the files hold both: transformers compares
them and goes by the files, vLLM by the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay.errors import ModelError


@contextmanager
def uncompared() -> Iterator[None]:
    """Have transformers take weights that it does not read for the same where they are tied."""
    import torch

    equal = torch.equal

    def same(one: Any, other: Any) -> bool:
        return bool(one.is_meta or equal(one, other))

    torch.equal = same
    try:
        yield
    finally:
        torch.equal = equal


def check(folder: Path, pairs: Mapping[str, str]) -> None:
    """Raise ModelError where safetensors in a folder hold both weights of one of the `pairs` that
    its configuration ties, and they differ."""
    import torch
    from safetensors import safe_open

    places: dict[str, Path] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as held:
            places |= dict.fromkeys(held.keys(), path)

    def weights(name: str) -> Any:
        with safe_open(places[name], "pt") as held:
            return held.get_tensor(name)

    for one, other in pairs.items():
        if {one, other} <= places.keys() and not torch.equal(weights(one), weights(other)):
            raise ModelError(
                f"{folder}: its {one} is not its {other}, and its configuration says that they are "
                "one (tie_word_embeddings), by which vLLM would answer",
                "Set tie_word_embeddings: false in its config.json, or generate.engine: "
                "transformers, which goes by the weights",
            )
