"""The last component ends the run as the gate decided, in one line and without a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.gate import Gate, Ruling, describe
from assay.report.plain import plain
from tests.components.launcher import launch


@pytest.mark.parametrize(
    ("decision", "code"), [("GO", 0), ("NO_GO", 1), ("INCONCLUSIVE", 3), (None, 0)]
)
def test_the_gate_ends_the_run_as_it_decided(
    decision: str | None, code: int, tmp_path: Path
) -> None:
    given = {}
    if decision:
        ruling = Ruling(rule="overall: max_drop 1", decision=decision, reason="for a reason")  # type: ignore[arg-type]
        gate = Gate(decision=decision, rulings=(ruling,))  # type: ignore[arg-type]
        given = plain(gate)
    done = launch("gate", tmp_path, {"decision": given})
    assert done.code == code, done.log
    assert "Traceback" not in done.log
    if decision:
        assert describe(gate) in done.log
    else:
        assert "no gate was asked for" in done.log
