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


NAMES = ["instruction_following", "language-mismatch", "corpus-bleu", "corpus-bleu-zh"]


@pytest.mark.parametrize("columns", [80, 60, 40])
def test_no_name_and_no_number_is_cut_however_narrow_the_terminal_is(
    columns: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    sides = [{**side, "name": name} for name in NAMES for side in (BASELINE, CANDIDATE)]
    compared = [{**COMPARED, "low": -29.15, "high": 56.21, "name": name} for name in NAMES]
    store.write_json(tmp_path / METRICS, {"metrics": sides, "comparisons": compared})
    terminal.print_summary(tmp_path)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= columns
    assert printed.isascii()  # as a terminal of another encoding than UTF-8 can show it
    first = "".join(line.split(" ")[0] for line in printed.splitlines()[1:])
    assert first == "".join(["metric", *NAMES])
    if columns == 80:
        assert printed.count("-29.15 to +56.21") == len(NAMES)
