"""What people's labels say of the judge, in the report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from assay import store
from assay.records import SIDES, Agreement, Corrected
from assay.report.contents import Caution
from assay.report.glossary import rank
from assay.report.plain import label, signed
from assay.report.run import Run, SideRun

CALIBRATION = "calibration.json"
COLUMNS = ("Labels", "Agreement", "Judge minus people", "Corrected mean")


def read(run: Run) -> dict[str, Agreement]:
    """Return what calibration.json of the run folder says of each dimension, {} where there is
    none. Raises InputError."""
    path = run.folder / CALIBRATION
    found = store.read_record(path, dict[str, Agreement]) if path.is_file() else {}
    return dict(sorted(found.items(), key=lambda item: (rank(item[0]), item[0])))


def cautions(run: Run, calibration: Mapping[str, Agreement]) -> Iterator[Caution]:
    """Yield that the labels were compared with other verdicts than those that the report shows."""
    sides = {side.side: side for side in run.sides}
    for name, one in calibration.items():
        for side, mean in one.means.items():
            if side not in sides or not _is_of(mean, sides[side], name):
                yield Caution(
                    severe=False,
                    text=f"The labels in {CALIBRATION} were compared with other verdicts than "
                    "these: import them again.",
                )
                return


def rows(calibration: Mapping[str, Agreement]) -> list[tuple[str, list[str]]]:
    """Return what the labels say as (dimension, [labels, agreement, bias, corrected means])."""
    return [
        (label(name), [f"{one.n:,}", _agreement(one), _bias(one), _means(one)])
        for name, one in calibration.items()
    ]


def _is_of(mean: Corrected, side: SideRun, name: str) -> bool:
    """Whether a mean is that of the answers which the judge scored in every dimension."""
    import numpy as np

    given = [values for values in side.verdicts.values.values() if np.isfinite(values).any()]
    if not given or name not in side.verdicts.values:
        return False
    values = side.verdicts.values[name][np.isfinite(given).all(axis=0)]
    return len(values) == mean.n and math.isclose(float(values.mean()), mean.judge)


def _agreement(one: Agreement) -> str:
    numbers = (
        ("Cohen's kappa", one.kappa),
        ("weighted kappa", one.weighted_kappa),
        ("Spearman", one.spearman),
    )
    said = [f"{name} {value:.2f}" for name, value in numbers if value is not None]
    return ", ".join([f"{one.exact:.0%} exact, {one.within_one:.0%} within one", *said])


def _bias(one: Agreement) -> str:
    said = signed(one.bias, "judge")
    if one.bias_low is None or one.bias_high is None:
        return said
    return f"{said} ({signed(one.bias_low, 'judge')} to {signed(one.bias_high, 'judge')})"


def _means(one: Agreement) -> str:
    return "; ".join(f"{side} {_mean(one.means[side])}" for side in SIDES if side in one.means)


def _mean(mean: Corrected) -> str:
    if mean.value is None:
        return f"too few labels ({mean.labels}), the judge {mean.judge:.2f}"
    return f"{mean.value:.2f} ({mean.low:.2f} to {mean.high:.2f}), the judge {mean.judge:.2f}"
