"""Make the Volcano Job of a stage, follow it, and leave none behind.

A Job belongs to its run, and its name is that of its task's output, so a launcher that starts again
finds what its earlier try left: a result in the store is used, a live Job is followed, a dead one
is replaced. A Job that was preempted waits in its queue again. However a launcher ends, by failure,
timeout or SIGTERM, it ends an unfinished Job first; unless its pod was taken away, which says
nothing of the run, or it is killed itself: then the Job goes on for the next try, as long as its
lease (assay.volcano.lease) allows.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from assay import store
from assay.errors import AssayError, StageError
from assay.placement import ClusterSettings
from assay.queues import TaskConfig, Work, check_place
from assay.text import flat
from assay.volcano import explain, job, lease, published
from assay.volcano.api import Api, ApiError, jobs, own_pod, patiently, pods, request
from assay.volcano.follow import follow
from assay.volcano.pods import condition, leaves

DEAD = {"Failed", "Terminated", "Terminating", "Aborted", "Aborting"}
REPLACE_SECONDS = 300.0
END_SECONDS = 2.0
LOOK_SECONDS = 1.0

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
    pod = own_pod(api)
    with lease.renewed(work, settings.lease_s) as lease_s:
        name = job.name_of(work)
        make = functools.partial(job.make, work, settings, task, pod, lease_s)
        try:
            return _done(api, work, settings, make)
        except (ApiError, AssayError):
            end(api, name)
            raise
        except BaseException:  # SIGTERM, while the Job was perhaps just being made
            if pod and _is_taken_away(api, pod):
                print(f"{work.stage}: Job {name} goes on without this pod", flush=True)
            else:
                end(api, name, END_SECONDS)
            raise


def _done(
    api: Api, work: Work, settings: ClusterSettings, make: Callable[..., Object]
) -> Mapping[str, Any]:
    """Return the metadata of the artifact, having made as many Jobs as it takes; `make` returns
    one, of so many pods."""
    wanted, begun = make(), time.monotonic()
    name = wanted["metadata"]["name"]
    while (metadata := _published(work)) is None:
        live, adopted = _settle(api, wanted)
        try:
            ending = follow(api, live, work.stage, settings, begun)
        except explain.FewerPodsError as error:
            print(flat(f"{work.stage}: {error.what}"), flush=True)
            wanted = make(pods=error.pods)
            _replace(api, name)
            continue
        except explain.TakenAwayError as error:
            print(flat(f"{work.stage}: {error.what}; the Job waits in its queue again"), flush=True)
            _replace(api, name)
            continue
        if ending.metadata:
            return ending.metadata
        if (metadata := _published(work)) is not None:
            break
        if not adopted:
            raise StageError(f"{work.stage}: the Job {name} completed and left no answer")
        print(f"{work.stage}: the answer of Job {name} is lost", flush=True)
        _replace(api, name)
    return metadata


def _published(work: Work) -> Mapping[str, Any] | None:
    """Return what an earlier try has published, as far as the launcher's own keys show it: the
    worker, whose keys may be others, looks too, and waits for the store."""
    with store.relied_on(False):
        return published.found(work)


def _is_taken_away(api: Api, pod: Object) -> bool:
    """Return whether this process ends because its pod does: deleted, evicted, drained. A run that
    is canceled leaves its pods there."""
    meta = pod["metadata"]
    try:
        now = request(api, "GET", f"{pods(api)}/{meta['name']}", seconds=LOOK_SECONDS)
    except ApiError as error:
        return error.status == 404
    gone = now["metadata"]["uid"] != meta["uid"] or leaves(now)
    return gone or condition(now, "DisruptionTarget") is not None


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
        if phase in DEAD or leaves(job):
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
        if not leaves(job):
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
