"""Why a run has failed, from the logs of the tasks that did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay import exits
from assay.errors import KfpError
from assay.kubeflow import task_logs
from assay.kubeflow.client import Kfp
from assay.kubeflow.runs import Run, Task

RAISED = "assay: "  # begins an error that Assay raised on purpose
MOST_LINES = 12
_INCONCLUSIVE = "The gate says INCONCLUSIVE"  # how the error of the task Gate begins
_CODES = {
    "SUCCEEDED": exits.DONE,
    "FAILED": exits.FAILED,
    "CANCELED": exits.CANCELED,
}


def causes(kfp: Kfp, run: Run) -> dict[str, str]:
    """Return why each failed task of a failed run did, by its name; a cancelled run has none."""
    failed = [task for task in run.tasks if task.state == "FAILED"]
    return {task.name: _cause(kfp, run, task) for task in failed} if run.state == "FAILED" else {}


def exit_code(run: Run, failures: Mapping[str, str]) -> int:
    """Return how a run stands as an exit code; `failures` are its `causes`. A gate that cannot
    decide fails its run, and is told from one that has failed."""
    if any(cause.startswith(_INCONCLUSIVE) for cause in failures.values()):
        return exits.INCONCLUSIVE
    return _CODES.get(run.state, exits.GOES_ON)


def _cause(kfp: Kfp, run: Run, task: Task) -> str:
    try:
        return of_log(task_logs.read(kfp, run.id, task))
    except KfpError as error:
        return f"its log cannot be read: {error.what}"


def of_log(lines: Sequence[str]) -> str:
    """Return the error that ends a log: what Assay says, or else the last line."""
    raised = [number for number, line in enumerate(lines) if line.startswith(RAISED)]
    if raised:
        return "\n".join(lines[raised[-1] :][:MOST_LINES]).removeprefix(RAISED)
    return lines[-1] if lines else "its log is empty"
