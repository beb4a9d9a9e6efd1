"""A run is followed live: gently, over lost connections, and until it has ended."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest

from assay import progress, task
from assay.cli.main import main
from assay.errors import KfpError
from assay.kubeflow import runs, watch
from assay.kubeflow.client import Kfp
from assay.progress import Progress
from tests.kfp.kfp_server import KfpServer
from tests.kfp.virtual_time import Condition, VirtualTime


@pytest.fixture
def run(server: KfpServer, config_file: Path) -> str:
    assert main(["submit", str(config_file)]) == 0
    (run,) = server.runs
    return run


def saw(
    events: Sequence[Progress], stage: str, text: str = "", state: str = "running", done: int = 0
) -> Condition:
    """Return whether such an event has been told, for a story to wait for."""
    return lambda: any(
        (event.stage, event.state, event.done) == (stage, state, done) and text in event.note
        for event in events
    )


def test_every_change_is_told_and_the_server_is_asked_once_a_second(
    kfp: Kfp, server: KfpServer, run: str, time: VirtualTime
) -> None:
    events: list[Progress] = []

    def story() -> Iterator[Condition]:
        server.task(run, "preflight", "SUCCEEDED")
        server.task(run, "generate", "RUNNING", "finetune: waiting: queue gpu is full\nmore\n")
        yield saw(events, "Preflight", state="done")
        yield saw(events, "Generate: baseline", "queue gpu is full")
        line = "generate (baseline): 3/64 samples, 1.5/s, 0:40 left\n"
        server.task(run, "generate", "RUNNING", line)
        yield saw(events, "Generate: baseline", done=3)
        server.task(run, "generate", "SUCCEEDED")
        line = "[worker-0] judge (candidate): 9/64 verdicts, 2 unscored: timeout\n"
        server.task(run, "judge", "RUNNING", line)
        yield saw(events, "Judge", done=9)
        server.task(run, "judge", "FAILED")
        server.end(run, "FAILED", "the judge is gone")

    server.asked.clear()
    time.tell(story())
    ended = watch.watch(kfp, run, events.append)
    assert (ended.state, ended.error) == ("FAILED", "the judge is gone")
    assert saw(events, "Generate: baseline", state="done", done=3)()
    times = [when for when, _, _ in server.asked]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) == pytest.approx(watch.EVERY)


def test_who_comes_later_is_told_how_long_a_task_took(
    kfp: Kfp, server: KfpServer, run: str
) -> None:
    server.task(run, "preflight", "SUCCEEDED")
    (node,) = server.nodes(run, "preflight")
    node["start_time"], node["end_time"] = "2026-11-25T00:07:56Z", "2026-11-25T00:08:17Z"
    server.end(run, "SUCCEEDED")
    events: list[Progress] = []
    watch.watch(kfp, run, events.append)
    began, ended = (event for event in events if event.stage == "Preflight")
    assert (began.state, ended.state) == ("running", "done")
    assert ended.time - began.time == 21


def test_a_lost_connection_is_told_and_comes_back(
    kfp: Kfp, server: KfpServer, run: str, time: VirtualTime
) -> None:
    events: list[Progress] = []

    def story() -> Iterator[Condition]:
        server.task(run, "preflight", "RUNNING")
        yield saw(events, "Preflight")
        server.down = True
        yield saw(events, "connection", "trying again")
        server.refuse["GET"] = (503, "no healthy upstream")
        server.down = False
        yield saw(events, "connection", "503")
        server.refuse.clear()
        server.end(run, "SUCCEEDED")

    time.tell(story())
    assert watch.watch(kfp, run, events.append).state == "SUCCEEDED"


def test_a_server_that_stays_away_is_tried_ever_more_seldom(
    kfp: Kfp, server: KfpServer, run: str, time: VirtualTime
) -> None:
    tries: list[Progress] = []

    def story() -> Iterator[Condition]:
        server.refuse["GET"] = (503, "no healthy upstream")
        yield lambda: len(tries) == 6
        server.refuse.clear()
        server.end(run, "SUCCEEDED")

    time.tell(story())
    assert watch.watch(kfp, run, tries.append).state == "SUCCEEDED"
    assert [pause for pause in time.pauses if pause >= watch.EVERY][:6] == [1, 2, 4, 8, 15, 15]


def test_a_run_that_is_deleted_or_forbidden_ends_the_watch(
    kfp: Kfp, server: KfpServer, run: str
) -> None:
    del server.runs[run]
    with pytest.raises(KfpError, match="has not the run"):
        watch.watch(kfp, run)


def test_the_command_prints_lines_and_its_exit_code_is_the_runs(
    server: KfpServer, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.task(run, "preflight", "SUCCEEDED")
    for state, code in (("SUCCEEDED", 0), ("FAILED", 1), ("CANCELED", 5)):
        server.end(run, state)
        assert main(["watch", run]) == code
        shown = capsys.readouterr()
        assert "Preflight, done in" in shown.err
        assert f"nightly {state.lower()}" in shown.out


KLOG = "F1125 17:15:06.8 16 main.go:49] failed to execute component: "


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (
            f"9 samples\nassay: no such file.\n  Correct it\n{KLOG}exit status 2\n",
            "no such file.\n  Correct it",
        ),
        ("9 samples\nKilled\n", "Killed"),
        (f"9 samples\n{KLOG}no such volume\n", f"{KLOG}no such volume"),
        ("", "its log is empty"),
    ],
)
def test_a_failed_run_says_why(
    server: KfpServer, run: str, capsys: pytest.CaptureFixture[str], log: str, cause: str
) -> None:
    server.task(run, "preflight", "FAILED", log)
    server.end(run, "FAILED")
    for command in ("watch", "status"):
        assert main([command, run]) == 1
        assert f"\nnightly failed\nPreflight: {cause}\nhttp" in f"\n{capsys.readouterr().out}"
    server.end(run, "CANCELED")
    assert main(["status", run]) == 5
    assert "Preflight: " not in capsys.readouterr().out


def test_a_run_whose_first_step_fails_in_kfp_says_which(
    server: KfpServer, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.task(run, "preflight", "RUNNING")
    (node,) = server.nodes(run, "preflight")
    node |= {"display_name": "root-driver", "state": "FAILED"}
    server.end(run, "FAILED")
    assert main(["status", run]) == 1
    assert "nightly failed: KFP's own step root-driver failed\n" in capsys.readouterr().out


def test_an_interrupt_leaves_the_run_and_says_how_to_return(
    server: KfpServer,
    run: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "get", interrupted)
    assert main(["watch", run]) == 130
    error = capsys.readouterr().err
    assert f"assay watch {run}" in error
    assert f"assay cancel {run}" in error
    assert server.runs[run]["state"] == "PENDING"


def test_a_line_of_progress_is_read_as_it_was_written() -> None:
    pace = progress.Pace()
    for event in (
        Progress(stage="finetune", done=0, total=40, unit="steps", time=1.0),
        Progress(
            stage="finetune", done=4, total=40, unit="steps", note="loss 1.5, lr 2e-5", time=3
        ),
        Progress(stage="judge", side="baseline", done=1, total=9, unit="verdicts", time=1),
        Progress(stage="judge", side="baseline", done=4000, total=9000, unit="verdicts", time=2),
        Progress(stage="judge", side="baseline", done=9000, total=9000, unit="verdicts", time=9999),
        Progress(stage="generate", done=2, total=9, unit="samples", state="done", time=4),
        Progress(
            stage="generate", done=2, total=9, unit="samples", state="failed", note="no", time=4
        ),
    ):
        read = progress.read_line(pace.describe(event) + "\n")
        assert read is not None
        assert Progress(**{**vars(read), "time": event.time}) == event
    for line in ("", "3/4", "Traceback: 3 of 4", "waiting: 0 of 2 pods"):
        assert progress.read_line(line) is None


def test_a_task_that_waits_for_the_store_says_so_and_keeps_its_count() -> None:
    waits = "store: 30/600 seconds, 1/s, 9:30 left, the store does not answer: waiting for it"
    task = runs.Task(key="finetune", name="Fine-tune", state="RUNNING")
    [event] = watch._read(task, ["finetune: 3/12 steps, 1/s, 0:09 left", waits])
    assert (event.stage, event.total, event.note) == ("Fine-tune", 0, waits)
    over = "store: 60/600 seconds, done in 1:00, it does what it is asked again"
    [event] = watch._read(task, [waits, over, "finetune: 4/12 steps, 1/s, 0:08 left"])
    assert (event.done, event.total) == (4, 12)


@pytest.mark.parametrize(("decision", "code"), [("INCONCLUSIVE", 3), ("NO_GO", 1)])
def test_a_gate_that_cannot_decide_is_told_from_one_that_says_no(
    server: KfpServer,
    run: str,
    capsys: pytest.CaptureFixture[str],
    decision: Literal["INCONCLUSIVE", "NO_GO"],
    code: int,
) -> None:
    """As the task of a pipeline says it, here as on the cluster."""
    ruling = {"rule": "overall: max_drop 0", "decision": decision, "reason": "so it is"}
    with pytest.raises(SystemExit) as ended, task.running():
        task.gate({"decision": decision, "rulings": [ruling]})
    assert ended.value.code == code
    server.task(run, "gate", "FAILED", capsys.readouterr().err)
    server.end(run, "FAILED")
    for command in ("watch", "status"):
        assert main([command, run]) == code
        assert f"Gate: The gate says {decision.replace('_', '-')}" in capsys.readouterr().out
