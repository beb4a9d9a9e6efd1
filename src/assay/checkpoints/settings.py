"""By what a checkpoint is chosen, and what of it can be refused before anything is trained."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import judge as judging
from assay import metrics as measuring
from assay import model, scoring, store, trained
from assay.errors import SettingsError
from assay.finetune import LAST, FinetuneSettings
from assay.generate import GenerateSettings
from assay.judge import JudgeSettings
from assay.llamafactory.totals import LIKELIHOOD
from assay.metrics import MetricsSettings
from assay.records import MetricSpec
from assay.settings import build, check_value
from assay.trained import TrainingPlan
from assay.unset import without_unset

_BY = "finetune.select_by"
# LLaMA-Factory's settings that make another number of rows of the samples
_OTHER_ROWS = ("packing", "neat_packing", "streaming", "val_size", "max_samples")


@dataclass(frozen=True, kw_only=True)
class Selecting:
    """How the checkpoints are answered, `generate`, and scored: by the metric `by`, of the scoring
    stage `scorer` with its `settings`; of no stage ("") the likelihood of the targets."""

    by: str
    generate: GenerateSettings
    scorer: str = ""
    settings: Any = None


def selecting(by: str, generate: GenerateSettings, own: Mapping[str, Any]) -> Selecting:
    """Return how checkpoints are chosen by the metric `by`, of the settings `own` of each scoring
    stage by its name. Raises SettingsError and JudgeError for what is no metric of theirs."""
    if by in {spec.name for spec in LIKELIHOOD}:
        return Selecting(by=by, generate=generate)
    for name, settings in own.items():
        if by in {spec.name for spec in _specs(settings)}:
            return Selecting(by=by, generate=generate, scorer=name, settings=_alone(by, settings))
    names = [spec.name for settings in own.values() for spec in _specs(settings)]
    check_value(by, [*names, "eval_loss", "accuracy"], _BY, "metric")
    raise AssertionError(by)


def spec_of(by: Selecting) -> MetricSpec:
    """Return what the metric is that is chosen by."""
    specs = _specs(by.settings) if by.scorer else LIKELIHOOD
    return next(spec for spec in specs if spec.name == by.by)


def to_plain(by: Selecting) -> dict[str, Any]:
    """Return it as a pipeline hands it on."""
    plain: dict[str, Any] = without_unset(by)
    return plain


def from_plain(given: Mapping[str, Any]) -> Selecting:
    """Return what `to_plain` was given. Raises SettingsError."""
    scorer = str(given["scorer"])
    own: Any = build(scoring.named(scorer).settings, given["settings"], scorer) if scorer else None
    generate = build(GenerateSettings, given["generate"], "generate")
    return Selecting(by=str(given["by"]), generate=generate, scorer=scorer, settings=own)


def check_metric(
    by: str, specs: Iterable[MetricSpec], totals: Iterable[str], remedies: Mapping[str, str]
) -> None:
    """Raise SettingsError where no checkpoint can be chosen by the metric `by`: it is not among the
    `specs` of the run (`remedies` say how it would be), among its `totals`, of two sides, or does
    not say which values are better."""
    by_name = {spec.name: spec for spec in specs}
    if by not in by_name and by in remedies:
        raise SettingsError(f"{_BY} is {by}, which this run does not measure", remedies[by])
    check_value(by, by_name, _BY, "metric of this run")
    spec = by_name[by]
    if spec.group == "pairwise":
        raise SettingsError(
            f"{_BY} is {by}, which compares two sides", "Name a dimension of the judge's rubric"
        )
    if by in totals:
        raise SettingsError(
            f"{_BY} is {by}, one number over all samples: no two checkpoints can be compared by it "
            "sample by sample",
            "Set it to eval_loss, or to a metric with a score for each sample",
        )
    if spec.direction not in ("higher", "lower"):
        raise SettingsError(
            f"{_BY} is {by}, of which no values are better than others (direction: "
            f"{spec.direction})",
            "Name a metric that says which are, or let it say so",
        )


def check_schedule(
    settings: FinetuneSettings, samples: int, devices: int = 1
) -> TrainingPlan | None:
    """Return how long the training of so many `samples` is and how many checkpoints it writes, None
    where that cannot be known. Raises SettingsError where there is no choice among them."""
    given = settings.llamafactory
    if settings.checkpoints == LAST:
        return None
    _check_kept(settings)
    if any(given.get(name) for name in _OTHER_ROWS):
        return None
    planned = trained.schedule(
        given,
        samples=samples,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        devices=devices,
    )
    if planned.checkpoints < 2:
        # save_steps counts for nothing where another strategy is set
        other = given.get("save_strategy", "steps") != "steps"
        name = "save_strategy" if other else "save_steps"
        set_to = f" = {given[name]}" if name in given else ""
        raise SettingsError(
            f"finetune.checkpoints is {settings.checkpoints}, and finetune.llamafactory.{name}"
            f"{set_to} leaves one checkpoint of a training of {planned.steps:,} steps",
            "Lower finetune.llamafactory.save_steps (with save_strategy: steps), train longer, or "
            "set finetune.checkpoints: last",
        )
    return planned


def check_room(settings: FinetuneSettings, count: int, folder: Path) -> None:
    """Raise SettingsError where the model and `count` checkpoints of a full fine-tune, each as
    large, cannot lie on the disk of `folder`. What a model from the hub takes is not known before.
    """
    size = _bytes(settings.base_model) if settings.finetuning_type == "full" else 0
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free, needed = shutil.disk_usage(there).free, (count + 1) * size
    if needed > free:
        raise SettingsError(
            f"finetune.checkpoints is {settings.checkpoints}, and the model and {count} "
            f"checkpoints of it are {needed / 1e9:,.1f} GB: {there} has {free / 1e9:,.1f} GB free",
            "Raise finetune.llamafactory.save_steps, give it a larger disk, or set "
            "finetune.checkpoints: last",
        )


def _check_kept(settings: FinetuneSettings) -> None:
    given = settings.llamafactory
    if "save_total_limit" in given:
        raise SettingsError(
            f"finetune.llamafactory.save_total_limit = {given['save_total_limit']} would remove "
            f"checkpoints, and finetune.checkpoints is {settings.checkpoints}",
            "Take save_total_limit out; save_steps says how many there are",
        )


def _specs(settings: Any) -> tuple[MetricSpec, ...]:
    if isinstance(settings, MetricsSettings):
        return measuring.specs(settings)
    return judging.specs_of(settings.rubric) if isinstance(settings, JudgeSettings) else ()


def _alone(by: str, settings: Any) -> Any:
    """Return the settings of a scoring stage for nothing but the metric: what says how far the
    judge can be trusted is asked when it confirms the choice, and no GPU waits for a batch."""
    from dataclasses import replace

    if isinstance(settings, MetricsSettings):
        return replace(settings, metrics=(by,))
    return replace(
        settings,
        self_test=False,
        anchors="",
        calibration="",
        flip_sample=0,
        pairwise=False,
        batch=False,
        panel=(),
    )


def _bytes(base: str) -> int:
    """Return the size of a model's weights, 0 where it is not known."""
    if store.is_remote(base):
        return store.size(base)
    folder = Path(model.local(base, weights=False))
    files = (path for path in folder.glob("*") if path.name.endswith(store.WEIGHT_SUFFIXES))
    return sum(path.stat().st_size for path in files)
