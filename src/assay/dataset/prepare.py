"""Settings -> the samples that a run uses, in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from assay import store
from assay.dataset.clusters import Clusters, cluster
from assay.dataset.findings import Finding, doubtful
from assay.dataset.lengths import Lengths, Tokens, Unmeasured, measure
from assay.dataset.naming import hash_samples
from assay.dataset.origins import Joined
from assay.dataset.overlap import Overlap, compare
from assay.dataset.reading import SourceReading, read
from assay.dataset.selection import draw, held_out_count, hold_out, set_aside
from assay.dataset.settings import DatasetSettings
from assay.dataset.shelved import pick
from assay.dataset.tags import tagged
from assay.dataset.turns import every_turn
from assay.errors import SettingsError
from assay.folder import SAMPLES, SELECTION, SUMMARY, TRAINING
from assay.records import Sample

NAMED = 20
FEWEST = 10
"""Samples that a checkpoint can be chosen by."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """What one source held and what of it is used: `rows` read, `skipped` as invalid (the first
    20 named in `invalid`), `samples` used, and the `hash` of those (hash_samples). `findings`
    are rows that deserve a look; `lengths` are those of the samples in tokens, or `no_lengths`
    says why they are not known ("" where nobody asked). `clusters` are those of the evaluation
    samples, None for training data and in a run from before they were kept; `unused` are the
    columns of theirs that nothing was taken from."""

    source: str
    format: str
    rows: int
    skipped: int
    invalid: tuple[str, ...]
    samples: int
    hash: str
    findings: tuple[Finding, ...] = ()
    lengths: Lengths | None = None
    no_lengths: str = ""
    clusters: Clusters | None = None
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DatasetSummary:
    """dataset.json: the data of a run. `train` is None where nothing is trained; `held_out` says
    that the evaluation samples were taken out of the training data; `overlap` is what the two
    share (with its first 20 pairs), None where nothing is trained. `selection` are the samples that
    were taken out of both to choose a checkpoint by, None where none is chosen."""

    eval: Used
    train: Used | None
    overlap: Overlap | None
    held_out: bool
    max_samples: int
    seed: int
    selection: Used | None = None


class _Side(NamedTuple):
    source: str
    reading: SourceReading
    samples: Sequence[Sample]
    clusters: Clusters | None = None


def prepare(
    settings: DatasetSettings,
    out: Path,
    *,
    evaluation: SourceReading | None = None,
    select: bool = False,
    train_tokens: Tokens | None = None,
    eval_tokens: Tokens | None = None,
    needs_target: bool = True,
) -> DatasetSummary:
    """Write the run's dataset.jsonl, train.jsonl where there is training data, and, last, the
    dataset.json that is also returned; `train_tokens` and `eval_tokens` say how to measure the
    samples' lengths, if they are wanted. With `select` it writes selection.jsonl, too: training
    samples that are like none of the evaluation. `evaluation` is what dataset.eval holds, where it
    has been read; else its rows may lack an answer unless evaluation `needs_target`. Raises
    DatasetError and SettingsError."""
    if not settings.train and not settings.eval:
        raise SettingsError(
            "dataset.train and dataset.eval are both empty", "Name a dataset in one of them"
        )
    given = settings.eval and _given(settings, evaluation, needs_target)
    training, evaluated = given or _held_out(settings)
    selection = None
    if select and training:
        training, selection = _set_aside(settings, training, evaluated)
    eval_lengths, train_lengths = _lengths((evaluated, eval_tokens), (training, train_tokens))
    doubts = _doubts(evaluated, training)
    summary = DatasetSummary(
        eval=_used(evaluated, eval_lengths, doubts),
        train=_used(training, train_lengths, doubts) if training else None,
        overlap=_overlap(training, evaluated) if training else None,
        held_out=not settings.eval,
        max_samples=settings.max_samples,
        seed=settings.seed,
        selection=_used(selection, None, doubts) if selection else None,
    )
    if selection:
        store.write_rows(out / SELECTION, selection.samples)
    if training:
        store.write_rows(out / TRAINING, training.samples)
    with_tags = tagged(evaluated.samples, evaluated.reading.origins, settings.tags)
    store.write_rows(out / SAMPLES, with_tags)
    store.write_json(out / SUMMARY, summary)
    return summary


def read_evaluation(settings: DatasetSettings, needs_target: bool = True) -> SourceReading:
    """Return what dataset.eval holds, whose rows may lack an answer unless evaluation
    `needs_target`. Raises DatasetError."""
    return _read(
        settings,
        settings.eval,
        turns=settings.every_turn,
        evaluated=True,
        needs_target=needs_target,
    )


def _given(
    settings: DatasetSettings, evaluation: SourceReading | None, needs_target: bool
) -> tuple[_Side | None, _Side]:
    training = None
    if settings.train:
        reading = _read(settings, settings.train)
        training = _Side(settings.train, reading, reading.samples)
    reading = evaluation or read_evaluation(settings, needs_target)
    return training, _evaluation(settings, settings.eval, reading, reading.samples)


def _held_out(settings: DatasetSettings) -> tuple[_Side, _Side]:
    source = settings.train
    reading = _read(settings, source, evaluated=True)
    count = held_out_count(len(reading.samples), settings.eval_fraction, settings.max_samples)
    belongs = [reading.origins[sample.id].group for sample in reading.samples]
    training, held = hold_out(reading.samples, count, settings.seed, belongs)
    if settings.every_turn:  # of what is held out: a conversation is trained on as a whole
        held, origins = every_turn(held, reading.origins)
        reading = replace(reading, origins=Joined(origins, reading.origins))
    return _Side(source, reading, training), _evaluation(settings, source, reading, held)


def _set_aside(
    settings: DatasetSettings, training: _Side, evaluation: _Side
) -> tuple[_Side, _Side]:
    """Return training and selection. What the evaluation samples have too, or much like it, stays
    in training, where it was: of what is chosen by, nothing may be of what then confirms it."""
    samples, origins = training.samples, training.reading.origins
    count = held_out_count(len(samples), settings.selection_fraction, settings.max_samples)
    kept, aside = set_aside(
        samples,
        count,
        settings.seed,
        belongs=[origins[sample.id].group for sample in samples],
        staying={pair.eval_id for pair in compare(evaluation.samples, samples).pairs},
    )
    if len(aside) < FEWEST:
        raise SettingsError(
            f"finetune.checkpoints chooses by samples held out of training and evaluation, and "
            f"dataset.selection_fraction = {settings.selection_fraction:g} of {len(samples):,} "
            f"training samples leaves {len(aside)} that the evaluation has nothing like: at least "
            f"{FEWEST} are needed",
            "Raise dataset.selection_fraction (or dataset.max_samples), add training data, or set "
            "finetune.checkpoints: last",
        )
    reading = training.reading
    aside, clusters = cluster(aside, origins, "", near=settings.near_prompts)
    return _Side(training.source, reading, kept), _Side(training.source, reading, aside, clusters)


def _evaluation(
    settings: DatasetSettings, source: str, reading: SourceReading, samples: Sequence[Sample]
) -> _Side:
    """Return the side that is evaluated: the clusters are those of the samples that are drawn."""
    chosen, clusters = cluster(
        drawn(samples, settings),
        reading.origins,
        settings.cluster,
        near=settings.near_prompts,
    )
    return _Side(source, reading, chosen, clusters)


def _read(
    settings: DatasetSettings,
    source: str,
    *,
    turns: bool = False,
    evaluated: bool = False,
    needs_target: bool = True,
) -> SourceReading:
    """Return what a source holds; the columns that the user names are of what is evaluated."""
    return read(
        source,
        format=settings.format,
        every_turn=turns,
        skip_invalid=settings.skip_invalid,
        seed=settings.seed,
        cluster=settings.cluster if evaluated else "",
        tags=settings.tags if evaluated else (),
        needs_target=needs_target,
    )


def drawn(samples: Sequence[Sample], settings: DatasetSettings) -> Sequence[Sample]:
    """Return those of the evaluation samples that are used."""
    if not settings.max_samples:
        return samples
    return pick(samples, draw([each.id for each in samples], settings.max_samples, settings.seed))


def _lengths(*sides: tuple[_Side | None, Tokens | None]) -> list[Lengths | Unmeasured | None]:
    """Return the lengths of each side's samples, or None where nobody asks."""
    measured = iter(measure([(side.samples, how) for side, how in sides if side and how]))
    return [next(measured) if side and how else None for side, how in sides]


def _doubts(*sides: _Side | None) -> dict[int, tuple[Finding, ...]]:
    """Return what deserves a look in each reading, by its samples: sides may share one."""
    read = {id(side.reading.samples): side.reading for side in sides if side}
    return {
        number: tuple(finding for finding in doubtful(reading) if finding.count)
        for number, reading in read.items()
    }


def _used(
    side: _Side, lengths: Lengths | Unmeasured | None, doubts: Mapping[int, tuple[Finding, ...]]
) -> Used:
    return Used(
        source=side.source,
        format=side.reading.format,
        rows=side.reading.rows,
        skipped=len(side.reading.invalid),
        invalid=side.reading.invalid[:NAMED],
        samples=len(side.samples),
        hash=hash_samples(side.samples),
        findings=doubts[id(side.reading.samples)],
        lengths=lengths if isinstance(lengths, Lengths) else None,
        no_lengths=lengths.cause if isinstance(lengths, Unmeasured) else "",
        clusters=side.clusters,
        unused=side.reading.unused if side.clusters else (),
    )


def _overlap(training: _Side, evaluation: _Side) -> Overlap:
    overlap = compare(training.samples, evaluation.samples)
    return replace(overlap, pairs=overlap.pairs[:NAMED])
