"""A run's arrays to what the report says: metrics, comparisons, and everything shown of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assay import __version__
from assay.gate import Evidence, Gate, GatePolicy, decide
from assay.records import Comparison, Metric
from assay.report import calibration, combined, examples
from assay.report import data as of_data
from assay.report.contents import Caution, Example, Points, Report, Row, SideSummary, Training
from assay.report.costs import costs
from assay.report.findings import cautions, conclude, outcome
from assay.report.glossary import entry, rank
from assay.report.judging import advisory
from assay.report.panel import opinions
from assay.report.run import Run, SideRun
from assay.stats import (
    SEED,
    compare,
    compare_with,
    direction,
    rank_correlation,
    summarise,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMA = 1
EVEN = 50.0
MAX_POINTS = 1_000
MAX_STEPS = 1_000


def metrics(run: Run) -> list[Metric]:
    """Return every metric of every side, in the order in which they are shown."""
    found = []
    for side in run.sides:
        found += summarise(side.side, side.verdicts, ())
        found += summarise(side.side, side.scores, side.totals)
    if run.pairs:
        found += summarise("candidate", run.pairs, ())
    return sorted(found, key=lambda metric: rank(metric.name))


def comparisons(run: Run) -> list[Comparison]:
    """Return the paired comparison of every metric that both sides have, and of the candidate's
    win rate with that of an even match."""
    if run.baseline is None:
        return []
    pairs = [
        (run.baseline.verdicts, run.candidate.verdicts),
        (run.baseline.scores, run.candidate.scores),
    ]
    found = [comparison for pair in pairs for comparison in compare(*pair)]
    found += compare_with(EVEN, "win-rate", run.pairs) if run.pairs else []
    return sorted(found, key=lambda comparison: rank(comparison.name))


def assemble(
    run: Run,
    title: str,
    metrics: Sequence[Metric],
    comparisons: Sequence[Comparison],
    policy: GatePolicy | None,
) -> Report:
    """Return all that the report says of `run`."""
    sides = tuple(_summarise_side(run, side) for side in run.sides)
    rows = _rows(run, metrics, comparisons)
    same = _identical(run)
    data = of_data.read(run.folder)
    labelled = calibration.read(run)
    warnings = cautions(run, data, sides, rows, same)
    warnings += tuple(calibration.cautions(run, labelled))
    focus = examples.focus(run)
    change = examples.changes(run, focus)
    order = examples.worst_first(run, focus)
    chosen = examples.choose(run, order)
    shown = examples.examples(run, chosen, change)
    return Report(
        schema=SCHEMA,
        assay=__version__,
        title=title or f"Evaluation of {_name(run, run.candidate)}",
        gate=_gate(run, policy, metrics, comparisons, warnings) if policy else None,
        conclusion=conclude(run, rows, warnings),
        cautions=warnings,
        dataset_hash=run.candidate.generation.dataset_hash,
        samples=len(run.positions),
        judge=run.judge if any(side.verdicts.values for side in run.sides) else "",
        judging={side.side: side.judge for side in run.sides if side.judge},
        pairing=run.pairing,
        panel=opinions(run),
        combining={side.side: side.combining for side in run.sides if side.combining},
        combined=_rows(run, combined.metrics(run), combined.comparisons(run)),
        costs=costs(run),
        calibration=labelled,
        data=data,
        trend=None,
        sides=sides,
        summary=rows,
        judge_scale=run.scale,
        histograms=_histograms(run),
        points=tuple(points for side in run.sides for points in _points(side, focus)),
        training=_training(run),
        identical_outputs=same,
        focus=focus,
        regressions=_regressions(run, order, shown),
        selection=_selection(len(run.positions), len(chosen)),
        examples=shown,
        provenance=_provenance(run),
    )


def _gate(
    run: Run,
    policy: GatePolicy,
    metrics: Sequence[Metric],
    comparisons: Sequence[Comparison],
    warnings: Sequence[Caution],
) -> Gate:
    evidence = Evidence(
        metrics=metrics,
        comparisons=comparisons,
        judged=frozenset(name for side in run.sides for name in side.verdicts.values)
        | {"win-rate"},
        advisory=advisory(run),
        void=[caution.text for caution in warnings if caution.severe],
    )
    return decide(policy, evidence)


def _rows(
    run: Run, metrics: Sequence[Metric], comparisons: Sequence[Comparison]
) -> tuple[Row, ...]:
    by_side = {(metric.name, metric.side): metric for metric in metrics}
    by_name = {comparison.name: comparison for comparison in comparisons}
    names = dict.fromkeys(metric.name for metric in metrics)
    signatures = {total.name: total.signature for side in run.sides for total in side.totals}
    return tuple(
        _row(
            run,
            name,
            signatures.get(name, ""),
            by_side.get((name, "baseline")),
            by_side.get((name, "candidate")),
            by_name.get(name),
        )
        for name in names
    )


def _row(
    run: Run,
    name: str,
    signature: str,
    baseline: Metric | None,
    candidate: Metric | None,
    comparison: Comparison | None,
) -> Row:
    difference = comparison.difference if comparison else _total_difference(baseline, candidate)
    judged = any(name in side.verdicts.values for side in run.sides)
    described = entry(name, judged, run.scale)
    signed = f"{described.meaning} Signature: {signature}." if signature else described.meaning
    return Row(
        name=name,
        kind=described.kind,
        meaning=signed,
        scale=described.scale,
        direction=direction(name),
        baseline=baseline,
        candidate=candidate,
        difference=difference,
        comparison=comparison,
        outcome=outcome(comparison, difference),
    )


def _total_difference(baseline: Metric | None, candidate: Metric | None) -> float | None:
    """The difference of two totals. Means over different samples are not compared."""
    if baseline is None or candidate is None or baseline.low is not None:
        return None
    if baseline.value is None or candidate.value is None:
        return None
    return candidate.value - baseline.value


def _summarise_side(run: Run, side: SideRun) -> SideSummary:
    answers, generation, judging = side.answers, side.generation, side.judging
    given = answers.length >= 0
    return SideSummary(
        side=side.side,
        name=_name(run, side),
        model=generation.model,
        base_model=generation.base_model,
        digest=generation.digest,
        proof=_proof(run, side),
        template=generation.template,
        samples=len(given),
        predictions=int(given.sum()),
        empty=int((answers.length == 0).sum()),
        cut=int(answers.cut.sum()),
        prompts_truncated=int(answers.prompt_truncated.sum()),
        output_tokens=int(answers.tokens.sum()),
        mean_length=float(answers.length[given].mean()) if given.any() else 0.0,
        seconds=generation.seconds,
        commentaries=len(judging.commented),
        judge_attempts=judging.attempts,
        judge_prompt_tokens=judging.prompt_tokens,
        judge_output_tokens=judging.output_tokens,
        judge_seconds=judging.seconds,
    )


def _identical(run: Run) -> int:
    if run.baseline is None:
        return 0
    left, right = run.baseline.answers, run.candidate.answers
    both = (left.length >= 0) & (right.length >= 0)
    return int((both & (left.fingerprint == right.fingerprint)).sum())


def _histograms(run: Run) -> Mapping[str, Mapping[str, tuple[int, ...]]]:
    """Counts of the judge's scores: dimension -> side -> a count for each step of the scale."""
    names = {name for side in run.sides for name in side.verdicts.values}
    return {
        name: {
            side.side: _counts(side.verdicts.values[name], *run.scale)
            for side in run.sides
            if name in side.verdicts.values
        }
        for name in sorted(names, key=lambda name: (rank(name), name))
    }


def _counts(scores: NDArray[np.float64], low: int, high: int) -> tuple[int, ...]:
    import numpy as np

    return tuple(int((np.rint(scores) == score).sum()) for score in range(low, high + 1))


def _points(side: SideRun, focus: str) -> list[Points]:
    import numpy as np

    if focus not in side.values:
        return []
    scores, lengths = side.values[focus], side.answers.length
    given = np.flatnonzero(np.isfinite(scores))
    drawn = np.sort(np.random.default_rng(SEED).permutation(given)[:MAX_POINTS])
    return [
        Points(
            side=side.side,
            lengths=tuple(lengths[drawn].tolist()),
            scores=tuple(scores[drawn].tolist()),
            correlation=rank_correlation(lengths[given].astype(np.float64), scores[given]),
        )
    ]


def _training(run: Run) -> Training | None:
    if run.manifest is None and not run.losses:
        return None
    every = -(-len(run.losses) // MAX_STEPS) or 1
    kept = run.losses[::every]
    return Training(
        steps=tuple(step for step, _, _ in kept),
        losses=tuple(loss for _, loss, _ in kept),
        finetuning_type=run.manifest.finetuning_type if run.manifest else "",
        samples=run.manifest.samples if run.manifest else 0,
        elapsed=run.losses[-1][2] if run.losses else "",
    )


def _regressions(run: Run, order: NDArray[np.intp], shown: Sequence[Example]) -> tuple[str, ...]:
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


def _provenance(run: Run) -> Mapping[str, object]:
    return {
        "config": run.config,
        "model": run.manifest,
        **{side.side: side.generation for side in run.sides},
    }


def _name(run: Run, side: SideRun) -> str:
    """What to call the model: what it was tuned from and how, where that is known, because the
    folder of a tuned model is mostly called "model"."""
    manifest, generation = run.manifest, side.generation
    if manifest and generation.digest and generation.digest == manifest.digest:
        how = "LoRA" if manifest.finetuning_type == "lora" else "full fine-tuning"
        return f"{_last(manifest.base_model)} + {how}"
    return _last(generation.model)


def _proof(run: Run, side: SideRun) -> str:
    """What the digest of the weights proves, where it proves something."""
    manifest, digest = run.manifest, side.generation.digest
    if manifest is None or not digest:
        return ""
    if side.side == "candidate":
        return "the weights that were trained" if digest == manifest.digest else ""
    return "the base that was tuned" if digest == manifest.base_digest else ""


def _last(model: str) -> str:
    """The last part of a path or hub id; a folder called "model" with the one that holds it."""
    parts = model.rstrip("/").split("/")
    return "/".join(parts[-2:] if parts[-1] == "model" else parts[-1:]) or model
