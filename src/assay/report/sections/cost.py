"""Tokens, seconds and cost: what generation, judging and training took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from assay.records import Served
from assay.report.contents import Report, SideSummary
from assay.report.plain import duration
from assay.report.section import Block, Phrase, Section, Table, note, side_columns, titled
from assay.text import clock


def section(report: Report) -> Section:
    """Return what each side took."""
    columns = side_columns("Taken by", [side.side for side in report.sides], number=True)
    blocks: list[Block] = [Table(title="", columns=columns, rows=tuple(_rows(report.sides)))]
    if report.costs:
        blocks.append(note(total(report.costs)))
    if report.training and report.training.elapsed:
        blocks.append(note(f"Training took {report.training.elapsed}."))
    for name, seconds in report.waited.items():
        blocks.append(note(f"The run waited {clock(seconds)} for the {name}."))
    return Section(name="cost", title="Tokens and seconds", blocks=tuple(blocks))


def total(costs: Mapping[str, float]) -> str:
    """Return the cost of all judging as one sentence."""
    each = ", ".join(f"{name} {cost:.4g}" for name, cost in costs.items())
    return f"All judging cost {sum(costs.values()):.4g} ({each})."


def _generation(side: SideSummary) -> str:
    if side.origin is None:
        return duration(side.seconds)
    return f"{duration(side.seconds)} (an earlier run took {duration(side.origin.seconds)})"


def _endpoints(served: Sequence[Served | None]) -> Iterator[Phrase]:
    """Yield what the sides took whose models are behind an endpoint."""
    if not any(served):
        return
    yield titled(
        "Requests to its endpoint", [f"{each.requests:,}" if each else "" for each in served]
    )
    tokens = [f"{each.prompt_tokens:,} + {each.output_tokens:,}" if each else "" for each in served]
    yield titled("Endpoint tokens, in and out", tokens)
    if any(each and each.cost is not None for each in served):
        costs = [each.cost if each else None for each in served]
        paid = ["" if cost is None else f"{cost:.4g}" for cost in costs]
        yield titled("Cost of the answers", paid)


def _rows(sides: tuple[SideSummary, ...]) -> Iterator[Phrase]:
    yield titled("Generation", list(map(_generation, sides)))
    yield titled("Tokens generated", [f"{side.output_tokens:,}" for side in sides])
    yield from _endpoints([side.served for side in sides])
    if not any(side.judge_attempts for side in sides):
        return
    yield titled("Requests to the judge", [f"{side.judge_attempts:,}" for side in sides])
    tokens = [f"{side.judge_prompt_tokens:,} + {side.judge_output_tokens:,}" for side in sides]
    yield titled("Judge tokens, in and out", tokens)
    times = [duration(side.judge_seconds) for side in sides]
    yield titled("Judge time, summed over requests", times)
