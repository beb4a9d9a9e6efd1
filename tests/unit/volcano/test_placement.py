"""Where a stage runs, and what a worker of several tells torchrun."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import dispatch, placement
from assay.errors import InputError, SettingsError
from assay.placement import ClusterSettings
from assay.volcano import worker
from assay.volcano.relay import Position

NOTHING: dict[str, Any] = {}


def test_outside_of_a_cluster_a_stage_runs_inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert dispatch.place({"gpus": 2.0}, NOTHING).queue is None
    assert placement.runner() == "inline"
    with pytest.raises(InputError, match="this process is in no cluster with it"):
        dispatch.place({"runner": "volcano"}, NOTHING)


def test_a_cluster_setting_that_is_wrong_is_named() -> None:
    with pytest.raises(SettingsError, match=r"cluster\.que is not a setting.*Did you mean queue"):
        dispatch.place({"que": "x"}, NOTHING)
    with pytest.raises(SettingsError, match=r"cluster\.nodes is 2 and cluster\.runner is inline"):
        placement.check(ClusterSettings(runner="inline", nodes=2))
    with pytest.raises(SettingsError, match=r"cluster\.memory = '200GB' is no quantity"):
        placement.check(ClusterSettings(memory="200GB"))
    with pytest.raises(SettingsError, match=r"cluster\.cpu = '-1' is no quantity"):
        placement.check(ClusterSettings(cpu="-1"))


def test_several_pods_are_torchruns_nodes() -> None:
    environment = {"WORLD_SIZE": "3", "RANK": "2", "MASTER_ADDR": "m", "NPROC_PER_NODE": "8"}
    assert worker._torchrun(environment) == 2
    assert environment == {
        "MASTER_ADDR": "m",
        "FORCE_TORCHRUN": "1",
        "NNODES": "3",
        "NODE_RANK": "2",
        "NPROC_PER_NODE": "8",
    }
    alone: dict[str, str] = {}
    assert (worker._torchrun(alone), alone) == (0, {})


def stamp(tenth: int) -> str:
    return f"2026-01-01T00:00:{tenth // 10:02}.{tenth % 10}Z"


@given(
    tenths=st.lists(st.integers(0, 39), max_size=40).map(sorted),
    cuts=st.lists(st.integers(0, 40), max_size=4).map(sorted),
)
def test_a_log_that_is_taken_up_again_has_each_line_once(
    tenths: list[int], cuts: list[int]
) -> None:
    """As the kubelet gives it: from a whole second on, in the order of the file."""
    lines = [f"{stamp(tenth)} line {number}" for number, tenth in enumerate(tenths)]
    position = Position()
    shown: list[str] = []
    for cut in [*cuts, len(lines)]:
        since = position.resume().get("sinceTime", "").removesuffix("Z")
        stream = [line for line in lines[: max(cut, len(shown))] if line >= since]
        shown += [line for line in stream if position.is_new(line.split(" ")[0].encode())]
    assert shown == lines
