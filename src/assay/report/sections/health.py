"""Whether to believe the judge, in its section: how it was asked, and what shows its worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from assay import progress
from assay.judge import JudgeSummary
from assay.judge.flips import Changed, Flips
from assay.report import self_test as verdicts
from assay.report.plain import signed
from assay.report.section import Cell, Column, Phrase, Table, side_columns, titled

_NAMED = 5


def table(judging: Mapping[str, JudgeSummary]) -> Table:
    """Return whether each side's judging can be believed."""
    columns = side_columns("Of the judge", list(judging))
    rows = ((title, [text(summary) for summary in judging.values()]) for title, text in _ROWS)
    told = tuple(
        titled(title, [text or "–" for text in texts]) for title, texts in rows if any(texts)
    )
    return Table(title="Whether to believe it", columns=columns, rows=told)


def self_test(judging: Mapping[str, JudgeSummary]) -> Table:
    """Return the answers of the self-test, the score wanted and the one given."""
    first, *sides = side_columns("Answer", list(judging))
    return Table(
        title="Self-test: answers whose worth is known",
        columns=(first, Column(title="Wanted"), *sides),
        rows=tuple(_probes(judging)),
    )


def _probes(judging: Mapping[str, JudgeSummary]) -> Iterator[Phrase]:
    """Each answer of the self-test with the score wanted, and the result of each side."""
    results: dict[tuple[str, str], list[Cell]] = {}
    for place, summary in enumerate(judging.values()):
        for probe in summary.health.self_test:
            key = (probe.name, probe.wanted)
            cells = results.setdefault(key, [Cell(text="–")] * len(judging))
            cells[place] = Cell(
                text=verdicts.mark(probe), look="worse" if probe.passed is False else ""
            )
    for (name, wanted), cells in results.items():
        yield (Cell(text=name), Cell(text=wanted), *cells)


def _asked(summary: JudgeSummary) -> str:
    accepted = summary.asked_with
    if not accepted:
        return "not known: its verdicts were there before"
    form = "json_schema" if accepted.get("json_schema") else "by prompt alone, parsed strictly"
    if accepted.get("form") == "json_object":
        form = "json_object, parsed strictly"
    limit = f"{name} {summary.max_tokens}" if (name := accepted.get("limit")) else "no token limit"
    system = "; without a system turn" if accepted.get("system") is False else ""
    return f"{form}; {_heat(summary)}; {limit}{system}"


def _heat(summary: JudgeSummary) -> str:
    if summary.temperature == "none":
        return "its own temperature"
    if not summary.asked_with.get("temperature"):
        return "temperature refused: its own"
    return f"temperature {summary.temperature:g}"


def _verdicts(summary: JudgeSummary) -> str:
    scored = summary.verdicts - sum(summary.unscored.values())
    causes = ", ".join(f"{count} {cause}" for cause, count in summary.unscored.items())
    return f"{scored:,} of {summary.verdicts:,}" + (f"; unscored: {causes}" if causes else "")


def _spread(summary: JudgeSummary) -> str:
    spread = summary.health.within_item_sd
    return ", ".join(f"{name} {value:.2f}" for name, value in spread.items())


def _unstable(summary: JudgeSummary) -> str:
    return _first(summary.health.unstable) if summary.health.within_item_sd else ""


def _drift(summary: JudgeSummary) -> str:
    if summary.anchors and not summary.drift:
        return f"too few of {summary.anchors} have a score"
    return "; ".join(
        f"{name} {signed(shift.mean, 'judge')} ({signed(shift.low, 'judge')} to "
        f"{signed(shift.high, 'judge')})" + (", moved" if shift.drifted else "")
        for name, shift in summary.drift.items()
    )


def _flips(summary: JudgeSummary) -> str:
    of = summary.flips
    shares = flips(of, "{} scores changed", "{} by 2 or more")
    if of is None or of.mean_change is None or of.low is None or of.high is None:
        return shares
    return f"{shares}; on average by {of.mean_change:.2f} ({of.low:.2f} to {of.high:.2f})"


def flips(of: Flips | None, changed: str, far: str) -> str:
    """Return what came of judging answers twice, in the words given for any change and a far one;
    "" where none was."""
    if of is None:
        return ""
    if not of.n:
        return f"none of {of.asked} has a second score"
    return f"{changed.format(_share(of.changed, of.n))}, {far.format(_share(of.far, of.n))}"


def _share(of: Changed, n: int) -> str:
    if of.low is None or of.high is None:
        return f"{of.count} of {n}"
    return f"{of.count} of {n} ({of.low:.0%} to {of.high:.0%})"


def _first(names: Sequence[str]) -> str:
    listed = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    return f"{len(names):,}" + (f": {listed}" if names else "")


def _number(value: float | None) -> str:
    return "" if value is None else signed(value, "judge")


def _cost(summary: JudgeSummary) -> str:
    if summary.cost is None:
        return ""
    if not summary.estimated:
        return f"{summary.cost:.4g}"
    return f"about {summary.cost:.4g}: the endpoint counted no tokens of {summary.estimated:,}"


def _of_cap(summary: JudgeSummary) -> str:
    if summary.spent is None or not summary.max_cost:
        return ""
    return f"{summary.spent:.4g} of {summary.max_cost:g}"


_ROWS = (
    ("Judge", lambda summary: f"{summary.model} at {summary.host}"),
    (
        "Rubric",
        lambda summary: (
            f"{summary.rubric}, version {summary.rubric_version} ({summary.rubric_digest[:12]})"
        ),
    ),
    ("Asked with", _asked),
    ("Self-test", verdicts.result),
    ("Scored", _verdicts),
    (
        "Rank correlation of score and length",
        lambda summary: _number(summary.health.length_correlation),
    ),
    (
        "Overall minus the mean of the other dimensions",
        lambda summary: _number(summary.health.overall_gap),
    ),
    ("Standard deviation within an item", _spread),
    ("Unstable items", _unstable),
    ("The same answers judged twice", _flips),
    ("Drift on the anchors, now minus then", _drift),
    ("Requests", lambda summary: f"{summary.requests:,}"),
    (
        "Tokens, in and out",
        lambda summary: f"{summary.prompt_tokens:,} + {summary.output_tokens:,}",
    ),
    (
        "Waited for the judge",
        lambda summary: progress.clock(summary.waited_s) if summary.waited_s else "",
    ),
    ("Cost", _cost),
    ("Cost of the run by then, of its cap", _of_cap),
)
