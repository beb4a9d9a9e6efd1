"""The stage's end of the child process that answers for the checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from assay import ending, process, progress, resume, store
from assay import generate as generating
from assay.checkpoints.asked import ASKED, CheckpointJobs
from assay.checkpoints.child import is_done
from assay.checkpoints.models import can_share
from assay.checkpoints.settings import Selecting
from assay.engine import weights
from assay.engine.answering import answered, held
from assay.engine.choice import of_engine
from assay.finetune import FinetuneSettings
from assay.folder import PREDICTIONS, PROGRESS
from assay.llamafactory.job import ERROR, JOB, TRANSFORMERS, GenerateJob
from assay.model import Model
from assay.records import Sample

ANSWERS = "candidate"
"""The folder of a checkpoint's answers, in the order of the samples, and of their scores."""
_LOG = "select.log"


def names(steps: Iterable[int]) -> dict[int, str]:
    """Return what the folder of each checkpoint's answers is called."""
    return {step: f"step-{step}" for step in steps}


def ask(
    folders: Mapping[int, Path],
    base: str,
    samples: Path,
    rows: list[Sample],
    tuning: FinetuneSettings,
    by: Selecting,
) -> CheckpointJobs:
    """Return what is asked of the checkpoints in `folders` on the selection samples."""
    jobs = {
        name: of_engine(
            generating.job_for(_model(folders[step], base, tuning), rows, by.generate),
            TRANSFORMERS,
        )
        for step, name in names(folders).items()
    }
    return CheckpointJobs(
        jobs=jobs,
        samples=str(samples),
        answers=bool(by.scorer),
        shared=can_share(list(folders.values())),
    )


def answer(
    asked: CheckpointJobs, rows: list[Sample], work: Path, listen: progress.Listener
) -> None:
    """Have the child do what is asked, in a folder of `work` for each checkpoint, but for what an
    earlier try has done. Raises StageError with the end of its log."""
    for name, job in asked.jobs.items():
        # the digest says which weights it is, wherever they lie
        known = replace(job, base=job.base_name, adapter="")
        same = _is_of(job.digest, work / name / JOB)
        kept = held if same else resume.nothing  # other weights are not there any more
        resume.take_up(work / name / JOB, known, kept, {"settings": "generate"})
    store.write_json(work / ASKED, asked)
    if not all(is_done(asked, name, rows, work) for name in asked.jobs):
        weights.tell(work, *asked.jobs.values())
        _run(work, listen)
    for name in asked.jobs if asked.answers else ():
        by_id = answered(work / name)
        (work / name / ANSWERS).mkdir(exist_ok=True)
        store.write_rows(work / name / ANSWERS / PREDICTIONS, (by_id[row.id] for row in rows))


def _is_of(digest: str, begun: Path) -> bool:
    return begun.is_file() and store.read_record(begun, GenerateJob).digest == digest


def _run(work: Path, listen: progress.Listener) -> None:
    (work / PROGRESS).unlink(missing_ok=True)
    listen(progress.Progress(stage="select", note="loading the model"))
    events = store.tail(work / PROGRESS)

    def relay() -> None:
        for row in events():
            listen(progress.Progress(**row))

    with ending.told(work / ERROR):
        process.run(
            process.python("assay.checkpoints.child", str(work)),
            log=work / _LOG,
            what="Answering for the checkpoints",
            on_tick=relay,
        )


def _model(folder: Path, base: str, tuning: FinetuneSettings) -> Model:
    adapter = tuning.finetuning_type == "lora"
    return Model(
        name=str(folder),
        base=base if adapter else str(folder),
        base_name=tuning.base_model,
        adapter=str(folder) if adapter else "",
        digest=store.digest_weights(folder),
        base_digest=store.digest_weights(Path(base)) if adapter and Path(base).is_dir() else "",
        seed=tuning.seed,
    )
