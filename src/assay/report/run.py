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
    answered,
    optional,
    optional_rows,
    optional_scores,
    read_answers,
    read_config,
    read_dataset,
    read_losses,
    rows_of,
    tally,
)
from assay.scoring import JUDGING, SCORERS
from assay.stats import SideScores, collect, joined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PANEL_SCORES = f"{PANEL}/{SCORES}"


@dataclass(frozen=True, kw_only=True)
class SideRun:
    """One side of a run: its folder's contents without the texts."""

    side: Side
    folder: Path
    generation: Generation
    answers: Answers
    scores: SideScores
    totals: tuple[Total, ...]
    specs: tuple[MetricSpec, ...]
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
    """A run folder, read. `lengths` are the characters of prompt and target of each sample."""

    folder: Path
    positions: Mapping[str, int]
    lengths: NDArray[np.int64]
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
    positions, lengths = read_dataset(folder / SAMPLES)
    sides = {side: _side(folder / side, side, positions) for side in SIDES if _has(folder, side)}
    manifest = folder / MODEL / MANIFEST
    return EvaluatedRun(
        folder=folder,
        positions=positions,
        lengths=lengths,
        baseline=sides.get("baseline"),
        candidate=sides["candidate"],
        manifest=store.read_record(manifest, ModelManifest) if manifest.exists() else None,
        losses=read_losses(folder / MODEL / LOSSES),
        config=read_config(folder / CONFIG),
        pairs=optional_scores(folder / PAIRS, Verdict, positions),
        pairing=optional(folder / PAIRING, PairSummary),
    )


def _has(folder: Path, side: Side) -> bool:
    return side == "candidate" or (folder / side).is_dir()


def _side(folder: Path, side: Side, positions: Mapping[str, int]) -> SideRun:
    generation = store.read_record(folder / GENERATION, Generation)
    answers = read_answers(folder / PREDICTIONS, positions)
    verdicts = folder / VERDICTS
    if not any((folder / scorer.rows).exists() for scorer in SCORERS):
        raise InputError(
            f"{folder} has neither scores.jsonl nor verdicts.jsonl",
            "Run `assay metrics` or `assay judge` first",
        )
    judging = Judging()
    return SideRun(
        side=side,
        folder=folder,
        generation=generation,
        answers=answers,
        scores=joined([_scores(path, positions, answers) for path in _files(folder)]),
        totals=(
            *optional_rows(folder / TOTALS, Total),
            *evaluation_totals(generation.results, len(positions)),
        ),
        specs=tuple(spec for path in _files(folder) for spec in _specs(path)),
        verdicts=collect(
            positions, tally(answered(verdicts, Verdict, positions, answers), positions, judging)
        ),
        judging=judging,
        judge=optional(folder / JUDGE, JudgeSummary),
        panel=tuple(_panel(folder / PANEL, positions)),
        combined=optional_scores(folder / PANEL_SCORES, PanelScore, positions),
        combining=optional(folder / PANEL / COMBINED, PanelSummary),
    )


def _files(folder: Path) -> list[Path]:
    """Return the files of scores of a side, but for the judge's, which are verdicts."""
    return [folder / scorer.rows for scorer in SCORERS if scorer != JUDGING]


def _scores(path: Path, positions: Mapping[str, int], answers: Answers) -> SideScores:
    return collect(positions, answered(path, Score, positions, answers))


def _specs(scores: Path) -> tuple[MetricSpec, ...]:
    return optional_rows(scores.with_name(SPECS), MetricSpec)


def _panel(folder: Path, positions: Mapping[str, int]) -> Iterator[tuple[JudgeSummary, SideScores]]:
    for path in sorted(folder.glob(f"*/{JUDGE}")):
        rows = rows_of(path.with_name(VERDICTS), Verdict, positions)
        yield store.read_record(path, JudgeSummary), collect(positions, rows)
