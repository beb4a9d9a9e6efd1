"""Whether the weights that are loaded are whole, and those that were asked for."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from assay import hub, model, store
from assay.errors import StageError, check_all
from assay.llamafactory.job import JOB, READ, GenerateJob
from assay.model import files, several
from assay.model.place import CONFIG


def check(job: GenerateJob) -> None:
    """Raise InputError, a line for each problem, where the folders of a job's model lack what
    loading it takes, or have a file that is cut off or damaged."""
    folders = {job.base: False, **dict.fromkeys(job.adapters, True)}
    check_all(*(partial(files.check, name, adapter=own) for name, own in folders.items()))


def tell(work: Path, *jobs: GenerateJob) -> None:
    """Write to `work` which weights of the `jobs`, or else of the job in it, this process has read
    to know their digest: its child need not read them again while they are the same files."""
    folders = {
        Path(folder)
        for job in jobs or (store.read_record(work / JOB, GenerateJob),)
        for folder in (*_proving(job), *_below(job))
    }
    store.write_rows(work / READ, store.files_read(folders))


def learn(work: Path) -> None:
    """Have count as read what the process that started this one has read, as `tell` wrote it."""
    if (work / READ).is_file():
        store.trust(store.read_rows(work / READ, store.ReadFile))


def prove(job: GenerateJob) -> None:
    """Raise StageError unless the weights, the adapters' and their base's, and the files beside
    them are those that the job's digests are of. Of a hub id that is a commit, which is loaded by
    it: no folder here may stand in its place."""
    if not (hub.commit(job.base_name) and not job.adapter and not Path(job.base).exists()):
        _prove(_proving(job), job.digest)
    _prove(_below(job), job.base_digest)
    if job.config_digest not in ("", model.config_digest(job.folders)):
        raise StageError(
            f"{several.joined(job.folders)}: a file beside the weights, such as {CONFIG}, is no "
            "longer the one that this run began with",
            "Restore it, or begin the run anew",
        )


def _prove(folders: tuple[str, ...], known: str) -> None:
    if known and known != (digest := several.digest(list(map(_digest, folders)))):
        raise StageError(
            f"{several.joined(folders)}: its weights ({digest[:12] or 'none'}) are no longer those "
            f"that this run began with ({known[:12]})",
            "Restore them, or begin the run anew",
        )


def _proving(job: GenerateJob) -> tuple[str, ...]:
    return job.adapters or (job.base,)


def _below(job: GenerateJob) -> tuple[str, ...]:
    """Return the folder that the adapters are loaded on, where its digest is known."""
    return (job.base,) if job.base_digest else ()


def _digest(folder: str) -> str:
    return store.digest_weights(Path(folder))
