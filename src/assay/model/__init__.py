"""What a model is on disk, and the proof that it is the one it claims to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from assay import hub, progress, store
from assay.errors import ModelError, check_all
from assay.folder import MANIFEST
from assay.model import adapter, base, files, several, words
from assay.model.place import ADAPTER, CONFIG, base_digest, check_hub_id, left_out, local
from assay.model.several import apart, joined, names
from assay.records import ModelManifest

LATEST = "latest"
_MARKERS = (CONFIG, ADAPTER)

__all__ = [
    "LATEST",
    "Model",
    "apart",
    "base_digest",
    "check_merge",
    "check_whole",
    "check_words",
    "content",
    "fetch",
    "is_latest_of",
    "joined",
    "local",
    "names",
    "newest",
    "on_base",
    "pinned",
    "quantization",
    "read_manifest",
    "remarks",
    "resolve",
    "tuned_from",
]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model ready to load: `base` is a directory or hub id, `adapter` a directory or "".

    `name` and `base_name` are what the user calls it and its base: directory, URI or hub id, which
    once it is pinned has its commit. `digest` is over the weights that make it this model: the
    adapter's, else the base's; of a hub id it is that commit, "" where there is none. `seed` is
    that of its fine-tune, None where it is not known: what loading draws at random has to be what
    training drew.
    Of several adapters on top of each other each is one of `over`, in their order; `name` and
    `adapter` name all of them, with commas between, and `manifest` is that of the last with one.
    """

    name: str
    base: str
    base_name: str
    adapter: str = ""
    digest: str = ""
    seed: int | None = None
    manifest: ModelManifest | None = None
    over: tuple[Model, ...] = ()

    @property
    def each(self) -> tuple[Model, ...]:
        """The adapters that it has on top of each other, each by itself, or else itself."""
        return self.over or (self,)

    @property
    def revision(self) -> str:
        """Return the revision of the base that is loaded from a hub, "" where none is named."""
        named, revision = hub.split(self.base_name)
        return revision if named == self.base else ""


def resolve(name: str, base_model: str = "", *, weights: bool = True) -> Model:
    """Return the model that `name` (a directory, an s3:// or minio:// URI, or a hub id) stands for,
    or the adapters on top of each other whose names have commas between them.

    `base_model` is the base of an adapter whose own record of it does not hold here. A URI's model
    is copied to this machine, once; without `weights` all but those, so that there is no digest.
    Raises ModelError when a directory is missing, holds no model, was changed since its fine-tune,
    or is an adapter of another base, and StoreError for a URI.
    """
    parts = names(name)
    if len(parts) > 1:
        return _on_top_of_each_other(name, parts, base_model, weights)
    directory = Path(local(name, weights=weights))
    if not directory.exists():
        return _hub_model(name)
    if not directory.is_dir():
        raise ModelError(f"{name} is a file, not a model directory", "Name the directory")
    manifest = read_manifest(directory)
    digest = "" if left_out(name, weights) else store.digest_weights(directory)
    if manifest and manifest.digest != digest and not left_out(name, weights):
        raise ModelError(
            f"{name}: the weights ({digest[:12]}) are not those that were fine-tuned "
            f"({manifest.digest[:12]})",
            "Restore the directory, or fine-tune again",
        )
    seed = _seed_of(manifest)
    if (directory / ADAPTER).is_file():
        adapter.check(name, directory, seed)
        several.check_path(name, directory)
        below = base.of_adapter(name, directory, manifest, base_model, weights)
        return Model(
            name=name,
            base=below if left_out(below, weights) else local(below),
            base_name=below,
            adapter=str(directory),
            digest=digest,
            seed=seed,
            manifest=manifest,
        )
    if not (directory / CONFIG).is_file():
        raise ModelError(
            f"{name} holds no model: neither {CONFIG} nor {ADAPTER}",
            "Name the directory that the fine-tune wrote",
        )
    return Model(
        name=name,
        base=str(directory),
        base_name=name,
        digest=digest,
        seed=seed,
        manifest=manifest,
    )


def pinned(model: Model, loading: Mapping[str, Any]) -> Model:
    """Return the model with the commit of what is loaded from a hub, by LLaMA-Factory's settings
    `loading`, where it has none yet. Raises ModelError as `hub.pinned`."""
    base_name = hub.pinned(model.base_name, loading)
    if model.adapter:
        return on_base(model, base_name)
    return _hub_model(base_name) if base_name != model.base_name else model


def on_base(model: Model, base_name: str) -> Model:
    """Return the adapter, or those on top of each other, with their base by that name."""
    over = tuple(replace(each, base_name=base_name) for each in model.over)
    return replace(model, base_name=base_name, over=over)


def _on_top_of_each_other(
    name: str, parts: tuple[str, ...], base_model: str, weights: bool
) -> Model:
    over = tuple(resolve(part, base_model, weights=weights) for part in parts)
    for each in over:
        several.check_adapter(each.name, each.adapter)
        several.check_base((over[0].name, over[0].base_name), (each.name, each.base_name), weights)
    return replace(
        over[0],
        name=name,
        adapter=joined([each.adapter for each in over]),
        digest=several.digest([each.digest for each in over]),
        seed=over[-1].seed,
        manifest=next((each.manifest for each in reversed(over) if each.manifest), None),
        over=over,
    )


def fetch(name: str, listen: progress.Listener = progress.ignore) -> None:
    """Have the model `name`, and each of several adapters, on this machine. Raises StoreError."""
    for part in names(name):
        local(part, listen)


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


def check_whole(model: Model) -> None:
    """Raise InputError, a line for each problem, where the folders of a model lack a file that
    loading it takes, or have one that is cut off. Weights in a store are not fetched for it."""
    checks = (partial(files.check, name, adapter=each) for name, each in _folders(model).items())
    check_all(*checks)


def check_words(model: Model, settings: Mapping[str, Any], where: str) -> None:
    """Raise ModelError where an adapter was tuned with more tokens than its base has, and the
    LLaMA-Factory `settings` at `where`, by which it is loaded, add none."""
    for each in model.each:
        if each.adapter:
            words.check(each.name, each.adapter, model.base, settings, where)


def check_merge(model: Model, settings: Mapping[str, Any], where: str) -> None:
    """Raise ModelError where a model has several adapters that could not be merged as the
    LLaMA-Factory `settings` at `where` have it loaded."""
    if model.over:
        several.check_settings(model.name, quantization(model), settings, where)


def remarks(model: Model, settings: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield what is worth knowing of a model that is loaded by the LLaMA-Factory `settings` at
    `where`, and refuses nothing. Raises InputError."""
    for name, tuned in _folders(model).items():
        for file in files.pickles(name, adapter=tuned):
            yield (
                f"{name} has pickled weights ({file}): tensors alone are read from them, nothing "
                "in them is run"
            )
    for each in model.each:
        if each.adapter and not each.manifest:
            yield from _of_foreign(each, settings, where)


def _of_foreign(model: Model, settings: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield what is worth knowing of an adapter that Assay did not train."""
    if recorded := base.unproven(model.adapter, model.base_name):
        yield (
            f"{model.name} names {recorded} as its base, which is not here: {model.base_name} is "
            "known only to have layers of the same shapes"
        )
    added = words.find(model.adapter, model.base)
    if added and added.words and not added.words.keys() & settings.keys():
        yield (
            f"{model.name} has tokens that its base lacks. Unless its template adds them, set "
            f"{where}: {{{added.settings}}}"
        )


def quantization(model: Model) -> str:
    """Return how the weights of a model, or of its base, are quantized: "" for not at all."""
    return files.quantization(model.base_name)


def _folders(model: Model) -> dict[str, bool]:
    """Return the folders of a model, and whether each is an adapter's."""
    return {model.base_name: False, **{each.name: bool(each.adapter) for each in model.each}}


def tuned_from(model: Model, base_model: str = "") -> str:
    """Return what a model was tuned from, "" where nothing says so; `base_model` is where that is
    now. Raises ModelError where it is gone or is another model, and StoreError."""
    if model.adapter:
        return model.base_name
    return base.of_full(model.name, model.manifest, base_model) if model.manifest else ""


def content(name: str) -> str:
    """Return what all files of the model `name`, a directory or URI, are known by: it changes with
    any of them, and those in a store are not fetched for it. A hub id is known by its commit: ""
    without one. Raises StoreError."""
    parts = [_content(part) for part in names(name)]
    return joined(parts) if all(parts) else ""


def _content(name: str) -> str:
    if store.is_remote(name):
        return store.version(name)
    if hub.commit(name):
        return name
    directory = Path(name)
    return store.digest_files(directory) if directory.is_dir() else ""


def read_manifest(directory: Path) -> ModelManifest | None:
    """Return the manifest in a model directory, or None where Assay did not write the model."""
    path = directory / MANIFEST
    return store.read_record(path, ModelManifest) if path.is_file() else None


def _hub_model(name: str) -> Model:
    check_hub_id(name)
    return Model(name=name, base=local(name), base_name=name, digest=hub.commit(name))


def _seed_of(manifest: ModelManifest | None) -> int | None:
    seed = manifest.settings.get("seed") if manifest else None
    return seed if isinstance(seed, int) else None
