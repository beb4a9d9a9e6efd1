"""Which samples a report shows, and their texts. A run of any size makes a page of bounded size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from assay import store
from assay.folder import LIKELIHOOD, PREDICTIONS, SAMPLES, SCORES, VERDICTS
from assay.intervals import SEED
from assay.judge import PAIRS, PanelScore, preference_of
from assay.records import Likelihood, Message, Prediction, Sample, Score, Verdict, as_wanted
from assay.report.contents import Example, PairVerdict, SideAnswer
from assay.report.glossary import specs_of
from assay.report.run import PANEL_SCORES, EvaluatedRun, SideRun

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Positions = NDArray[np.intp]

R = TypeVar("R", Prediction, Score, Verdict, PanelScore, Likelihood)

MAX_EXAMPLES = 5_000
MAX_CHARACTERS = 16_000_000
MAX_TEXT = 20_000
MAX_REGRESSIONS = 10


def focus(run: EvaluatedRun) -> str:
    """Return the metric that ranks samples: the judge's overall score, else ROUGE-L, else the
    first one that says which way is better; "" where nothing has a score."""
    names = list(run.candidate.values)
    ranking = [name for name in names if math.isfinite(_way(run, name))] or names
    return next((name for name in ("overall", "rouge-l") if name in names), (ranking or [""])[0])


def changes(run: EvaluatedRun, metric: str) -> Floats:
    """Return each sample's gain of the candidate by `metric`, NaN where a side has none, and where
    the metric does not say which way is better."""
    import numpy as np

    if (
        run.baseline is None
        or metric not in run.baseline.values
        or metric not in run.candidate.values
    ):
        return np.full(len(run.positions), np.nan)
    gain: Floats = run.candidate.values[metric] - run.baseline.values[metric]
    return gain * _way(run, metric)


def worst_first(run: EvaluatedRun, metric: str) -> Positions:
    """Return all positions, the largest loss by `metric` first; ties by ROUGE-L, then in the
    dataset's order; without a baseline the lowest score first. Samples without a value are last."""
    import numpy as np

    def keys(name: str) -> Floats:
        alone = run.candidate.values.get(name, np.full(len(run.positions), np.nan))
        return changes(run, name) if run.baseline else alone * _way(run, name)

    return np.lexsort((keys("rouge-l"), keys(metric)))


def choose(run: EvaluatedRun, order: Positions) -> Positions:
    """Return the positions to show, in the dataset's order: all, or where they are too many or
    too long, a third of the room for the worst, and a seeded random draw for the rest."""
    import numpy as np

    n = len(run.positions)
    worst = order[: MAX_EXAMPLES // 3]
    others = np.setdiff1d(np.arange(n), worst)
    ranked = np.concatenate([worst, np.random.default_rng(SEED).permutation(others)])
    room = np.cumsum(_characters(run)[ranked]) <= MAX_CHARACTERS
    chosen = ranked[:MAX_EXAMPLES][room[:MAX_EXAMPLES]]
    return np.sort(chosen if len(chosen) else ranked[:1])


def examples(run: EvaluatedRun, chosen: Positions, change: Floats) -> tuple[Example, ...]:
    """Return the samples at the `chosen` positions, read from the run folder."""
    ids = [*run.positions]
    wanted = {ids[at] for at in chosen.tolist()}
    predictions = {
        side.side: _rows(side.folder / PREDICTIONS, Prediction, wanted) for side in run.sides
    }
    sides = {side.side: _read_answers(side, predictions[side.side], wanted) for side in run.sides}
    pairs = _rows(run.folder / PAIRS, Verdict, wanted)
    excerpts = []
    for sample in store.read_some(run.folder / SAMPLES, Sample, wanted):
        answer, at = predictions["candidate"].get(sample.id), run.positions[sample.id]
        sample = as_wanted(sample, answer) if answer else sample
        excerpts.append(
            Example(
                id=sample.id,
                messages=tuple(
                    Message(role=turn.role, content=_short(turn.content))
                    for turn in sample.messages
                ),
                target=_short(sample.target),
                tools=_short(sample.tools),
                baseline=sides.get("baseline", {}).get(sample.id),
                candidate=sides["candidate"].get(sample.id),
                change=None if math.isnan(change[at]) else float(change[at]),
                pair=_pair(pairs[sample.id]) if sample.id in pairs else None,
                target_thought=_short(answer.wanted_thought) if answer else "",
                tags=sample.tags,
            )
        )
    return tuple(excerpts)


def _way(run: EvaluatedRun, metric: str) -> float:
    """Return 1 where a higher value is better, -1 where a lower one is, NaN where neither is, or
    the metric does not say."""
    spec = specs_of(run).get(metric)
    return {"higher": 1.0, "lower": -1.0}.get(spec.direction if spec else "", math.nan)


def _characters(run: EvaluatedRun) -> NDArray[np.int64]:
    import numpy as np

    total = np.minimum(run.lengths, 2 * MAX_TEXT)
    for side in run.sides:
        for length in (side.answers.length, side.answers.thought):
            total = total + np.clip(length, 0, MAX_TEXT)
    return total


def _read_answers(
    side: SideRun, predictions: Mapping[str, Prediction], wanted: set[str]
) -> dict[str, SideAnswer]:
    likelihoods = _rows(side.folder / LIKELIHOOD, Likelihood, wanted)
    scores = _rows(side.folder / SCORES, Score, wanted)
    verdicts = _rows(side.folder / VERDICTS, Verdict, wanted)
    panel = _rows(side.folder / PANEL_SCORES, PanelScore, wanted)
    return {
        id_: _answer(
            prediction,
            (likelihoods.get(id_), scores.get(id_)),
            verdicts.get(id_),
            panel.get(id_),
        )
        for id_, prediction in predictions.items()
    }


def _rows(path: Path, cls: type[R], wanted: set[str]) -> Mapping[str, R]:
    if not path.exists():
        return {}
    return {row.id: row for row in store.read_some(path, cls, wanted)}


def _answer(
    prediction: Prediction,
    scores: Sequence[Score | None],
    verdict: Verdict | None,
    panel: PanelScore | None,
) -> SideAnswer:
    rows = [row for row in (*scores, verdict) if row is not None]
    values = {name: value for row in rows for name, value in row.values.items()}
    return SideAnswer(
        output=_short(prediction.output),
        finish=prediction.finish,
        prompt_truncated=prediction.prompt_truncated,
        prompt_tokens=prediction.prompt_tokens,
        output_tokens=prediction.output_tokens,
        scores={name: value for name, value in values.items() if math.isfinite(value)},
        unscored={name: cause for row in rows for name, cause in row.unscored.items()},
        commentary=_short(verdict.commentary) if verdict else "",
        panel=panel.values if panel else {},
        panel_judges=panel.judges if panel else {},
        thought=_short(prediction.thought),
        thought_tokens=prediction.thought_tokens,
    )


def _pair(verdict: Verdict) -> PairVerdict:
    return PairVerdict(
        preference=preference_of(verdict),
        cause=next(iter(verdict.unscored.values()), ""),
        commentary=_short(verdict.commentary),
    )


def _short(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]} […cut here: {len(text):,} characters in all, in the run folder]"
