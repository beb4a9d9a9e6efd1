"""The judge: a model that scores every prediction on a rubric, with every verdict accounted for."""

from assay.folder import PAIRS
from assay.judge.access import SECRET, check_access
from assay.judge.cost import Price
from assay.judge.estimate import Estimate, check_cost, describe_estimate
from assay.judge.log import judge_of, verdicts
from assay.judge.modes.pairwise import PairSummary, judge_pairs
from assay.judge.modes.panel import PanelScore, PanelSummary
from assay.judge.modes.score import judge
from assay.judge.pair_verdict import WIN_RATE, Preference, preference_of
from assay.judge.preflight import check
from assay.judge.rubric import specs_of
from assay.judge.settings import JudgeSettings
from assay.judge.sides import judge_sides
from assay.judge.specs import DIMENSIONS, PAIRWISE, dimension_specs
from assay.judge.summary import JudgeSummary

__all__ = [
    "DIMENSIONS",
    "PAIRS",
    "PAIRWISE",
    "SECRET",
    "WIN_RATE",
    "Estimate",
    "JudgeSettings",
    "JudgeSummary",
    "PairSummary",
    "PanelScore",
    "PanelSummary",
    "Preference",
    "Price",
    "check",
    "check_access",
    "check_cost",
    "describe_estimate",
    "dimension_specs",
    "judge",
    "judge_of",
    "judge_pairs",
    "judge_sides",
    "preference_of",
    "specs_of",
    "verdicts",
]
