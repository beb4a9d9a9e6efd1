"""A choice among checkpoints, for the tests of what is shown of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from assay import store
from assay.checkpoints import CheckpointScore, Selected
from assay.checkpoints.choice import rank
from assay.folder import CHECKPOINTS, MODEL
from assay.metrics import CATALOGUE
from assay.stats import SideScores

MEANS = {20: 38.0, 40: 46.0, 60: 49.0, 80: 51.0, 100: 44.0}


def selected(metric: str = "rouge-l", means: Mapping[int, float] = MEANS) -> Selected:
    """Return what a choice by an auto-metric over 60 samples leaves."""
    spec, rng = CATALOGUE[metric].spec, np.random.default_rng(5)
    hard = rng.normal(0, 18, 60)
    scores = {
        step: np.clip(mean + hard + rng.normal(0, 9, 60), 0, 100) for step, mean in means.items()
    }
    ranking = rank({step: _side(metric, values) for step, values in scores.items()}, spec)
    losses = {step: 1.2 + 6 / step + 0.00008 * (step - 60) ** 2 for step in means}
    return Selected(
        metric=metric,
        group=spec.group,
        direction=spec.direction,
        samples=60,
        dataset_hash="0" * 64,
        chosen=ranking.best,
        shared=ranking.shared,
        alike=ranking.alike,
        scored=tuple(
            CheckpointScore(
                step=step,
                n=ranking.metrics[step].n,
                value=ranking.metrics[step].value,
                low=ranking.metrics[step].low,
                high=ranking.metrics[step].high,
                eval_loss=losses[step],
                train_loss=1.1 + 8 / step,
                difference=each.difference if each else None,
                difference_low=each.low if each else None,
                difference_high=each.high if each else None,
                p=each.p if each else None,
            )
            for step in means
            for each in [ranking.differences.get(step)]
        ),
    )


def choose_in(run: Path, choice: Selected | None = None) -> Selected:
    """Have the run folder say that a checkpoint was chosen, and return how."""
    choice = choice or selected()
    store.write_json(run / MODEL / CHECKPOINTS, choice)
    return choice


def _side(metric: str, values: np.ndarray) -> SideScores:
    return SideScores(samples=len(values), values={metric: values}, causes={})
