"""What an earlier try of a stage has published, found by its record, also when its Job is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay import store, task
from assay.errors import InputError
from assay.folder import GENERATION, MANIFEST
from assay.queues import Work
from assay.records import Generation, ModelManifest
from assay.text import flat

RECORDS = {"finetune": MANIFEST, "generate": GENERATION}


def found(work: Work) -> Mapping[str, Any] | None:
    """Return the metadata of what an earlier try of `work` has published, None where there is
    nothing, or, after a line that says why, where that cannot be seen from here."""
    try:
        metadata = _metadata(work)
    except InputError as error:
        print(flat(f"{work.stage}: not known whether it was done before: {error.what}"), flush=True)
        return None
    if metadata is not None:
        print(f"{work.stage}: done by an earlier try, which published {work.key}", flush=True)
    return metadata


def _metadata(work: Work) -> Mapping[str, Any] | None:
    if not all(store.exists(uri) for uri in work.outputs.values()):
        return None
    record = f"{[*work.outputs.values()][-1]}/{RECORDS[work.stage]}"
    if not store.exists(record):
        return None
    with store.fetched(record) as path:
        if work.stage == "finetune":
            return task.model_metadata(store.read_record(path, ModelManifest))
        return task.predictions_metadata(store.read_record(path, Generation))
