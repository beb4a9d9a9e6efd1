"""The models of the checkpoints, one after the other: adapters on a base that is loaded once."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from assay import store
from assay.checkpoints.asked import CheckpointJobs
from assay.engine import canary
from assay.engine.loading import load
from assay.llamafactory.prompts import Coder, coder
from assay.llamafactory.whole import whole

# how an adapter can begin without taking a part out of the base's own weights
_ADDED = ("true", "false", "none", "gaussian", "eva", "orthogonal")


def can_share(folders: list[Path]) -> bool:
    """Return whether all of these are adapters that leave the base as it is: one that began with a
    part of it (PiSSA, OLoRA, CorDA, LoftQ) takes that part out of it when it is loaded."""
    return all((folder / "adapter_config.json").is_file() and _added(folder) for folder in folders)


def models(asked: CheckpointJobs, names: list[str]) -> Iterator[tuple[str, Coder]]:
    """Yield each of the `names` with the coder of its job, which has the model."""
    if asked.shared:
        yield from _on_one_base(asked, names)
        return
    for name in names:
        coding = coder(asked.jobs[name])
        yield name, replace(coding, loaded=load(asked.jobs[name], coding))
        gc.collect()  # the one before


def _on_one_base(asked: CheckpointJobs, names: list[str]) -> Iterator[tuple[str, Coder]]:
    from peft import PeftModel

    job = replace(next(iter(asked.jobs.values())), adapter="")
    coding = coder(job)
    base = load(job, coding)
    before = canary.logits(base, coding)
    for name in names:
        adapter = asked.jobs[name].adapter
        with whole():
            adapted = PeftModel.from_pretrained(base, adapter).eval()
        canary.check([adapter], before, canary.logits(adapted, coding))
        yield name, replace(coding, loaded=adapted)
        base = adapted.unload()  # nothing was merged: the weights are the base's, bit by bit


def _added(folder: Path) -> bool:
    config = store.read_json(folder / "adapter_config.json")
    return str(config.get("init_lora_weights", True)).lower() in _ADDED
