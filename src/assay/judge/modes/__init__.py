"""The ways of judging, in the order in which a run goes through them."""

from __future__ import annotations

from assay.judge.mode import JudgeMode
from assay.judge.modes import pairwise, panel, score

MODES: tuple[JudgeMode, ...] = (score.MODE, panel.MODE, pairwise.MODE)
