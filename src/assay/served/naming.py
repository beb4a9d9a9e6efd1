"""What endpoints call a model: the same one with or without who made it, a date or a route."""

from __future__ import annotations

import re

_MAKER = re.compile(  # us.anthropic.
    r"^(?:(?:us|eu|apac|global)\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|mistral|openai|qwen)\."
)
_ROUTE = re.compile(r"(?::(?:latest|free|nitro|floor|exacto|online|extended|beta)|-latest)$")
_MONTH, _DAY = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_DATES = (
    rf"20\d\d-?{_MONTH}-?{_DAY}",  # 2024-08-06
    rf"{_MONTH}-20\d\d",
    rf"{_MONTH}-{_DAY}",
    rf"2\d{_MONTH}(?:{_DAY})?",  # 2411
    rf"{_MONTH}{_DAY}",  # 0613
    r"0\d\d",  # 001
    r"v\d+:\d+",
    "preview",
    "exp",
)
_DATED = re.compile(rf"(?:[-@_.:](?:{'|'.join(_DATES)}))+")


def is_same(one: str, other: str) -> bool:
    """Return whether two names may be of one model: as gpt-4o and openai/gpt-4o-2024-08-06 are, and
    two different makers, folders or dates are not."""
    left, right = _parts(one), _parts(other)
    shared = min(len(left), len(right))
    shorter, longer = sorted((_bare(left[-1]), _bare(right[-1])), key=len)
    return (
        left[-shared:-1] == right[-shared:-1]
        and longer.startswith(shorter)
        and (shorter == longer or bool(_DATED.fullmatch(longer.removeprefix(shorter))))
    )


def _parts(name: str) -> list[str]:
    return name.strip().lower().rstrip("/").split("/")


def _bare(name: str) -> str:
    """Return the last part of a name without who made the model and how it is reached."""
    return _ROUTE.sub("", _MAKER.sub("", name.removesuffix(".gguf")))
