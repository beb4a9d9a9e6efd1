"""After a training: its checkpoints answered, scored on the selection samples, and one chosen.

It is a part of the stage that trains. So whatever comes after, here and on Kubeflow Pipelines, has
one model with one digest, and knows nothing of the others; the evaluation samples are not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from assay import dataset, progress, store
from assay import trained as training
from assay.checkpoints import answers, scores
from assay.checkpoints.choice import Ranking, rank
from assay.checkpoints.record import CheckpointScore, Selected
from assay.checkpoints.settings import Selecting, check_room, spec_of
from assay.errors import InputError, StageError
from assay.finetune import FinetuneSettings
from assay.folder import CHECKPOINTS, LOSSES
from assay.records import MetricSpec, Sample


def choose(
    trained: Path,
    base: str,
    *,
    samples: Path,
    tuning: FinetuneSettings,
    by: Selecting,
    listen: progress.Listener = progress.ignore,
) -> Path:
    """Return the folder of the best checkpoint of the training in the folder `trained`, on the
    selection `samples` (selection.jsonl), and leave checkpoints.json in `trained`. What an earlier
    try has answered, or had judged, of the same weights is kept.

    Raises InputError, or StageError where the child process or the scoring fails.
    """
    folders = _folders(trained)
    if (trained / CHECKPOINTS).is_file():
        return _chosen(store.read_record(trained / CHECKPOINTS, Selected), folders, trained)
    training.lighten(trained, newest_too=True)
    rows = _samples(samples)
    asked = answers.ask(folders, base, samples, rows, tuning, by)
    work = trained.parent / "selection"
    answers.answer(asked, rows, work, listen)
    spec = spec_of(by)
    found = {
        step: scores.of(by, work / name, samples, rows, len(folders), listen)
        for step, name in answers.names(folders).items()
    }
    selected = _selected(found, spec, rows, trained, work)
    store.write_json(trained / CHECKPOINTS, selected)
    _tell(selected, listen)
    return folders[selected.chosen]


def _chosen(selected: Selected, folders: Mapping[int, Path], trained: Path) -> Path:
    if selected.chosen not in folders:
        raise StageError(
            f"{trained / CHECKPOINTS} says that the checkpoint of step {selected.chosen:,} was "
            "chosen, and it is gone",
            "Restore it, or remove the file to choose among those that are left",
        )
    return folders[selected.chosen]


def check(samples: Path, tuning: FinetuneSettings, work: Path) -> None:
    """Raise InputError for what can be known before a training whose checkpoints are to be chosen
    from, on the machine that trains, in the folder `work`."""
    _samples(samples)
    check_room(tuning, 2, work)


def _folders(trained: Path) -> dict[int, Path]:
    """Return the checkpoints by their step; of the last, where it is none, the folder itself."""
    found = training.checkpoints(trained)
    if (trained / training.STATE).is_file():
        found.setdefault(int(store.read_json(trained / training.STATE)["global_step"]), trained)
    return found or {0: trained}


def _samples(path: Path) -> list[Sample]:
    if not path.is_file():
        raise InputError(
            f"{path} does not exist, and finetune.checkpoints chooses by the samples in it",
            "Begin a new run folder, or set finetune.checkpoints: last",
        )
    return list(store.read_rows(path, Sample))


def _selected(
    found: Mapping[int, scores.Scored],
    spec: MetricSpec,
    rows: list[Sample],
    trained: Path,
    work: Path,
) -> Selected:
    try:
        ranking = rank({step: each.scores for step, each in found.items()}, spec)
    except ValueError:
        raise StageError(
            f"no selection sample has a {spec.name} for every checkpoint, so none can be chosen",
            f"Look at the scores in {work}, or choose another finetune.select_by",
        ) from None
    losses = scores.train_losses(trained / LOSSES)
    return Selected(
        metric=spec.name,
        group=spec.group,
        direction=spec.direction,
        samples=len(rows),
        dataset_hash=dataset.hash_samples(rows),
        chosen=ranking.best,
        shared=ranking.shared,
        scored=tuple(_score(step, ranking, each, losses) for step, each in found.items()),
        alike=ranking.alike,
    )


def _score(
    step: int, ranking: Ranking, found: scores.Scored, losses: Mapping[int, float]
) -> CheckpointScore:
    metric, difference = ranking.metrics[step], ranking.differences.get(step)
    before = [at for at in losses if at <= step]
    return CheckpointScore(
        step=step,
        n=metric.n,
        value=metric.value,
        low=metric.low,
        high=metric.high,
        unscored=metric.unscored,
        eval_loss=found.eval_loss,
        train_loss=losses[max(before)] if before else None,
        difference=difference.difference if difference else None,
        difference_low=difference.low if difference else None,
        difference_high=difference.high if difference else None,
        p=difference.p if difference else None,
        barred=ranking.barred.get(step, ""),
    )


def _tell(selected: Selected, listen: progress.Listener) -> None:
    count = len(selected.scored)
    best = next(each for each in selected.scored if each.step == selected.chosen)
    note = f"step {selected.chosen:,}, of {count} checkpoints: {selected.metric} {best.value:.4g}"
    listen(progress.Progress(stage="select", state="done", note=note))
