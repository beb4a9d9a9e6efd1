"""A model ready to load."""

from __future__ import annotations

from dataclasses import dataclass, replace

from assay import hub
from assay.records import ModelManifest


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model ready to load: `base` is a directory or hub id, `adapter` a directory or "".

    `name` and `base_name` are what the user calls it and its base: directory, URI or hub id, which
    once it is pinned has its commit. `digest` is over the weights that make it this model: the
    adapter's, else the base's; of a hub id it is that commit, "" where there is none. `base_digest`
    is that of the folder that an adapter is loaded on, "" of a hub id and of a whole model. `seed`
    is that of its fine-tune, None where it is not known: what loading draws at random has to be
    what training drew.
    Of several adapters on top of each other each is one of `over`, in their order; `name` and
    `adapter` name all of them, with commas between, and `manifest` is that of the last with one.
    """

    name: str
    base: str
    base_name: str
    adapter: str = ""
    digest: str = ""
    base_digest: str = ""
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


def on_base(model: Model, base_name: str) -> Model:
    """Return the adapter, or those on top of each other, with their base by that name."""
    over = tuple(replace(each, base_name=base_name) for each in model.over)
    return replace(model, base_name=base_name, over=over)
