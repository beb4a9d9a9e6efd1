"""Reads the files of a run folder, row by row, into arrays over the samples."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from assay import settings, store
from assay.cases import cluster_numbers
from assay.errors import InputError
from assay.judge import PanelScore
from assay.records import FAILURES, LabelPair, Likelihood, Prediction, Sample, Score, Verdict
from assay.stats import SideScores, collect, joined
from assay.tags import Collector, Tags
from assay.thoughts import END

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_END_OF_THOUGHT = re.compile(END, re.IGNORECASE)

R = TypeVar("R", Prediction, Score, Verdict, PanelScore, Likelihood, LabelPair)
S = TypeVar("S", bound=Score)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """One side's predictions as arrays over the samples; `length` is in characters, -1 where
    there is no prediction or it failed, `thought` the same of what stood before the answer; of the
    `tokens` the `thought_tokens` are the thought's. An output is `marked` that has the end of a
    thought in it.
    Equal outputs after equal thoughts have equal fingerprints."""

    length: NDArray[np.int64]
    thought: NDArray[np.int64]
    tokens: NDArray[np.int64]
    thought_tokens: NDArray[np.int64]
    marked: NDArray[np.bool_]
    cut: NDArray[np.bool_]
    prompt_truncated: NDArray[np.bool_]
    fingerprint: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Likelihoods:
    """How likely a side's model finds the targets: its eval_loss and accuracy, and the `tokens` of
    each target."""

    scores: SideScores
    tokens: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The labels of a side: their `names`, and the number of the one in each target and answer, in
    the samples' order; an answer without one has the number behind the last. Those `compared` have
    both, or count as wrong; `causes` says why others have not."""

    names: tuple[str, ...]
    wanted: NDArray[np.int64]
    given: NDArray[np.int64]
    compared: NDArray[np.bool_]
    causes: Mapping[int, str]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Where the two are the same."""
        same: NDArray[np.bool_] = self.wanted == self.given
        return same & self.compared


@dataclass(kw_only=True)
class Judging:
    """What the judging of one side took, summed over every verdict row."""

    attempts: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    commented: set[int] = field(default_factory=set)


def rows_of(path: Path, cls: type[R], positions: Mapping[str, int]) -> Iterator[R]:
    """Yield the rows of `path`. Raises InputError for one whose id the dataset does not have."""
    for number, row in enumerate(store.read_rows(path, cls), 1):
        if row.id not in positions:
            raise InputError(
                f"{path}:{number}: id={row.id} is not in dataset.jsonl",
                "Evaluate again with this dataset, or restore the one that was evaluated",
            )
        yield row


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The samples without their texts: the place of each by its id, the characters of each, the
    number of its cluster (cases.cluster_numbers), and the tags of all."""

    positions: Mapping[str, int]
    lengths: NDArray[np.int64]
    clusters: NDArray[np.int64] | None
    tags: Tags


def read_dataset(path: Path) -> Samples:
    """Return the samples. Raises InputError."""
    import numpy as np

    positions: dict[str, int] = {}
    lengths: list[int] = []
    clusters: list[str] = []
    tags = Collector()
    for number, sample in enumerate(store.read_rows(path, Sample), 1):
        if sample.id in positions:
            raise InputError(f"{path}:{number}: id={sample.id} is there twice", "Remove one")
        positions[sample.id] = len(positions)
        text = sum(len(message.content) for message in sample.messages)
        lengths.append(text + len(sample.target) + len(sample.tools))
        clusters.append(sample.cluster)
        tags.add(sample.tags)
    if not positions:
        raise InputError(f"{path} is empty", "Evaluate at least one sample")
    return Samples(
        positions=positions,
        lengths=np.array(lengths, dtype=np.int64),
        clusters=cluster_numbers(clusters),
        tags=tags.tags,
    )


def read_answers(path: Path, positions: Mapping[str, int]) -> Answers:
    """Return the predictions. Raises InputError for an id that is there twice."""
    import numpy as np

    n = len(positions)
    answers = Answers(
        length=np.full(n, -1),
        thought=np.zeros(n, dtype=np.int64),
        tokens=np.zeros(n, dtype=np.int64),
        thought_tokens=np.zeros(n, dtype=np.int64),
        marked=np.zeros(n, dtype=np.bool_),
        cut=np.zeros(n, dtype=np.bool_),
        prompt_truncated=np.zeros(n, dtype=np.bool_),
        fingerprint=np.zeros(n, dtype=np.int64),
    )
    for number, row in enumerate(rows_of(path, Prediction, positions), 1):
        at = positions[row.id]
        if answers.length[at] >= 0:
            raise InputError(f"{path}:{number}: id={row.id} is there twice", "Generate again")
        if row.unanswered in FAILURES:
            continue
        answers.length[at] = len(row.output)
        answers.thought[at] = len(row.thought)
        answers.tokens[at] = row.output_tokens
        answers.thought_tokens[at] = row.thought_tokens
        answers.marked[at] = bool(_END_OF_THOUGHT.search(row.output))
        answers.cut[at] = row.finish == "length"
        answers.prompt_truncated[at] = row.prompt_truncated
        answers.fingerprint[at] = hash((row.thought, row.output))
    return answers


def answered(
    path: Path, cls: type[R], positions: Mapping[str, int], answers: Answers
) -> Iterator[R]:
    """Yield the rows of `path`, none without it. Raises InputError for a score of no prediction."""
    if not path.exists():
        return
    for number, row in enumerate(rows_of(path, cls, positions), 1):
        if getattr(row, "values", None) and answers.length[positions[row.id]] < 0:
            raise InputError(
                f"{path}:{number}: id={row.id} has a score and no prediction",
                "Generate again, then score again",
            )
        yield row


def tally(
    rows: Iterator[Verdict], positions: Mapping[str, int], judging: Judging
) -> Iterator[Verdict]:
    """Yield the `rows`, each counted in `judging`."""
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


def read_scores(path: Path, cls: type[S], samples: Samples) -> SideScores:
    """Return the scores in `path`. Raises InputError."""
    rows = rows_of(path, cls, samples.positions)
    return collect(samples.positions, rows, samples.clusters)


def optional_scores(path: Path, cls: type[S], samples: Samples) -> SideScores | None:
    """Return the scores in `path`, None without it."""
    return read_scores(path, cls, samples) if path.is_file() else None


def with_likelihood(scores: SideScores, likelihood: Likelihoods | None) -> SideScores:
    """Return `scores` with those of the likelihood, but for a name that they have already."""
    if likelihood is None:
        return scores
    new = likelihood.scores
    values = {name: array for name, array in new.values.items() if name not in scores.values}
    causes = {name: new.causes[name] for name in values if name in new.causes}
    return joined([scores, replace(new, values=values, causes=causes)])


def read_likelihood(path: Path, samples: Samples) -> Likelihoods | None:
    """Return the likelihood of each sample's target by the rows of `path`, None without it."""
    import numpy as np

    if not path.is_file():
        return None
    positions = samples.positions
    rows = list(rows_of(path, Likelihood, positions))
    tokens = np.zeros(len(positions), dtype=np.int64)
    for row in rows:
        tokens[positions[row.id]] = row.tokens
    return Likelihoods(scores=collect(positions, rows, samples.clusters), tokens=tokens)


def read_labels(path: Path, positions: Mapping[str, int]) -> Labels | None:
    """Return the labels by the rows of `path`, None without it. Raises InputError."""
    import numpy as np

    if not path.is_file():
        return None
    rows = {positions[row.id]: row for row in rows_of(path, LabelPair, positions)}
    held = {row.wanted for row in rows.values()} | {row.given for row in rows.values()}
    names = tuple(sorted(held - {""}))
    numbers = {name: at for at, name in enumerate([*names, ""])}
    wanted, given = np.full((2, len(positions)), len(names))
    compared = np.zeros(len(positions), dtype=np.bool_)
    for at, row in rows.items():
        wanted[at], given[at] = numbers[row.wanted], numbers[row.given]
        compared[at] = bool(row.wanted) and not row.cause
    causes = {at: row.cause for at, row in rows.items() if row.cause}
    return Labels(names=names, wanted=wanted, given=given, compared=compared, causes=causes)


def optional(path: Path, cls: type[T]) -> T | None:
    """Return the record in `path`, None without it."""
    return store.read_record(path, cls) if path.is_file() else None


def optional_rows(path: Path, cls: type[T]) -> tuple[T, ...]:
    """Return the records in `path`, none without it."""
    return tuple(store.read_rows(path, cls)) if path.is_file() else ()


def read_losses(path: Path) -> tuple[tuple[int, float, str], ...]:
    """Return (step, loss, time taken so far) from the trainer's log, () without it."""
    if not path.exists():
        return ()
    rows = store.read_rows(path, dict)
    losses = []
    for row in rows:
        step, loss = row.get("current_steps"), row.get("loss")
        if isinstance(step, int) and isinstance(loss, int | float) and math.isfinite(loss):
            losses.append((step, float(loss), str(row.get("elapsed_time", ""))))
    return tuple(losses)


def read_config(path: Path) -> Mapping[str, Any]:
    """Return the configuration, {} without one. Raises InputError."""
    if not path.exists():
        return {}
    try:
        config = settings.from_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path} is not YAML: {settings.yaml_problem(error)}", "Restore the file"
        ) from None
    if not isinstance(config, dict):
        raise InputError(f"{path} is not a mapping", "Restore the file")
    return config
