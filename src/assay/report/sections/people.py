"""What people's labels say, in the judge's section."""

from __future__ import annotations

from collections.abc import Iterator

from assay.records import SIDES, Agreement, Corrected
from assay.report.contents import Report
from assay.report.plain import label, signed
from assay.report.section import Block, Column, Table, titled

_COLUMNS = ("Dimension", "Labels", "Agreement", "Judge minus people", "Corrected mean")


def blocks(report: Report) -> Iterator[Block]:
    """Yield how far the judge agrees with people, nothing where nobody labelled."""
    if not report.calibration:
        return
    yield Table(
        title="Compared with people; intervals are 95%",
        columns=tuple(Column(title=title) for title in _COLUMNS),
        rows=tuple(
            titled(label(name), [f"{of.n:,}", _agreement(of), _bias(of), _means(of)])
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


def _means(of: Agreement) -> str:
    return "; ".join(f"{side} {_mean(of.means[side])}" for side in SIDES if side in of.means)


def _mean(mean: Corrected) -> str:
    if mean.value is None:
        return f"too few labels ({mean.labels}), the judge {mean.judge:.2f}"
    return f"{mean.value:.2f} ({mean.low:.2f} to {mean.high:.2f}), the judge {mean.judge:.2f}"
