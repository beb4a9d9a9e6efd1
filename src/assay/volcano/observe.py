"""Watch a Job, its pods and its PodGroup, through whatever the API server does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from typing import Any

from assay.volcano.api import GONE, Api, ApiError, jobs, pod_groups, pods, watch

RETRY_SECONDS = 5.0

Object = dict[str, Any]
# (job | group | pod, what watch yields or ERROR or NOTE, the object, list, error or note)
Notice = tuple[str, str, Any]
Changes = queue.SimpleQueue[Notice]


def observe(api: Api, job: Object, changes: Changes, stop: threading.Event) -> None:
    """Put every change into `changes`, from threads that end some time after `stop` is set. What
    the API server refuses for good comes as an ERROR; what passes is tried again."""
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    for kind, path, query in (
        ("job", jobs(api), {"fieldSelector": f"metadata.name={name}"}),
        ("group", pod_groups(api), {"fieldSelector": f"metadata.name={name}-{uid}"}),
        ("pod", pods(api), {"labelSelector": f"volcano.sh/job-name={name}"}),
    ):
        threading.Thread(
            target=_watch, args=(api, kind, path, query, changes, stop), name=kind, daemon=True
        ).start()


def _watch(
    api: Api,
    kind: str,
    path: str,
    query: Mapping[str, str],
    changes: Changes,
    stop: threading.Event,
) -> None:
    silent = False
    while not stop.is_set():
        try:
            for change, subject in watch(api, path, query):
                changes.put((kind, change, subject))
                silent = False
        except ApiError as error:
            if not error.passing and error.status != GONE:
                changes.put((kind, "ERROR", error))
                return
            if kind == "job" and not silent and error.status != GONE:
                changes.put((kind, "NOTE", f"{error.message}; the Job goes on, trying again"))
            silent = True
            stop.wait(max(error.wait, 0 if error.status == GONE else RETRY_SECONDS))
