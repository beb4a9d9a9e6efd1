"""judge.json: who judged, how it was asked, what came of it, what it cost, and its health."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from assay.judge import contract
from assay.judge.anchors import Anchor, Shift, drift
from assay.judge.cost import Budget, Paid, Price
from assay.judge.flips import Flips, compare
from assay.judge.health import Health, examine, headline
from assay.judge.rubric import Rubric
from assay.judge.settings import JudgeSettings
from assay.records import Agreement, Direction, Verdict

FAR = 2.0


@dataclass(frozen=True, kw_only=True)
class JudgeSummary:
    """One side's judging, written last, so that its presence means complete.

    `scale` is the rubric's, its lowest and its highest score, and `directions` what it says of
    each dimension.
    `host` is the endpoint's without path and key. `asked_with` says what the endpoint accepted when
    it was asked last ({} where nothing says): json_schema, temperature, the name of the limit on
    output tokens; and where they are not the usual ones, the form of the reply, the system turn,
    thinking and streaming. `unscored` counts verdicts by cause. Tokens, requests and `cost` (None
    without a price) are those of the verdicts that count, whenever they were paid for. `drift` is
    how far the judge has moved on its `anchors` since they were frozen; `flips` how often an answer
    that was judged twice got another headline score, None where none was. `calibration` is what
    people's labels said of this judge in an earlier run. Of `estimated` verdicts the endpoint
    counted no tokens, which are taken from their text. `spent` is what the whole run had cost when
    this was written, all judges, sides and tries together (None without a price), of `max_cost` (0:
    no cap).
    `waited_s` is how many seconds of this run all requests waited for an endpoint that was away or
    at its limit.
    """

    model: str
    host: str
    rubric: str
    rubric_version: str
    rubric_digest: str
    parser: int
    identity: str
    temperature: float | Literal["none"]
    max_tokens: int
    asked_with: Mapping[str, object]
    verdicts: int
    unscored: Mapping[str, int]
    requests: int
    prompt_tokens: int
    output_tokens: int
    cost: float | None
    health: Health
    anchors: int = 0
    drift: Mapping[str, Shift] = field(default_factory=dict)
    scale: tuple[int, int] = (1, 10)
    directions: Mapping[str, Direction] = field(default_factory=dict)
    flips: Flips | None = None
    calibration: Mapping[str, Agreement] = field(default_factory=dict)
    estimated: int = 0
    spent: float | None = None
    max_cost: float = 0.0
    waited_s: float = 0.0


def summarise(
    settings: JudgeSettings,
    rubric: Rubric,
    identity: str,
    asked_with: Mapping[str, object],
    price: Price | None,
    rows: Iterable[tuple[Verdict, int]],
    tested: Mapping[str, Verdict],
    anchors: Sequence[Anchor] = (),
    anchored: Mapping[str, Verdict] | None = None,
    second: Mapping[str, Verdict] | None = None,
    calibration: Mapping[str, Agreement] | None = None,
    budget: Budget | None = None,
    waited_s: float = 0.0,
) -> JudgeSummary:
    """Return the summary of the verdicts that count (each with its answer's length), of those on
    the self-test and on the anchors, and of the `second` ones on answers that were judged twice,
    with the `calibration` of an earlier run, and of the `budget` of this one and the seconds that
    the judge was waited for."""
    anchored, second = anchored or {}, second or {}
    given, paid, causes, count = dict[str, Verdict](), Paid(), Counter[str](), 0

    def counted() -> Iterator[tuple[Verdict, int]]:
        nonlocal count
        for verdict, length in rows:
            count += 1
            paid.add(verdict)
            causes.update(list(verdict.unscored.values())[:1])
            if verdict.id in second:
                given[verdict.id] = verdict
            yield verdict, length

    health = examine(rubric, tested, counted())
    for verdict in (*tested.values(), *anchored.values(), *second.values()):
        paid.add(verdict)
    return JudgeSummary(
        model=settings.model,
        host=urlsplit(settings.endpoint).netloc,
        rubric=rubric.name,
        rubric_version=rubric.version,
        rubric_digest=rubric.digest,
        parser=contract.VERSION,
        identity=identity,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        asked_with=asked_with,
        verdicts=count,
        unscored=dict(sorted(causes.items())),
        requests=paid.requests,
        prompt_tokens=paid.prompt,
        output_tokens=paid.output,
        cost=paid.cost(price),
        health=health,
        anchors=len(anchors),
        drift=drift(anchors, anchored),
        scale=(rubric.low, rubric.high),
        directions=rubric.directions,
        calibration=calibration or {},
        waited_s=round(waited_s, 1),
        flips=compare(given, second, headline, reach=rubric.high - rubric.low, far=FAR),
        estimated=paid.estimated,
        spent=budget.spent if budget and price else None,
        max_cost=settings.max_cost,
    )
