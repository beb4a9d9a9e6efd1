"""What people's labels say, in the judge's section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from assay.records import SIDES, Agreement, Corrected
from assay.report.contents import Admission, Report
from assay.report.plain import label, signed
from assay.report.section import Block, Column, Table, note, titled

_COLUMNS = (
    "Dimension",
    "Labels",
    "Agreement",
    "Judge minus people",
    "Corrected mean",
    "Corrected share that passes",
    "The judge is",
)

_UNLABELLED = (
    "The judge is not calibrated on {}: nobody has compared it with people there. See "
    "docs/judge.md, Compare it with people."
)


def blocks(report: Report) -> Iterator[Block]:
    """Yield how far the judge agrees with people, and whether that admits it."""
    unlabelled = [label(name) for name in report.admissions if name not in report.calibration]
    if report.calibration:
        yield _table(report)
    if unlabelled:
        yield note(_UNLABELLED.format(", ".join(unlabelled)), "facts")


def _table(report: Report) -> Table:
    return Table(
        title="Compared with people; intervals are 95%",
        columns=tuple(Column(title=title) for title in _COLUMNS),
        rows=tuple(
            titled(
                label(name),
                [
                    f"{of.n:,}",
                    _agreement(of),
                    _bias(of),
                    _corrected(of.means, of.mean_difference, ".2f") or "of an earlier run",
                    _shares(of),
                    _admission(report.admissions.get(name, "not calibrated"), of),
                ],
            )
            for name, of in report.calibration.items()
        ),
    )


def _agreement(of: Agreement) -> str:
    numbers = (
        ("Cohen's kappa", of.kappa),
        ("weighted kappa", of.weighted_kappa),
        ("Spearman", of.spearman),
    )
    told = [f"{name} {value:.2f}" for name, value in numbers if value is not None]
    return ", ".join([f"{of.exact:.0%} exact, {of.within_one:.0%} within one", *told])


def _bias(of: Agreement) -> str:
    bias = signed(of.bias, "judge")
    if of.bias_low is None or of.bias_high is None:
        return bias
    return f"{bias} ({signed(of.bias_low, 'judge')} to {signed(of.bias_high, 'judge')})"


def _admission(admission: Admission, of: Agreement) -> str:
    """Whether the judge is admitted, and what it rests on: the lower bounds of each side."""
    if admission == "not calibrated":
        return f"{admission}: the labels are of another judge or rubric"
    return f"{admission}: {'; '.join(of.shortfalls) or _bounds(of)}"


def _bounds(of: Agreement) -> str:
    return "; ".join(
        f"{side} "
        + ", ".join(
            f"{name.replace('_', ' ')} at least {measure.low:.2f} (bar {measure.bar:g})"
            for name, measure in measures.items()
            if measure.bar and measure.low is not None
        )
        for side, measures in of.sides.items()
    )


def _corrected(sides: Mapping[str, Corrected], difference: Corrected | None, form: str) -> str:
    told = [f"{side} {_number(sides[side], form)}" for side in SIDES if side in sides]
    told += [f"difference {_number(difference, f'+{form}')}"] if difference else []
    return "; ".join(told)


def _shares(of: Agreement) -> str:
    shares = _corrected(of.rates, of.rate_difference, ".1%")
    return f"{of.pass_at:g} and more: {shares}" if shares else "of an earlier run"


def _number(of: Corrected, form: str) -> str:
    if of.value is None:
        return f"too few labels ({of.labels}), the judge {of.judge:{form}}"
    return f"{of.value:{form}} ({of.low:{form}} to {of.high:{form}}), the judge {of.judge:{form}}"
