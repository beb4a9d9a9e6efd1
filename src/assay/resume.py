"""What an earlier try has done is taken up only by the same work, and dropped only where that is
asked for: a GPU has worked for it, or it was paid for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from assay import store
from assay.errors import SettingsError
from assay.settings import Difference, differences

IDENTITY = "identity.json"
_ANEW = ContextVar("anew", default=False)
_MOST_NAMED = 4
_NONE: Mapping[str, str] = {}
_KEPT_SINCE = ("base_digest", "config_digest")
_WORDS = {
    "engine": "generate.engine",
    "digest": "digest of the weights",
    "base_digest": "digest of the base's weights",
    "config_digest": "digest of the files beside the weights",
    "dataset_hash": "hash of the samples",
    "samples": "hash of the samples",
}


@contextmanager
def anew(*, wanted: bool = True) -> Iterator[None]:
    """While the block runs, other work that was done is dropped, where that is `wanted`."""
    token = _ANEW.set(wanted)
    try:
        yield
    finally:
        _ANEW.reset(token)


def nothing(_: Path) -> str:
    """Return what of a folder is not to be lost: nothing."""
    return ""


def take_up(
    identity: Path,
    wanted: Any,
    held: Callable[[Path], str] = nothing,
    names: Mapping[str, str] = _NONE,
    moving: Collection[str] = (),
) -> None:
    """Keep the folder of the file `identity` where that file holds `wanted`, a record or JSON
    value that says all that its contents depend on but for where something is, whose places are
    `moving`; otherwise begin it anew with that file.

    Raises SettingsError where the folder has what is not to be lost, which `held` says, "" for
    none; `names` are as in `refuse`.
    """
    folder = identity.parent
    plain = json.loads(store.to_json(wanted))
    if folder.exists():
        earlier = _of_now(store.read_json(identity), plain) if identity.is_file() else None
        if earlier != plain:
            if earlier is not None:
                if is_same(earlier, plain, moving):
                    return
                refuse(folder, held(folder), earlier, plain, names)
            shutil.rmtree(folder)
    store.write_json(identity, plain)


def _of_now(earlier: Any, wanted: Any) -> Any:
    """Return the `earlier` identity with what a later version keeps: nothing says that it was
    another."""
    if not (isinstance(earlier, dict) and isinstance(wanted, dict)):
        return earlier
    return {**{name: wanted[name] for name in _KEPT_SINCE if name in wanted}, **earlier}


def is_same(earlier: Any, wanted: Any, moving: Collection[str]) -> bool:
    """Return whether two pieces of work are the same but for the places that are `moving`, which
    make it other work only where it is to begin anew."""
    if earlier == wanted or not moving or _ANEW.get():
        return bool(earlier == wanted)
    found = {each.name for each in differences(earlier, wanted)}
    return bool(found) and found <= set(moving)


def refuse(
    folder: Path, held: str, earlier: Any, wanted: Any, names: Mapping[str, str] = _NONE
) -> None:
    """Raise SettingsError where `folder` has what is `held` of `earlier` work, "" for none, and
    other work is `wanted`, unless it is to begin anew. `names` say what the values that differ are
    called, by the beginning of their place."""
    if not held or _ANEW.get():
        return
    found = [_named(each, names) for each in differences(earlier, wanted)]
    # what follows from a setting that somebody has set says no more
    found = [each for each in found if "." in each.name and not _is_ours(each)] or found
    more = f", and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    raise SettingsError(
        f"{folder} holds {held} of another {', '.join(map(str, found[:_MOST_NAMED]))}{more}",
        "Set it back, begin another run, or add --anew to have them made anew",
    )


def _is_ours(found: Difference) -> bool:
    return found.name.startswith("versions.")


def _named(found: Difference, names: Mapping[str, str]) -> Difference:
    place = next((place for place in names if found.name.startswith(f"{place}.")), "")
    name = f"{names[place]}{found.name.removeprefix(place)}" if place else found.name
    return Difference(name=_WORDS.get(name, name), left=found.left, right=found.right)
