"""What is said of the answers of one checkpoint, by the scoring stage that has the metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay import progress, scoring, store
from assay.cases import cluster_numbers
from assay.checkpoints.answers import ANSWERS
from assay.checkpoints.settings import Selecting
from assay.folder import LIKELIHOOD, PREDICTIONS
from assay.judge import JudgeSettings
from assay.records import Likelihood, Sample, Score, Verdict
from assay.scoring import JUDGING
from assay.stats import SideScores, collect


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One checkpoint's `scores` by the metric, and its mean loss of the targets."""

    scores: SideScores
    eval_loss: float | None


def of(
    by: Selecting,
    folder: Path,
    samples: Path,
    rows: list[Sample],
    checkpoints: int,
    listen: progress.Listener,
) -> Scored:
    """Return the scores of the checkpoint whose answers are in `folder`, one of so many. Raises as
    the scoring stage does."""
    likely = list(store.read_rows(folder / LIKELIHOOD, Likelihood))
    given: Iterable[Score] = likely
    if by.scorer:
        given = _scored(by, folder, samples, checkpoints, listen)
    losses = [row.values["eval_loss"] for row in likely if "eval_loss" in row.values]
    return Scored(
        scores=_collected(by.by, given, rows),
        eval_loss=sum(losses) / len(losses) if losses else None,
    )


def train_losses(path: Path) -> dict[int, float]:
    """Return the training's loss by its step, as far as it was logged."""
    rows = store.tail(path)() if path.is_file() else []
    return {row["current_steps"]: row["loss"] for row in rows if "loss" in row}


def _scored(
    by: Selecting, folder: Path, samples: Path, checkpoints: int, listen: progress.Listener
) -> list[Score]:
    scorer = scoring.named(by.scorer)
    settings: Any = by.settings
    if isinstance(settings, JudgeSettings):  # together they cost no more than it says
        settings = replace(settings, max_cost=settings.max_cost / checkpoints)
    answers = {"candidate": folder / ANSWERS / PREDICTIONS}

    def named(event: progress.Progress) -> None:
        listen(replace(event, side=folder.name))

    scorer.score(samples, answers, folder, settings, listen=named)
    kind = Verdict if scorer == JUDGING else Score
    return list(store.read_rows(folder / ANSWERS / scorer.rows, kind))


def _collected(name: str, given: Iterable[Score], rows: list[Sample]) -> SideScores:
    import numpy as np

    positions: Mapping[str, int] = {row.id: place for place, row in enumerate(rows)}
    found = collect(positions, given, cluster_numbers([row.cluster for row in rows]))
    nothing = np.full(len(rows), np.nan)
    return replace(found, values={name: found.values.get(name, nothing)})
