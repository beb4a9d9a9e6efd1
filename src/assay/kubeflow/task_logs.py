"""What the tasks of a run have written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from assay.errors import KfpError
from assay.kubeflow.client import Kfp
from assay.kubeflow.runs import NOT_FOUND, Task

NO_SUCH_POD = 500  # as KFP's page answers
# What the server, its launcher and Argo print around a component's own lines, and what of it has
# an object in JSON behind it, of which the last line is a brace alone.
_NOISE = re.compile(
    r'^([IWE]\d{4} |F\d{4} .* exit status \d+$|time="?\d{4}-|\[KFP Executor'
    r"|Error: exit status \d+$|\s*$)"
)
_BEFORE_JSON = ("Got executor_input:", "ExecutorOutput: {")


def read(kfp: Kfp, run_id: str, task: Task) -> list[str]:
    """Return the lines that a task has written so far; none where its pod has not started."""
    for pod in task.pods:
        text = _read_log(kfp, run_id, pod)
        if text is not None:
            return list(_own_lines(text))
    return []


def _own_lines(text: str) -> Iterator[str]:
    in_json = False
    for line in text.splitlines():
        if in_json:
            in_json = line != "}"
        elif _NOISE.match(line):
            in_json = line.endswith(_BEFORE_JSON)
        else:
            yield line


def _read_log(kfp: Kfp, run_id: str, pod: str) -> str | None:
    """Return what a pod has written, None where there is none. KFP's page, where the endpoint is
    that, lets logs be read only at an address of its own."""
    try:
        text = _text(kfp, f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log")
    except KfpError as error:
        if error.status != NOT_FOUND:
            raise
        return _read_log_of_page(kfp, pod)
    return None if text.lstrip().startswith('{"error_message"') else text


def _read_log_of_page(kfp: Kfp, pod: str) -> str | None:
    query = {"podname": pod, **({"podnamespace": kfp.namespace} if kfp.namespace else {})}
    try:
        return _text(kfp, "/k8s/pod/logs", query)
    except KfpError as error:
        if error.status not in (NOT_FOUND, NO_SUCH_POD):
            raise
        return None


def _text(kfp: Kfp, path: str, query: Mapping[str, str] | None = None) -> str:
    api = kfp.client.runs.api_client
    answer = kfp.call(
        "the log",
        api.call_api,
        path,
        "GET",
        query_params=list((query or {}).items()),
        auth_settings=["Bearer"],
        _return_http_data_only=True,
        _preload_content=False,
    )
    return str(answer.data.decode("utf-8", "replace"))
