"""A model as LLaMA-Factory loads it, and the proof that it is the one that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from assay import hub
from assay.engine import canary, precision
from assay.errors import StageError
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import ANSWERING, Coder
from assay.llamafactory.readable import accepted, readable
from assay.llamafactory.whole import ADAPTER, whole


def load(job: GenerateJob, coder: Coder) -> Any:
    """Return the model of a job. Raises StageError and ModelError as `proven`."""
    from llamafactory.model import load_model
    from transformers import set_seed

    set_seed(job.load_seed)  # as training did: PiSSA's decomposition of the base is random
    tokenizer = coder.reading.tokenizer
    with proven(job, coder), accepted(ANSWERING, job.settings["llamafactory"]):
        return load_model(tokenizer, coder.model, coder.finetuning, is_trainable=False)


@contextmanager
def proven(job: GenerateJob, coder: Coder, *, asked: bool = True) -> Iterator[None]:
    """Look at the model that LLaMA-Factory loads in the body, while it has the base without the
    adapter, which it merges. Raises StageError where the base is of another commit or precision
    than was asked for, or, unless it is not to be `asked`, the adapter does not act; ModelError
    where it or the adapter lacks weights."""
    from llamafactory.model import loader

    apply = loader.init_adapter

    def init_adapter(config: Any, model: Any, *arguments: Any) -> Any:
        _check_commit(job, model)
        precision.check(model, coder.model)
        if not job.adapter or not asked:
            return apply(config, model, *arguments)
        before = canary.logits(model, coder)
        with readable(job.adapter, "the adapter", ADAPTER):
            adapted = apply(config, model, *arguments)
        canary.check(job.adapters, before, canary.logits(adapted, coder))
        return adapted

    loader.init_adapter = init_adapter
    try:
        # of a model in parts transformers does not say it
        with precision.obeyed(), whole() if asked else nullcontext():
            yield
    finally:
        loader.init_adapter = apply


def _check_commit(job: GenerateJob, model: Any) -> None:
    """Refuse what a hub gave for a commit that it is not of; a folder has none."""
    asked, given = hub.commit(job.base_name), getattr(model.config, "_commit_hash", None)
    if asked and given and asked != given:
        raise StageError(
            f"{job.base_name} was asked for, and the hub gave its commit {given}",
            "Look at what answers for the hub (HF_ENDPOINT), or at its cache on this machine",
        )
