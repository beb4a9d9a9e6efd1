"""On a cluster a launcher looks for earlier answers first: a hit makes no Job, asks for no GPU."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from assay import dispatch, durable, llamafactory, progress, reuse, store
from assay.dispatch import Place
from assay.engine import parent
from assay.folder import GENERATE_LOG, GENERATION, PREDICTIONS, SAMPLES
from assay.llamafactory.job import DEVICE, SECONDS
from assay.placement import ClusterSettings
from assay.queues import Stage, TaskConfig, Work
from assay.records import Generation
from assay.volcano import launcher, worker
from assay.volcano import queue as volcano
from assay.volcano.api import Api, ApiError
from tests.unit.reuse.kept import SAMPLES as ROWS
from tests.unit.reuse.kept import VERSIONS, answer, entry_of, prediction, write_loss, write_model

RUN = "4f2c8a10-9f6e-4c7b-8f43-0a1b2c3d4e5f"
GPU = "NVIDIA H100 80GB HBM3"
JOB_ANSWER = {"made by": "a Job"}


@dataclass(kw_only=True)
class Artifact:
    path: str
    uri: str


@dataclass
class Queue:
    """A queue system that does what it is asked at once; `before` says that an earlier try is."""

    before: bool = False
    works: list[Work] = field(default_factory=list)
    pods: list[int] = field(default_factory=list)

    def check(self, stage: Stage, settings: ClusterSettings, artifacts: str) -> None:
        """Refuse nothing."""

    def begun(self, _work: Work) -> bool:
        return self.before

    def run(self, work: Work, settings: ClusterSettings, _task: TaskConfig) -> Mapping[str, Any]:
        self.works.append(work)
        self.pods.append(settings.replicas)
        return JOB_ANSWER


@pytest.fixture(name="kept")
def keep_answers(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Keep the answers of a model in the bucket, beside a run's artifacts, by a device."""
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(llamafactory, "versions", lambda: VERSIONS)
    store.publish(write_model(tmp_path / "base"), f"{bucket}/base")
    store.write_rows(tmp_path / "samples" / SAMPLES, ROWS)

    def keep(device: str = GPU) -> str:
        entry = entry_of(f"{bucket}/base", f"{bucket}/root/assay-predictions")
        entry = replace(entry, job=replace(entry.job, digest="of the weights"))
        done = answer(tmp_path / "earlier", entry, device=device)
        reuse.keep(entry, tmp_path / "earlier", done, "s3://an/earlier/run", "baseline")
        return f"{bucket}/base"

    return keep


def launch(
    bucket: str, folder: Path, model: str, queue: Queue | None, settings: Any = None, **cluster: Any
) -> Mapping[str, Any]:
    """Generate as the component does, with KFP's artifacts of a run in the bucket."""
    root = f"{bucket}/root/evaluate/{RUN}"
    given = {"template": "qwen3", **(settings or {})}
    task = TaskConfig(**cluster.pop("task", {}))
    return dispatch.generate(
        {"side": "baseline", "model": model, "settings": given, "base_model": ""},
        Artifact(path=str(folder / "samples"), uri=f"{root}/preflight/1/samples"),
        Artifact(path=str(folder / "out"), uri=f"{root}/generate/2/predictions"),
        Place(settings=ClusterSettings(**cluster), task=task, queue=queue),
        progress.to_lines(),
    )


def test_a_hit_makes_no_job(
    bucket: str, tmp_path: Path, kept: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    queue = Queue()
    metadata = launch(bucket, tmp_path, kept(), queue)
    assert queue.works == []
    assert metadata["digest"] == "of the weights"
    assert metadata["samples"] == len(ROWS)
    assert metadata["taken_from"] == "s3://an/earlier/run"
    assert metadata["made"] == "2026-11-25T03:31:07Z"
    taken = store.read_record(tmp_path / "out" / GENERATION, Generation)
    assert taken.origin
    assert (tmp_path / "out" / PREDICTIONS).is_file()
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("generate (baseline): 2/2 samples, done in ")
    assert "taken from the cache (made 2026-11-25 03:31 UTC, s3://an/earlier/run)" in line


@pytest.mark.parametrize(
    ("device", "cluster"),
    [
        ("cpu", {}),
        (GPU, {"gpus": 0}),
        (GPU, {"gpus": 0, "task": {"resources": {"limits": {"cpu": "4"}}}}),
        (GPU, {"image": "team/other-versions:1"}),
    ],
)
def test_what_the_workers_may_answer_otherwise_is_a_job(
    bucket: str, tmp_path: Path, kept: Callable[..., str], device: str, cluster: dict[str, Any]
) -> None:
    queue = Queue()
    assert launch(bucket, tmp_path, kept(device), queue, **cluster) == JOB_ANSWER
    assert not (tmp_path / "out").exists()
    [work] = queue.works
    assert work.arguments["settings"]["cache"] == f"{bucket}/root/assay-predictions"


def test_a_device_that_the_task_asks_for_counts(
    bucket: str, tmp_path: Path, kept: Callable[..., str]
) -> None:
    limits = {"resources": {"limits": {"huawei.com/Ascend910": "1"}}}
    assert "made" in launch(bucket, tmp_path, kept("Ascend910"), Queue(), gpus=0, task=limits)


@pytest.mark.parametrize(("replicas", "pods"), [(1, 1), (2, 2), (1000, len(ROWS))])
def test_no_pod_is_asked_for_that_would_have_no_sample(
    bucket: str,
    tmp_path: Path,
    kept: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    replicas: int,
    pods: int,
) -> None:
    queue = Queue()
    launch(bucket, tmp_path, kept("cpu"), queue, replicas=replicas)
    assert queue.pods == [pods]
    assert (f"generate: {pods} pods, as" in capsys.readouterr().out) == (replicas > pods)


@pytest.mark.parametrize("settings", [{"cache": "none"}, {"max_new_tokens": 9}])
def test_what_was_not_asked_before_is_a_job(
    bucket: str, tmp_path: Path, kept: Callable[..., str], settings: dict[str, Any]
) -> None:
    assert launch(bucket, tmp_path, kept(), Queue(), settings) == JOB_ANSWER


def test_the_job_of_an_earlier_try_is_gone_on_with(
    bucket: str, tmp_path: Path, kept: Callable[..., str]
) -> None:
    """It publishes to the same place, and may be at it."""
    assert launch(bucket, tmp_path, kept(), Queue(before=True)) == JOB_ANSWER


def test_a_model_that_only_the_workers_see_is_a_job(
    bucket: str, tmp_path: Path, kept: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    kept()
    assert launch(bucket, tmp_path, "/volume/of/the/workers", Queue()) == JOB_ANSWER
    told = capsys.readouterr().out
    assert "baseline: no earlier answers were looked for: model /volume/of/the/workers" in told


def test_inline_takes_them_too(
    bucket: str, tmp_path: Path, kept: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.reuse.exchange._device", lambda: GPU)
    assert "made" in launch(bucket, tmp_path, kept(), None, runner="inline")
    place = f"{bucket}/root/evaluate/{RUN}/generate/2/predictions"
    assert store.exists(place)  # sent as a worker sends it, so that KFP has nothing to send
    assert not (tmp_path / "out").exists()
    assert store.listed(f"{place}.partial") == []


def test_inline_without_access_to_the_store_leaves_it_to_kfp(
    bucket: str,
    tmp_path: Path,
    kept: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("assay.reuse.exchange._device", lambda: GPU)
    model = kept()
    has_access = durable.has_access

    def without(uri: str) -> bool:
        with monkeypatch.context() as patch:
            patch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
            return has_access(uri)

    monkeypatch.setattr(durable, "has_access", without)
    assert "made" in launch(bucket, tmp_path, model, None, runner="inline")
    assert (tmp_path / "out" / PREDICTIONS).is_file()
    assert "nothing is kept before the end" in capsys.readouterr().err


def test_what_a_job_answers_the_next_launcher_takes(
    bucket: str, tmp_path: Path, kept: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has the weights and knows its device, the launcher has neither: one key."""
    kept()
    store.publish(tmp_path / "samples", f"{bucket}/root/evaluate/{RUN}/preflight/1/samples")
    queue, settings = Queue(), {"max_new_tokens": 9}
    assert launch(bucket, tmp_path, f"{bucket}/base", queue, settings) == JOB_ANSWER

    def predict(_samples: Path, work: Path, *_: object) -> None:
        store.write_rows(work / PREDICTIONS, [prediction(row.id) for row in ROWS])
        write_loss(work)
        for name, value in ((SECONDS, 3.5), (DEVICE, GPU)):
            store.write_json(work / name, value)
        (work / GENERATE_LOG).write_text("")

    monkeypatch.setattr(parent, "predict", predict)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = worker._done(queue.works[0], 0, progress.ignore)
    taken = launch(bucket, tmp_path, f"{bucket}/base", Queue(), settings)
    assert taken["taken_from"] == f"{bucket}/root/evaluate/{RUN}/generate/2/predictions"
    assert taken["digest"] == made["digest"] != ""


@pytest.mark.parametrize(
    ("samples", "predictions", "prefix"),
    [
        (f"s3://b/v2/artifacts/evaluate/{RUN}/preflight/1/samples", "", "s3://b/v2/artifacts"),
        (f"minio://b/evaluate/{RUN}/preflight/samples", "", "minio://b"),
        (f"s3://b/evaluate/{RUN[:-1]}/preflight/samples", "", ""),
        (f"s3://b/{RUN}/preflight/samples", "", ""),
        (f"s3://{RUN}/preflight/samples", "", ""),
        (f"gs://b/evaluate/{RUN}/preflight/samples", "", ""),
        (f"/srv/evaluate/{RUN}/preflight/samples", "", ""),
        (f"s3://b/evaluate/{RUN}/preflight/samples", f"s3://c/evaluate/{RUN}/generate/p", ""),
        ("", "", ""),
    ],
)
def test_the_place_beside_a_runs_artifacts(samples: str, predictions: str, prefix: str) -> None:
    other = predictions or samples.replace("preflight", "generate")
    assert dispatch.beside(samples, other) == (f"{prefix}/assay-predictions" if prefix else "")
    if prefix:
        store.locate(dispatch.beside(samples, other))


@pytest.mark.parametrize(("answers", "begun"), [({"status": {}}, True), (404, False)])
def test_volcano_has_begun_what_it_has_a_job_of(
    monkeypatch: pytest.MonkeyPatch, answers: object, begun: bool
) -> None:
    def request(_api: Api, method: str, path: str) -> object:
        assert method == "GET"
        assert "/jobs/assay-generate-" in path
        if isinstance(answers, int):
            raise ApiError(answers, "no")
        return answers

    monkeypatch.setattr(launcher, "request", request)
    api = Api(host="none", port=0, account=Path("none"))
    monkeypatch.setattr(launcher, "jobs", lambda _: "/jobs")
    work = Work(stage="generate", samples="s3://b/s", outputs={"p": "s3://b/p"}, arguments={})
    assert volcano.VolcanoQueue(api=api).begun(work) is begun
