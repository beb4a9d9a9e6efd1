"""A run's arrays to what the report says: metrics, comparisons, and everything shown of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assay import __version__, progress
from assay.gate import GatePolicy
from assay.records import Comparison, Metric
from assay.report import accepted, calibration, combined, examples, gated, parity, subsets
from assay.report import data as of_data
from assay.report.cautions import cautions
from assay.report.contents import Example, Report
from assay.report.costs import costs
from assay.report.counts import counts
from assay.report.distributions import histograms, points_of, training
from assay.report.findings import conclude
from assay.report.history import identity
from assay.report.labels import confusions
from assay.report.outcomes import settle
from assay.report.panel import opinions
from assay.report.primary import choose
from assay.report.rows import table
from assay.report.run import EvaluatedRun
from assay.report.self_test import advisory
from assay.report.sides import identical, name_of, summarise_side

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMA = 1


def assemble(
    run: EvaluatedRun,
    title: str,
    metrics: Sequence[Metric],
    comparisons: Sequence[Comparison],
    policy: GatePolicy | None,
) -> Report:
    """Return all that the report says of `run`."""
    sides = tuple(summarise_side(run, side) for side in run.sides)
    seen = table(run, metrics, comparisons)
    panel = table(run, combined.metrics(run), combined.comparisons(run))
    primary = choose(run, seen, policy)
    doubted = advisory(run) and not (policy and policy.trust_advisory)
    rows, panel = settle((seen, panel), primary.name, distrusted=doubted)
    same = identical(run)
    data = of_data.read(run.folder)
    labelled = calibration.read(run)
    admissions = calibration.admissions(run, labelled)
    against = accepted.reference(run, rows)
    warnings = (
        *cautions(run, data, sides, rows, same),
        *calibration.cautions(run, labelled, admissions),
        *accepted.cautions(against),
    )
    gate = None
    if policy:
        unadmitted = calibration.unadmitted(admissions, labelled)
        gate = gated.gate(policy, run, metrics, comparisons, warnings, against, unadmitted)
    focus = examples.focus(run)
    order = examples.worst_first(run, focus)
    shown = examples.examples(run, examples.choose(run, order), examples.changes(run, focus))
    return Report(
        schema=SCHEMA,
        assay=__version__,
        id=identity(run.folder),
        time=max(side.generation.finished for side in run.sides),
        title=title or f"Evaluation of {name_of(run, run.candidate)}",
        gate=gate,
        conclusion=conclude(run, rows, warnings, primary, gate),
        cautions=warnings,
        dataset_hash=run.candidate.generation.dataset_hash,
        samples=len(run.positions),
        clusters=None if run.clusters is None else len(set(run.clusters.tolist())),
        judge=run.judge if any(side.verdicts.values for side in run.sides) else "",
        judging={side.side: side.judge for side in run.sides if side.judge},
        pairing=run.pairing,
        panel=opinions(run),
        combining={side.side: side.combining for side in run.sides if side.combining},
        combined=panel,
        costs=costs(run.folder),
        waited=progress.waits(run.folder),
        calibration=labelled,
        admissions=admissions,
        data=data,
        trend=None,
        accepted=against.told if against else None,
        sides=sides,
        parity=parity.read(run),
        summary=rows,
        tags=subsets.by_tag(run, distrusted=doubted),
        judge_scale=run.scale,
        histograms=histograms(run),
        points=tuple(points for side in run.sides for points in points_of(side, focus)),
        training=training(run),
        checkpoints=run.checkpoints,
        confusion=confusions(run),
        identical_outputs=same,
        counts=counts(run),
        focus=focus,
        regressions=_regressions(run, order, shown),
        selection=_selection(len(run.positions), len(shown)),
        examples=shown,
        provenance=_provenance(run),
    )


def _regressions(
    run: EvaluatedRun, order: NDArray[np.intp], shown: Sequence[Example]
) -> tuple[str, ...]:
    """The worst of the samples that are shown and where the candidate lost."""
    lost = {example.id for example in shown if example.change is not None and example.change < 0}
    ids = list(run.positions)
    worst = (ids[at] for at in order[: examples.MAX_REGRESSIONS])
    return tuple(id_ for id_ in worst if id_ in lost)


def _selection(samples: int, shown: int) -> str:
    if shown == samples:
        return ""
    return (
        f"{shown:,} of {samples:,} samples are in this report: the worst changes and a seeded "
        "random draw. All of them are in the run folder; every number above is over all."
    )


def _provenance(run: EvaluatedRun) -> Mapping[str, object]:
    return {
        "config": run.config,
        "model": run.manifest,
        **{side.side: side.generation for side in run.sides},
    }
