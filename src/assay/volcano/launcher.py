"""Make the Volcano Job of a stage, follow it, and leave none behind.

A Job's name is that of its task's output, so a launcher that starts again finds the Job of its
earlier try: a live one is followed, a finished one's result is used, a dead one is replaced.
However a launcher ends, by failure, timeout or SIGTERM, it ends an unfinished Job first; if it is
killed itself, the Job goes on for the next try, and goes with the launcher's pod.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from assay.errors import AssayError, StageError
from assay.placement import ClusterSettings
from assay.queues import TaskConfig, Work, check_place
from assay.text import flat
from assay.volcano import explain, job
from assay.volcano.api import Api, ApiError, jobs, own_pod, patiently, request
from assay.volcano.follow import follow

DEAD = {"Failed", "Terminated", "Terminating", "Aborted", "Aborting"}
REPLACE_SECONDS = 300.0
END_SECONDS = 2.0

Object = dict[str, Any]


def launch(api: Api, work: Work, settings: ClusterSettings, task: TaskConfig) -> Mapping[str, Any]:
    """Have a Volcano Job do `work` and return the metadata of its artifact.

    Raises InputError for what the user can correct, StageError otherwise, each with the cause.
    """
    for uri in (work.samples, *work.outputs.values()):
        check_place(uri)
    try:
        return _launch(api, work, settings, task)
    except ApiError as error:
        raise explain.refused(error.message, error.status) from None


def begun(api: Api, work: Work) -> bool:
    """Return whether there is a Job of `work`, of an earlier try."""
    try:
        return _get(api, job.name_of(work)) is not None
    except ApiError as error:
        raise explain.refused(error.message, error.status) from None


def _launch(api: Api, work: Work, settings: ClusterSettings, task: TaskConfig) -> Mapping[str, Any]:
    wanted = job.make(work, settings, task, own_pod(api))
    name = wanted["metadata"]["name"]
    try:
        while True:
            live, adopted = _settle(api, wanted)
            ending = follow(api, live, work.stage, settings.timeout_s)
            if ending.metadata:
                return ending.metadata
            if not adopted:
                raise StageError(f"{work.stage}: the Job {name} completed and left no answer")
            print(f"{work.stage}: the answer of Job {name} is lost", flush=True)
            _replace(api, name)
    except (ApiError, AssayError):
        end(api, name)
        raise
    except BaseException:  # SIGTERM, while the Job was perhaps just being made
        end(api, name, END_SECONDS)
        raise


def end(api: Api, name: str, seconds: float = 0.0) -> None:
    """Delete the Job; one that is not there (yet) is waited for, for `seconds`."""
    until = time.monotonic() + seconds
    while True:
        try:
            _delete(api, name)
            return
        except ApiError as error:
            if (error.status == 404 or error.passing) and time.monotonic() < until:
                time.sleep(0.1)
                continue
            if error.status != 404:
                print(
                    flat(f"Job {name} could not be deleted: {error}"), file=sys.stderr, flush=True
                )
            return


def _settle(api: Api, wanted: Object) -> tuple[Object, bool]:
    """Return the Job, and whether it is that of an earlier try."""
    name = wanted["metadata"]["name"]
    stage = wanted["metadata"]["labels"]["app.kubernetes.io/component"]
    until = time.monotonic() + REPLACE_SECONDS
    while time.monotonic() < until:
        try:
            made = patiently(lambda: request(api, "POST", jobs(api), wanted))
        except ApiError as error:
            if error.status != 409:
                raise
        else:
            print(f"{stage}: Volcano Job {name} in queue {wanted['spec']['queue']}", flush=True)
            return made, False
        job = _get(api, name)
        if job is None:
            continue
        phase = job.get("status", {}).get("state", {}).get("phase", "new")
        if phase in DEAD or "deletionTimestamp" in job["metadata"]:
            print(f"{stage}: replacing Job {name} of an earlier try ({phase})", flush=True)
            _replace(api, name)
            continue
        print(f"{stage}: going on with Job {name} of an earlier try ({phase})", flush=True)
        return job, True
    raise StageError(
        f"Job {name} of an earlier try did not end within {REPLACE_SECONDS:.0f} s",
        f"See: kubectl describe vcjob {name}",
    )


def _replace(api: Api, name: str) -> None:
    """Delete the Job and wait until it and its pods are gone."""
    until = time.monotonic() + REPLACE_SECONDS
    while time.monotonic() < until and (job := _get(api, name)):
        if "deletionTimestamp" not in job["metadata"]:
            patiently(lambda: _delete(api, name))
        time.sleep(0.5)


def _delete(api: Api, name: str) -> None:
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
    request(api, "DELETE", f"{jobs(api)}/{name}", body, seconds=3.0)


def _get(api: Api, name: str) -> Object | None:
    try:
        return patiently(lambda: request(api, "GET", f"{jobs(api)}/{name}"))
    except ApiError as error:
        if error.status == 404:
            return None
        raise
