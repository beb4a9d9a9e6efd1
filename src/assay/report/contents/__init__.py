"""What a report says, before it is HTML, Markdown or JSON: all three show these numbers.

`report.json` is `Report`, field by field; schema.json describes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.gate import Gate
from assay.judge import JudgeSummary, PairSummary, PanelSummary
from assay.records import Agreement
from assay.report.contents.answers import Example, Opinion, PairVerdict, Points, SideAnswer
from assay.report.contents.findings import (
    Admission,
    Caution,
    Conclusion,
    MetricRow,
    Outcome,
    Subset,
    TagSummary,
    Tone,
)
from assay.report.contents.history import (
    Acceptance,
    Accepted,
    Movement,
    Reading,
    Record,
    Trend,
)
from assay.report.contents.sides import (
    Confusion,
    Data,
    Parity,
    ParityCause,
    SideSummary,
    Source,
    Training,
)

__all__ = [
    "Acceptance",
    "Accepted",
    "Admission",
    "Caution",
    "Conclusion",
    "Confusion",
    "Data",
    "Example",
    "MetricRow",
    "Movement",
    "Opinion",
    "Outcome",
    "PairVerdict",
    "Parity",
    "ParityCause",
    "Points",
    "Reading",
    "Record",
    "Report",
    "SideAnswer",
    "SideSummary",
    "Source",
    "Subset",
    "TagSummary",
    "Tone",
    "Training",
    "Trend",
]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything the report shows. `clusters` is how many the `samples` are in, None where each is
    its own. `id` is what the run is known by in a history; `time` (UTC) is
    when it was answered, else that of its first report in a history, else "". `regressions` are ids
    of `examples`, the worst first; `examples` are all samples, or as many as a page can hold,
    chosen as `selection` says. `judge` is the judge's model, "" where nobody judged; `gate` is None
    without a policy; `judging` is each side's judge.json and `pairing` the run's pairs.json, where
    it has one; `panel` is what further judges say, `combining` each side's panel.json, `combined`
    the medians over all judges; `judge_scale` is the rubric's, and `histograms` count its
    scores from the lowest to the highest; `costs` are those of judge, panel and pairwise
    judging, where they have a price; `waited` is how many seconds the run's stages have waited, by
    what for, such as the store; `calibration` is what people's labels say of each
    dimension, `admissions` whether they admit the judge on it; `trend` is None without a history,
    `accepted` where it has accepted no model; `confusion` has the labels of each side, where a
    metric is of labels; `parity` is None unless one side of two is behind an endpoint; `tags` has
    both sides by category; `counts` are the samples of the whole run by the page's filters, of
    which `examples` may be a draw."""

    schema: int
    assay: str
    id: str
    time: str
    title: str
    gate: Gate | None
    conclusion: Conclusion
    cautions: tuple[Caution, ...]
    dataset_hash: str
    samples: int
    clusters: int | None
    judge: str
    judging: Mapping[str, JudgeSummary]
    pairing: PairSummary | None
    panel: tuple[Opinion, ...]
    combining: Mapping[str, PanelSummary]
    combined: tuple[MetricRow, ...]
    costs: Mapping[str, float]
    waited: Mapping[str, float]
    calibration: Mapping[str, Agreement]
    admissions: Mapping[str, Admission]
    data: Data | None
    trend: Trend | None
    accepted: Accepted | None
    sides: tuple[SideSummary, ...]
    parity: Parity | None
    summary: tuple[MetricRow, ...]
    tags: tuple[TagSummary, ...]
    judge_scale: tuple[int, int]
    histograms: Mapping[str, Mapping[str, tuple[int, ...]]]
    points: tuple[Points, ...]
    training: Training | None
    confusion: Mapping[str, Confusion]
    identical_outputs: int
    counts: Mapping[str, int]
    focus: str
    regressions: tuple[str, ...]
    selection: str
    examples: tuple[Example, ...]
    provenance: Mapping[str, object]
