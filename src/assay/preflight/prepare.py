"""Before anything is spent: the plan is made and checked, and the samples are written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from assay import dataset, progress
from assay import judge as judging
from assay import metrics as measuring
from assay import plan as planning
from assay.config import Config
from assay.errors import Problems
from assay.folder import SAMPLES
from assay.judge import Estimate
from assay.plan import Plan
from assay.preflight.asking import ask_judge
from assay.preflight.checks import checks_anywhere, checks_here, checks_of_samples
from assay.preflight.models import tell_withheld
from assay.preflight.rules import check_sides
from assay.preflight.samples import begun, write_samples
from assay.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plan that was checked and whose samples are written: what they are, what the judge will
    take (None without one), and which metrics the targets ask for ("" for no others)."""

    plan: Plan
    summary: dataset.DatasetSummary
    estimate: Estimate | None
    suggestion: str = ""


def prepare(
    config: Config,
    folder: Path,
    listen: progress.Listener = progress.ignore,
    *,
    artifacts: str = "",
) -> Prepared:
    """Return the plan of `config`, checked, its samples written to `folder` unless they are there.

    `artifacts` is where a pipeline's artifacts go, which a queue's workers must reach; "" where no
    queue is used. Raises InputError with a line for each problem.
    """
    problems, plan, summary, estimate = Problems(), None, None, None
    with problems.noted():
        plan = planning.make(config)
    draft = plan or planning.draft(config)  # what else is wrong is worth knowing too
    problems.note(*checks_anywhere(draft.config), *checks_here(draft, artifacts))
    problems.note(partial(check_sides, plan))
    with problems.noted():
        summary = write_samples(draft, folder, tokens=not problems.any)
    problems.note(*checks_of_samples(draft, summary, folder, artifacts))
    with problems.noted():
        estimate = ask_judge(draft, folder if summary else None)
    problems.check()
    assert plan  # noqa: S101  or there was a problem
    assert summary  # noqa: S101
    tell_withheld(plan)
    prepared = Prepared(
        plan=plan, summary=summary, estimate=estimate, suggestion=_suggestion(plan, folder)
    )
    if not begun(folder):
        _tell(prepared, listen)
    return prepared


def _tell(prepared: Prepared, listen: progress.Listener) -> None:
    summary = prepared.summary
    used = summary.eval.samples + (summary.train.samples if summary.train else 0)
    done = Progress(stage="dataset", state="done", done=used, total=used, unit="samples")
    listen(replace(done, note=dataset.sum_up(summary)))
    if told := dataset.unused_columns(summary):
        listen(Progress(stage="preflight", state="done", note=told))
    if prepared.estimate:
        note = judging.describe_estimate(prepared.estimate)
        listen(Progress(stage="preflight", state="done", note=note))
    if prepared.suggestion:
        listen(Progress(stage="preflight", state="done", note=prepared.suggestion))


def _suggestion(plan: Plan, folder: Path) -> str:
    asked = plan.metrics
    return measuring.suggest(asked.metrics, folder / SAMPLES, asked.task) if asked else ""
