"""The scores of a run as its history keeps them: every sample's, so that runs over the same samples
are compared in pairs.

One gzipped JSON object a run, without loss: 10,000 samples with twelve metrics on both sides are
0.7 MB, and twice that where no two scores are the same. A sample is known by a digest of its id and
all that is asked and wanted in it.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from assay import store
from assay.errors import InputError
from assay.folder import SAMPLES
from assay.records import SIDES, Comparison, MetricSpec, Sample, Side
from assay.report import kept_labels
from assay.report.kept_labels import KeptLabels, LabelPairs
from assay.report.run import EvaluatedRun
from assay.stats import SideScores, compare, split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LEAST = 10
_BROKEN = (OSError, EOFError, zlib.error, ValueError, RecursionError)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What each of `samples` (their digests) scored: side -> metric -> one value a sample, None
    where it is unscored. `clusters` numbers what the samples belong to, () where each is its own.
    `labels` are those of each side, where a metric is of labels.
    """

    samples: tuple[str, ...]
    values: Mapping[Side, Mapping[str, tuple[float | None, ...]]]
    clusters: tuple[int, ...] = ()
    labels: Mapping[Side, KeptLabels] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """The scores of two runs, `then` and `now`, over the `samples` that both evaluated, by side;
    `enough` says whether these are ten or more and half of those of the smaller run, and `places`
    where each is in the run of now. Of a metric of `labels` a score is what the sample adds."""

    samples: int
    enough: bool
    then: Mapping[Side, SideScores]
    now: Mapping[Side, SideScores]
    places: tuple[int, ...] = ()
    labels: Mapping[Side, LabelPairs] = field(default_factory=dict)

    def among(self, positions: Collection[int]) -> Pairs:
        """Return those of the samples at some positions in the run of now."""
        import numpy as np

        at = np.flatnonzero(np.isin(self.places, list(positions)))
        part = replace(
            self,
            samples=len(at),
            then={side: split(scores, [at])[0] for side, scores in self.then.items()},
            now={side: split(scores, [at])[0] for side, scores in self.now.items()},
            places=tuple(self.places[place] for place in at.tolist()),
            labels={side: labels.among(at) for side, labels in self.labels.items()},
        )
        return _with_labels(part)


def digests(path: Path) -> tuple[str, ...]:
    """Return what each sample of a dataset.jsonl is known by, in its order. Raises InputError."""
    rows = store.read_rows(path, Sample)
    parts = ([row.id, row.messages, row.target, row.target_role, row.tools] for row in rows)
    return tuple(store.hash_rows([part])[:16] for part in parts)


def scores_of(run: EvaluatedRun) -> Scores:
    """Return the scores of a run, the judge's and the pairwise ones included."""
    clusters = run.candidate.scores.clusters
    values: dict[Side, dict[str, NDArray[np.float64]]]
    values = {side.side: dict(side.values) for side in run.sides}
    if run.pairs:
        values["candidate"] |= run.pairs.values
    return Scores(
        samples=digests(run.folder / SAMPLES),
        values={
            side: {name: _whole(array.tolist()) for name, array in of_side.items()}
            for side, of_side in values.items()
        },
        clusters=() if clusters is None else tuple(clusters.tolist()),
        labels={side.side: labels for side in run.sides if (labels := kept_labels.kept(side))},
    )


def write(path: Path, scores: Scores) -> None:
    """Write the scores, atomically and always to the same bytes."""
    with store.replacing(path) as file:
        file.write(gzip.compress(store.to_json(scores), mtime=0))


def read(path: Path) -> Scores:
    """Return the scores in a file. Raises InputError where it holds none."""
    from pydantic import TypeAdapter

    try:
        scores = TypeAdapter(Scores).validate_json(gzip.decompress(path.read_bytes()))
    except _BROKEN as error:
        why = str(error).partition("\n")[0]
        raise InputError(f"{path.name} holds no scores: {why}", "Remove it") from None
    if SIDES[1] not in scores.values:
        raise InputError(f"{path.name} has no scores of a {SIDES[1]}", "Remove it")
    lengths = {len(values) for of_side in scores.values.values() for values in of_side.values()}
    lengths |= {len(scores.clusters)} - {0}
    lengths |= {len(row) for held in scores.labels.values() for row in (held.wanted, held.given)}
    if lengths - {len(scores.samples)}:
        raise InputError(f"{path.name} has not one score for each sample", "Remove it")
    return scores


def enough(then: Sequence[str], now: Sequence[str]) -> bool:
    """Return whether two runs have enough samples in common to be compared."""
    shared = len(set(then) & set(now))
    return shared >= max(_LEAST, min(len(then), len(now)) / 2)


def pair(then: Scores, now: Scores) -> Pairs:
    """Return the scores of two runs over the samples that both have, in the order of `now`."""
    places = {sample: at for at, sample in enumerate(then.samples)}
    both = [(places[sample], at) for at, sample in enumerate(now.samples) if sample in places]
    earlier, later = [at for at, _ in both], [at for _, at in both]
    clusters = [now.clusters[at] for at in later] if now.clusters else []
    labels = {
        side: found
        for side in then.labels.keys() & now.labels.keys()
        if (found := kept_labels.paired(then.labels[side], now.labels[side], earlier, later))
    }
    pairs = Pairs(
        samples=len(both),
        enough=enough(then.samples, now.samples),
        then={side: _side(then.values[side], earlier, clusters) for side in then.values},
        now={side: _side(now.values[side], later, clusters) for side in now.values},
        places=tuple(later),
        labels=labels,
    )
    return _with_labels(pairs)


def differences(
    pairs: Pairs, side: Side, names: Iterable[str], specs: Mapping[str, MetricSpec]
) -> list[Comparison]:
    """Return now minus then of those metrics of one side that both runs scored."""
    then, now = pairs.then.get(side), pairs.now.get(side)
    if then is None or now is None:
        return []
    wanted = set(names)
    values = {name: values for name, values in now.values.items() if name in wanted}
    labels = pairs.labels.get(side)
    compared = compare(then, replace(now, values=values), kept_labels.on_scales(specs, labels))
    of_labels = labels.metrics if labels else ()
    return [
        labels.settled(each) if labels and each.name in of_labels else each for each in compared
    ]


def scored(pairs: Pairs, side: Side, name: str) -> tuple[Floats, Floats, NDArray[np.int64] | None]:
    """Return the scores of a metric, then and now, over the samples that both runs scored, and the
    clusters of these; no samples where a run has no such side or metric."""
    import numpy as np

    then, now = pairs.then.get(side), pairs.now.get(side)
    if then is None or now is None or not {name} <= then.values.keys() & now.values.keys():
        return np.array([]), np.array([]), None
    before, after = then.values[name], now.values[name]
    both = np.isfinite(before) & np.isfinite(after)
    return before[both], after[both], None if now.clusters is None else now.clusters[both]


def _with_labels(pairs: Pairs) -> Pairs:
    """Return the pairs with what each sample adds to the metrics of labels."""
    then, now = dict(pairs.then), dict(pairs.now)
    for side, labels in pairs.labels.items():
        for name, (before, after) in labels.linear.items():
            then[side] = _with(then[side], name, before.values)
            now[side] = _with(now[side], name, after.values)
    return replace(pairs, then=then, now=now)


def _with(scores: SideScores, name: str, values: Floats) -> SideScores:
    return replace(scores, values={**scores.values, name: values})


def _side(
    of_side: Mapping[str, Sequence[float | None]], places: Sequence[int], clusters: Sequence[int]
) -> SideScores:
    import numpy as np

    at = np.array(places, dtype=np.intp)
    return SideScores(
        samples=len(places),
        values={name: np.array(row, dtype=np.float64)[at] for name, row in of_side.items()},
        causes={},
        clusters=np.array(clusters, dtype=np.int64) if clusters else None,
    )


def _whole(values: Iterable[float]) -> tuple[float | None, ...]:
    """Whole numbers without their ".0": a third less to store."""
    return tuple(
        (int(value) if value.is_integer() else value) if math.isfinite(value) else None
        for value in values
    )
