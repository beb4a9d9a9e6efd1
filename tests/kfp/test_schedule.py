"""A schedule exists once on the server, as its file says, and its runs are never killed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.cli.main import main
from assay.errors import InputError
from assay.kubeflow import client, recurring, schedule
from assay.kubeflow.client import Kfp
from assay.kubeflow.connection import Connection
from tests.kfp.kfp_server import KfpServer
from tests.loopback import free_address

SCHEDULE = {"name": "nightly-eval", "cron": "30 3 * * 1-5", "config": "nightly.yaml"}


@pytest.fixture
def write(tmp_path: Path, config_file: Path) -> Any:
    def written(**changes: Any) -> str:
        path = tmp_path / "schedule.yaml"
        path.write_text(yaml.safe_dump({**SCHEDULE, **changes}))
        return str(path)

    return written


def only(server: KfpServer) -> dict[str, Any]:
    (one,) = server.recurring.values()
    return one


def test_a_schedule_is_created_with_what_a_recurring_evaluation_needs(
    server: KfpServer, write: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schedule", "apply", write(parameters={"judge_secret": "other"})]) == 0
    one = only(server)
    assert one["trigger"]["cron_schedule"]["cron"] == "0 30 3 * * 1,2,3,4,5"
    assert (one["max_concurrency"], one["no_catchup"], one["status"]) == ("1", True, "ENABLED")
    assert one["runtime_config"]["parameters"]["judge_secret"] == "other"
    spec = one["pipeline_spec"]["pipeline_spec"]
    for component in (spec["root"], *spec["components"].values()):
        for task in component.get("dag", {}).get("tasks", {}).values():
            assert task["cachingOptions"] == {}
    shown = capsys.readouterr().out
    assert "nightly-eval: created" in shown
    assert shown.count("next ") == 3
    assert shown.count("03:30:00 UTC") == 3


def test_unchanged_does_nothing_and_changed_replaces_without_killing_a_run(
    server: KfpServer, write: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schedule", "apply", write()])
    first = only(server)["recurring_run_id"]
    assert main(["schedule", "trigger", "nightly-eval"]) == 0
    (run,) = server.runs.values()
    assert run["recurring_run_id"] == first
    server.task(run["run_id"], "preflight", "RUNNING")
    assert main(["schedule", "apply", write()]) == 0
    assert only(server)["recurring_run_id"] == first
    assert main(["schedule", "apply", write(cron="0 4 * * *")]) == 0
    assert only(server)["recurring_run_id"] != first
    assert only(server)["trigger"]["cron_schedule"]["cron"] == "0 0 4 * * *"
    assert server.runs[run["run_id"]]["state"] == "RUNNING"
    shown = capsys.readouterr().out
    assert [word for word in ("created", "unchanged", "replaced") if word in shown] == [
        "created",
        "unchanged",
        "replaced",
    ]
    assert main(["schedule", "delete", "nightly-eval"]) == 0
    assert server.recurring == {}
    assert server.runs[run["run_id"]]["state"] == "RUNNING"


def test_applied_ten_times_in_parallel_it_exists_once(server: KfpServer, write: Any) -> None:
    wanted, config = schedule.load(Path(write()))

    def apply(number: int) -> str:
        kfp = client.connect(Connection(endpoint=server.url))
        return schedule.apply(kfp, wanted, config)[0].id

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(apply, range(10)))
    assert only(server)["display_name"] == "nightly-eval"
    assert schedule.apply(client.connect(Connection(endpoint=server.url)), wanted, config)[1] == (
        "unchanged"
    )


def test_of_two_that_apply_different_ones_at_once_the_last_created_stays(
    kfp: Kfp, server: KfpServer, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each creates its own before either looks what else there is."""
    mine = schedule.load(Path(write()))
    theirs = schedule.load(Path(write(cron="0 4 * * *")))
    create = recurring.create

    def meanwhile(*args: Any, **named: Any) -> Any:
        made = create(*args, **named)
        monkeypatch.setattr(recurring, "create", create)
        assert schedule.apply(kfp, *theirs)[1] == "replaced"
        return made

    monkeypatch.setattr(recurring, "create", meanwhile)
    with pytest.raises(InputError, match="changed by someone else"):
        schedule.apply(kfp, *mine)
    assert only(server)["trigger"]["cron_schedule"]["cron"] == "0 0 4 * * *"


def test_different_schedules_applied_in_parallel_leave_one_that_an_apply_reports(
    server: KfpServer, write: Any
) -> None:
    wanted = [schedule.load(Path(write(cron=f"{minute} 4 * * *"))) for minute in range(8)]

    def apply(one: Any) -> str:
        try:
            return schedule.apply(client.connect(Connection(endpoint=server.url)), *one)[0].id
        except InputError as error:
            return error.what

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(apply, wanted))
    assert only(server)["recurring_run_id"] in told


def test_pause_resume_and_a_paused_one_that_is_changed_stays_paused(
    kfp: Kfp, server: KfpServer, write: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schedule", "apply", write()])
    assert main(["schedule", "pause", "nightly-eval"]) == 0
    assert only(server)["status"] == "DISABLED"
    main(["schedule", "apply", write(cron="0 5 * * *")])
    assert only(server)["status"] == "DISABLED"
    capsys.readouterr()
    assert main(["schedule", "list"]) == 0
    assert capsys.readouterr().out == "nightly-eval: 0 5 * * * (UTC), paused\n"
    main(["schedule", "trigger", "nightly-eval"])
    (run,) = server.runs
    server.end(run, "SUCCEEDED")
    capsys.readouterr()
    main(["schedule", "list"])
    last = capsys.readouterr().out.splitlines()[1]
    assert last.startswith("  last ")
    assert last.endswith(f": succeeded, {server.url}/#/runs/details/{run}")
    assert main(["schedule", "resume", "nightly-eval"]) == 0
    assert only(server)["status"] == "ENABLED"
    assert "05:00:00 UTC" in capsys.readouterr().out
    assert not schedule.get(kfp, "nightly-eval").cron.startswith("0 0")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"cron": "61 * * * *"}, "out of range"), ({"time_zone": "Mars/Olympus"}, "no time zone")],
)
def test_what_the_file_alone_shows_needs_no_connection(
    write: Any, capsys: pytest.CaptureFixture[str], change: dict[str, Any], message: str
) -> None:
    assert main(["schedule", "apply", write(**change), "--endpoint", free_address()]) == 2
    assert message in capsys.readouterr().err


def test_recurring_runs_of_others_are_left_alone(server: KfpServer, write: Any) -> None:
    main(["schedule", "apply", write()])
    (mine,) = server.recurring.values()
    server.recurring["other"] = {**mine, "recurring_run_id": "other", "description": "by hand"}
    assert main(["schedule", "apply", write(cron="0 5 * * *")]) == 0
    assert main(["schedule", "delete", "nightly-eval"]) == 0
    assert list(server.recurring) == ["other"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cron": "0 0 31 2 *"}, "never fires"),
        ({"cron": "0 3 L * *"}, "three-letter name"),
        ({"time_zone": "Mars/Olympus"}, "is no time zone"),
        ({"time_zone": "Europe/Berlin"}, "CRON_SCHEDULE_TIMEZONE=Europe/Berlin"),
        ({"name": "Nightly Eval"}, "lower-case letters"),
        ({"crn": "x"}, "Did you mean cron?"),
        ({"parameters": {"judge_secrt": "x"}}, "Did you mean judge_secret?"),
        ({"parameters": {"judge_api_key": "x"}}, "looks like a secret"),
        ({"config": "none.yaml"}, "none.yaml does not exist"),
        ({"config": {"mode": "auto", "dataset": {"eval": "e.json"}, "model": "m/m"}}, "cannot see"),
    ],
)
def test_what_cannot_be_scheduled_is_one_line_and_nothing_is_created(
    server: KfpServer,
    write: Any,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    message: str,
) -> None:
    assert main(["schedule", "apply", write(**change)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert server.recurring == {}


def test_a_schedule_that_there_is_not_is_named(
    server: KfpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("pause", "resume", "delete", "trigger"):
        assert main(["schedule", command, "nope"]) == 2
        assert "there is no schedule nope" in capsys.readouterr().err


def test_a_refused_creation_leaves_the_old_schedule(server: KfpServer, write: Any) -> None:
    main(["schedule", "apply", write()])
    first = only(server)["recurring_run_id"]
    server.refuse["POST /apis/v2beta1/recurringruns"] = (500, "no")
    assert main(["schedule", "apply", write(cron="0 5 * * *")]) == 2
    assert only(server)["recurring_run_id"] == first
