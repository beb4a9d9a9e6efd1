"""What the labels say of the judge, as text."""

from __future__ import annotations

from assay.calibrate.admission import LEAST
from assay.records import Agreement, Corrected, Measure


def describe(name: str, agreement: Agreement) -> list[str]:
    """Return what the labels say of one dimension, and whether the judge is admitted on it, as
    lines of text."""
    low, high = agreement.bias_low, agreement.bias_high
    reach = "" if low is None else f" (95% {low:+.2f} to {high:+.2f})"
    kappa, weighted = _said(agreement.kappa), _said(agreement.weighted_kappa)
    lines = [
        f"{name}: {agreement.n} labels",
        f"  agreement       {agreement.exact:.0%} exact, {agreement.within_one:.0%} within one",
        f"  Cohen's kappa   {kappa}, with quadratic weights {weighted}",
        f"  Spearman        {_said(agreement.spearman)}",
        f"  bias            {agreement.bias:+.2f}{reach}, judge minus people",
    ]
    for side, mean in agreement.means.items():
        lines.append(f"  {side:10} mean {_corrected(mean, '.2f')}")
        rate = _corrected(agreement.rates[side], ".1%")
        lines.append(f"  {side:10} share of {agreement.pass_at:g} and more {rate}")
    for what, number, form in (
        ("mean", agreement.mean_difference, "+.2f"),
        (f"share of {agreement.pass_at:g} and more", agreement.rate_difference, "+.1%"),
    ):
        if number:
            lines.append(f"  candidate minus baseline: {what} {_corrected(number, form)}")
    return [*lines, *_admission(agreement)]


def _admission(agreement: Agreement) -> list[str]:
    bounds = [
        f"  {side:10} at least " + ", ".join(map(_bound, measures.items()))
        for side, measures in agreement.sides.items()
    ]
    if agreement.admitted:
        return [*bounds, "  admitted"]
    return [*bounds, f"  not admitted: {'; '.join(agreement.shortfalls)}"]


def _bound(measure: tuple[str, Measure]) -> str:
    name, of = measure
    return f"{name.replace('_', ' ')} {_said(of.low)}" + (f" (bar {of.bar:g})" if of.bar else "")


def _corrected(number: Corrected, form: str) -> str:
    judge = f"{number.judge:{form}} by the judge"
    if number.value is None:
        return (
            f"{judge}; {number.labels} labels are too few to correct it, {LEAST} a side are needed"
        )
    return (
        f"{judge}, {number.value:{form}} corrected "
        f"(95% {number.low:{form}} to {number.high:{form}})"
    )


def _said(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
