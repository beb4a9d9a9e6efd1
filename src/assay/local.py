"""Run a compiled pipeline on this machine through kfp.local: the same YAML that a cluster runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from assay import compiled, progress, store, task
from assay.errors import (
    AssayError,
    GateError,
    InputError,
    MissingExtraError,
    ProblemsError,
    StageError,
)
from assay.folder import PROGRESS
from assay.progress import following

LOG = "kfp.log"
ARTIFACTS = "artifacts"


def run_pipeline(
    name: str,
    arguments: Mapping[str, Any],
    folder: Path,
    listen: progress.Listener = progress.ignore,
) -> Path:
    """Run a pipeline with its artifacts under `folder` and return where its report's task put the
    run folder (it does not exist where the pipeline did not evaluate).

    A task that an interrupted run in the same folder finished, with the same arguments, is taken
    from there. Raises InputError, StageError or GateError as the failed task did, a gate last,
    when the report is written; InUseError while another process works in `folder`.
    """
    with (
        store.held(folder),
        _fresh(folder),
        following(folder / PROGRESS, listen),
        _environment(folder),
        (folder / LOG).open("a") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        _run(compiled.pipeline(name), arguments, folder)
    folders = sorted(
        (folder / ARTIFACTS).glob("*/report/run"), key=lambda path: path.stat().st_mtime
    )
    return folders[-1] if folders else folder / ARTIFACTS


def forget(folder: Path) -> None:
    """Remove the artifacts of earlier runs in `folder`, finished or not."""
    shutil.rmtree(folder / ARTIFACTS, ignore_errors=True)


def _run(pipeline: Path, arguments: Mapping[str, Any], folder: Path) -> None:
    try:
        from kfp import components, local
    except ImportError:
        raise MissingExtraError("kfp", "submit") from None
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(folder / ARTIFACTS),
        raise_on_error=True,
        enable_caching=True,
    )
    with warnings.catch_warnings():
        # no image is pulled: the tasks run in this environment
        warnings.filterwarnings("ignore", "You may be attemping to run", RuntimeWarning)
        # names and Kubernetes' settings are for a cluster
        warnings.filterwarnings("ignore", ".*have no effect in the current local", UserWarning)
        try:
            components.load_component_from_text(_resumable(pipeline))(**task.handed(arguments))
        except RuntimeError as error:
            raise _failure(folder, error) from None


@contextlib.contextmanager
def _fresh(folder: Path) -> Iterator[None]:
    """Remove what an earlier run in `folder` told."""
    for stale in (PROGRESS, task.ERROR):
        (folder / stale).unlink(missing_ok=True)
    yield


def _resumable(pipeline: Path) -> str:
    """Return the YAML of a pipeline in which an earlier try's first task counts too: kfp.local
    knows the other tasks of that try by the samples that it wrote."""
    import yaml

    spec, *platform = yaml.safe_load_all(pipeline.read_text(encoding="utf-8"))
    spec["root"]["dag"]["tasks"]["preflight"]["cachingOptions"] = {"enableCache": True}
    return yaml.safe_dump_all([spec, *platform], sort_keys=False)


def _failure(folder: Path, error: RuntimeError) -> AssayError:
    if not (folder / task.ERROR).is_file():
        return StageError(f"the pipeline failed: {error}", f"See {folder / LOG}")
    told = store.read_json(folder / task.ERROR)
    if told.get("error") == GateError.__name__:
        return GateError(told["what"], told["remedy"], exit_code=told["exit_code"])
    if told["exit_code"] != InputError.exit_code:
        return StageError(told["what"], told["remedy"])
    first, *others = told["what"].splitlines()
    problems = [InputError(first, told["remedy"]), *map(InputError, others)]
    return ProblemsError(problems) if others else problems[0]


@contextlib.contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """Tell the tasks, which kfp starts as processes of its own, where to report and with whom to
    end."""
    wanted = {
        task.PROGRESS: str((folder / PROGRESS).resolve()),
        task.PARENT: str(os.getpid()),
        "PYTHONUNBUFFERED": "1",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
