"""The history of a recurring evaluation: what is kept, in which order, and once a run."""

from __future__ import annotations

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from assay import config, preflight, report, store, task
from assay.errors import InputError, SettingsError, StoreError
from assay.folder import HISTORY
from assay.report import history as histories
from assay.report import kept as scoring
from assay.report import objects
from assay.report.contents import Record
from assay.report.history import KEPT, History

DATA = Path(__file__).parents[2] / "data" / "run"


def a_run(folder: Path, seconds: float = 1.0) -> Path:
    """A run of its own: each takes another time to answer."""
    shutil.copytree(DATA, folder)
    path = folder / "candidate/generation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": seconds}))
    return folder


@pytest.fixture(params=["folder", "store"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty history, in a folder and in a real MinIO."""
    if request.param == "folder":
        return str(tmp_path / "history")
    return f"{request.getfixturevalue('bucket')}/team/nightly"


def kept(history: str, folder: Path) -> list[Record]:
    found = folder / "kept"
    names = sorted(
        store.listed(history)
        if store.is_remote(history)
        else [path.name for path in Path(history).iterdir()]
    )
    stem = r"\d{8}T\d{9}Z-[0-9a-f]{16}"
    assert all(re.fullmatch(rf"{stem}(\.scores\.json\.gz|\.json)", name) for name in names)
    records = [name for name in names if not name.endswith(".gz")]
    assert len(names) == 2 * len(records)
    return [store.read_record(store.fetch(f"{history}/{name}", found), Record) for name in records]


def test_each_run_knows_those_before_it_and_is_kept_once(history: str, tmp_path: Path) -> None:
    runs = [a_run(tmp_path / f"run-{number}", number) for number in range(3)]
    records: list[Record] = []
    for folder in runs:
        trend = report.report_in(history, folder).trend
        assert trend is not None
        assert list(trend.runs[:-1]) == records
        records = kept(history, tmp_path)
        assert list(trend.runs) == records
    assert len({one.id for one in records}) == 3
    assert sorted(one.time for one in records) == [one.time for one in records]


def test_a_run_that_is_reported_again_replaces_its_own_record(history: str, tmp_path: Path) -> None:
    first, second = a_run(tmp_path / "first", 1), a_run(tmp_path / "second", 2)
    for folder in (first, second):
        report.report_in(history, folder)
    before = kept(history, tmp_path)
    path = first / "candidate/totals.jsonl"
    path.write_text("")
    again = report.report_in(history, first)
    assert again.trend is not None
    assert [one.id for one in again.trend.runs] == [before[0].id], "what came later is not before"
    after = kept(history, tmp_path / "after")
    assert [(one.id, one.time) for one in after] == [(one.id, one.time) for one in before]
    assert len(after[0].readings) < len(before[0].readings)
    assert after[1] == before[1]


def test_runs_that_end_together_do_not_collide(history: str, tmp_path: Path) -> None:
    runs = [a_run(tmp_path / f"run-{number}", number) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda folder: report.report_in(history, folder), runs))
    assert len({one.id for one in kept(history, tmp_path)}) == 4


def test_the_same_folder_gives_the_same_report_without_the_history(tmp_path: Path) -> None:
    history = tmp_path / "history"
    for number in range(2):
        report.report_in(str(history), a_run(tmp_path / f"run-{number}", number))
    folder = tmp_path / "run-1"
    names = ("report.json", "report.md", "report.html")
    first = {name: (folder / name).read_bytes() for name in names}
    shutil.rmtree(history)
    report.report(folder)
    assert {name: (folder / name).read_bytes() for name in names} == first
    assert not history.exists()


def test_a_record_says_what_ran(tmp_path: Path) -> None:
    folder = a_run(tmp_path / "run")
    report.report_in(str(tmp_path / "history"), folder)
    (record,) = kept(str(tmp_path / "history"), tmp_path)
    for side in ("baseline", "candidate"):
        generation = store.read_json(folder / side / "generation.json")
        assert record.digests[side] == generation["digest"]
        assert record.dataset_hash == generation["dataset_hash"]
    judged = store.read_json(folder / "candidate/judge.json")
    assert (record.judge, record.judge_identity) == (judged["model"], judged["identity"])
    assert judged["rubric_digest"][:12] in record.rubric
    assert (record.samples, record.gate) == (24, "")
    assert datetime.fromisoformat(record.time).utcoffset() is not None
    metrics = {
        (one["side"], one["name"], one["value"], one["low"], one["high"], one["n"])
        for one in store.read_json(folder / "metrics.json")["metrics"]
    }
    assert metrics == {(r.side, r.name, r.value, r.low, r.high, r.n) for r in record.readings}


def test_only_the_last_records_are_read(tmp_path: Path) -> None:
    history = str(tmp_path / "history")
    written = report.report_in(history, a_run(tmp_path / "first"))
    assert written.trend is not None
    record = written.trend.runs[0]
    scores = scoring.read(next(Path(history).glob("*.gz")))
    for number in range(KEPT + 5):
        time = f"2020-01-01T00:00:{number // 2:02}.{number % 2}00Z"
        objects.write_run(history, replace(record, id=f"{number:016x}", time=time), scores)
    folder = a_run(tmp_path / "last", 2)
    histories.collect(history, folder)
    earlier = store.read_record(folder / HISTORY, History).earlier
    assert len(earlier) == KEPT
    assert [one.id for one in earlier[:-1]] == [f"{number:016x}" for number in range(6, KEPT + 5)]
    assert earlier[-1] == record


def test_what_is_no_record_is_left_alone_and_a_broken_one_named(tmp_path: Path) -> None:
    history = tmp_path / "history"
    history.mkdir()
    (history / "notes.json").write_text("{}")
    folder = a_run(tmp_path / "run")
    report.report_in(str(history), folder)
    broken = history / f"20200101T000000000Z-{'0' * 16}.json"
    broken.write_text('{"id": "0"}')
    with pytest.raises(InputError, match=rf"{broken.name} is no record of a run: .*time") as raised:
        report.report_in(str(history), folder)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("gs://team/nightly", SettingsError, "lies in no store that can be written"),
        ("hf://team/nightly", SettingsError, "lies in no store that can be written"),
        ("s3://team", StoreError, "names no object"),
        (str(DATA / "config.yaml"), SettingsError, "is a file"),
    ],
)
def test_a_history_that_cannot_be_is_refused(
    name: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        histories.check_history(name)


def test_it_is_refused_before_anything_runs(bucket: str, tmp_path: Path) -> None:
    values = {"dataset": {"eval": "eval.json"}, "model": "org/model", "mode": "auto"}
    missing = f"{bucket}-none/nightly"
    with pytest.raises((InputError, StoreError), match="NoSuchBucket"):
        preflight.prepare(config.parse(values | {"history": missing}), tmp_path)


def test_the_report_of_a_pipeline_has_the_trend(tmp_path: Path, bucket: str) -> None:
    given = {"model": "org/model", "dataset": {"eval": "e.json"}, "mode": "auto"}
    given["history"] = f"{bucket}/nightly"
    for number in range(2):
        source = a_run(tmp_path / f"source-{number}", number)
        parts = {"": [str(tmp_path / f"samples-{number}")]}
        (tmp_path / f"samples-{number}").mkdir()
        shutil.copy(source / "dataset.jsonl", tmp_path / f"samples-{number}")
        parts |= {side: [str(source / side)] for side in ("baseline", "candidate")}
        folder = tmp_path / f"run-{number}"
        assert task.report(given, parts, folder)
        trend = store.read_json(folder / "report.json")["trend"]
        assert len(trend["runs"]) == number + 1
    assert trend["since"] == trend["runs"][0]["id"]
