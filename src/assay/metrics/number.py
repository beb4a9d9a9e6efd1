"""number-match: the last number of an answer against that of its target."""

from __future__ import annotations

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal

from assay.metrics.contract import Unscored
from assay.metrics.reading import compared, rate
from assay.metrics.task import TaskSettings

# a sign belongs to a number where nothing stands before it that it could be subtracted from
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])((?<![\w)\]])[-+\u2212])?"
    r"((?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)([eE][-+]?[0-9]{1,9})?"
)

# no number that an answer may hold is out of its range, as it would be of a float's
_EXACT = Context(prec=60, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


def read_number(text: str) -> Decimal:
    """Return the last number in a text: digits, with or without a sign, commas between thousands, a
    decimal point and an exponent. What hangs on letters or a point before it (v2, 1.2.3) is none.
    Raises Unscored("no_number")."""
    matches = list(_NUMBER.finditer(text))
    if not matches:
        raise Unscored("no_number")
    number = "".join(matches[-1].groups(default=""))
    return Decimal(number.replace(",", "").replace("\u2212", "-"))


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
