"""What an endpoint says in place of a reply, read whole in whichever form it says it."""

from __future__ import annotations

import ast
import codecs
import contextlib
import html
import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from assay.judge import waits
from assay.settings import redacted
from assay.text import one_line

MOST_TOLD = 300
_MOST_READ = 4000  # characters of one error that are looked at
_DEEPEST = 8
_TEXTS = {
    *("message", "msg", "detail", "details", "error", "errors", "reason", "description", "title"),
    *("error_message", "error_msg", "errormessage", "errormsg", "errmsg", "err_msg"),
    *("error_description", "status_msg", "base_resp", "fault", "faultstring", "metadata", "raw"),
    *("innererror", "error_info", "header", "issues", "violations", "fieldviolations"),
    *("invalid_params", "invalidparams", "external_model_error"),
}
_CODES = {
    *("code", "type", "status", "error_code", "errorcode", "err_code", "errcode", "statuscode"),
    *("status_code", "error_type", "http_code", "error"),
}
_NAMES = {
    *("param", "params", "parameter", "loc", "field", "path", "pointer", "argument"),
    *("property", "keys", "name"),
}
_HEADERS = ("x-error-message", "x-error-code", "x-ms-error-code", "grpc-message", "location")
_UNSEEN = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->|<[^<>]*>", re.DOTALL | re.I)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.DOTALL | re.IGNORECASE)
_NO_LITERAL = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)

Hide = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An error: its HTTP status or, in a body of status 200, the code that counts as one; its
    codes and types; the parameters that it names; what it says, on one line and without secrets;
    the `hints` of its fields at when to ask again.
    `within` says that it stood in a body of status 200, `unclear` that nothing there was a code."""

    status: int
    codes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    text: str = ""
    hints: tuple[tuple[str, str], ...] = ()
    within: bool = False
    unclear: bool = False

    @property
    def told(self) -> str:
        """The endpoint's own words, cut to what fits a line."""
        return f"HTTP {self.status}{' within 200' if self.within else ''}: {self.text[:MOST_TOLD]}"


@dataclass
class _Gathered:
    texts: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def read(status: int, content: bytes, headers: Mapping[str, str], hide: Hide = redacted) -> Refusal:
    """Return what an error of HTTP `status` says in its body, or where that is empty in its
    headers; `hide` takes secrets out of it, before anything is cut."""
    content = _in_utf8(content, headers)
    value, written = _json(content), content.decode(errors="replace")
    gathered = _Gathered()
    _gather(value, gathered, 0)
    if isinstance(value, Mapping) and not gathered.texts:
        gathered.names.extend(map(str, value))  # parameter -> what is wrong with it
    told = gathered.texts or [] if value is not None else [_seen(written)]
    text = "; ".join(dict.fromkeys(filter(None, map(one_line, map(hide, told)))))
    text = text or one_line(hide(written)) or hide(_from_headers(headers)) or _phrase(status)
    if status < 400 and (place := headers.get("location")):
        text = f"it leads to {one_line(hide(place))}"
    return Refusal(
        status=status,
        codes=tuple(code.lower() for code in gathered.codes),
        names=tuple(gathered.names),
        text=text[:_MOST_READ],
        hints=waits.hints(value),
    )


def within(body: object, hide: Hide = redacted) -> Refusal | None:
    """Return the error in a body of HTTP 200, None where it says none. The code that it has counts
    as if it were the status; without one it is as a 500."""
    gathered = _Gathered()
    _gather(body, gathered, 0)
    texts = "; ".join(dict.fromkeys(filter(None, map(one_line, map(hide, gathered.texts)))))
    status = next(_statuses(gathered.codes), 0)
    if not texts and not status:
        return None
    return Refusal(
        status=status or 500,
        codes=tuple(code.lower() for code in gathered.codes),
        names=tuple(gathered.names),
        text=texts[:_MOST_READ] or _phrase(status),
        hints=waits.hints(body),
        within=True,
        unclear=not status,
    )


_WORDS = {
    400: r"invalid.?(request|param|argument)|bad.?request|failed_precondition|unsupported",
    401: r"unauth|invalid.?api.?key|authentication",
    402: r"insufficient.?(balance|quota|credit)|arrear|payment|billing",
    403: r"permission|forbidden|access.?denied",
    404: r"not.?found|no.?such.?model",
    429: r"rate.?limit|too.?many|resource.?exhausted|throttl",
    503: r"overload|unavailable|capacity",
}


# of MiniMax, which says all of them within HTTP 200
_NUMBERS = {
    **dict.fromkeys(("1002", "1039", "1041", "2045", "2056"), 429),
    **dict.fromkeys(("1004", "2049"), 401),
    **dict.fromkeys(("1026", "1027", "2013"), 400),
    "1001": 504,
    "1008": 402,
}


def _statuses(codes: list[str]) -> Iterator[int]:
    """Yield what the codes of an error are as HTTP statuses, the plain numbers first."""
    yield from (_NUMBERS[code] for code in codes if code in _NUMBERS)
    yield from (int(code) for code in codes if re.fullmatch(r"[45]\d\d", code))
    for code in codes:
        yield from (number for number, words in _WORDS.items() if re.search(words, code, re.I))


def _gather(value: object, into: _Gathered, depth: int) -> None:
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        _gather_text(value[: 10 * _MOST_READ], into, depth)
    elif isinstance(value, list):
        for item in value[:20]:
            _gather(item, into, depth + 1)
    elif isinstance(value, Mapping):
        _gather_fields(value, into, depth)


def _gather_text(text: str, into: _Gathered, depth: int) -> None:
    """Gather a text, and where a gateway quotes an error in it, what that says."""
    before, inner, behind = _quoted_in(text)
    count = len(into.texts)
    into.texts += [before] if before.strip(" -b'\"") else []
    told = len(into.texts)
    _gather(inner, into, depth + 1)
    if inner is None or len(into.texts) == told:
        into.texts[count:] = [text] if text.strip() else []
    elif behind.strip(" .'\""):
        into.texts.append(behind)


def _quoted_in(text: str) -> tuple[str, Any, str]:
    """Return what stands before the first object or list in a text, that, as JSON or as Python
    writes it, and what stands behind it; where there is none, None in its place."""
    start = re.search(r"[{\[]", text)
    end = max(text.rfind("}"), text.rfind("]")) + 1
    if start is None or end <= start.start():
        return text, None, ""
    inner, before, behind = text[start.start() : end], text[: start.start()], text[end:]
    value = _json(inner.encode(errors="replace"))
    if value is None and len(inner) <= _MOST_READ:
        with contextlib.suppress(*_NO_LITERAL), warnings.catch_warnings(action="ignore"):
            value = json.loads(json.dumps(ast.literal_eval(inner), default=str))
    rows = value if isinstance(value, list) else [value]
    told = rows and (isinstance(rows[0], Mapping) or not before.strip())
    return before, value if told and isinstance(value, Mapping | list) else None, behind


def _gather_fields(value: Mapping[str, Any], into: _Gathered, depth: int) -> None:
    place = ""
    for name, item in value.items():
        if name.lower() in _NAMES and (path := _path(item)):
            into.names.append(path)
            place = path if name == "loc" else place
        if name.lower() in _CODES and (code := _code(item)):
            into.codes.append(code)
    for name, item in value.items():
        if name.lower() not in _TEXTS:
            continue
        if (
            name.lower() == "errors"
            and isinstance(item, Mapping)
            and not _TEXTS & {*map(str.lower, item)}
        ):
            _gather_by_name(item, into)
            continue
        if place and isinstance(item, str) and name in ("msg", "message"):
            into.texts.append(f"{place}: {item}")
        else:
            _gather(item, into, depth + 1)


def _gather_by_name(errors: Mapping[str, Any], into: _Gathered) -> None:
    """Gather what is wrong with each parameter: its name -> a text, or a list of them."""
    for name, wrong in errors.items():
        into.names.append(name)
        rows = wrong if isinstance(wrong, list) else [wrong]
        into.texts += [f"{name}: {row}" for row in rows[:20] if isinstance(row, str)]


def _path(value: object) -> str:
    """Return a parameter's name from the forms it comes in: text, a dotted path, a JSON pointer,
    or the list of its parts."""
    parts = value if isinstance(value, list) else [value]
    return ".".join(str(part) for part in parts[:20] if isinstance(part, str | int))[:200]


def _code(value: object) -> str:
    values = value if isinstance(value, list) else [value]
    words = [str(part) for part in values[:5] if isinstance(part, str | int)]
    return " ".join(word for word in words if word and len(word) <= 80)


def _in_utf8(content: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a body in UTF-8 that its header says to be in another charset."""
    charset = re.search(
        r"charset=[\"']?([\w.:-]+)", headers.get("content-type") or "", re.IGNORECASE
    )
    try:
        named = codecs.lookup(charset[1]).name if charset else "utf-8"
        return content if named == "utf-8" else content.decode(named, "replace").encode()
    except (LookupError, ValueError):
        return content


def _json(content: bytes) -> Any:
    """Return the JSON in a body, None where it is none that can be read."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _seen(written: str) -> str:
    """Return what a reader of the page would see, its title first; plain text as it is."""
    if not re.match(r"\s*<", written):
        return written
    title = " ".join(_TITLE.findall(written)[:1])
    shown = _UNSEEN.sub(" ", written)
    title = "" if title.strip() and title.strip() in shown else title
    return html.unescape(" ".join(filter(None, (title, shown))))


def _from_headers(headers: Mapping[str, str]) -> str:
    return one_line(" ".join(headers[name] for name in _HEADERS if headers.get(name)))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "it said nothing"
