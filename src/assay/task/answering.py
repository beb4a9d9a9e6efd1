"""The tasks that have a side's model answer, all samples or a share of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay import generate as generating
from assay import given, merging, progress, served
from assay.errors import AssayError
from assay.folder import SAMPLES
from assay.records import Generation, Side
from assay.settings import build
from assay.share import WHOLE, Share
from assay.task.handover import whole


def generate(
    *,
    side: str,
    model: str,
    settings: Mapping[str, Any],
    base_model: str,
    samples: Path,
    out: Path,
    place: str,
    listen: progress.Listener,
    share: Share = WHOLE,
) -> Generation:
    """Answer the samples, or a share of them, with one side's model; `place` is where the
    predictions go."""
    asked = build(generating.GenerateSettings, whole(settings), "generate")
    behind = elsewhere(side, model)
    if isinstance(behind, given.GivenAnswers):
        own: Side = "candidate" if side == "candidate" else "baseline"
        return given.generate(samples, out, asked, side=own, listen=listen)
    if behind:
        where = "model" if side == "candidate" else side
        files = samples / SAMPLES, out
        return served.generate(behind, *files, asked, side=side, where=where, listen=listen)
    return generating.generate(
        model,
        samples / SAMPLES,
        out,
        asked,
        base_model=base_model,
        side=side,
        place=place,
        share=share,
        listen=listen,
    )


def elsewhere(side: str, model: str) -> served.ServedModel | given.GivenAnswers | None:
    """Return the model of a side, as a task is given it, where it is behind an endpoint, or its
    answers are in a file."""
    read: served.Named = served.read(model, "model" if side == "candidate" else "baseline")
    return None if isinstance(read, str) else read


def merge(
    *,
    side: str,
    model: str,
    settings: Mapping[str, Any],
    base_model: str,
    samples: Path,
    parts: Sequence[Path],
    out: Path,
    place: str,
) -> Generation:
    """Put the folders of all shares of a side's answers together; `place` is where they go."""
    return merging.merge(
        model,
        samples / SAMPLES,
        parts,
        out,
        build(generating.GenerateSettings, whole(settings), "generate"),
        base_model=base_model,
        side=side,
        place=place,
    )


def take(
    *,
    side: str,
    model: str,
    settings: Mapping[str, Any],
    base_model: str,
    samples: Path,
    out: Path,
    accelerated: bool | None,
    listen: progress.Listener,
) -> Generation | None:
    """Put what an earlier run answered to the same into `out`, where it is kept, before anything
    is asked for that could answer. What cannot be looked at here may be seen by who does."""
    asked = build(generating.GenerateSettings, whole(settings), "generate")
    try:
        return generating.take(
            model,
            samples / SAMPLES,
            out,
            asked,
            base_model,
            side,
            listen,
            accelerated=accelerated,
        )
    except AssayError as error:
        print(f"{side}: no earlier answers were looked for: {error.what}", flush=True)
        return None
