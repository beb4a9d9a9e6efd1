"""The settings of a judge behind a fake endpoint, where every request is counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from assay.judge import JudgeSettings


def settings_for(url: str, **changed: Any) -> JudgeSettings:
    """Return the settings of a judge that is asked for nothing but the verdicts; any number of
    them may fail, and it is not waited for where it is away."""
    asked = JudgeSettings(
        endpoint=url, model="fake", api_key_env="", self_test=False, flip_sample=0
    )
    return replace(asked, **{"max_unscored": 1.0, "outage_s": 0.0, **changed})
