"""The few requests to the Kubernetes API that a launcher makes.

They go over the standard library: Kubernetes' own client takes seconds to import, which a launcher
would spend before its Job exists, and it reads a log line by line in Python objects.
"""

from __future__ import annotations

import functools
import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

T = TypeVar("T")

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REQUEST_SECONDS = 10.0
WATCH_SECONDS = 60
PATIENCE_SECONDS = 600.0  # how long a launcher bears an API server that does not answer
CHUNK = 65_536
GONE = 410  # a watch that starts too far back

Object = dict[str, Any]


class ApiError(Exception):
    """The API server refused a request (`status`), or did not answer (status 0)."""

    def __init__(self, status: int, message: str, wait: float = 1.0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.wait = wait

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.status in (0, 429) or self.status >= 500


@dataclass(frozen=True, kw_only=True)
class Api:
    """Where the API server is, and the service account that asks: `account` is a directory with
    token, ca.crt and namespace."""

    host: str
    port: int
    account: Path = ACCOUNT

    @property
    def namespace(self) -> str:
        """Return the namespace that the service account lives in."""
        return (self.account / "namespace").read_text().strip()


def here(account: Path = ACCOUNT) -> Api | None:
    """Return the API of the cluster that this process runs in, or None outside of one."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    if not host or not (account / "token").is_file():
        return None
    port = int(os.environ.get("KUBERNETES_SERVICE_PORT", "443"))
    return Api(host=host, port=port, account=account)


def request(
    api: Api,
    method: str,
    path: str,
    body: Object | None = None,
    query: Mapping[str, str] | None = None,
    seconds: float = REQUEST_SECONDS,
) -> Object:
    """Return what the API server answers. Raises ApiError."""
    with _answer(api, method, path, body, seconds, query or {}) as response:
        text = response.read()
    try:
        answer: Object = json.loads(text)
    except ValueError:
        raise ApiError(0, "the API server's answer was cut off") from None
    return answer


def patiently(ask: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """Return what `ask` does, asking again while its failure is a passing one."""
    end = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except ApiError as error:
            if not error.passing or time.monotonic() + error.wait > end:
                raise
            time.sleep(error.wait)


def watch(api: Api, path: str, query: Mapping[str, str]) -> Iterator[tuple[str, Object]]:
    """Yield ("LIST", list) and then each change as ("ADDED" | "MODIFIED" | "DELETED", object), for
    about a minute. Raises ApiError, also for a watch that expired."""
    listed = request(api, "GET", path, query=query)
    yield "LIST", listed
    version = listed["metadata"]["resourceVersion"]
    since = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS)}
    for lines in stream(api, path, {**query, **since}, WATCH_SECONDS + 15.0):
        for line in lines:
            kind, subject = _event(line)
            if kind == "ERROR":
                raise ApiError(subject.get("code", GONE), subject.get("message", ""))
            yield kind, subject


def stream(api: Api, path: str, query: Mapping[str, str], seconds: float) -> Iterator[list[bytes]]:
    """Yield the lines of an answer as they come, without their ends, as many at a time as have
    come. Silence for `seconds` is an error. Raises ApiError."""
    with _answer(api, "GET", path, None, seconds, query) as response:
        rest = b""
        while chunk := response.read1(CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if lines:
                yield lines
        if rest:
            yield [rest]


def _event(line: bytes) -> tuple[str, Object]:
    try:
        event = json.loads(line)
    except ValueError:
        raise ApiError(0, "the API server's answer was cut off") from None
    return event["type"], event["object"]


@contextmanager
def _answer(
    api: Api,
    method: str,
    path: str,
    body: Object | None,
    seconds: float,
    query: Mapping[str, str],
) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPSConnection(
        api.host, api.port, timeout=seconds, context=_trust(api.account / "ca.crt")
    )
    headers = {"Authorization": f"Bearer {(api.account / 'token').read_text().strip()}"}
    data = json.dumps(body) if body is not None else None
    if data:
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, f"{path}?{urlencode(query)}", data, headers)
        response = connection.getresponse()
        if response.status >= 400:
            raise _refusal(response)
        yield response
    except (OSError, http.client.HTTPException) as error:
        raise ApiError(0, f"the API server does not answer ({type(error).__name__})") from None
    finally:
        connection.close()


def _refusal(response: http.client.HTTPResponse) -> ApiError:
    text = response.read(CHUNK).decode(errors="replace")
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        message = text.strip() or response.reason
    wait = response.headers.get("Retry-After", "1")
    return ApiError(response.status, message, float(wait) if wait.isdigit() else 1.0)


@functools.cache
def _trust(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca))


def own_pod(api: Api) -> Object | None:
    """Return the pod that this process runs in, or None where that is no pod of the namespace."""
    name = os.environ.get("KFP_POD_NAME") or socket.gethostname()
    try:
        return patiently(lambda: request(api, "GET", f"{pods(api)}/{name}"))
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def pods(api: Api) -> str:
    """Return the path of the namespace's pods."""
    return f"/api/v1/namespaces/{api.namespace}/pods"


def events(api: Api) -> str:
    """Return the path of the namespace's events."""
    return f"/api/v1/namespaces/{api.namespace}/events"


def jobs(api: Api) -> str:
    """Return the path of the namespace's Volcano Jobs."""
    return f"/apis/batch.volcano.sh/v1alpha1/namespaces/{api.namespace}/jobs"


def pod_groups(api: Api) -> str:
    """Return the path of the namespace's PodGroups."""
    return f"/apis/scheduling.volcano.sh/v1beta1/namespaces/{api.namespace}/podgroups"


def queue(name: str) -> str:
    """Return the path of a queue, which is the whole cluster's."""
    return f"/apis/scheduling.volcano.sh/v1beta1/queues/{name}"


def priority_class(name: str) -> str:
    """Return the path of a priority class, which is the whole cluster's."""
    return f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}"


def nodes() -> str:
    """Return the path of the cluster's nodes."""
    return "/api/v1/nodes"


def has_volcano(api: Api) -> bool:
    """Return whether the cluster serves Volcano's Jobs."""
    try:
        patiently(lambda: request(api, "GET", "/apis/batch.volcano.sh/v1alpha1"))
    except ApiError as error:
        if error.status == 404:
            return False
        raise
    return True
