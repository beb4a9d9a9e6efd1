"""Reads a run folder once, into arrays over the samples; the texts stay in the files until
`examples` asks for some of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from assay import settings, store
from assay.errors import InputError
from assay.judge import PAIRS, JudgeSummary, PairSummary, PanelScore, PanelSummary
from assay.llamafactory.totals import evaluation_totals
from assay.records import (
    SIDES,
    Generation,
    ModelManifest,
    Prediction,
    Sample,
    Score,
    Side,
    Total,
    Verdict,
)
from assay.stats import SideScores, collect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COMBINED = "panel/scores.jsonl"
R = TypeVar("R", Prediction, Score, Verdict, PanelScore)
S = TypeVar("S", bound=Score)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """One side's predictions as arrays over the samples; `length` is in characters, -1 where
    there is no prediction, `thought` the same of what stood before the answer; equal outputs after
    equal thoughts have equal fingerprints."""

    length: NDArray[np.int64]
    thought: NDArray[np.int64]
    tokens: NDArray[np.int64]
    cut: NDArray[np.bool_]
    prompt_truncated: NDArray[np.bool_]
    fingerprint: NDArray[np.int64]


@dataclass(kw_only=True)
class Judging:
    """What the judging of one side took, summed over every verdict row."""

    attempts: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    commented: set[int] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class SideRun:
    """One side of a run: its folder's contents without the texts."""

    side: Side
    folder: Path
    generation: Generation
    answers: Answers
    scores: SideScores
    totals: tuple[Total, ...]
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
class Run:
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


def read(folder: Path) -> Run:
    """Return the run in `folder`. Raises InputError, by file and row, for what is missing or does
    not fit together."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a run folder", "Give the folder that a run wrote")
    positions, lengths = _dataset(folder / "dataset.jsonl")
    sides = {side: _side(folder / side, side, positions) for side in SIDES if _has(folder, side)}
    manifest = folder / "model" / "manifest.json"
    return Run(
        folder=folder,
        positions=positions,
        lengths=lengths,
        baseline=sides.get("baseline"),
        candidate=sides["candidate"],
        manifest=store.read_record(manifest, ModelManifest) if manifest.exists() else None,
        losses=_losses(folder / "model" / "trainer_log.jsonl"),
        config=_config(folder / "config.yaml"),
        pairs=_optional_scores(folder / PAIRS, Verdict, positions),
        pairing=_optional(folder / "pairs.json", PairSummary),
    )


def known(path: Path, cls: type[R], positions: Mapping[str, int]) -> Iterator[R]:
    """Yield the rows of `path`. Raises InputError for one whose id the dataset does not have."""
    for number, row in enumerate(store.read_rows(path, cls), 1):
        if row.id not in positions:
            raise InputError(
                f"{path}:{number}: id={row.id} is not in dataset.jsonl",
                "Evaluate again with this dataset, or restore the one that was evaluated",
            )
        yield row


def _has(folder: Path, side: Side) -> bool:
    return side == "candidate" or (folder / side).is_dir()


def _dataset(path: Path) -> tuple[dict[str, int], NDArray[np.int64]]:
    import numpy as np

    positions: dict[str, int] = {}
    lengths: list[int] = []
    for number, sample in enumerate(store.read_rows(path, Sample), 1):
        if sample.id in positions:
            raise InputError(f"{path}:{number}: id={sample.id} is there twice", "Remove one")
        positions[sample.id] = len(positions)
        text = sum(len(message.content) for message in sample.messages)
        lengths.append(text + len(sample.target) + len(sample.tools))
    if not positions:
        raise InputError(f"{path} is empty", "Evaluate at least one sample")
    return positions, np.array(lengths, dtype=np.int64)


def _side(folder: Path, side: Side, positions: Mapping[str, int]) -> SideRun:
    generation = store.read_record(folder / "generation.json", Generation)
    answers = _answers(folder / "predictions.jsonl", positions)
    scores, verdicts = folder / "scores.jsonl", folder / "verdicts.jsonl"
    if not scores.exists() and not verdicts.exists():
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
        scores=collect(positions, _answered(scores, Score, positions, answers)),
        totals=(
            *_totals(folder / "totals.jsonl"),
            *evaluation_totals(generation.results, len(positions)),
        ),
        verdicts=collect(
            positions, _tally(_answered(verdicts, Verdict, positions, answers), positions, judging)
        ),
        judging=judging,
        judge=_optional(folder / "judge.json", JudgeSummary),
        panel=tuple(_panel(folder / "panel", positions)),
        combined=_optional_scores(folder / COMBINED, PanelScore, positions),
        combining=_optional(folder / "panel" / "panel.json", PanelSummary),
    )


def _answers(path: Path, positions: Mapping[str, int]) -> Answers:
    import numpy as np

    n = len(positions)
    answers = Answers(
        length=np.full(n, -1),
        thought=np.zeros(n, dtype=np.int64),
        tokens=np.zeros(n, dtype=np.int64),
        cut=np.zeros(n, dtype=np.bool_),
        prompt_truncated=np.zeros(n, dtype=np.bool_),
        fingerprint=np.zeros(n, dtype=np.int64),
    )
    for number, row in enumerate(known(path, Prediction, positions), 1):
        at = positions[row.id]
        if answers.length[at] >= 0:
            raise InputError(f"{path}:{number}: id={row.id} is there twice", "Generate again")
        answers.length[at] = len(row.output)
        answers.thought[at] = len(row.thought)
        answers.tokens[at] = row.output_tokens
        answers.cut[at] = row.finish == "length"
        answers.prompt_truncated[at] = row.prompt_truncated
        answers.fingerprint[at] = hash((row.thought, row.output))
    return answers


def _answered(
    path: Path, cls: type[R], positions: Mapping[str, int], answers: Answers
) -> Iterator[R]:
    if not path.exists():
        return
    for number, row in enumerate(known(path, cls, positions), 1):
        if getattr(row, "values", None) and answers.length[positions[row.id]] < 0:
            raise InputError(
                f"{path}:{number}: id={row.id} has a score and no prediction",
                "Generate again, then score again",
            )
        yield row


def _tally(
    rows: Iterator[Verdict], positions: Mapping[str, int], judging: Judging
) -> Iterator[Verdict]:
    for row in rows:
        judging.attempts += row.attempts
        judging.prompt_tokens += row.prompt_tokens
        judging.output_tokens += row.output_tokens
        judging.seconds += row.seconds
        if row.commentary:
            judging.commented.add(positions[row.id])
        else:
            judging.commented.discard(positions[row.id])
        yield row


def _panel(folder: Path, positions: Mapping[str, int]) -> Iterator[tuple[JudgeSummary, SideScores]]:
    for path in sorted(folder.glob("*/judge.json")):
        rows = known(path.with_name("verdicts.jsonl"), Verdict, positions)
        yield store.read_record(path, JudgeSummary), collect(positions, rows)


def _optional_scores(path: Path, cls: type[S], positions: Mapping[str, int]) -> SideScores | None:
    return collect(positions, known(path, cls, positions)) if path.is_file() else None


def _optional(path: Path, cls: type[T]) -> T | None:
    return store.read_record(path, cls) if path.is_file() else None


def _totals(path: Path) -> list[Total]:
    return list(store.read_rows(path, Total)) if path.exists() else []


def _losses(path: Path) -> tuple[tuple[int, float, str], ...]:
    if not path.exists():
        return ()
    rows = store.read_rows(path, dict)
    found = []
    for row in rows:
        step, loss = row.get("current_steps"), row.get("loss")
        if isinstance(step, int) and isinstance(loss, int | float) and math.isfinite(loss):
            found.append((step, float(loss), str(row.get("elapsed_time", ""))))
    return tuple(found)


def _config(path: Path) -> Mapping[str, Any]:
    import yaml

    if not path.exists():
        return {}
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            f"{path} is not YAML: {settings.yaml_problem(error)}", "Restore the file"
        ) from None
    if not isinstance(config, dict):
        raise InputError(f"{path} is not a mapping", "Restore the file")
    return config
