"""A sample in Markdown: both answers with all that was said of them, in one fence."""

from __future__ import annotations

from collections.abc import Iterator

from assay.records import SIDES
from assay.report.contents import Example, PairVerdict, SideAnswer
from assay.report.markdown.markup import code, fence
from assay.report.plain import label

MAX_TEXT = 1_500


def sample(example: Example, focus: str) -> str:
    """Return one sample, with its scores by the metric `focus` in its title."""
    return f"### {code(example.id)}{_scores(example, focus)}\n\n{fence(_texts(example))}\n"


def _scores(example: Example, focus: str) -> str:
    scores = [
        f"{side} {answer.scores[focus]:g}"
        for side, answer in _answers(example)
        if focus in answer.scores
    ]
    return f": {label(focus).lower()} {', '.join(scores)}" if scores else ""


def _answers(example: Example) -> list[tuple[str, SideAnswer]]:
    both = zip(SIDES, (example.baseline, example.candidate), strict=True)
    return [(side, answer) for side, answer in both if answer]


def _texts(example: Example) -> str:
    lines = [f"{turn.role}: {_short(turn.content)}" for turn in example.messages]
    lines.append(f"target: {_short(example.target)}")
    lines += [line for side, answer in _answers(example) for line in _answer(side, answer)]
    if example.pair:
        lines.append(f"pairwise: {_preferred(example.pair)}. {_short(example.pair.commentary)}")
    return "\n".join(lines)


def _answer(side: str, answer: SideAnswer) -> Iterator[str]:
    yield f"{side}: {_short(answer.output)}" + (" [cut]" if answer.finish == "length" else "")
    if answer.commentary:
        yield f"  judge: {_short(answer.commentary)}"
    if answer.panel_judges:
        yield f"  panel: {_panel(answer)}"
    for name, cause in answer.unscored.items():
        yield f"  {name}: unscored, {cause}"


def _panel(answer: SideAnswer) -> str:
    """The panel's scores of one answer, each with how many judges gave one."""
    return ", ".join(
        f"{label(name).lower()} "
        + (f"{answer.panel[name]:g}" if name in answer.panel else "unscored")
        + f" ({judges} judge{'s' * (judges != 1)})"
        for name, judges in answer.panel_judges.items()
    )


def _preferred(pair: PairVerdict) -> str:
    if pair.preference is None:
        return f"unscored, {pair.cause}"
    return f"{pair.preference}{' better' * (pair.preference in SIDES)}"


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} […{len(text):,} characters]"
