"""A worker ends itself where nobody renews its lease, and on no other ground."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.errors import StoreError
from assay.queues import Work
from assay.records import Generation, ModelManifest
from assay.store import outage
from assay.volcano import lease, published
from assay.volcano.lease import AbandonedError, Lookout

# what is seen of the lease, at which second; None: it cannot be read
Seen = list[tuple[float, str | None]]


def every(seconds: range, version: str | None) -> Seen:
    return [(float(second), version) for second in seconds]


@pytest.mark.parametrize(
    ("seen", "lost"),
    [
        (every(range(10, 101, 10), "a"), None),
        (every(range(10, 301, 10), "a"), 120.0),  # seen at 10, and unchanged for more than 100
        (every(range(10, 301, 10), ""), 110.0),  # never there, or removed
        ([(second, str(second)) for second in range(10, 1000, 10)], None),
        (every(range(10, 1000, 10), None), None),  # the store is away
        (every(range(10, 60, 10), "a") + every(range(60, 800, 10), None), None),
        (  # it is back, and its launcher has not written yet
            every(range(10, 60, 10), "a")
            + every(range(60, 800, 10), None)
            + every(range(800, 880, 10), "a")
            + every(range(880, 900, 10), "b"),
            None,
        ),
        ([*every(range(10, 60, 10), "a"), (900.0, "a"), (910.0, "a")], None),  # stood still itself
        (every(range(10, 60, 10), "a") + every(range(900, 1100, 10), "a"), 1010.0),
    ],
)
def test_a_lease_is_lost_when_it_was_seen_unchanged_for_its_term(
    seen: Seen, lost: float | None
) -> None:
    watch = Lookout(seconds=100.0, changed=0.0, last=0.0)
    told = [now for now, version in seen if watch.is_lost(version, now)]
    assert told[:1] == ([] if lost is None else [lost])


def work(bucket: str, stage: Any = "finetune") -> Work:
    names = ("model", "training") if stage == "finetune" else ("predictions",)
    outputs = {name: f"{bucket}/{stage}/{name}" for name in names}
    return Work(stage=stage, samples=f"{bucket}/samples", outputs=outputs, arguments={})


def test_a_launcher_renews_and_removes_it(bucket: str) -> None:
    asked = work(bucket)
    with lease.renewed(asked, 0.5) as seconds:
        assert seconds == 0.5
        first = store.version(lease.place(asked))
        end = time.monotonic() + 30
        while store.version(lease.place(asked)) in (first, "") and time.monotonic() < end:
            time.sleep(0.01)
        assert store.version(lease.place(asked)) not in (first, "")
    assert not store.exists(lease.place(asked))


def test_a_launcher_that_is_stopped_leaves_it_to_the_next(bucket: str) -> None:
    asked = work(bucket)
    with pytest.raises(KeyboardInterrupt), lease.renewed(asked, 600.0):
        raise KeyboardInterrupt
    assert store.exists(lease.place(asked))


def test_without_a_store_for_it_there_is_no_lease(
    bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with lease.renewed(work("s3://not-there-at-all"), 600.0) as seconds:
        assert seconds == 0.0
    assert "its Job would work on without a launcher: " in capsys.readouterr().out
    with lease.renewed(work(bucket), 0.0) as seconds:
        assert seconds == 0.0
    assert not store.exists(lease.place(work(bucket)))


def test_a_lease_that_the_store_takes_later_is_removed_too(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is away when a launcher begins, which goes on with the Job of the one before."""
    asked, publish, away = work(bucket), store.publish, [True]

    def or_refuse(*given: Any) -> object:
        if away.pop() if away else False:
            raise StoreError("the store is away", "Wait")
        return publish(*given)

    monkeypatch.setattr(store, "publish", or_refuse)
    with lease.renewed(asked, 0.5) as seconds:
        assert seconds == 0.0
        end = time.monotonic() + 30
        while not store.exists(lease.place(asked)) and time.monotonic() < end:
            time.sleep(0.01)
        assert store.exists(lease.place(asked))
    assert not store.exists(lease.place(asked))


def test_a_renewal_waits_for_no_store_and_never_outlives_its_lease(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that waited would come after the removal, and stay."""
    asked, publish = work(bucket), store.publish
    patient: list[bool] = []
    begun = threading.Event()

    def late(*given: Any) -> object:
        if threading.current_thread() is threading.main_thread():
            return publish(*given)
        patient.append(outage._patient.get())
        begun.set()
        time.sleep(0.2)
        return publish(*given)

    with lease.renewed(asked, 0.5):
        monkeypatch.setattr(store, "publish", late)
        assert begun.wait(30)
    assert not any(patient)
    assert not store.exists(lease.place(asked))


def test_a_worker_that_nobody_follows_is_told(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(lease.LEASE, "0.5")
    before = signal.getsignal(signal.SIGUSR1)
    with pytest.raises(AbandonedError) as told, lease.watched(work(bucket)):
        time.sleep(30)
    assert told.value.exit_code == 5
    assert signal.getsignal(signal.SIGUSR1) is before


def test_without_a_term_no_worker_is_told(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(lease.LEASE, "0.0")
    before = signal.getsignal(signal.SIGUSR1)
    with lease.watched(work(bucket)):
        assert signal.getsignal(signal.SIGUSR1) is before
    assert os.environ[lease.LEASE] == "0.0"


MANIFEST = ModelManifest(
    base_model="base",
    base_digest="b",
    finetuning_type="lora",
    template="qwen3",
    digest="of the weights",
    dataset_hash="h",
    samples=3,
    settings={},
    versions={},
    runner="Volcano Job j",
)


def test_what_was_published_is_found_by_its_record(bucket: str, tmp_path: Path) -> None:
    asked = work(bucket)
    assert published.found(asked) is None
    store.write_json(tmp_path / "manifest.json", MANIFEST)
    store.publish(tmp_path, asked.outputs["model"])
    assert published.found(asked) is None  # its last output is not there
    store.publish(tmp_path, asked.outputs["training"])
    assert published.found(asked) == {
        "base_model": "base",
        "digest": "of the weights",
        "runner": "Volcano Job j",
    }


def test_answers_that_were_published_are_found_too(bucket: str, tmp_path: Path) -> None:
    asked = work(bucket, "generate")
    done = Generation(
        model="m",
        base_model="b",
        digest="d",
        template="qwen3",
        dataset_hash="h",
        samples=2,
        seconds=1.0,
        settings={},
        results={},
        versions={},
        runner="Volcano Job j",
    )
    store.write_json(tmp_path / "generation.json", done)
    store.publish(tmp_path, asked.outputs["predictions"])
    found = published.found(asked)
    assert found == {"model": "m", "digest": "d", "samples": 2, "runner": "Volcano Job j"}


def test_what_cannot_be_looked_at_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert published.found(work("s3://not-there-at-all")) is None
    assert "finetune: not known whether it was done before: " in capsys.readouterr().out
