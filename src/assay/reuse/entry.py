"""Which entry the answers to a question belong in: a key over all that they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assay import model, store
from assay.engine.device import CPU
from assay.errors import SettingsError
from assay.llamafactory.job import GenerateJob
from assay.model import Model

NONE = "none"
ACCELERATOR = "accelerator"
FORM = 3  # raise it where the same question comes to other answers, or an entry to other files
_SAID_APART = ("base", "base_name", "base_digest", "config_digest", "adapter", "digest", "engine")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where in `cache` the answers of `model` to `job` belong, by their `key`; "" where no key can
    be sure of them, because of `doubt`."""

    cache: str
    model: Model
    job: GenerateJob
    key: str
    doubt: str = ""

    def uri(self, device: str) -> str:
        """Return the entry's file for the kind of `device`: an accelerator's numbers are not a
        CPU's."""
        kind = CPU if device == CPU else ACCELERATOR
        return f"{self.cache.rstrip('/')}/{self.key}-{kind}.zip"


def check(cache: str) -> None:
    """Raise SettingsError or StoreError for a `cache` that can be no folder or prefix."""
    if "://" not in cache:
        if Path(cache).exists() and not Path(cache).is_dir():
            raise SettingsError(f"generate.cache = {cache} is a file", "Name a folder")
        return
    if not store.is_remote(cache):
        raise SettingsError(
            f"generate.cache = {cache} lies in no store that can be written",
            "Name a folder, or a prefix by s3:// or minio://",
        )
    store.locate(cache)


def find(cache: str, of: Model, job: GenerateJob) -> Entry | None:
    """Return the entry for the answers of a model to a job, None where there is no `cache`. Raises
    StoreError where the model's files cannot be looked at, and MissingExtraError."""
    if cache in ("", NONE):
        return None
    doubt = _doubt(of, job)
    return Entry(cache=cache, model=of, job=job, key="" if doubt else key_of(of, job), doubt=doubt)


def _doubt(of: Model, job: GenerateJob) -> str:
    """Why no key can be sure of the answers: what the model is may change under its name."""
    if job.settings["llamafactory"].get("trust_remote_code"):
        return "trust_remote_code runs code that may change"
    for name in _named(of).values():
        if not model.content(name):
            return f"{name} is a hub id without a commit (40 hexadecimal digits)"
    return ""


def _named(of: Model) -> dict[str, str]:
    return {"model": of.name, **({"base": of.base_name} if of.adapter else {})}


def key_of(of: Model, job: GenerateJob) -> str:
    """Return the sha256 of all that the answers depend on: what the models hold, wherever they lie,
    and everything else of the job; what files its settings name; which engine answers."""
    asked = {name: value for name, value in vars(job).items() if name not in _SAID_APART}
    everything = {
        "form": FORM,
        "engine": job.engine,
        "models": {part: model.content(name) for part, name in _named(of).items()},
        "files": dict(_files(job)),
        "asked": asked,
    }
    plain = json.loads(store.to_json(everything))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _files(job: GenerateJob) -> Iterator[tuple[str, str]]:
    for name, value in job.settings["llamafactory"].items():
        path = Path(value) if isinstance(value, str) and _exists(value) else None
        if path:
            held = path.read_bytes() if path.is_file() else store.digest_files(path).encode()
            yield name, hashlib.sha256(held).hexdigest()


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # too long for a file's name
        return False
