"""LLaMA-Factory in Volcano Jobs: the whole pipeline on a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from tests.cluster import kube
from tests.cluster.data import BASE, EVALUATION, TRAINING
from tests.cluster.kube import Space
from tests.cluster.node.places import STORE_PASSWORD
from tests.cluster.pipeline import Pipeline


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
        "generate_settings": {"max_new_tokens": 16, "cache": f"{root}/kept"},
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
    scored = run.run("auto-metrics", {"name": "metrics", **mode}, answers)
    judged = run.run("judge", {"name": "judge", **mode}, answers)
    reported = run.run(
        "report",
        {"config": plan.parameters["config"]},
        {
            **answers,
            "metrics_scores": scored.artifacts["scores"],
            "judge_scores": judged.artifacts["scores"],
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
    baseline = {"side": "baseline", "model": plan.parameters["baseline_model"]}
    asked_again = {**baseline, "settings": plan.parameters["generate"], **cluster}
    again = run.run("generate", asked_again, samples, label="again")
    assert again.artifacts["predictions"]["metadata"]["taken_from"] == sides["baseline"]["uri"]
    assert "generate (baseline): 6/6 samples, done in 0:00, predictions taken from" in again.log
    assert len(space.get("vcjob")) == 3, "what was answered before needs no Job"
    nothing_secret(space, root, tmp_path)


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
    for pod in space.pods():
        assert STORE_PASSWORD not in space.cluster.run(
            "logs", pod["metadata"]["name"], "-n", space.name
        )
    everything = store.fetch(root, folder / "everything")
    for path in everything.rglob("*"):
        assert not path.is_file() or STORE_PASSWORD.encode() not in path.read_bytes(), path
