"""The connections to a judge's endpoint: what goes with each request, and who is trusted."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from assay import __version__, store
from assay.errors import JudgeError, MissingExtraError
from assay.judge.access import Access
from assay.judge.outcome import CallError, no_answer
from assay.judge.refusal import MOST_TOLD
from assay.judge.settings import JudgeSettings

if TYPE_CHECKING:
    import ssl

_JSON = {"Content-Type": "application/json"}
_LINES = "application/jsonl"


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

    They are those of the openai SDK. Requests are not made with its methods: what these do with
    each takes as much of a processor as all else that a verdict needs."""

    def __init__(self, settings: JudgeSettings, access: Access) -> None:
        """Raises JudgeError where `ca_file` holds no certificates."""
        try:
            import aiohttp  # noqa: F401
            import httpx2
            import openai
        except ImportError:
            raise MissingExtraError("openai[aiohttp]", "judge") from None
        # a third of the processor time of the default client, whose pool does not scale
        self._pool = openai.DefaultAioHttpClient(
            timeout=settings.timeout_s,
            verify=_trusted(settings.ca_file),
            follow_redirects=not access.headers,  # they would take these headers to any server
        )
        self._access = access
        # read once, not for each request
        usual = _headers(access)
        self._headers, self._json = httpx2.Headers(usual), httpx2.Headers(usual | _JSON)
        self._url = functools.cache(httpx2.URL)
        self._query = dict(settings.query)

    async def send(
        self,
        method: str,
        address: str,
        body: Mapping[str, Any] | None = None,
        file: bytes = b"",
        timeout_s: float = 0.0,
    ) -> Answer:
        """Return what comes of a request without the secrets, whatever status it has. The `body`
        goes as JSON, or as a form with the `file`; `timeout_s`, 0 for that of the settings, bounds
        how long nothing at all may come. Raises CallError where no answer comes, or none that can
        be read."""
        import aiohttp
        import httpx2

        more: dict[str, Any] = {"params": self._query} if self._query else {}
        headers = self._headers
        if timeout_s:
            more["timeout"] = timeout_s
        if file:
            more |= {"data": body, "files": {"file": ("requests.jsonl", file, _LINES)}}
        elif body is not None:
            more["content"] = store.to_json(body)
            headers = self._json
        try:
            answer = await self._pool.request(method, self._url(address), headers=headers, **more)
        except httpx2.DecodingError as error:
            raise self._hidden(_unreadable(error)) from None
        except (httpx2.TransportError, aiohttp.ClientConnectionError, OSError) as error:
            raise self._hidden(no_answer(error)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, aiohttp.ClientError, *_UNREADABLE) as error:
            raise self._hidden(_unreadable(error)) from None
        content = self._access.without(answer.content)
        return Answer(status=answer.status_code, headers=answer.headers, content=content)

    async def close(self) -> None:
        """Close them."""
        await self._pool.aclose()

    def _hidden(self, failure: CallError) -> CallError:
        failure.args = (self._access.hide(str(failure))[:MOST_TOLD],)
        return failure


# what is raised on a header out of bounds, an encoding that is none, an address to go on to
_UNREADABLE = (AssertionError, LookupError, RecursionError, TypeError, ValueError)


def _unreadable(error: Exception) -> CallError:
    detail = f"its answer cannot be read: {type(error).__name__}: {error}"
    return CallError("server_error", detail, transient=True, answered=True)


def _headers(access: Access) -> dict[str, str]:
    """Return what goes with each request; an own header wins, however it is written."""
    named = {name.lower() for name in access.headers}
    usual = {"Accept": "application/json", "User-Agent": f"assay/{__version__}"}
    # an endpoint with a key header of its own takes "Bearer none" for a wrong token
    if access.key or not named:
        usual["Authorization"] = f"Bearer {access.key or 'none'}"
    own = {name: value for name, value in usual.items() if name.lower() not in named}
    return own | dict(access.headers)


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
