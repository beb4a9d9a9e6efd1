"""The judge as a scoring stage."""

from __future__ import annotations

from assay import judge
from assay.folder import VERDICTS
from assay.scoring.contract import Scorer

JUDGING = Scorer(
    name="judge",
    title="Judge",
    help="have the predictions judged by an LLM",
    settings=judge.JudgeSettings,
    usual=None,
    modes=frozenset({"judge", "both"}),
    score=judge.judge_sides,
    check=judge.check_access,
    rows=VERDICTS,
    keyed=True,
    flags={"only_failed": "ask again only for verdicts that failed"},
    shortcuts={"rubric": ("FILE", "judge on another rubric (judge.rubric)")},
)
