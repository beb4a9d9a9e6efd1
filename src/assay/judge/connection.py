"""The connection to a judge's endpoint: the openai SDK's client, with whom it trusts."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from assay import store
from assay.errors import JudgeError, MissingExtraError
from assay.judge.access import Access
from assay.judge.settings import JudgeSettings

if TYPE_CHECKING:
    import ssl

    import openai
    from openai._types import RequestOptions


def client(settings: JudgeSettings, access: Access) -> openai.AsyncOpenAI:
    """Return the client that asks the endpoint. Raises JudgeError where `ca_file` is none."""
    try:
        import aiohttp  # noqa: F401
        import openai
    except ImportError:
        raise MissingExtraError("openai[aiohttp]", "judge") from None
    return openai.AsyncOpenAI(
        base_url=access.url,
        api_key=access.key or "none",
        max_retries=0,
        timeout=settings.timeout_s,
        default_query=dict(settings.query),
        # a third of the processor time of the default client, whose pool does not scale
        http_client=openai.DefaultAioHttpClient(
            timeout=settings.timeout_s,
            verify=_trusted(settings.ca_file),
            follow_redirects=not access.headers,  # they would take these headers to any server
        ),
    )


def options(access: Access) -> RequestOptions:
    """Return what goes with each request beside its body."""
    import openai

    headers: dict[str, Any] = dict(access.headers)
    named = {name.lower() for name in headers}
    # an endpoint with a key header of its own takes "Bearer none" for a wrong token
    if named and not access.key and "authorization" not in named:
        headers["Authorization"] = openai.Omit()
    return {"headers": headers} if headers else {}


def with_file(options: RequestOptions, file: bytes, timeout_s: float) -> RequestOptions:
    """Return the options of a request that takes longer, such as one that sends a file along."""
    headers = dict(options.get("headers", {}))
    if file:
        headers["Content-Type"] = "multipart/form-data"
    return {**options, "headers": headers, "timeout": timeout_s}


@functools.cache
def _trusted(ca_file: str) -> ssl.SSLContext:
    """Return the certificates that this machine trusts and those in `ca_file`, read once for all
    sessions."""
    import httpx2

    context = httpx2.create_ssl_context()
    if ca_file:
        with store.fetched(ca_file) as path:
            try:
                context.load_verify_locations(cafile=path)
            except (OSError, ValueError) as error:
                raise JudgeError(
                    f"judge.ca_file = {ca_file} holds no certificates that can be read: {error}",
                    "Name a PEM file of the authorities to trust",
                ) from None
    return context
