"""The pods of a generation, one after the other, with a real MinIO; what answers is a stand-in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay import llamafactory, progress, store
from assay.engine import parent
from assay.errors import StageError
from assay.folder import GENERATE_LOG, PREDICTIONS
from assay.llamafactory.job import DEVICE, MEANS, SECONDS, Means
from assay.queues import Work
from assay.records import Prediction, Sample
from assay.reuse import exchange
from assay.share import Share
from assay.store.lease import Lease
from assay.volcano import published, shards
from tests.unit.reuse.kept import SAMPLES, VERSIONS, prediction, write_model

PODS = 3
ROWS = [Sample(id=f"{at}", messages=SAMPLES[0].messages, target="y") for at in range(8)]
Pod = Callable[..., dict[str, Any]]


@pytest.fixture(name="deadly")
def deadly_ids() -> set[str]:
    """The ids after whose first answer a pod is killed."""
    return set()


@pytest.fixture(name="answered")
def counted_answers(monkeypatch: pytest.MonkeyPatch, deadly: set[str]) -> list[str]:
    """The ids that were answered, by stand-ins of the model."""
    answered: list[str] = []

    def predict(samples: Path, work: Path, *_: object) -> None:
        share = store.read_record(work / MEANS, Means).share
        log = work / PREDICTIONS
        done = {row.id for row in store.read_rows(log, Prediction)} if log.is_file() else set()
        with store.appending(log) as file:
            for row in share.part(list(store.read_rows(samples, Sample))):
                if row.id not in done:
                    answered.append(row.id)
                    store.append(file, prediction(row.id))
                    if row.id in deadly and answered.count(row.id) == 1:
                        raise KeyboardInterrupt
        store.write_json(work / SECONDS, 1.0)
        store.write_json(work / DEVICE, "cpu")
        (work / GENERATE_LOG).write_text("")

    monkeypatch.setattr(parent, "predict", predict)
    monkeypatch.setattr(exchange, "_device", lambda: "cpu")
    monkeypatch.setattr(llamafactory, "versions", lambda: VERSIONS)
    return answered


@pytest.fixture(name="work")
def published_work(bucket: str, tmp_path: Path) -> Work:
    """A generation whose samples are in the store."""
    store.write_rows(tmp_path / "samples" / "dataset.jsonl", ROWS)
    store.publish(tmp_path / "samples", f"{bucket}/samples")
    settings = {"template": "qwen3", "evaluate_loss": False, "cache": f"{bucket}/kept"}
    asked = {"side": "candidate", "model": str(write_model(tmp_path / "base")), "base_model": ""}
    return Work(
        stage="generate",
        samples=f"{bucket}/samples",
        outputs={"predictions": f"{bucket}/predictions"},
        arguments={**asked, "settings": settings},
    )


@pytest.fixture(name="pod")
def make_pod(work: Work, answered: list[str], tmp_path: Path) -> Pod:
    """Runs a pod, each on a disk of its own, to its end."""
    made: list[Path] = []

    def run(index: int, pods: int = PODS) -> dict[str, Any]:
        made.append(tmp_path / f"pod-{len(made)}")
        return shards.answer(work, Share(index=index, of=pods), made[-1], progress.ignore)

    return run


def ids(work: Work, folder: Path) -> list[str]:
    found = store.fetch(work.key, folder)
    return [row.id for row in store.read_rows(found / PREDICTIONS, Prediction)]


def left(work: Work) -> list[str]:
    return store.listed(f"{work.key}.partial")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_the_last_one_publishes_the_whole(
    pod: Pod, work: Work, answered: list[str], tmp_path: Path, order: tuple[int, ...]
) -> None:
    first, second, last = order
    assert pod(first) == {}
    assert pod(second) == {}
    assert not store.exists(work.key)
    assert pod(last)["samples"] == len(ROWS)
    assert ids(work, tmp_path / "found") == [row.id for row in ROWS]
    assert sorted(answered) == sorted(row.id for row in ROWS)
    assert left(work) == []
    assert published.found(work)


def test_one_that_is_made_anew_goes_on_with_its_own(
    pod: Pod, work: Work, answered: list[str], deadly: set[str], tmp_path: Path
) -> None:
    deadly.add("4")
    pod(0)
    with pytest.raises(KeyboardInterrupt):
        pod(1)
    assert answered[-1] == "4"
    pod(2)
    assert pod(1)["samples"] == len(ROWS)
    assert sorted(answered) == sorted(row.id for row in ROWS), "none was answered twice"
    assert ids(work, tmp_path / "found") == [row.id for row in ROWS]


def test_one_whose_share_is_done_answers_nothing_again(
    pod: Pod, answered: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pod(0)
    before = list(answered)
    assert pod(0) == {}
    assert answered == before
    assert "shard 1 of 3 was answered by an earlier try" in capsys.readouterr().out


def test_one_that_was_killed_as_it_put_them_together_does_it_again_at_once(
    pod: Pod, work: Work, answered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pod(0)
    pod(1)
    with monkeypatch.context() as killing:
        killing.setattr(Lease, "release", lambda _: None)
        killing.setattr(shards, "_merged", _kill)
        with pytest.raises(StageError, match="killed"):
            pod(2)
    assert not store.exists(work.key)
    assert pod(2)["samples"] == len(ROWS)
    assert len(answered) == len(ROWS)


def _kill(*_: object) -> None:
    raise StageError("killed")


def test_another_leaves_it_to_the_one_that_puts_them_together(
    pod: Pod, work: Work, answered: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pod(0)
    pod(1)
    with store.leased(f"{work.key}.partial/whole", home="shard-0-of-3"):
        assert pod(2) == {}
        assert "another pod puts the answers together" in capsys.readouterr().out
        assert not store.exists(work.key)
        assert pod(0)["samples"] == len(ROWS), "which was killed at it"
    assert len(answered) == len(ROWS)


def test_a_share_that_comes_after_the_whole_leaves_nothing_behind(
    pod: Pod, work: Work, tmp_path: Path
) -> None:
    """Another pod may have found all answers in the cache meanwhile."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / PREDICTIONS).write_text("")
    store.publish(tmp_path / "whole", work.key)
    assert pod(1) == {}
    assert left(work) == []


def test_a_share_of_another_number_of_pods_counts_for_nothing(
    pod: Pod, work: Work, tmp_path: Path
) -> None:
    pod(0, pods=2)
    for index in range(PODS):
        pod(index)
    assert ids(work, tmp_path / "found") == [row.id for row in ROWS]
    assert left(work) == []


def test_two_pods_do_the_shares_of_three(
    work: Work, answered: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where a quota lets no third one be made; what one has done before stays done."""
    told = {"ASSAY_SHARDS": "3", "ASSAY_PODS": "2"}
    own = [shards.own(work, {**told, "VC_TASK_INDEX": f"{at}"}) for at in range(2)]
    assert shards.answer_all(work, own[1], tmp_path / "b", progress.ignore) == {}
    before = list(answered)
    assert shards.answer_all(work, own[1], tmp_path / "c", progress.ignore) == {}
    assert answered == before
    done = shards.answer_all(work, own[0], tmp_path / "a", progress.ignore)
    assert done["samples"] == len(ROWS)
    assert sorted(answered) == sorted(row.id for row in ROWS)
    assert ids(work, tmp_path / "found") == [row.id for row in ROWS]
    assert left(work) == []


def test_what_an_earlier_run_answered_is_taken_whole(
    pod: Pod, work: Work, answered: list[str], tmp_path: Path
) -> None:
    for index in range(PODS):
        pod(index)
    later = Work(
        stage="generate",
        samples=work.samples,
        outputs={"predictions": f"{work.key}-later"},
        arguments=work.arguments,
    )
    done = shards.answer(later, Share(index=1, of=PODS), tmp_path / "later", progress.ignore)
    assert done["taken_from"] == work.key
    assert len(answered) == len(ROWS)
    assert ids(later, tmp_path / "found") == [row.id for row in ROWS]
