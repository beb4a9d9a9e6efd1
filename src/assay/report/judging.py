"""The judge in the report: who it was, whether it can be believed, and what makes it doubtful."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from assay.judge import JudgeSummary, PairSummary
from assay.records import SIDES
from assay.report import self_test
from assay.report.contents import Caution, Pair
from assay.report.plain import signed
from assay.report.run import Run, SideRun

ENOUGH = 10
NAMED = 5
_CLUMPED = 0.8
_SMALL_JUDGE = 3e9
_UNITS = {"m": 1e6, "b": 1e9}
# A family of models -> what their names hold.
_FAMILIES = {
    "Claude": r"claude",
    "Command": r"command-?[ar]|aya-",
    "DeepSeek": r"deepseek",
    "Gemini and Gemma": r"gemini|gemma",
    "GLM": r"glm-?\d",
    "GPT": r"gpt-?\d|gpt-oss|chatgpt|\bo[134](-|$)",
    "Granite": r"granite",
    "InternLM": r"internlm",
    "Kimi": r"kimi|moonshot",
    "Llama": r"llama-?\d|vicuna|nemotron",
    "Mistral": r"mistral|mixtral|ministral|magistral",
    "OLMo": r"olmo",
    "Phi": r"\bphi-?\d",
    "Qwen": r"qwen|qwq",
    "SmolLM": r"smollm",
    "Yi": r"\byi-",
}


def rows(judging: Mapping[str, JudgeSummary]) -> Iterator[tuple[str, list[str]]]:
    """Yield what there is to say of the judge as (title, one text a side)."""
    of_sides = list(judging.values())
    for title, text in _ROWS:
        texts = [text(summary) for summary in of_sides]
        if any(texts):
            yield title, [text or "–" for text in texts]


def probes(judging: Mapping[str, JudgeSummary]) -> list[tuple[str, str, list[str]]]:
    """Return the self-test as (answer, score wanted, one result a side)."""
    found: dict[tuple[str, str], list[str]] = {}
    for place, summary in enumerate(judging.values()):
        for probe in summary.health.self_test:
            results = found.setdefault((probe.name, probe.wanted), ["–"] * len(judging))
            results[place] = self_test.mark(probe)
    return [(*key, results) for key, results in found.items()]


def pairs(pairing: PairSummary) -> str:
    """Return what the pairwise judging came to, as one sentence."""
    causes = ", ".join(f"{count} {cause}" for cause, count in pairing.unscored.items())
    repeated = f", {pairing.repeats} times by majority" if pairing.repeats > 1 else ""
    cost = "" if pairing.cost is None else f", cost {pairing.cost:.4g}"
    return (
        f"Pairwise, each pair in both orders{repeated}: of {pairing.pairs:,} pairs the candidate "
        f"won {pairing.wins:,}, lost {pairing.losses:,} and tied {pairing.ties:,}, of which "
        f"{pairing.inconsistent:,} because the order changed the judge's mind; unscored: "
        f"{causes or 'none'}. {pairing.requests:,} requests, {pairing.prompt_tokens:,} + "
        f"{pairing.output_tokens:,} tokens{cost}."
    )


def preferred(pair: Pair) -> str:
    """Return what the pairwise verdict on one sample says, in two words."""
    if pair.preference is None:
        return f"unscored, {pair.cause}"
    return f"{pair.preference}{' better' * (pair.preference in SIDES)}"


def doubts(run: Run) -> Iterator[Caution]:
    """Yield what must be known of the judge before its scores are trusted."""
    yield from self_test.doubts(run)
    yield from _unscored(run)
    for side in run.sides:
        yield from _clumped(side.verdicts.values.get("overall"), side.side)
    yield from _unfit(run)
    yield from self_test.of_seats(run)
    yield from _unlike(run)
    yield from _moved(run)


def _unscored(run: Run) -> Iterator[Caution]:
    causes = {side.side: _failures(side) for side in run.sides}
    if not any(causes.values()):
        return
    failed = " and ".join(
        f"{counts.total()} of {len(run.positions)} {side} answers"
        for side, counts in causes.items()
        if counts
    )
    listed = ", ".join(dict.fromkeys(cause for counts in causes.values() for cause in counts))
    yield Caution(
        severe=False,
        text=f"The judge gave no score for {failed} ({listed}). They are left out, never "
        "counted as 0.",
    )


def _unfit(run: Run) -> Iterator[Caution]:
    """Why the judge itself is doubtful: it is the graded model or of its family, or too small by
    its name."""
    if not run.judge:
        return
    names = {side.generation.model for side in run.sides}
    names |= {side.generation.base_model for side in run.sides}
    names |= {run.manifest.base_model} if run.manifest else set()
    graded = {_base(name) for name in names if name}
    found = []
    if _base(run.judge) in graded:
        found.append("is the graded model or its base, and favours answers like its own")
    elif shared := families(run.judge) & {one for name in graded for one in families(name)}:
        family = sorted(shared)[0]
        found.append(f"is of the graded model's family, {family}, and may favour answers like it")
    size = re.search(r"(\d+(?:\.\d+)?)(m|b)\b", _base(run.judge))
    if size and float(size[1]) * _UNITS[size[2]] < _SMALL_JUDGE:
        found.append(f"has {size[0].upper()} parameters by its name: models this small judge badly")
    if found:
        yield Caution(severe=False, text=f"The judge, {run.judge}, {'; it '.join(found)}.")


def families(model: str) -> set[str]:
    """Return the families of models that the name of `model` speaks of; a distilled model can
    have two."""
    name = _base(model)
    return {family for family, pattern in _FAMILIES.items() if re.search(pattern, name)}


def _unlike(run: Run) -> Iterator[Caution]:
    if len({side.judge.identity for side in run.sides if side.judge}) > 1:
        yield Caution(
            severe=True,
            text="Baseline and candidate were judged by different judges or rubrics.",
        )


def _moved(run: Run) -> Iterator[Caution]:
    for side in run.sides:
        shifts = side.judge.drift if side.judge else {}
        moved = {name: shift for name, shift in shifts.items() if shift.drifted}
        if moved:
            told = ", ".join(f"{name} {signed(one.mean, 'judge')}" for name, one in moved.items())
            yield Caution(
                severe=False,
                text=f"The judge has moved on its anchors ({told}): compare its scores with those "
                "of earlier runs with that in mind.",
            )
            return


def _failures(side: SideRun) -> Counter[str]:
    causes = side.verdicts.causes
    name = "overall" if "overall" in causes else next(iter(causes), "")
    return Counter(causes.get(name, {}).values())


def _clumped(scores: object, side: str) -> Iterator[Caution]:
    import numpy as np

    values = np.asarray(scores if scores is not None else [], dtype=np.float64)
    values = values[np.isfinite(values)]
    if len(values) < ENOUGH:
        return
    unique, counts = np.unique(values, return_counts=True)
    share = counts.max() / len(values)
    if share > _CLUMPED:
        yield Caution(
            severe=False,
            text=f"The judge gives {unique[counts.argmax()]:g} to {share:.0%} of the answers of "
            f"the {side}: it hardly tells them apart.",
        )


def _base(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1].lower()


def _asked(summary: JudgeSummary) -> str:
    accepted = summary.asked_with
    if not accepted:
        return "nothing asked in this run"
    form = "json_schema" if accepted.get("json_schema") else "by prompt alone, parsed strictly"
    heat = f"temperature {summary.temperature:g}"
    heat = heat if accepted.get("temperature") else "temperature refused: its own"
    return f"{form}; {heat}; {accepted.get('limit')} {summary.max_tokens}"


def _verdicts(summary: JudgeSummary) -> str:
    scored = summary.verdicts - sum(summary.unscored.values())
    causes = ", ".join(f"{count} {cause}" for cause, count in summary.unscored.items())
    return f"{scored:,} of {summary.verdicts:,}" + (f"; unscored: {causes}" if causes else "")


def _spread(summary: JudgeSummary) -> str:
    spread = summary.health.within_item_sd
    return ", ".join(f"{name} {value:.2f}" for name, value in spread.items())


def _unstable(summary: JudgeSummary) -> str:
    return first(summary.health.unstable) if summary.health.within_item_sd else ""


def _drift(summary: JudgeSummary) -> str:
    if summary.anchors and not summary.drift:
        return f"too few of {summary.anchors} have a score"
    return "; ".join(
        f"{name} {signed(one.mean, 'judge')} ({signed(one.low, 'judge')} to "
        f"{signed(one.high, 'judge')})" + (", moved" if one.drifted else "")
        for name, one in summary.drift.items()
    )


def first(names: Sequence[str]) -> str:
    """Return how many `names` there are and the first few of them."""
    listed = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    return f"{len(names):,}" + (f": {listed}" if names else "")


def _number(value: float | None) -> str:
    return "" if value is None else signed(value, "judge")


_ROWS = (
    ("Judge", lambda one: f"{one.model} at {one.host}"),
    (
        "Rubric",
        lambda one: f"{one.rubric}, version {one.rubric_version} ({one.rubric_digest[:12]})",
    ),
    ("Asked with", _asked),
    ("Self-test", self_test.result),
    ("Scored", _verdicts),
    ("Rank correlation of score and length", lambda one: _number(one.health.length_correlation)),
    (
        "Overall minus the mean of the other dimensions",
        lambda one: _number(one.health.overall_gap),
    ),
    ("Standard deviation within an item", _spread),
    ("Unstable items", _unstable),
    ("Drift on the anchors, now minus then", _drift),
    ("Requests", lambda one: f"{one.requests:,}"),
    ("Tokens, in and out", lambda one: f"{one.prompt_tokens:,} + {one.output_tokens:,}"),
    ("Cost", lambda one: "" if one.cost is None else f"{one.cost:.4g}"),
)
