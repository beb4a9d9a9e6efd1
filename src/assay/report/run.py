"""Reads a run folder once, into arrays over the samples; the texts stay in the files until
`examples` asks for some of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay import store
from assay.errors import InputError
from assay.folder import (
    COMBINED,
    CONFIG,
    GENERATION,
    JUDGE,
    LABELS,
    LIKELIHOOD,
    LOSSES,
    MANIFEST,
    MODEL,
    PAIRING,
    PANEL,
    PREDICTIONS,
    SAMPLES,
    SCORES,
    SPECS,
    TOTALS,
    VERDICTS,
)
from assay.judge import PAIRS, JudgeSummary, PairSummary, PanelScore, PanelSummary
from assay.llamafactory.totals import evaluation_totals
from assay.records import (
    SIDES,
    Generation,
    MetricSpec,
    ModelManifest,
    Score,
    Side,
    Total,
    Verdict,
)
from assay.report.files import (
    Answers,
    Judging,
    Labels,
    Likelihoods,
    Samples,
    answered,
    optional,
    optional_rows,
    optional_scores,
    read_answers,
    read_config,
    read_dataset,
    read_labels,
    read_likelihood,
    read_losses,
    read_scores,
    tally,
    with_likelihood,
)
from assay.scoring import JUDGING, SCORERS
from assay.stats import SideScores, collect, joined
from assay.tags import Tags

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PANEL_SCORES = f"{PANEL}/{SCORES}"


@dataclass(frozen=True, kw_only=True)
class SideRun:
    """One side of a run: its folder's contents without the texts. `scores` holds those of the
    `likelihood` too, which is None where it was not kept for each sample; `labels` is None where no
    metric is of labels."""

    side: Side
    folder: Path
    generation: Generation
    answers: Answers
    scores: SideScores
    totals: tuple[Total, ...]
    specs: tuple[MetricSpec, ...]
    likelihood: Likelihoods | None
    labels: Labels | None
    verdicts: SideScores
    judging: Judging
    judge: JudgeSummary | None
    panel: tuple[tuple[JudgeSummary, SideScores], ...]
    combined: SideScores | None
    combining: PanelSummary | None

    @property
    def values(self) -> dict[str, NDArray[np.float64]]:
        """All per-sample scores, the auto-metrics' and the judge's."""
        return {**self.scores.values, **self.verdicts.values}


@dataclass(frozen=True, kw_only=True)
class EvaluatedRun:
    """A run folder, read. `lengths` are the characters of prompt and target of each sample,
    `clusters` the number of its cluster, None where each is its own, and `tags` those of all."""

    folder: Path
    positions: Mapping[str, int]
    lengths: NDArray[np.int64]
    clusters: NDArray[np.int64] | None
    tags: Tags
    baseline: SideRun | None
    candidate: SideRun
    manifest: ModelManifest | None
    losses: tuple[tuple[int, float, str], ...]
    config: Mapping[str, Any]
    pairs: SideScores | None
    pairing: PairSummary | None

    @property
    def judge(self) -> str:
        """The judge's model: the one that judged, else the one the configuration names, or ""."""
        for side in self.sides:
            if side.judge:
                return side.judge.model
        asked = self.config.get("judge")
        return str(asked.get("model", "")) if isinstance(asked, dict) else ""

    @property
    def scale(self) -> tuple[int, int]:
        """The lowest and the highest score of the judge's rubric; those of the built-in ones where
        nothing says."""
        return next((side.judge.scale for side in self.sides if side.judge), (1, 10))

    @property
    def sides(self) -> list[SideRun]:
        """Baseline, where there is one, then candidate."""
        return [side for side in (self.baseline, self.candidate) if side is not None]


def read(folder: Path) -> EvaluatedRun:
    """Return the run in `folder`. Raises InputError, by file and row, for what is missing or does
    not fit together."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a run folder", "Give the folder that a run wrote")
    samples = read_dataset(folder / SAMPLES)
    sides = {side: _side(folder / side, side, samples) for side in SIDES if _has(folder, side)}
    manifest = folder / MODEL / MANIFEST
    return EvaluatedRun(
        folder=folder,
        positions=samples.positions,
        lengths=samples.lengths,
        clusters=samples.clusters,
        tags=samples.tags,
        baseline=sides.get("baseline"),
        candidate=sides["candidate"],
        manifest=store.read_record(manifest, ModelManifest) if manifest.exists() else None,
        losses=read_losses(folder / MODEL / LOSSES),
        config=read_config(folder / CONFIG),
        pairs=optional_scores(folder / PAIRS, Verdict, samples),
        pairing=optional(folder / PAIRING, PairSummary),
    )


def _has(folder: Path, side: Side) -> bool:
    return side == "candidate" or (folder / side).is_dir()


def _side(folder: Path, side: Side, samples: Samples) -> SideRun:
    positions, clusters = samples.positions, samples.clusters
    generation = store.read_record(folder / GENERATION, Generation)
    answers = read_answers(folder / PREDICTIONS, positions)
    verdicts = folder / VERDICTS
    if not any((folder / scorer.rows).exists() for scorer in SCORERS):
        raise InputError(
            f"{folder} has neither scores.jsonl nor verdicts.jsonl",
            "Run `assay metrics` or `assay judge` first",
        )
    judging = Judging()
    own = joined([_scores(path, samples, answers) for path in _files(folder)])
    likelihood = read_likelihood(folder / LIKELIHOOD, samples)
    totals = [*optional_rows(folder / TOTALS, Total)]
    if likelihood is None:
        totals += evaluation_totals(generation.results, len(positions))
    return SideRun(
        side=side,
        folder=folder,
        generation=generation,
        answers=answers,
        scores=with_likelihood(own, likelihood),
        totals=tuple(totals),
        specs=tuple(spec for path in _files(folder) for spec in _specs(path)),
        likelihood=likelihood,
        labels=read_labels(folder / LABELS, positions),
        verdicts=collect(
            positions,
            tally(answered(verdicts, Verdict, positions, answers), positions, judging),
            clusters,
        ),
        judging=judging,
        judge=optional(folder / JUDGE, JudgeSummary),
        panel=tuple(_panel(folder / PANEL, samples)),
        combined=optional_scores(folder / PANEL_SCORES, PanelScore, samples),
        combining=optional(folder / PANEL / COMBINED, PanelSummary),
    )


def _files(folder: Path) -> list[Path]:
    """Return the files of scores of a side, but for the judge's, which are verdicts."""
    return [folder / scorer.rows for scorer in SCORERS if scorer != JUDGING]


def _scores(path: Path, samples: Samples, answers: Answers) -> SideScores:
    rows = answered(path, Score, samples.positions, answers)
    return collect(samples.positions, rows, samples.clusters)


def _specs(scores: Path) -> tuple[MetricSpec, ...]:
    return optional_rows(scores.with_name(SPECS), MetricSpec)


def _panel(folder: Path, samples: Samples) -> Iterator[tuple[JudgeSummary, SideScores]]:
    for path in sorted(folder.glob(f"*/{JUDGE}")):
        scores = read_scores(path.with_name(VERDICTS), Verdict, samples)
        yield store.read_record(path, JudgeSummary), scores
