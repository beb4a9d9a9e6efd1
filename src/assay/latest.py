"""`PREFIX/latest`: the newest model under a prefix, for evaluations that recur."""

from __future__ import annotations

from assay import store
from assay.errors import ModelError

LATEST = "latest"
MARKERS = ("config.json", "adapter_config.json")


def resolve(name: str) -> str:
    """Return the model that `name` means: PREFIX/latest is the model under PREFIX that was
    finished last, unless there is something of that name; any other name is itself.

    Raises ModelError and StoreError.
    """
    prefix, _, last = name.rstrip("/").rpartition("/")
    if last != LATEST or not prefix or store.exists(name):
        return name
    found = store.newest(prefix, MARKERS)
    if not found:
        raise ModelError(f"there is no model under {prefix}", "Correct it, or wait for the first")
    return found
