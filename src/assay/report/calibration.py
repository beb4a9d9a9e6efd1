"""What people's labels say of the judge, in the report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from assay import store
from assay.folder import CALIBRATION
from assay.records import Agreement, Corrected
from assay.report.contents import Caution
from assay.report.glossary import rank
from assay.report.run import EvaluatedRun, SideRun

COLUMNS = ("Labels", "Agreement", "Judge minus people", "Corrected mean")


def read(run: EvaluatedRun) -> dict[str, Agreement]:
    """Return what calibration.json of the run folder says of each dimension, {} where there is
    none. Raises InputError."""
    path = run.folder / CALIBRATION
    agreements = store.read_record(path, dict[str, Agreement]) if path.is_file() else {}
    return dict(sorted(agreements.items(), key=lambda item: (rank(item[0]), item[0])))


def cautions(run: EvaluatedRun, calibration: Mapping[str, Agreement]) -> Iterator[Caution]:
    """Yield that the labels were compared with other verdicts than those that the report shows."""
    sides = {side.side: side for side in run.sides}
    for name, agreement in calibration.items():
        for side, mean in agreement.means.items():
            if side not in sides or not _is_of(mean, sides[side], name):
                yield Caution(
                    severe=False,
                    text=f"The labels in {CALIBRATION} were compared with other verdicts than "
                    "these: import them again.",
                )
                return


def _is_of(mean: Corrected, side: SideRun, name: str) -> bool:
    """Whether a mean is that of the answers which the judge scored in every dimension."""
    import numpy as np

    given = [values for values in side.verdicts.values.values() if np.isfinite(values).any()]
    if not given or name not in side.verdicts.values:
        return False
    values = side.verdicts.values[name][np.isfinite(given).all(axis=0)]
    return len(values) == mean.n and math.isclose(float(values.mean()), mean.judge)
