"""LLaMA-Factory in Volcano Jobs: the whole pipeline on a cluster, and a gang of two."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from assay import dataset, model, store
from assay.cluster import volcano
from assay.cluster.work import Work
from assay.dataset import DatasetSettings
from assay.demo.base_model import TEMPLATE, base_model
from assay.demo.run import DATA
from assay.finetune import LOSS_LOG
from tests.cluster import kube
from tests.cluster.kube import Cluster, Space
from tests.cluster.launchers import Start, eventually, last_line
from tests.cluster.node.places import STORE_PASSWORD
from tests.cluster.pipeline import Pipeline

BASE = f"{kube.STORE}/base"
SCRATCH = Path(volcano.SCRATCH)
SHORT = {"template": TEMPLATE, "learning_rate": 5e-4, "batch_size": 8}
TRAINING = f"{DATA / 'dataset_info.json'}#smart_home_train"
EVALUATION = f"{DATA / 'dataset_info.json'}#smart_home_eval"


@pytest.fixture(name="root")
def artifact_root(cluster: Cluster, space: Space, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI that a test's artifacts go under; the base model is in the store too."""
    for name, value in cluster.store_here.items():
        monkeypatch.setenv(name, value)
    store.make_bucket(kube.STORE)
    store.publish(base_model(), BASE)
    return f"{kube.STORE}/{space.name}"


@pytest.mark.timeout(1800)
def test_the_whole_pipeline(space: Space, root: str, tmp_path: Path) -> None:
    """Every task in a pod, with the rights of KFP's service account; what needs GPUs in Jobs."""
    run = Pipeline(space=space, root=root, folder=tmp_path)
    asked = {
        "base_model": BASE,
        "train_dataset": TRAINING,
        "eval_dataset": EVALUATION,
        "template": TEMPLATE,
        "learning_rate": 5e-4,
        "num_epochs": 0.1,
        "max_samples": 6,
        "mode": "auto",
        "generate_settings": {"max_new_tokens": 16},
        "more_settings": {"cluster": {"runner": "volcano", "gpus": 0}},
    }
    plan = run.run("preflight", asked, {})
    samples = {"samples": plan.artifacts["samples"]}
    mounted = {"task_config": task_config()}
    cluster = {"cluster": plan.parameters["cluster"], **mounted}
    tuned = run.run("finetune", {"settings": plan.parameters["finetune"], **cluster}, samples)
    sides = {}
    for side, graded in (
        ("baseline", plan.parameters["baseline_model"]),
        ("candidate", tuned.parameters["model_uri"]),
    ):
        given = {"side": side, "model": graded, "settings": plan.parameters["generate"], **cluster}
        sides[side] = run.run("generate", given, samples, label=side).artifacts["predictions"]
    answers = {**samples, **sides}
    mode = {"mode": "auto", "settings": plan.parameters["metrics"]}
    scored = run.run("auto-metrics", mode, answers)
    judged = run.run("judge", mode, answers)
    reported = run.run(
        "report",
        {"config": plan.parameters["config"]},
        {
            **answers,
            "scores": scored.artifacts["scores"],
            "verdicts": judged.artifacts["verdicts"],
            "training": tuned.artifacts["training"],
        },
    )

    folder = store.fetch(reported.artifacts["run"]["uri"], tmp_path)
    report = store.read_json(folder / "report.json")
    digest = tuned.artifacts["model"]["metadata"]["digest"]
    assert [side["digest"] for side in report["sides"]][1] == digest
    assert [side["proof"] for side in report["sides"]] == [
        "the base that was tuned",
        "the weights that were trained",
    ]
    for part in ("model", "baseline", "candidate"):
        assert report["provenance"][part]["runner"].startswith("Volcano Job assay-"), part
    assert (
        sorted(job["status"]["state"]["phase"] for job in space.get("vcjob")) == ["Completed"] * 3
    )
    assert {job["metadata"]["labels"]["pipeline/runid"] for job in space.get("vcjob")} == {"run-1"}
    nothing_secret(space, root, tmp_path)


@pytest.mark.timeout(1200)
def test_a_gang_of_two_waits_until_both_fit_and_trains_one_model(
    space: Space, root: str, tmp_path: Path, start: Start
) -> None:
    data = DatasetSettings(train=TRAINING, eval=EVALUATION, max_samples=4)
    dataset.prepare(data, tmp_path / "samples")
    store.publish(tmp_path / "samples", f"{root}/samples")
    wanted = Work(
        stage="finetune",
        samples=f"{root}/samples",
        outputs={"model": f"{root}/model", "training": f"{root}/training"},
        arguments={"settings": {"base_model": BASE, **SHORT, "batch_size": 4, "epochs": 0.13}},
    )
    space.cluster.set_gpus(1)
    try:
        launcher = start(wanted, nodes=2, gpus=1)
        launcher.until("waiting: ")
        launcher.until("nvidia.com/gpu")
        assert not [pod for pod in space.get("pods") if pod["status"]["phase"] == "Running"]
        space.cluster.set_gpus(2)
        assert launcher.wait(900) == 0, launcher.output
    finally:
        space.cluster.set_gpus(0)

    assert "[master-0] " in launcher.output
    assert "[worker-0] " in launcher.output
    assert "(2 pods, " in last_line(launcher)["runner"]
    training = store.fetch(f"{root}/training", tmp_path)
    losses = [row["loss"] for row in store.tail(training / LOSS_LOG)() if "loss" in row]
    assert losses[-1] < losses[0]
    trained = model.resolve(f"{root}/model")
    assert trained.manifest is not None
    assert trained.digest == trained.manifest.digest == last_line(launcher)["digest"]
    names = sorted(pod["metadata"]["name"] for pod in space.get("pods"))
    assert names == [f"{launcher.job}-master-0", f"{launcher.job}-worker-0"]


@pytest.mark.timeout(1200)
def test_what_a_worker_had_done_is_kept(
    space: Space, root: str, tmp_path: Path, start: Start
) -> None:
    """The process that holds the model is killed half way; the next try goes on from there."""
    dataset.prepare(DatasetSettings(eval=EVALUATION, max_samples=16), tmp_path / "samples")
    store.publish(tmp_path / "samples", f"{root}/samples")
    settings = {"template": TEMPLATE, "batch_size": 1, "max_new_tokens": 48, "evaluate_loss": False}
    wanted = Work(
        stage="generate",
        samples=f"{root}/samples",
        outputs={"predictions": f"{root}/predictions"},
        arguments={"side": "baseline", "model": BASE, "base_model": "", "settings": settings},
    )
    first = start(wanted)
    answered = re.compile(r"^generate \(baseline\): (\d+)/16", re.MULTILINE)
    eventually(
        lambda: any(int(done) for done in answered.findall(first.output)), "some answers", 400
    )
    os.kill(predicting(), signal.SIGKILL)
    assert first.wait() == 1, first.output
    assert "Generation ended with signal SIGKILL" in first.error

    second = start(wanted)
    assert second.wait(600) == 0, second.output
    assert "going on from what an earlier try has done" in second.output
    assert int(answered.findall(second.output)[0]) > 0
    predictions = store.fetch(f"{root}/predictions", tmp_path) / "predictions.jsonl"
    assert len(predictions.read_text().splitlines()) == 16


def predicting() -> int:
    """Return the process in a pod that holds the model."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (path / "cmdline").read_bytes()
            if b"assay.llamafactory.predict" in command and (path / "cwd").readlink() == SCRATCH:
                return int(path.name)
    raise AssertionError("no process answers")


def task_config() -> dict[str, object]:
    """Return dsl.TaskConfig as KFP's driver writes it: what a user set on the task."""
    mounted = kube.mounted()
    return {
        "volumes": mounted["volumes"],
        "volumeMounts": mounted["volume_mounts"],
        "resources": {"limits": {"memory": "6Gi"}},
    }


def nothing_secret(space: Space, root: str, folder: Path) -> None:
    """Fail where the store's password is in any object of the namespace but its Secret, in any log
    or in any artifact."""
    kinds = "vcjob,podgroup,pod,event"
    assert STORE_PASSWORD not in space.cluster.run("get", kinds, "-n", space.name, "-o", "yaml")
    for pod in space.get("pods"):
        assert STORE_PASSWORD not in space.cluster.run(
            "logs", pod["metadata"]["name"], "-n", space.name
        )
    everything = store.fetch(root, folder / "everything")
    for path in everything.rglob("*"):
        assert not path.is_file() or STORE_PASSWORD.encode() not in path.read_bytes(), path
