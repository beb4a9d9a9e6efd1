"""The report as Markdown, for a pull request, an archive or KFP's page.

What a model wrote stands in code fences longer than any run of backticks in it: there it is no
markup, no link and no mention.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from assay.gate import headline
from assay.report import calibration, combined, costs, data, judging, panel, trend
from assay.report.contents import Answer, Example, Report, Row, SideSummary
from assay.report.plain import duration, label, number, plain, signed, visible

# KFP cuts Markdown at 400,000 characters
MAX_CHARACTERS = 390_000
MAX_TEXT = 1_500
_OUTCOMES = {
    "better": "▲ better",
    "worse": "▼ worse",
    "higher": "higher",
    "lower": "lower",
    "none": "no difference shown",
    "few": "too few samples",
    "no interval": "no interval",
    "not compared": "–",
}
_WAYS = {"lower": " (lower is better)", "unknown": " (which way is better is unknown)"}


def to_markdown(report: Report) -> str:
    """Return the Markdown page: the numbers, the worst regressions, then as many samples as stay
    below `MAX_CHARACTERS`, with a line that says how many were left out."""
    sections = (_head, _metrics, _trend, _compared, _judge, _data, _regressions, _glossary)
    head = "\n".join(line for section in sections for line in section(report))
    parts, length = [head, "\n## Samples\n"], len(head)
    if report.selection:
        parts.append(f"{report.selection}\n")
    for place, example in enumerate(report.examples):
        block = _example(example, report.focus)
        length += len(block) + 1
        if length > MAX_CHARACTERS:
            left = len(report.examples) - place
            parts.append(f"{left:,} more samples are left out here; they are in report.json.\n")
            break
        parts.append(block)
    return str(plain("\n".join(parts)))


def _head(report: Report) -> Iterator[str]:
    yield f"# {_inline(report.title)}\n"
    yield from _gate(report)
    yield f"**{report.conclusion.headline}**\n"
    yield f"{_inline(report.conclusion.detail)}\n"
    for caution in report.cautions:
        yield f"- {'❌' if caution.severe else '⚠️'} {_inline(caution.text)}"
    yield ""


def _gate(report: Report) -> Iterator[str]:
    if report.gate is None:
        return
    yield f"**{headline(report.gate)}**\n"
    yield "| Rule | | Why |"
    yield "| :-- | :-- | :-- |"
    for ruling in report.gate.rulings:
        decision = ruling.decision.replace("_", "-")
        yield f"| {_inline(ruling.rule)} | {decision} | {_inline(ruling.reason)} |"
    yield ""


def _metrics(report: Report) -> Iterator[str]:
    diagnostics = [row for row in report.summary if row.kind == "diagnostic"]
    yield "## Metrics\n"
    yield from _table(row for row in report.summary if row.kind != "diagnostic")
    if diagnostics:
        yield "\n### Diagnostics\n"
        yield "How the answers look, not how good they are.\n"
        yield from _table(diagnostics)
    yield "\nIntervals are 95%; differences are paired, candidate minus baseline. An unscored "
    yield "sample is left out, never counted as 0.\n"


def _table(rows: Iterable[Row]) -> Iterator[str]:
    yield (
        "| Metric | Baseline | Candidate | Difference | 95% interval | | Better / equal / worse "
        "| n | Unscored |"
    )
    yield "| :-- | --: | --: | --: | :-: | :-- | :-: | --: | --: |"
    yield from (_line(row) for row in rows)


def _line(row: Row) -> str:
    compared = row.comparison
    metrics = [metric for metric in (row.baseline, row.candidate) if metric]
    values = [
        number(side.value if side else None, row.kind) for side in (row.baseline, row.candidate)
    ]
    cells = [
        _inline(label(row.name)) + _WAYS.get(row.direction, ""),
        *values,
        signed(row.difference, row.kind),
        f"{signed(compared.low, row.kind)} to {signed(compared.high, row.kind)}"
        if compared
        else "",
        _OUTCOMES[row.outcome],
        f"{compared.better} / {compared.equal} / {compared.worse}" if compared else "",
        str(compared.n if compared else metrics[-1].n),
        " + ".join(str(sum(metric.unscored.values())) for metric in metrics),
    ]
    return f"| {' | '.join(cells)} |"


def _trend(report: Report) -> Iterator[str]:
    if report.trend is None:
        return
    yield f"## Trend\n\n{_inline(trend.headline(report.trend))}\n"
    moved = list(trend.moved(report.trend))
    if moved:
        yield "| Metric | | Then | Now | Difference |"
        yield "| :-- | :-- | --: | --: | --: |"
        for name, *texts in moved:
            yield f"| {_inline(name)} | {' | '.join(texts)} |"
        yield "\nThe interval is of the difference of two means, not paired.\n"
    yield "| UTC | Candidate | Gate | Its metrics |"
    yield "| :-- | :-- | :-- | :-- |"
    for run in trend.listed(report.trend):
        yield f"| {' | '.join(map(_inline, run))} |"
    yield ""


def _compared(report: Report) -> Iterator[str]:
    yield "## What was compared\n"
    yield "| | Model | Base | Weights | Template | Answers | Cut | Generation |"
    yield "| :-- | :-- | :-- | :-- | :-- | --: | --: | --: |"
    yield from (_side(side) for side in report.sides)
    judge = f", judge {_code(report.judge)}" if report.judge else ""
    dataset = _code(report.dataset_hash[:12] or "no hash")
    yield f"\n{report.samples:,} samples, dataset {dataset}{judge}.\n"


def _side(side: SideSummary) -> str:
    cells = [
        side.side,
        _cell(side.model),
        _cell(side.base_model),
        _cell(side.digest[:12] or "no digest"),
        _cell(side.template),
        f"{side.predictions:,} of {side.samples:,}",
        f"{side.cut:,}",
        duration(side.seconds),
    ]
    return f"| {' | '.join(cells)} |"


def _judge(report: Report) -> Iterator[str]:
    if not report.judging:
        return
    yield "## The judge\n"
    yield f"| | {' | '.join(report.judging)} |"
    yield "| :-- |" + " :-- |" * len(report.judging)
    for title, texts in judging.rows(report.judging):
        yield f"| {title} | {' | '.join(_inline(text) for text in texts)} |"
    for name, wanted, results in judging.probes(report.judging):
        yield f"| Self-test: {name}, {wanted} | {' | '.join(results)} |"
    for title, texts in panel.rows(report.panel, list(report.judging)):
        yield f"| Second opinion, {_inline(title)} | {' | '.join(map(_inline, texts))} |"
    for title, texts in combined.counts(report.combining, list(report.judging)):
        yield f"| {_inline(title)} | {' | '.join(map(_inline, texts))} |"
    if report.combined:
        yield f"\n### {combined.title(report.combining)}\n"
        yield from _table(report.combined)
    yield from _calibration(report)
    if report.pairing:
        yield f"\n{judging.pairs(report.pairing)}"
    if report.costs:
        yield f"\n{costs.total(report.costs)}"
    yield ""


def _calibration(report: Report) -> Iterator[str]:
    if not report.calibration:
        return
    yield "\n### Compared with people\n"
    yield f"| | {' | '.join(calibration.COLUMNS)} |"
    yield "| :-- | --: |" + " :-- |" * (len(calibration.COLUMNS) - 1)
    for name, texts in calibration.rows(report.calibration):
        yield f"| {_inline(name)} | {' | '.join(map(_inline, texts))} |"


def _data(report: Report) -> Iterator[str]:
    if report.data is None:
        return
    yield "## Data\n"
    yield "| | Evaluation |" + (" Training |" if report.data.training else "")
    yield "| :-- | :-- |" + (" :-- |" if report.data.training else "")
    for title, texts in data.rows(report.data):
        yield f"| {title} | {' | '.join(_inline(text) for text in texts)} |"
    if report.data.held_out:
        yield "\nThe evaluation samples were held out of the training data."
    if report.data.same_prompts is not None:
        yield f"\n{data.shared(report.data)}"
    yield ""


def _glossary(report: Report) -> Iterator[str]:
    yield "## What the metrics mean\n"
    told = [row for row in report.summary if row.meaning]
    yield from (f"- **{_inline(label(row.name))}**: {_inline(row.meaning)}" for row in told)


def _regressions(report: Report) -> Iterator[str]:
    if len(report.sides) < 2:
        return
    yield "## Worst regressions\n"
    by_id = {example.id: example for example in report.examples}
    yield from (_example(by_id[id_], report.focus) for id_ in report.regressions)
    if not report.regressions:
        yield f"None by {label(report.focus)}.\n"


def _example(example: Example, focus: str) -> str:
    sides = [(name, getattr(example, name)) for name in ("baseline", "candidate")]
    scores = [
        f"{name} {answer.scores[focus]:g}"
        for name, answer in sides
        if answer and focus in answer.scores
    ]
    told = f": {label(focus).lower()} {', '.join(scores)}" if scores else ""
    texts = [f"{turn.role}: {_short(turn.content)}" for turn in example.messages]
    texts.append(f"target: {_short(example.target)}")
    texts += [line for name, answer in sides if answer for line in _answer(name, answer)]
    if example.pair:
        told = f"pairwise: {judging.preferred(example.pair)}"
        texts.append(f"{told}. {_short(example.pair.commentary)}")
    return f"### {_code(example.id)}{told}\n\n{_fence(visible(chr(10).join(texts)))}\n"


def _answer(side: str, answer: Answer) -> Iterator[str]:
    yield f"{side}: {_short(answer.output)}" + (" [cut]" if answer.finish == "length" else "")
    if answer.commentary:
        yield f"  judge: {_short(answer.commentary)}"
    if answer.panel_judges:
        yield f"  panel: {combined.told(answer)}"
    for name, cause in answer.unscored.items():
        yield f"  {name}: unscored, {cause}"


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} […{len(text):,} characters]"


def _fence(text: str) -> str:
    mark = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{mark}text\n{text}\n{mark}"


def _code(text: str) -> str:
    """Return `text` as a code span on one line."""
    flat = " ".join(visible(text).split()) or " "
    mark = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    return f"{mark} {flat} {mark}" if "`" in flat else f"{mark}{flat}{mark}"


def _cell(text: str) -> str:
    """Return `text` as a code span for a table, where a bar would end the cell."""
    return _code(text).replace("|", "\\|") if text else ""


def _inline(text: str) -> str:
    flat = " ".join(visible(text).split())
    escaped = re.sub(r"([\\`*_{}\[\]|~#!])", r"\\\1", flat)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace("@", "@\u2060")
