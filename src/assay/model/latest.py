"""PREFIX/latest: the newest model under a prefix."""

from __future__ import annotations

from assay import store
from assay.errors import ModelError
from assay.model.place import ADAPTER, CONFIG
from assay.model.several import apart, joined, names

LATEST = "latest"
_MARKERS = (CONFIG, ADAPTER)


def newest(name: str) -> str:
    """Return the model that `name` means: PREFIX/latest is the model under PREFIX that was
    finished last, unless there is something of that name; any other name is itself, and of several
    adapters each is what it means.

    Raises ModelError and StoreError.
    """
    return joined([_newest(part) for part in names(name)])


def _newest(name: str) -> str:
    prefix = _prefix_of_latest(name)
    if not prefix or store.exists(name):
        return name
    latest = store.newest(prefix, _MARKERS)
    if not latest:
        raise ModelError(f"there is no model under {prefix}", "Correct it, or wait for the first")
    return latest


def is_latest_of(asked: str, model: str) -> bool:
    """Return whether `asked` is the PREFIX/latest of a prefix that `model` lies under."""
    parts, meant = apart(asked), apart(model)
    return len(parts) == len(meant) and all(map(_may_mean, parts, meant)) and asked != model


def _may_mean(asked: str, model: str) -> bool:
    prefix = _prefix_of_latest(asked)
    return asked == model or bool(prefix and model.startswith(f"{prefix}/"))


def _prefix_of_latest(name: str) -> str:
    """Return the prefix of PREFIX/latest, "" for any other name."""
    prefix, _, last = name.rstrip("/").rpartition("/")
    return prefix if last == LATEST else ""
