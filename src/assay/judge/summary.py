"""judge.json: who judged, how it was asked, what came of it, what it cost, and its health."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from assay.judge import contract
from assay.judge.anchors import Anchor, Shift, drift
from assay.judge.cost import Paid
from assay.judge.dialect import described
from assay.judge.flips import Flips, compare
from assay.judge.health import Health, examine, headline
from assay.judge.hearing import Hearing
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

    @property
    def judged(self) -> int:
        """How many verdicts there are."""
        return self.verdicts


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What is judged beside a run's answers: the self-test as it was `tested`, the `anchors` and
    the verdicts on them now; the `calibration` of an earlier run; and how an earlier try of this
    one `asked_before`, which holds where nothing is asked any more."""

    tested: Mapping[str, Verdict]
    anchors: Sequence[Anchor] = ()
    anchored: Mapping[str, Verdict] = field(default_factory=dict)
    calibration: Mapping[str, Agreement] = field(default_factory=dict)
    asked_before: Mapping[str, object] = field(default_factory=dict)


class _Tally:
    """Counts verdicts that pass by, and keeps those that were also given a `second` time."""

    def __init__(self, second: Mapping[str, Verdict]) -> None:
        self._second = second
        self.count, self.paid, self.causes = 0, Paid(), Counter[str]()
        self.again: dict[str, Verdict] = {}

    def passing(self, rows: Iterable[tuple[Verdict, int]]) -> Iterator[tuple[Verdict, int]]:
        for verdict, length in rows:
            self.count += 1
            self.paid.add(verdict)
            self.causes.update(list(verdict.unscored.values())[:1])
            if verdict.id in self._second:
                self.again[verdict.id] = verdict
            yield verdict, length


def summarise(
    hearing: Hearing,
    rows: Iterable[tuple[Verdict, int]],
    second: Mapping[str, Verdict],
    beside: Beside,
) -> JudgeSummary:
    """Return the summary of the verdicts that count, each with its answer's length, of the `second`
    ones on answers that were judged twice, and of what was judged `beside`."""
    settings, rubric, tally = hearing.settings, hearing.rubric, _Tally(second)
    health = examine(rubric, beside.tested, tally.passing(rows))
    for verdict in (*beside.tested.values(), *beside.anchored.values(), *second.values()):
        tally.paid.add(verdict)
    return JudgeSummary(
        model=settings.model,
        host=urlsplit(settings.endpoint).netloc,
        rubric=rubric.name,
        rubric_version=rubric.version,
        rubric_digest=rubric.digest,
        parser=contract.VERSION,
        identity=hearing.identity,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        asked_with=described(hearing.asked) if hearing.asked else beside.asked_before,
        verdicts=tally.count,
        unscored=dict(sorted(tally.causes.items())),
        requests=tally.paid.requests,
        prompt_tokens=tally.paid.prompt,
        output_tokens=tally.paid.output,
        cost=tally.paid.cost(hearing.price),
        health=health,
        anchors=len(beside.anchors),
        drift=drift(beside.anchors, beside.anchored),
        scale=(rubric.low, rubric.high),
        directions=rubric.directions,
        calibration=beside.calibration,
        waited_s=round(hearing.waited_s, 1),
        flips=compare(tally.again, second, headline, reach=rubric.high - rubric.low, far=FAR),
        estimated=tally.paid.estimated,
        spent=hearing.budget.spent if hearing.price else None,
        max_cost=settings.max_cost,
    )
