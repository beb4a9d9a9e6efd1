"""The connections to a judge's endpoint: what goes with each request, and who is trusted."""

from __future__ import annotations

import functools
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from assay import __version__, store
from assay.errors import JudgeError, MissingExtraError
from assay.judge.access import Access
from assay.judge.outcome import CallError, no_answer
from assay.judge.refusal import MOST_TOLD
from assay.judge.settings import JudgeSettings

if TYPE_CHECKING:
    import aiohttp

KEPT_S = 5.0  # without a request; many servers close a connection soon after
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an endpoint answered: the HTTP status, the headers, the body without its encoding."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def failed(self) -> bool:
        """Whether its status says that it is no success."""
        return self.status >= HTTPStatus.MULTIPLE_CHOICES


class Connections:
    """The connections to one endpoint within one event loop, as many as requests are in flight.

    Not those of the openai SDK: what it does with each request takes several times as much of a
    processor as all else that a verdict needs."""

    def __init__(self, settings: JudgeSettings, access: Access) -> None:
        """Raises JudgeError where `ca_file` holds no certificates."""
        try:
            import aiohttp  # noqa: F401
        except ImportError:
            raise MissingExtraError("aiohttp", "judge") from None
        self._query = dict(settings.query)
        self._access = access
        self._timeout_s = settings.timeout_s
        self._trusted = _trusted(settings.ca_file)
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        method: str,
        address: str,
        body: Mapping[str, Any] | None = None,
        file: bytes = b"",
        timeout_s: float = 0.0,
    ) -> Answer:
        """Return what comes of a request: whatever status it has. The `body` goes as JSON, or as a
        form with the `file`; `timeout_s`, 0 for that of the settings, bounds how long nothing at
        all may come. Raises CallError where no answer comes, or none that can be read."""
        import aiohttp

        # where there are headers with secrets, a redirect would take them to any server
        more: dict[str, Any] = {"params": self._query, "allow_redirects": not self._access.headers}
        if timeout_s:
            more["timeout"] = _within(timeout_s)
        if file:
            more["data"] = _form(body or {}, file)
        elif body is not None:
            more |= {"data": store.to_json(body), "headers": _JSON}
        try:
            async with self._opened().request(method, address, **more) as answer:
                return Answer(
                    status=answer.status, headers=answer.headers, content=await answer.read()
                )
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as error:
            raise no_answer(error) from None
        except (aiohttp.ClientError, *_UNREADABLE) as error:
            detail = f"its answer cannot be read: {type(error).__name__}: {str(error)[:MOST_TOLD]}"
            raise CallError("server_error", detail, transient=True, answered=True) from None

    async def close(self) -> None:
        """Close them."""
        if self._session:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, keepalive_timeout=KEPT_S, ssl=self._trusted
                ),
                headers=_headers(self._access),
                timeout=_within(self._timeout_s),
                proxy=_proxy(self._access.url),
            )
        return self._session


# what is raised on a header out of bounds, an encoding that is none, an address to go on to
_UNREADABLE = (AssertionError, LookupError, RecursionError, TypeError, ValueError)


def _within(seconds: float) -> aiohttp.ClientTimeout:
    import aiohttp

    return aiohttp.ClientTimeout(connect=seconds, sock_connect=seconds, sock_read=seconds)


def _headers(access: Access) -> Mapping[str, str]:
    from multidict import CIMultiDict

    headers = CIMultiDict({"Accept": "application/json", "User-Agent": f"assay/{__version__}"})
    # an endpoint with a key header of its own takes "Bearer none" for a wrong token
    if access.key or not access.headers:
        headers["Authorization"] = f"Bearer {access.key or 'none'}"
    headers.update(access.headers)
    return headers


def _form(fields: Mapping[str, str], file: bytes) -> aiohttp.FormData:
    import aiohttp

    form = aiohttp.FormData(fields)
    form.add_field("file", file, filename="requests.jsonl", content_type="application/jsonl")
    return form


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for an address, None for none."""
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


@functools.cache
def _trusted(ca_file: str) -> ssl.SSLContext:
    """Return the certificates that this machine trusts and those in `ca_file`, read once for all
    sessions."""
    context = ssl.create_default_context()
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
