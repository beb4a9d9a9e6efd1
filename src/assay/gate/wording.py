"""A decision as text: one line, a line a rule, and how often a good candidate would be stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from assay.gate.evidence import IGNORED, Gate, Ruling
from assay.text import flat

FOREIGN = ", by other rules than the run's own"
_STATES = {
    "NO_GO": "broken",
    "INCONCLUSIVE": "not proven",
    IGNORED: "ignored",
}


def headline(gate: Gate) -> str:
    """Return the decision and how many rules it rests on, as one line."""
    counts = Counter(ruling.decision for ruling in gate.rulings if _counts(ruling))
    of_all = f"of {len(gate.rulings)} rule{'s' * (len(gate.rulings) != 1)}"
    tally = {
        "GO": f"{counts['GO']} {of_all} hold{'s' * (len(gate.rulings) == 1)}",
        "NO_GO": f"{counts['NO_GO']} {of_all} broken",
        "INCONCLUSIVE": f"{counts['INCONCLUSIVE'] + counts[IGNORED]} {of_all} not proven",
    }[gate.decision]
    ignored = f", {counts[IGNORED]} ignored" if counts[IGNORED] else ""
    foreign = FOREIGN if gate.foreign else ""
    return f"{called(gate.decision)}: {tally}{ignored}{''.join(_beside(gate))}{foreign}"


def describe(gate: Gate) -> str:
    """Return a decision as text: one line, one for each rule, and what to know of all of them."""
    rules = [
        f"  {called(ruling.decision):12} {ruling.rule}: {ruling.reason}" for ruling in gate.rulings
    ]
    return "\n".join(map(flat, [headline(gate), *rules, *filter(None, [remark(gate)])]))


def called(decision: str) -> str:
    """Return what a decision is called: NO_GO is its name in files, NO-GO what people read."""
    return decision.replace("_", "-")


def remark(gate: Gate) -> str:
    """Return how often a candidate just as good as the baseline would be stopped, as a sentence;
    "" where nothing says."""
    if gate.stopped is None:
        return ""
    least, most = map(_share, gate.stopped)
    apart = f" if the rules move together, {most} if they are independent"
    return (
        "A GO needs every critical rule, so nothing is corrected for their number. A candidate "
        f"exactly as good as what it is compared with would be stopped by chance in {least} of "
        f"such runs{apart if least != most else ''}."
    )


def _share(share: float) -> str:
    if share < 0.01:
        return "less than 1%"
    return "more than 99%" if share > 0.99 else f"{share:.0%}"


def _counts(ruling: Ruling) -> bool:
    return ruling.binding or ruling.decision == "GO"


def _beside(gate: Gate) -> Iterator[str]:
    """Yield what does not hold and does not decide either."""
    beside = Counter(
        (ruling.tier, ruling.decision) for ruling in gate.rulings if not _counts(ruling)
    )
    for (tier, decision), count in beside.items():
        yield f", {count} {tier} {_STATES[decision]}"
