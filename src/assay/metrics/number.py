"""number-match: the last number of an answer against that of its target."""

from __future__ import annotations

from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal

from assay.metrics.contract import Unscored
from assay.metrics.numerals import NUMBER, in_ascii
from assay.metrics.reading import compared, rate
from assay.metrics.task import TaskSettings

# no number that an answer may hold is out of its range, as it would be of a float's
_EXACT = Context(prec=60, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


def read_number(text: str) -> Decimal:
    """Return the last number in a text: digits of any script, with or without a sign, separators
    between thousands, a decimal point or comma, an exponent (1e3, 1 x 10^3), a power, a fraction.
    What hangs on letters or a point before it (v2, 1.2.3), or is an exponent of letters (m^2), is
    none. Raises Unscored("no_number")."""
    match = None
    for match in NUMBER.finditer(in_ascii(text)):  # noqa: B007  the last one
        pass
    if match is None:
        raise Unscored("no_number")
    size = _fraction(match.groupdict()) if match["over"] else _decimal(match.groupdict())
    return size.copy_negate() if "-" in (match["sign"] or "") else size


def _fraction(parts: dict[str, str | None]) -> Decimal:
    """Return what a fraction is: 2 1/2 is two and a half."""
    over, under = Decimal(parts["over"] or 0), Decimal(parts["under"] or 1)
    whole = Decimal(parts["whole"] or 0) if over < under else Decimal(0)
    return _EXACT.add(whole, _EXACT.divide(over, under))


def _decimal(parts: dict[str, str | None]) -> Decimal:
    """Return what digits are, with their exponent or raised to their power."""
    digits = parts["english"] or parts["plain"] or ""
    if comma := parts["comma"]:
        digits = comma.replace(".", "").replace(",", ".")
    elif spaced := parts["spaced"]:
        digits = "".join(sign for sign in spaced if sign.isdecimal() or sign in ",.")
        digits = digits.replace(",", ".")
    base = Decimal(digits.replace(",", "") + "E" + (parts["exponent"] or parts["tens"] or "0"))
    return _EXACT.power(base, Decimal(parts["power"])) if parts["power"] and base else base


def _near(task: TaskSettings, given: Decimal, wanted: Decimal) -> float:
    """Return 1 where two numbers are equal, or no further apart than the tolerances let them be:
    as they are written, so that 0.1 is within 0.1 of 0.2."""
    if given == wanted:
        return 1.0
    of_target = _EXACT.multiply(Decimal(repr(task.relative_tolerance)), _EXACT.abs(wanted))
    within = max(Decimal(repr(task.tolerance)), of_target)
    return float(within > 0 and _EXACT.abs(_EXACT.subtract(given, wanted)) <= within)


NUMBER_MATCH = rate(
    "number-match",
    "whose last number is the target's last number, within the tolerance",
    compared(lambda _: read_number, _near),
)
