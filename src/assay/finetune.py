"""Fine-tune a base model with LLaMA-Factory: train.jsonl + settings -> a model directory.

Training happens in `<model>.partial`, whose checkpoints a second try resumes from; the directory
gets its final name, whole and with its manifest, when training has succeeded.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, MinLen

from assay import dataset, hub, llamafactory, model, placement, progress, resume, store
from assay import trained as training
from assay.errors import SettingsError, StageError
from assay.folder import KEPT_CHECKPOINTS, LOSSES, MANIFEST, TRAIN_LOG
from assay.llamafactory import training as training_process
from assay.numeric import Seed
from assay.records import ModelManifest, Sample

Choose = Callable[[Path, str], Path]
"""Returns the one of a training's checkpoints that becomes the model, given the folder that they
are in and the base model; the folder itself stands for the last one."""
Checkpoints = Literal["last", "best", "all"]
LAST: Checkpoints = "last"
_TRAINED = "trained.json"  # in the folder of the weights: training has come to its end
_DIVERGED = (
    "The training diverged, or its base is so: lower finetune.learning_rate, set "
    "finetune.checkpoints: best, or look at the base's own weights"
)
UNFINISHED = store.Contents(
    identity=resume.IDENTITY,
    checkpoints="trained/checkpoint-*",
    complete="trainer_state.json",
    without=("data",),
)
"""What of `<model>.partial` a later try on another machine needs."""


@dataclass(frozen=True, kw_only=True)
class FinetuneSettings:
    """Supervised fine-tuning. `base_model` is a directory, URI or hub id, `template` a chat
    template of LLaMA-Factory, `batch_size` counts samples a device, `cutoff_len` tokens.
    `checkpoints` says which are evaluated: the last one; or the best, chosen by the metric
    `select_by` on samples held out for it (all: the others are kept, too). `llamafactory` takes any
    other LLaMA-Factory setting by its own name."""

    base_model: str
    template: str
    finetuning_type: Literal["lora", "full"] = "lora"
    learning_rate: Annotated[float, Gt(0)] = 1e-4
    epochs: Annotated[float, Gt(0)] = 3.0
    batch_size: Annotated[int, Ge(1)] = 8
    lora_rank: Annotated[int, Ge(1)] = 8
    cutoff_len: Annotated[int, Ge(16)] = 2048
    seed: Seed = 42
    checkpoints: Checkpoints = LAST
    select_by: Annotated[str, MinLen(1)] = "eval_loss"
    llamafactory: Mapping[str, Any] = field(default_factory=dict)


def the_last(trained: Path, _base: str) -> Path:
    """Return the last one: the folder itself."""
    return trained


def check_settings(settings: FinetuneSettings) -> None:
    """Raise SettingsError for what LLaMA-Factory does not know."""
    llamafactory.check_template(settings.template, "finetune")
    llamafactory.check_settings(settings.llamafactory, "finetune.llamafactory")
    if (accumulated := _accumulated(settings)) < 1:
        name = "finetune.llamafactory.gradient_accumulation_steps"
        raise SettingsError(f"{name} = {accumulated}: no step has so few batches", "Set 1 or more")
    if "infer_dtype" in settings.llamafactory:
        raise SettingsError(
            "finetune.llamafactory.infer_dtype changes no training",
            "Set generate.llamafactory.infer_dtype, or to train bf16, fp16 or pure_bf16",
        )


def check(settings: FinetuneSettings) -> None:
    """Raise InputError for what cannot work and can be known before a GPU is asked for."""
    check_settings(settings)
    model.resolve(settings.base_model, weights=False)


def finetune(
    samples: Path,
    out: Path,
    settings: FinetuneSettings,
    *,
    choose: Choose = the_last,
    listen: progress.Listener = progress.ignore,
) -> ModelManifest:
    """Fine-tune on the samples in a JSONL file and return the manifest of the model in `out`: of
    the checkpoints that the settings have kept, the one that `choose` returns.

    A finished `out` is returned as it is, an interrupted one is resumed from its last checkpoint,
    and what was done with other settings is refused. Raises InputError, or StageError with the end
    of LLaMA-Factory's log.
    """
    check(settings)
    if done := model.read_manifest(out):
        training.check_same(out, done, asdict(settings), FinetuneSettings)
        return done
    settings, rows = _pinned(settings), _hash(samples)
    base = model.local(settings.base_model, listen)
    # now: the store may be away when training ends
    digest = model.base_digest(settings.base_model)
    work = _work(out, digest or base, settings, samples, rows)
    made, trained = _trained(work), work / "trained"
    if made is None:
        if not (trained / _TRAINED).is_file():
            resumed = any(work.glob(UNFINISHED.checkpoints))
            _train(work, base, settings, samples, listen)
            if resumed:
                training.drop_conversion(trained)
            store.write_json(trained / _TRAINED, True)
        chosen = choose(trained, base)
        if chosen != trained:
            training.take(chosen, trained)
            training.drop_conversion(trained)
        made = _describe(work, settings, store.count_rows(samples), rows, digest)
    _hand_over(work, out, trained / KEPT_CHECKPOINTS if settings.checkpoints == "all" else None)
    return made


def assist(
    samples: Path,
    out: Path,
    settings: FinetuneSettings,
    *,
    listen: progress.Listener = progress.ignore,
) -> None:
    """Train as one of several nodes, which torchrun's variables in the environment describe; the
    first of them, in `finetune`, makes the model. Raises as `finetune` does."""
    check(settings)
    settings = _pinned(settings)
    base = model.local(settings.base_model, listen)
    digest = model.base_digest(settings.base_model)
    work = _work(out, digest or base, settings, samples, _hash(samples))
    _train(work, base, settings, samples, listen)
    shutil.rmtree(work)


def _pinned(settings: FinetuneSettings) -> FinetuneSettings:
    """Return the settings with the commit of a base that is on a hub. Raises ModelError."""
    return replace(settings, base_model=hub.pinned(settings.base_model, settings.llamafactory))


def work_folder(out: Path) -> Path:
    """Return where the model `out` is trained."""
    return out.with_name(f"{out.name}.partial")


def _work(out: Path, base: str, settings: FinetuneSettings, samples: Path, rows: str) -> Path:
    """Return the folder to train in, with the samples, whose hash is `rows`, and what an earlier
    try left, but for a checkpoint that it was writing when it was killed."""
    work = work_folder(out)
    identity = {"settings": asdict(settings), "base": base, "samples": rows}
    resume.take_up(work / resume.IDENTITY, identity, _held, {"settings": "finetune"})
    if not _trained(work):
        _tidy(work)
    dataset.to_llamafactory(store.read_rows(samples, Sample), work / "data", "train")
    return work


def _held(work: Path) -> str:
    """Return what of a training is there that another try goes on from, "" for nothing."""
    if (work / "trained" / _TRAINED).is_file() or _trained(work):
        return "a finished training"
    found = work.glob(UNFINISHED.checkpoints)
    whole = sum((path / UNFINISHED.complete).is_file() for path in found)
    return f"{whole} checkpoints" if whole else ""


def _hash(samples: Path) -> str:
    return dataset.hash_samples(store.read_rows(samples, Sample))


def _trained(work: Path) -> ModelManifest | None:
    """Return what an earlier try had made before it was killed, None where it had not trained."""
    manifest = model.read_manifest(work / "trained")
    whole = manifest and manifest.digest == store.digest_weights(work / "trained")
    return manifest if whole else None


def _tidy(work: Path) -> None:
    """Remove a checkpoint that was being written, and weights beside which there is none: they may
    not be whole, and LLaMA-Factory does not begin where there are some."""
    for checkpoint in work.glob(UNFINISHED.checkpoints):
        if not (checkpoint / UNFINISHED.complete).is_file():
            shutil.rmtree(checkpoint)
    over = (work / "trained" / _TRAINED).is_file()
    if not over and not any(work.glob(UNFINISHED.checkpoints)):
        for path in work.glob("trained/*"):
            if path.name.endswith((*store.WEIGHT_SUFFIXES, ".index.json", MANIFEST)):
                path.unlink()


def _train(
    work: Path, base: str, settings: FinetuneSettings, samples: Path, listen: progress.Listener
) -> None:
    model.check_folder(base)
    config = work / "train.yaml"  # JSON is YAML
    store.write_json(config, _config(work, base, settings, store.count_rows(samples)))
    with progress.track(
        listen, "finetune", total=0, unit="steps", note="loading the model"
    ) as tracker:
        losses = store.tail(work / "trained" / LOSSES)

        def show() -> None:
            for row in losses():
                note = f"loss {row['loss']:.3f}" if "loss" in row else ""
                tracker.at(row["current_steps"], note, total=row["total_steps"])
            if settings.checkpoints != LAST:
                training.lighten(work / "trained")

        training_process.run(config, samples, work / TRAIN_LOG, show)


def _config(work: Path, base: str, settings: FinetuneSettings, samples: int) -> dict[str, Any]:
    steps = settings.epochs * samples / (settings.batch_size * _accumulated(settings))
    defaults: dict[str, Any] = {
        "logging_steps": max(1, round(steps / 200)),
        "report_to": "none",
        "overwrite_cache": True,
    }
    if settings.checkpoints == LAST:
        defaults["save_total_limit"] = 1
    elif "save_strategy" not in settings.llamafactory:
        defaults["save_steps"] = training.EVENLY
    decided = {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": base,
        "template": settings.template,
        "finetuning_type": settings.finetuning_type,
        "dataset": "train",
        "dataset_dir": str((work / "data").resolve()),
        "output_dir": str((work / "trained").resolve()),
        "learning_rate": settings.learning_rate,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": settings.batch_size,
        "cutoff_len": settings.cutoff_len,
        "seed": settings.seed,
    }
    if revision := hub.split(settings.base_model)[1]:
        decided["model_revision"] = revision
    if settings.finetuning_type == "lora":
        decided["lora_rank"] = settings.lora_rank
    return {**defaults, **settings.llamafactory, **decided}


def _accumulated(settings: FinetuneSettings) -> int:
    """Return how many batches a step is of."""
    return int(settings.llamafactory.get("gradient_accumulation_steps", 1))


def _describe(
    work: Path, settings: FinetuneSettings, samples: int, rows: str, base_digest: str
) -> ModelManifest:
    """Write the manifest beside the weights, by which they are known to be whole."""
    trained = work / "trained"
    if not (digest := store.digest_weights(trained)):
        raise StageError(f"LLaMA-Factory wrote no weights to {trained}", f"See {work / TRAIN_LOG}")
    model.check_finite(trained, _DIVERGED)
    manifest = ModelManifest(
        base_model=settings.base_model,
        base_digest=base_digest,
        finetuning_type=settings.finetuning_type,
        template=settings.template,
        digest=digest,
        dataset_hash=rows,
        samples=samples,
        settings=asdict(settings),
        versions=llamafactory.versions(),
        runner=placement.runner(),
        configuration=model.configuration(trained),
    )
    store.write_json(trained / MANIFEST, manifest)
    return manifest


def _hand_over(work: Path, out: Path, others: Path | None) -> None:
    """Give the model its final name, the checkpoints moved to `others` (None: removed); wherever
    this is killed, another try goes on with it."""
    trained = work / "trained"
    training.put_away(trained, others)
    if (work / TRAIN_LOG).is_file():
        (work / TRAIN_LOG).rename(trained / TRAIN_LOG)
    if out.exists():  # an empty directory that was made for the result
        out.rmdir()
    trained.rename(out)
    (out / _TRAINED).unlink(missing_ok=True)
    shutil.rmtree(work)
