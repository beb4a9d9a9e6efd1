"""What a terminal shows of a run's metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay import store, terminal
from assay.folder import METRICS

BASELINE = {"name": "bleu-4", "side": "baseline", "value": 10.0}
CANDIDATE = {"name": "bleu-4", "side": "candidate", "value": 12.5}
COMPARED = {"name": "bleu-4", "difference": 2.5, "low": 1.0, "high": 4.0, "n": 30}


@pytest.mark.parametrize(
    ("metrics", "comparisons", "shown", "hidden"),
    [
        (
            [BASELINE, CANDIDATE],
            [COMPARED],
            ["Baseline against candidate", "10.00", "12.50", "+2.50", "+1.00 to +4.00", "30"],
            [],
        ),
        ([CANDIDATE], [], ["Candidate", "12.50"], ["aseline", "difference", "interval"]),
        (
            [BASELINE, CANDIDATE, {**CANDIDATE, "name": "only"}],
            [COMPARED],
            ["Baseline against candidate", "only", "-"],
            [],
        ),
    ],
)
def test_a_run_has_a_column_for_each_side_that_it_has(
    metrics: list[dict[str, Any]],
    comparisons: list[dict[str, Any]],
    shown: list[str],
    hidden: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store.write_json(tmp_path / METRICS, {"metrics": metrics, "comparisons": comparisons})
    terminal.print_summary(tmp_path)
    printed = capsys.readouterr().out
    assert [text for text in shown if text not in printed] == []
    assert [text for text in hidden if text in printed] == []
