"""A configuration is submitted, followed and ended through the command line and as functions."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import __version__
from assay import config as configuration
from assay.cli.main import main
from assay.kubeflow import client, pipelines, submit
from assay.kubeflow.client import Kfp
from assay.kubeflow.clock import Clock
from assay.kubeflow.connection import Connection
from tests.kfp.kfp_server import KfpServer

ROOT = Path(__file__).parents[2]
# the kinds of lines around a component's own, as KFP 2.17.0 with Argo 4.0.5 wrote them
NOISY = """\
time=2026-11-25T00:08:00.115Z level=INFO msg="capturing logs" argo=true
I1125 00:08:00.035735      17 main.go:67] Setting log level to: '1'
[KFP Executor 2026-11-25 00:08:00,142 INFO]: Got executor_input:
{
    "inputs": {
        "parameterValues": {}
    }
}
64 samples
[KFP Executor 2026-11-25 00:08:07,995 INFO]: Wrote executor output file to /minio/out.json.
I1125 00:08:08.046592      17 launcher_v2.go:1230] ExecutorOutput: {
  "parameterValues": {}
}
I1125 00:08:08.149895      17 launcher_v2.go:206] publish success.
Error: exit status 1
"""


def only_run(server: KfpServer) -> dict[str, Any]:
    (run,) = server.runs.values()
    return dict(run)


def test_a_submit_makes_a_run_of_the_uploaded_pipeline(
    server: KfpServer, config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", str(config_file), "--set", "dataset.max_samples=7"]) == 0
    run = only_run(server)
    version = server.versions[run["pipeline_version_reference"]["pipeline_version_id"]]
    assert version["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["name"] == "evaluate"
    assert run["display_name"] == "nightly"
    assert run["runtime_config"]["parameters"] == {
        "model": "s3://bucket/model",
        "eval_dataset": "s3://bucket/eval.json",
        "judge_endpoint": "https://judge.example/v1",
        "judge_model": "big",
        "max_samples": 7,
    }
    assert server.experiments[run["experiment_id"]]["display_name"] == "assay"
    shown = capsys.readouterr().out
    assert run["run_id"] in shown
    assert f"{server.url}/#/runs/details/{run['run_id']}" in shown


def test_an_unchanged_pipeline_gets_no_new_version_and_a_changed_one_does(
    kfp: Kfp, server: KfpServer
) -> None:
    text = pipelines.compiled("evaluate")
    first, second = pipelines.upload(kfp, text), pipelines.upload(kfp, text)
    assert (first.created, second.created) == (True, False)
    assert first.version_id == second.version_id
    changed = pipelines.upload(kfp, pipelines.compiled("evaluate", "registry.example/team/"))
    assert changed.created
    assert changed.pipeline_id == first.pipeline_id
    assert pipelines.upload(kfp, text).version_id == first.version_id
    assert len(server.versions) == 2


def test_a_pipeline_uploaded_ten_times_in_parallel_exists_once(kfp: Kfp, server: KfpServer) -> None:
    text = pipelines.compiled("evaluate")
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: pipelines.upload(kfp, text), range(10)))
    assert len({one.version_id for one in found}) == 1
    assert [one.created for one in found].count(True) == 1
    assert len(server.versions) == len(server.pipelines) == 1


def test_once_gives_the_same_run_until_it_fails(
    server: KfpServer, config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        assert main(["submit", str(config_file), "--once"]) == 0
    first = only_run(server)["run_id"]
    assert capsys.readouterr().out.count(first) == 6
    server.end(first, "SUCCEEDED")
    assert main(["submit", str(config_file), "--once"]) == 0
    assert list(server.runs) == [first]
    assert main(["submit", str(config_file), "--once", "--set", "dataset.max_samples=3"]) == 0
    assert len(server.runs) == 2
    server.end(first, "FAILED")
    assert main(["submit", str(config_file), "--once"]) == 0
    assert len(server.runs) == 3
    assert main(["submit", str(config_file)]) == 0
    assert len(server.runs) == 4


def test_once_in_parallel_leaves_one_run(server: KfpServer, config_file: Path) -> None:
    config = configuration.load(config_file)
    everybody = threading.Barrier(10)  # all have submitted, or seen another's run, by then

    def sleep(seconds: float) -> None:
        assert seconds > 1  # KFP keeps whole seconds
        everybody.wait(60)

    def submit_one(number: int) -> str:
        connection = client.connect(Connection(endpoint=server.url), clock=Clock(sleep=sleep))
        return submit.submit(connection, config, name=f"run-{number}", once=True).id

    with ThreadPoolExecutor(10) as pool:
        found = set(pool.map(submit_one, range(10)))
    assert found == set(server.runs)
    assert len(found) == 1


def test_status_tells_each_task_and_the_exit_code(
    server: KfpServer, config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["submit", str(config_file)])
    run = only_run(server)["run_id"]
    assert main(["status", run]) == 4
    server.task(run, "preflight", "SUCCEEDED")
    server.task(run, "generate-2", "RUNNING")
    capsys.readouterr()
    assert main(["status", "nightly"]) == 4
    lines = {
        line.split("  ")[0].strip(): line for line in capsys.readouterr().out.splitlines() if line
    }
    titles = ["Preflight", "Generate: baseline", "Generate: candidate"]
    titles += ["Auto-metrics", "Judge", "Report"]
    assert [name for name in lines if name in titles] == titles
    assert "succeeded" in lines["Preflight"]
    assert "running" in lines["Generate: candidate"]
    assert "pending" in lines["Judge"]
    for state, code in (("SUCCEEDED", 0), ("FAILED", 1), ("CANCELED", 5)):
        server.end(run, state)
        capsys.readouterr()
        assert main(["status", run]) == code
        assert "skipped" in capsys.readouterr().out  # what no longer will run


TUNED = {
    "dataset": {"train": "s3://bucket/train.json", "eval": "s3://bucket/eval.json"},
    "finetune": {"base_model": "org/base", "template": "qwen3"},
    "judge": {"endpoint": "https://judge.example/v1", "model": "big"},
}


@pytest.mark.parametrize("key", ["", "finetune", "finetune-2"])
def test_a_task_of_two_branches_is_told_once(
    server: KfpServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """A fine-tune is evaluated or it is not; the other branch's is none of the run's."""
    path = tmp_path / "tune.yaml"
    path.write_text(yaml.safe_dump(TUNED))
    main(["submit", str(path)])
    run = only_run(server)["run_id"]
    if key:
        server.task(run, key, "RUNNING", f"from {key}\n")
    capsys.readouterr()
    main(["status", run])
    shown = [line for line in capsys.readouterr().out.splitlines() if "Fine-tune" in line]
    assert len(shown) == 1
    assert ("running" if key else "pending") in shown[0]
    main(["logs", run, "--task", "Fine-tune"])
    assert (f"from {key}" if key else "") in capsys.readouterr().out


def test_a_canceled_run_is_told_from_a_failed_one(
    server: KfpServer, config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["submit", str(config_file)])
    run = only_run(server)["run_id"]
    server.task(run, "preflight", "SUCCEEDED")
    server.task(run, "judge", "RUNNING")
    assert main(["cancel", "nightly"]) == 0
    server.task(run, "judge", "FAILED")  # as KFP 2.17 does, as to the run
    server.end(run, "FAILED", "retry exceeded workflow deadline")
    capsys.readouterr()
    assert main(["status", run]) == 5
    states = dict(line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:-2])
    assert (states["Preflight"], states["Judge"]) == ("succeeded", "canceled")
    assert states["Report"] == "skipped"
    assert main(["watch", run]) == 5
    assert re.search(r"^Judge, failed in [\d:]+, canceled$", capsys.readouterr().err, re.MULTILINE)
    assert main(["cancel", run]) == 2
    assert "has ended" in capsys.readouterr().err


def test_logs_are_those_of_the_tasks_without_the_servers_own_lines(
    server: KfpServer, config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["submit", str(config_file)])
    run = only_run(server)["run_id"]
    server.task(run, "preflight", "SUCCEEDED", NOISY)
    server.task(run, "judge", "RUNNING", "judge (baseline): 1/64 verdicts\n")
    capsys.readouterr()
    assert main(["logs", run]) == 0
    shown = capsys.readouterr().out
    assert shown == "Preflight: 64 samples\nJudge: judge (baseline): 1/64 verdicts\n"
    assert main(["logs", run, "--task", "Judge"]) == 0
    assert capsys.readouterr().out == "judge (baseline): 1/64 verdicts\n"
    assert main(["logs", run, "--task", "Juge"]) == 2
    assert "Did you mean Judge?" in capsys.readouterr().err


def test_a_task_that_a_failed_run_never_reached_is_skipped(
    server: KfpServer, config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["submit", str(config_file)])
    run = only_run(server)["run_id"]
    server.task(run, "judge", "FAILED")
    server.task(run, "report", "RUNNING")
    for node in server.nodes(run, "report"):
        del node["state"]  # so does a real server where Argo omitted a node
    server.end(run, "FAILED")
    capsys.readouterr()
    assert main(["status", run]) == 1
    shown = capsys.readouterr().out
    assert re.search(r"^ *Judge +failed +0:00", shown, re.MULTILINE)
    assert re.search(r"^ *Report +skipped *$", shown, re.MULTILINE)


def test_logs_are_read_where_the_endpoint_is_kfps_page(
    server: KfpServer, config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.is_page = True
    main(["submit", str(config_file)])
    run = only_run(server)["run_id"]
    server.task(run, "preflight", "SUCCEEDED", NOISY)
    server.task(run, "judge", "RUNNING")
    capsys.readouterr()
    assert main(["logs", run]) == 0
    assert capsys.readouterr().out == "Preflight: 64 samples\n"


def test_the_compiled_pipelines_need_no_checkout_and_take_a_registry(tmp_path: Path) -> None:
    assert main(["pipeline", "compile", "--out", str(tmp_path / "plain")]) == 0
    for name in pipelines.NAMES:
        committed = (ROOT / "pipelines" / f"{name}.yaml").read_text()
        assert (tmp_path / "plain" / f"{name}.yaml").read_text() == committed
    registry = "registry.example:5000/team/"
    assert main(["pipeline", "compile", "--out", str(tmp_path), "--registry", registry]) == 0
    executors = pipelines.spec((tmp_path / "evaluate.yaml").read_text())["deploymentSpec"]
    images = {one["container"]["image"] for one in executors["executors"].values()}
    assert images == {f"{registry}assay-{kind}:{__version__}" for kind in ("cpu", "gpu")}


def test_the_command_uploads_both_pipelines(
    server: KfpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pipeline", "upload"]) == 0
    assert capsys.readouterr().out.count("uploaded") == 2
    assert main(["pipeline", "upload"]) == 0
    assert capsys.readouterr().out.count("unchanged") == 2
    names = {one["name"] for one in server.pipelines.values()}
    assert names == {"evaluate", "finetune-and-evaluate"}


def test_a_path_of_this_machine_is_refused_before_the_server_is_asked(
    server: KfpServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "eval.json").write_text("[]")
    path = tmp_path / "local.yaml"
    path.write_text(
        yaml.safe_dump({"mode": "auto", "dataset": {"eval": "eval.json"}, "model": "m/m"})
    )
    assert main(["submit", str(path)]) == 2
    error = capsys.readouterr().err
    assert "which the cluster cannot see" in error
    assert len(error.splitlines()) == 1
    assert server.asked == []


def test_a_run_whose_pipeline_is_gone_still_has_a_status(
    server: KfpServer, config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["submit", str(config_file)])
    server.versions.clear()
    assert main(["status", "nightly"]) == 4
    assert "nightly pending" in capsys.readouterr().out
