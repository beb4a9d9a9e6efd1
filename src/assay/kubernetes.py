"""How Kubernetes writes names, images and quantities, so that what it would refuse is found before
it is asked."""

from __future__ import annotations

import re
from decimal import ROUND_UP, Context, Decimal

MOST = 2**31 - 1  # of what Kubernetes counts: pods, restarts, seconds
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_LABELLED = re.compile(rf"(?:(?=.{{1,253}}/){_LABEL}(?:\.{_LABEL})*/)?{_PART}")
_EXTENDED = re.compile(rf"(?!(?:.*\.)?kubernetes\.io/|requests\.){_LABEL}(?:\.{_LABEL})+/{_PART}")
_IMAGE = re.compile(
    r"(?:(?=localhost/|[^/]*[.:])(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+:[0-9a-f]{32,128})?"
)
_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([eE][+-]?[0-9]{1,9})|([numkMGTPE]|[KMGTPE]i))?"
)
_LONGEST = 1000
_EXACT = Context(prec=2 * _LONGEST)
# Kubernetes takes what is more for the one, and rounds up to the other.
_MOST, _LEAST = Decimal(2**63 - 1), Decimal("1e-9")
_UNITS = {
    **{unit: Decimal(1000) ** -power for power, unit in enumerate("mun", 1)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


def is_name(text: str) -> bool:
    """Return whether an object, such as a queue or a Secret, may be called so."""
    return bool(_NAME.fullmatch(text))


def is_extended(text: str) -> bool:
    """Return whether an extended resource, such as nvidia.com/gpu, may be called so."""
    return bool(_EXTENDED.fullmatch(text))


def is_label(text: str) -> bool:
    """Return whether a label, or a taint, may be called so."""
    return bool(_LABELLED.fullmatch(text))


def is_label_value(text: str) -> bool:
    """Return whether a label, or a taint, may have that value."""
    return not text or bool(re.fullmatch(_PART, text))


def is_image(text: str) -> bool:
    """Return whether that may be the reference of an image."""
    return bool(_IMAGE.fullmatch(text))


def quantity(amount: object) -> Decimal:
    """Return the number that a quantity of Kubernetes stands for, as Kubernetes holds it: in
    billionths, rounded away from zero, and at most 2^63 - 1. It is text, or the number that a
    custom resource such as a queue may have instead. Raises ValueError for anything else."""
    number = isinstance(amount, (int, float)) and not isinstance(amount, bool)
    text = str(amount) if number else amount
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) and len(text) < _LONGEST else None
    if not match:
        raise ValueError(f"{text!r} is no quantity of Kubernetes")
    digits, exponent, unit = match.groups()
    value = Decimal(digits + (exponent or ""))
    if unit:
        value = _EXACT.multiply(value, _UNITS[unit])
    return max(-_MOST, min(_MOST, value)).quantize(_LEAST, ROUND_UP, _EXACT)
