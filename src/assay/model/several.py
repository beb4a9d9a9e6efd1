"""Adapters on top of each other: the names of several in one, and whether they belong together.

As LLaMA-Factory takes them (`adapter_name_or_path: a,b`): a comma stands between two names, and to
answer each is merged into the base in turn, so that the last one is on what the others made of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay import store
from assay.errors import ModelError
from assay.model.adapter import read_config
from assay.model.place import base_digest, is_folder, left_out

_BETWEEN = ","
# with these LLaMA-Factory takes one adapter alone, since it merges none
_UNMERGED = ("quantization_bit", "use_unsloth", "use_kt")


def names(name: str) -> tuple[str, ...]:
    """Return the names of the adapters that `name` stands for, in the order in which they are
    merged; `name` alone where it is of one model. Raises ModelError and StoreError."""
    parts = tuple(map(str.strip, apart(name)))
    if len(parts) == 1 or is_folder(name) or _is_uri_with_comma(name):
        return (name,)
    if not all(parts):
        raise ModelError(f"{name} names nothing beside a comma", "Take the comma out")
    return parts


def _is_uri_with_comma(name: str) -> bool:
    return store.is_remote(name) and name.count("://") == 1 and store.exists(name)


def joined(parts: Sequence[str]) -> str:
    """Return the one name that stands for several adapters."""
    return _BETWEEN.join(parts)


def apart(name: str) -> tuple[str, ...]:
    """Return what stands between the commas of a name, whatever is there."""
    return tuple(name.split(_BETWEEN))


def digest(digests: Sequence[str]) -> str:
    """Return what weights are known by whose `digests` these are: of one its own, of several the
    sha256 over them in their order; "" where one has no weights."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest() if all(digests) else ""


def check_path(name: str, directory: Path) -> None:
    """Raise ModelError for an adapter whose path LLaMA-Factory would take for those of several."""
    if _BETWEEN in str(directory):
        raise ModelError(
            f"{name} lies under a name with a comma, which stands between two adapters",
            "Rename the folder",
        )


def check_adapter(name: str, directory: str) -> None:
    """Raise ModelError for what is no adapter (`directory` is ""), and for one whose beginning is
    drawn at random: among several nothing draws it again as its training did."""
    if not directory:
        raise ModelError(
            f"{name} is no adapter, and each of several models has to be one",
            "Name the adapters alone as model, first the one that was trained first, and the model "
            "that they are on as base_model",
        )
    start = str(read_config(name, Path(directory)).get("init_lora_weights")).lower()
    if start.startswith("pissa_niter_"):
        raise ModelError(
            f"{name} begins with a part of its base that is drawn at random (init_lora_weights: "
            f"{start}), and is one of several adapters",
            "Name its conversion to a plain LoRA: LLaMA-Factory's pissa_convert writes it to "
            "pissa_converted",
        )


def check_base(first: tuple[str, str], other: tuple[str, str], weights: bool) -> None:
    """Raise ModelError where two adapters, each a name and that of its base, have not one base;
    without `weights` those of a base in a store are not looked at."""
    (name, base), (other_name, other_base) = first, other
    if base == other_base or left_out(base, weights) or left_out(other_base, weights):
        return
    if not base_digest(base) or base_digest(base) != base_digest(other_base):
        raise ModelError(
            f"{name} adapts {base}, and {other_name} adapts {other_base}: adapters on top of each "
            "other have one base",
            f"Name {other_name} alone where it was trained on a merged model, or set base_model",
        )


def check_settings(name: str, quantization: str, settings: Mapping[str, Any], where: str) -> None:
    """Raise ModelError where several adapters cannot be merged, by the `quantization` of their base
    or the LLaMA-Factory `settings` at `where`."""
    given = next((setting for setting in _UNMERGED if settings.get(setting)), "")
    why = f"{where}.{given} is set" if given else f"its base is quantized ({quantization})"
    if given or quantization:
        raise ModelError(
            f"{name}: several adapters are merged one after the other, which is not possible where "
            f"{why}",
            f"Leave {given} out" if given else "Name the base as it was before",
        )
