"""Models of a hub by their id, and the commit that one of their revisions is.

A branch moves and a commit does not: OWNER/NAME, or OWNER/NAME@REVISION, is pinned once, as
OWNER/NAME@COMMIT, and whatever is done later, in any process or pod, loads that. It is asked here
without the hub's own packages, which are not where a run is planned.
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from assay.errors import ModelError

_COMMIT = re.compile("[0-9a-f]{40}")
_ON = ("1", "on", "true", "y", "yes")
_SECONDS = 30.0
_TRIES, _WAIT_SECONDS = 3, 1.0


class _UnreachableError(Exception):
    """The hub gives no answer, or none that says anything of the model."""


def is_id(name: str) -> bool:
    """Return whether `name` could be a model of the hub: owner/name, or owner/name@revision."""
    owner, _, model = name.partition("@")[0].partition("/")
    named = owner and model and not {"/", ","} & set(model)
    return bool(named) and not owner.startswith((".", "~"))


def split(name: str) -> tuple[str, str]:
    """Return the id and the revision that `name` is of a model of the hub; any other name, such as
    that of a folder here, has no revision ("")."""
    if "@" not in name or "://" in name or not is_id(name) or _exists(name):
        return name, ""
    model, _, revision = name.partition("@")
    return model, revision


def commit(name: str) -> str:
    """Return the commit in a name that is pinned, "" for any other name."""
    revision = split(name)[1]
    return revision if _COMMIT.fullmatch(revision) else ""


def pinned(name: str, loading: Mapping[str, Any]) -> str:
    """Return the hub id `name` with the commit that its revision is now, any other name as it is.

    `loading` are LLaMA-Factory's settings, of which model_revision is the revision of a name
    without one, and cache_dir where an offline machine has its models. Raises ModelError where the
    hub does not know the model, or cannot be asked and none of it is here."""
    if "://" in name or not is_id(name) or _exists(name) or commit(name):
        return name
    model, revision = split(name)
    revision = revision or str(loading.get("model_revision") or "")
    if not _COMMIT.fullmatch(revision):
        revision = _found(model, revision, str(loading.get("cache_dir") or ""))
    return f"{model}@{revision}"


def _found(model: str, revision: str, cache: str) -> str:
    other = _on("USE_MODELSCOPE_HUB")
    revision = revision or "main"
    try:
        return _modelscope(model, revision) if other else _hugging_face(model, revision)
    except _UnreachableError as error:
        kept = "" if other else _kept(model, revision, cache)
        if kept:
            return kept
        raise ModelError(
            f"the hub does not say which commit {model} is at {revision}: {error}",
            f"Check that it can be reached, or name the commit: {model}@COMMIT, its 40 digits",
        ) from None


def _hugging_face(model: str, revision: str) -> str:
    if _on("HF_HUB_OFFLINE") or _on("TRANSFORMERS_OFFLINE"):
        raise _UnreachableError("HF_HUB_OFFLINE is set, and no download of it is here")
    hub = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    address = f"{hub}/api/models/{model}/revision/{quote(revision, safe='')}"
    return _checked(_asked(address, _token(), model, revision).get("sha"))


def _modelscope(model: str, revision: str) -> str:
    hub = os.environ.get("MODELSCOPE_ENDPOINT", "").rstrip("/") or "https://www.modelscope.cn"
    branch = "master" if revision == "main" else revision  # as LLaMA-Factory has it
    address = f"{hub}/api/v1/models/{model}/repo/files?Revision={quote(branch, safe='')}"
    told = _asked(address, os.environ.get("MODELSCOPE_API_TOKEN", ""), model, revision)
    latest = (told.get("Data") or {}).get("LatestCommitter") or {}
    return _checked(latest.get("Id"))


def _asked(address: str, token: str, model: str, revision: str) -> dict[str, Any]:
    """Return the object that the hub answers."""
    request = urllib.request.Request(address)  # noqa: S310  the user's own hub
    if token:  # for this address only, wherever it leads to
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    reason: object = ""
    for number in range(_TRIES):
        time.sleep(_WAIT_SECONDS * bool(number))
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
                told = json.loads(response.read())
        except urllib.error.HTTPError as error:
            if error.code in (401, 403, 404):
                raise ModelError(
                    f"the hub has no model {model} at {revision} for this token "
                    f"(status {error.code})",
                    "Correct the id or the revision, or set HF_TOKEN to a token that may read it",
                ) from None
            reason = f"status {error.code}"
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
        else:
            return told if isinstance(told, dict) else {}
    raise _UnreachableError(str(reason) or type(reason).__name__)


def _token() -> str:
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    kept = Path(os.environ.get("HF_TOKEN_PATH") or home / "token").expanduser()
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token and kept.is_file():
        token = kept.read_text(encoding="utf-8").strip()
    return token


def _kept(model: str, revision: str, cache: str) -> str:
    """Return the commit of what was downloaded of a revision, as huggingface_hub keeps it, "" where
    nothing was."""
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    folder = Path(cache or os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    own = folder / f"models--{model.replace('/', '--')}"
    path = own / "refs" / revision
    if ".." in Path(revision).parts or not path.is_file():
        return ""
    found = path.read_text(encoding="utf-8").strip()
    return found if _COMMIT.fullmatch(found) and (own / "snapshots" / found).is_dir() else ""


def _checked(found: object) -> str:
    if isinstance(found, str) and _COMMIT.fullmatch(found):
        return found
    raise _UnreachableError("its answer names no commit")


def _on(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in _ON


def _exists(name: str) -> bool:
    return os.path.lexists(name)
