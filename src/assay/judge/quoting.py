"""A secret in what somebody else says: whole, escaped, encoded, in other case, or cut."""

from __future__ import annotations

import base64
import functools
import html
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

HIDDEN = b"***"
PIECE = 12
"""So many characters of a secret in a row are taken for a part of it."""
_LONG = 16
_SEED = 6
_STEP = PIECE - _SEED + 1  # of any piece, a seed begins at one of the steps
_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\((?:u[0-9a-fA-F]{0,3})?)\Z")
_BEFORE = 16
_ALIGNED = (0, 2, 3)  # where what follows 0, 1 or 2 bytes begins in base64


@functools.lru_cache(maxsize=64)
def hider(secrets: tuple[str, ...]) -> Callable[[bytes], bytes]:
    """Return what takes the `secrets` out of a content, with *** in their place: in the forms that
    others quote them in and, of those that are long and nobody would write by chance, pieces too,
    in any case."""
    others = [form for each in secrets if not _is_random(each) for form in _forms(each)]
    whole = sorted(set(others), key=len, reverse=True)
    random = [form.lower() for each in secrets if _is_random(each) for form in _forms(each)]
    pieces = frozenset(gram for form in random for gram in _grams(form, PIECE))
    seeds = frozenset(tuple(gram) for form in random for gram in _grams(form, _SEED))

    def hide(content: bytes) -> bytes:
        for form in whole:
            content = content.replace(form, HIDDEN)
        lower = content.lower()  # of ASCII alone, so that each byte stays in its place
        if seeds.isdisjoint(zip(*(lower[at::_STEP] for at in range(_SEED)), strict=False)):
            return content
        grams = enumerate(_grams(lower, PIECE))
        return _without(content, [at for at, gram in grams if gram in pieces])

    return hide


def _forms(secret: str) -> Iterator[bytes]:
    """Yield a secret as it is, and as URLs, JSON, HTML, base64 (also behind "user:") and
    hexadecimal digits have it."""
    yield secret.encode()
    inner = json.dumps(secret)[1:-1]
    marks = re.sub(r"[^A-Za-z0-9]", lambda mark: f"\\u{ord(mark[0]):04x}", secret)
    few = re.sub(r"[<>&='+]", lambda mark: f"\\u{ord(mark[0]):04x}", inner)
    for safe in ("", "/"):
        yield (once := quote(secret, safe=safe)).encode()
        yield quote(once, safe="").encode()
    for form in (inner, inner.replace("/", r"\/"), marks, few, html.escape(secret)):
        yield form.encode()
    yield secret.encode().hex().encode()
    for before, start in enumerate(_ALIGNED):
        bits = b"\0" * before + secret.encode()
        end = len(bits) * 8 // 6  # what is behind it may be anything
        yield base64.b64encode(bits)[start:end]
        yield base64.urlsafe_b64encode(bits)[start:end]


def _is_random(secret: str) -> bool:
    """Whether a piece of a secret would stand in no text by chance, as one of an address may."""
    lettered = any(map(str.isdigit, secret)) and any(map(str.isalpha, secret))
    return len(secret) >= _LONG and lettered and "://" not in secret and " " not in secret


def _grams(text: bytes, size: int) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(len(text) - size + 1))


def _without(content: bytes, starts: list[int]) -> bytes:
    """Return a content without the pieces that begin at the `starts`. An escape of JSON that such a
    piece seems to begin in stays whole."""
    parts: list[bytes] = []
    end = 0
    for start in starts:
        if start > end or not parts:
            parts += [content[end : start + _left(content, start)], HIDDEN]
        end = start + PIECE
    return b"".join([*parts, content[end:]])


def _left(content: bytes, at: int) -> int:
    """Return how many bytes are left at a place of the escape that it is in."""
    begun = _ESCAPE.search(content[max(0, at - _BEFORE) : at])
    if begun is None:
        return 0
    unicode = begun[1] or content[at : at + 1] == b"u"
    return (6 if unicode else 2) - len(begun[1]) - 1
