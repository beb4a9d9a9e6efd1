"""The judge: a model that scores every prediction on a rubric, with every verdict accounted for."""

from assay.judge.cost import Price
from assay.judge.log import verdicts
from assay.judge.pairwise import WIN_RATE, PairSummary, judge_pairs
from assay.judge.preflight import Estimate, check
from assay.judge.rubric import dimensions
from assay.judge.run import judge
from assay.judge.settings import JudgeSettings
from assay.judge.sides import judge_sides
from assay.judge.summary import JudgeSummary

__all__ = [
    "WIN_RATE",
    "Estimate",
    "JudgeSettings",
    "JudgeSummary",
    "PairSummary",
    "Price",
    "check",
    "dimensions",
    "judge",
    "judge_pairs",
    "judge_sides",
    "verdicts",
]
