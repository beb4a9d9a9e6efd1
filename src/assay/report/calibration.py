"""What people's labels say of the judge, in the report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from assay import store
from assay.folder import CALIBRATION
from assay.judge import WIN_RATE, judge_of
from assay.records import Agreement, Corrected
from assay.report.contents import Admission, Caution
from assay.report.glossary import rank
from assay.report.plain import label
from assay.report.run import EvaluatedRun, SideRun


def read(run: EvaluatedRun) -> dict[str, Agreement]:
    """Return what calibration.json of the run folder says of each dimension, and of others what
    the judge's labels in an earlier run said, {} where there are none. Raises InputError."""
    path = run.folder / CALIBRATION
    agreements = dict(next((side.judge.calibration for side in run.sides if side.judge), {}))
    agreements |= store.read_record(path, dict[str, Agreement]) if path.is_file() else {}
    return dict(sorted(agreements.items(), key=lambda item: (rank(item[0]), item[0])))


def admissions(run: EvaluatedRun, calibration: Mapping[str, Agreement]) -> dict[str, Admission]:
    """Return whether the judge is admitted, for each number that it gave. Labels of another judge
    or rubric say nothing of it, and none say anything of pairs."""
    names = {name: None for side in run.sides for name in side.verdicts.values}
    judges = {judge_of(side.judge.identity) for side in run.sides if side.judge}
    admissions: dict[str, Admission] = {WIN_RATE: "not calibrated"} if run.pairs else {}
    for name in names:
        agreement = calibration.get(name)
        if agreement is None or {judge_of(agreement.identity)} != judges:
            admissions[name] = "not calibrated"
        else:
            admissions[name] = "admitted" if agreement.admitted else "not admitted"
    return dict(sorted(admissions.items(), key=lambda item: (rank(item[0]), item[0])))


def unadmitted(
    admissions: Mapping[str, Admission], calibration: Mapping[str, Agreement]
) -> dict[str, str]:
    """Return metric -> why the judge's scores of it are not admitted."""
    return {
        name: f"the judge is {admission}"
        + (f" ({'; '.join(calibration[name].shortfalls)})" if admission == "not admitted" else "")
        for name, admission in admissions.items()
        if admission != "admitted"
    }


def cautions(
    run: EvaluatedRun, calibration: Mapping[str, Agreement], admissions: Mapping[str, Admission]
) -> Iterator[Caution]:
    """Yield that people's labels do not admit the judge, that they are of another one, and that
    they were compared with other verdicts than those that the report shows."""
    refused = [name for name, admission in admissions.items() if admission == "not admitted"]
    if refused:
        yield Caution(
            severe=False,
            text=f"People's labels do not admit the judge on {', '.join(map(label, refused))}: the "
            "lower bounds of its agreement with them are below the bar.",
        )
    strange = [name for name in calibration if admissions.get(name) == "not calibrated"]
    if strange:
        yield Caution(
            severe=False,
            text="People's labels were compared with another judge or rubric than this run's: on "
            f"{', '.join(map(label, strange))} it is not calibrated.",
        )
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
