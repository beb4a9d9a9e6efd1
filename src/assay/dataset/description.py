"""A check, as text for people."""

from __future__ import annotations

from assay.dataset.check import Check
from assay.dataset.clusters import Clusters
from assay.dataset.findings import Finding, Spread
from assay.dataset.overlap import Overlap
from assay.dataset.prepare import DatasetSummary, Used
from assay.text import flat, some

_NAMED = 10


def describe(result: Check, shown: int = 20) -> str:
    """Return a check as text for people; the first `shown` of each kind of trouble are named."""
    lines = [
        f"{result.source}: {result.format}, {result.rows:,} rows, {result.samples:,} samples",
        *(_line(spread) for spread in (result.turns, result.characters, result.tokens) if spread),
        f"  {in_clusters(result.samples, result.clusters)}",
    ]
    if result.invalid:
        lines += ["", f"Rows that cannot be used: {len(result.invalid):,}"]
        lines += _first([f"  {fault}" for fault in result.invalid], shown)
    for finding in result.findings:
        lines += ["", *_finding_lines(finding)]
    if result.overlap:
        lines += ["", *_overlap_lines(result, result.overlap, shown)]
    if not result.invalid and not result.findings:
        lines += ["", "Nothing wrong with its rows."]
    return "\n".join(map(flat, lines))


def describe_summary(summary: DatasetSummary) -> str:
    """Return the data of a run as text for people."""
    lines = _used_lines("Evaluation", summary.eval)
    if told := unused_columns(summary):
        lines.append(f"  {told}")
    if summary.held_out:
        lines.append("  held out of the training data")
    if summary.train:
        lines += _used_lines("Training", summary.train)
    if summary.selection:
        lines.append(f"Held out of both to choose a checkpoint: {summary.selection.samples:,}")
    if summary.overlap:
        lines.append(f"Prompts in both: {_shared(summary.overlap)}")
    return "\n".join(map(flat, lines))


def sum_up(summary: DatasetSummary) -> str:
    """Return the data of a run as one line for people."""
    parts = [f"{summary.eval.samples:,} samples to evaluate"]
    used = [summary.eval]
    if summary.eval.clusters and summary.eval.clusters.joined:
        parts[0] += f" in {clusters_of(summary.eval.clusters)}"
    if summary.train:
        parts.append(f"{summary.train.samples:,} to train on")
        used.append(summary.train)
    if summary.selection:
        parts.append(f"{summary.selection.samples:,} to choose a checkpoint by")
    if skipped := sum(source.skipped for source in used):
        parts.append(f"{skipped:,} rows skipped")
    if cut := sum(source.lengths.truncated for source in used if source.lengths):
        parts.append(f"{cut:,} longer than cutoff_len")
    if summary.overlap and (summary.overlap.exact or summary.overlap.near):
        parts.append(f"prompts in both: {_shared(summary.overlap)}")
    return ", ".join(parts)


def unused_columns(summary: DatasetSummary) -> str:
    """Return which columns of the evaluation data nothing is taken from, and how to keep them, as a
    sentence; "" for none."""
    columns = summary.eval.unused
    if not columns:
        return ""
    return (
        f"Nothing is taken from the column{'s' * (len(columns) > 1)} "
        f"{some(columns, _NAMED)} of the evaluation data: name in dataset.tags those "
        "that tell samples apart"
    )


def in_clusters(samples: int, clusters: Clusters) -> str:
    """Return "n samples in k clusters" with what joined them: how many clusters fewer each cause
    left than those before it."""
    causes = ", ".join(f"{count:,} by {cause}" for cause, count in clusters.joined.items())
    if not causes:
        return f"{samples:,} samples, none of which belongs with another"
    return f"{samples:,} samples in {clusters_of(clusters)}; joined: {causes}"


def clusters_of(clusters: Clusters) -> str:
    """Return how many clusters there are, as words."""
    return f"{clusters.clusters:,} cluster{'s' * (clusters.clusters != 1)}"


def _used_lines(title: str, used: Used) -> list[str]:
    lines = [
        f"{title}: {used.source}: {used.format}, {used.rows:,} rows, {used.skipped:,} skipped as "
        f"invalid, {used.samples:,} samples used",
        *(f"  {fault}" for fault in used.invalid),
    ]
    if used.clusters:
        lines.append(f"  {in_clusters(used.samples, used.clusters)}")
    if used.lengths:
        lengths = used.lengths
        lines.append(_line(lengths.tokens))
        lines.append(
            f"  {lengths.truncated:,} of {lengths.measured:,} measured are longer than "
            f"cutoff_len = {lengths.cutoff_len:,} and will be cut"
        )
    elif used.no_lengths:
        lines.append(f"  tokens were not counted: {used.no_lengths}")
    for finding in used.findings:
        lines += [f"  {line}" for line in _finding_lines(finding)]
    return lines


def _shared(overlap: Overlap) -> str:
    return f"{overlap.exact:,} the same, {overlap.near:,} much alike"


def _finding_lines(finding: Finding) -> list[str]:
    more = finding.count - len(finding.places)
    return [
        f"Rows that {finding.cause}: {finding.count:,}",
        *(f"  {place}" for place in finding.places),
        *([f"  and {more:,} more"] if more else []),
    ]


def _line(spread: Spread) -> str:
    return (
        f"  {spread.unit:<10} {spread.least:,} to {spread.most:,}, "
        f"median {spread.median:,}, 95% up to {spread.p95:,}"
    )


def _overlap_lines(result: Check, overlap: Overlap, shown: int) -> list[str]:
    if not overlap.pairs:
        return [f"No prompt is in {result.against}, nor one much like it."]
    lines = [
        f"Of {result.samples:,} samples, {overlap.exact:,} have the same prompt as a sample of "
        f"{result.against}, and {overlap.near:,} one much like it:"
    ]
    for pair in overlap.pairs:
        likeness = "same prompt" if pair.exact else f"{pair.similarity:.0%} alike"
        answer = "same answer" if pair.same_target else "another answer"
        lines.append(f"  {pair.eval_id} ~ {pair.train_id}: {likeness}, {answer}")
    return [lines[0], *_first(lines[1:], shown)]


def _first(lines: list[str], shown: int) -> list[str]:
    left = len(lines) - shown
    return [*lines[:shown], f"  and {left:,} more"] if left > 0 else lines
