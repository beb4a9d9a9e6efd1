"""The connection to Kubeflow Pipelines, through kfp.Client and its ways to authenticate.

Every request goes through `Kfp.call`: it has a time limit, and what KFP or the network answers
amiss becomes one line that says what to do.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import InputError, KfpError, MissingExtraError
from assay.kubeflow.clock import CLOCK, Clock
from assay.kubeflow.connection import COOKIES, TOKEN, Connection
from assay.settings import redacted

TIMEOUT = (5.0, 30.0)  # to connect, to read; seconds
PAGE = 100
NO_PAGE = "<KFP's page: set ui, or ASSAY_KFP_UI>"


@dataclass(frozen=True, kw_only=True)
class Kfp:
    """A connection that answered: kfp's `client`, the `connection` that it was made with, the
    address of KFP's `page`, "" where it is not known, and the `clock` that what waits for KFP goes
    by."""

    client: Any
    connection: Connection
    page: str = ""
    clock: Clock = CLOCK

    def call(self, what: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return `function`'s answer; `what` is asked of KFP, for the message. Raises KfpError."""
        with explained(what, self.connection):
            return function(*args, _request_timeout=TIMEOUT, **kwargs)

    def every(self, what: str, function: Callable[..., Any], key: str, **kwargs: Any) -> list[Any]:
        """Return all items of a listing, whose answer has them under `key`, page by page."""
        entries: list[Any] = []
        page = ""
        while True:
            answer = self.call(what, function, page_token=page, page_size=PAGE, **kwargs)
            entries += getattr(answer, key) or []
            page = answer.next_page_token or ""
            if not page:
                return entries

    @property
    def namespace(self) -> str | None:
        """The user's namespace, None where KFP has one user."""
        return self.client.get_user_namespace() or None

    def link(self, path: str) -> str:
        """Return the address of a page of KFP's UI; where nobody knows where that is, how to say
        it."""
        return f"{(self.page or NO_PAGE).rstrip('/')}/#/{path}"


def _page(client: Any, connection: Connection) -> str:
    """Return the address of KFP's UI: what is set, or the endpoint where that serves it and not the
    API alone, as the API server's own port does; "" where it is not known."""
    endpoint = connection.endpoint
    return connection.ui or (endpoint if endpoint and _is_page(client) else "")


def _is_page(client: Any) -> bool:
    import kfp_server_api
    import urllib3

    try:
        answer = client.healthzs.api_client.call_api(
            "/",
            "GET",
            auth_settings=["Bearer"],
            header_params={"Accept": "text/html"},
            _request_timeout=TIMEOUT,
            _return_http_data_only=True,
            _preload_content=False,
        )
    except (kfp_server_api.ApiException, urllib3.exceptions.HTTPError):
        return False
    return str(answer.headers.get("Content-Type", "")).startswith("text/html")


def connect(connection: Connection, clock: Clock = CLOCK) -> Kfp:
    """Return a connection to a KFP that is there and lets this user in. Raises KfpError."""
    try:
        import kfp
    except ImportError:
        raise MissingExtraError("kfp", "submit") from None

    class Client(kfp.Client):  # type: ignore[misc]
        """kfp.Client, asking for its health once, with a time limit, and believing only KFP."""

        def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:  # noqa: ARG002
            with explained("its health", connection):
                return self.api_models.V2beta1GetHealthzResponse(
                    multi_user=_health(self.healthzs.api_client)["multi_user"]
                )

    _check_reachable(connection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # which versions of KFP it works with
        client = Client(**_arguments(connection))
        if client.get_kfp_healthz().multi_user and not client.get_user_namespace():
            raise KfpError(
                "this KFP has many users, and no namespace is set", "Set --namespace to yours"
            )
    page = _page(client, connection)
    return Kfp(client=client, connection=connection, page=page, clock=clock)


def _arguments(connection: Connection) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "host": _endpoint(connection),
        "existing_token": _token(connection),
        "cookies": os.environ.get(COOKIES) or None,
        "ssl_ca_cert": connection.ca_file or None,
        "proxy": connection.proxy or None,
        "verify_ssl": connection.verify_tls,
    }
    if connection.namespace:
        arguments["namespace"] = connection.namespace
    if connection.credentials:
        from kfp.client import ServiceAccountTokenVolumeCredentials

        arguments["credentials"] = ServiceAccountTokenVolumeCredentials(path=None)
    return arguments


def _endpoint(connection: Connection) -> str | None:
    endpoint = connection.endpoint
    if endpoint and not re.match(r"https?://[^/]", endpoint):
        raise KfpError(f"endpoint {endpoint!r} is no http address", "Write https://HOST or http://")
    return endpoint or None


def _token(connection: Connection) -> str | None:
    if token := os.environ.get(TOKEN):
        return token
    if not connection.token_file:
        return None
    try:
        return Path(connection.token_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the token file {connection.token_file} cannot be read: {error}", "Correct token_file"
        ) from None


def _check_reachable(connection: Connection) -> None:
    """Raise where there is nothing that leads to a KFP: kfp.Client would try localhost."""
    kubeconfig = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    names = ("KF_PIPELINES_ENDPOINT", "KUBERNETES_SERVICE_HOST")
    if not (connection.endpoint or kubeconfig.is_file() or any(map(os.environ.get, names))):
        raise KfpError(
            "no endpoint of Kubeflow Pipelines is set",
            "Set --endpoint, ASSAY_KFP_ENDPOINT, or endpoint in ~/.config/assay/kfp.yaml",
        )


def _health(api: Any) -> dict[str, Any]:
    answer = api.call_api(
        "/apis/v2beta1/healthz",
        "GET",
        response_type="object",
        auth_settings=["Bearer"],
        header_params={"Accept": "application/json"},
        _request_timeout=TIMEOUT,
        _return_http_data_only=True,
    )
    if not isinstance(answer, dict) or "multi_user" not in answer:
        raise KfpError(
            "the endpoint answers, but not as Kubeflow Pipelines 2 does: it may be another "
            "service, or a sign-in page",
            "Correct the endpoint, or sign in again and set ASSAY_KFP_TOKEN or ASSAY_KFP_COOKIES",
        )
    return answer


@contextmanager
def explained(what: str, connection: Connection) -> Iterator[None]:
    """Turn what KFP's client raises while it asks for `what` into KfpError."""
    import kfp_server_api
    import urllib3

    where = connection.endpoint or "Kubeflow Pipelines"
    try:
        yield
    except kfp_server_api.ApiException as error:
        raise _refused(what, where, connection, error) from None
    except urllib3.exceptions.HTTPError as error:
        reason = getattr(error, "reason", None) or error
        text = re.sub(r"^<[^>]*>:? |^[A-Za-z]+\([^)]*\): ", "", " ".join(str(reason).split()))
        raise KfpError(
            f"{where} cannot be reached: {redacted(text)}", "Check the endpoint and the network"
        ) from None


def _refused(what: str, where: str, connection: Connection, error: Any) -> KfpError:
    status, told = error.status or 0, _told(error)
    namespace = f" in namespace {connection.namespace}" if connection.namespace else ""
    if status == 401:
        return KfpError(
            f"{where} does not know this user (401): the token or cookie is missing or expired",
            "Sign in again and set ASSAY_KFP_TOKEN or ASSAY_KFP_COOKIES",
            status,
        )
    if status == 403:
        return KfpError(
            f"{where} forbids {what}{namespace} (403): {told}",
            "Ask for the right, or check --namespace",
            status,
        )
    if status == 404:
        return KfpError(
            f"{where} has not {what}{namespace}: {told}", "Check its name or id", status
        )
    if status == 0:
        return KfpError(f"{where} cannot be reached: {told}", "Check ca_file and the address")
    remedy = "Correct it" if status < 500 else "See the log of KFP's API server"
    return KfpError(f"{where} refused {what} ({status}): {told}", remedy, status)


def _told(error: Any) -> str:
    """Return the first line of the server's own message: the rest repeats it, with Go's stack."""
    try:
        body = json.loads(error.body or "{}")
    except (ValueError, RecursionError):  # a proxy's page
        body = {}
    names = ("message", "error_message", "error") if isinstance(body, dict) else ()
    texts = [str(body[name]).strip() for name in names if body.get(name)]
    text = next(filter(None, texts), str(error.reason or "").strip() or "no reason given")
    # Go's errors name every caller before the cause
    return redacted(text.splitlines()[0]).rpartition(": ")[2][:300].rstrip(". ")
