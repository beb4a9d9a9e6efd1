"""The history of a recurring evaluation: what is kept, in which order, and once a run."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from assay import config, preflight, report, store, task
from assay.errors import InputError, SettingsError, StoreError
from assay.folder import HISTORY
from assay.records import Side
from assay.report import history as histories
from assay.report import kept as scoring
from assay.report import objects
from assay.report.contents import Record
from assay.report.history import KEPT, History

pytestmark = pytest.mark.usefixtures("any_hub")

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


def spoil(history: str, name: str, content: bytes, folder: Path) -> None:
    """Put something else in the place of an object."""
    if not store.is_remote(history):
        (Path(history) / name).write_bytes(content)
        return
    (folder / name).write_bytes(content)
    store.publish(folder / name, f"{history}/{name}")


def objects_of(history: str) -> list[str]:
    if store.is_remote(history):
        return sorted(store.listed(history))
    return sorted(path.name for path in Path(history).iterdir())


TORN: dict[str, tuple[str, bytes, str]] = {
    "torn record": (".json", b'{"id": "0", "ti', "is no record of a run: it is not JSON"),
    "empty record": (".json", b"", "is no record of a run: it is not JSON"),
    "record of something else": (".json", b'{"id": "0"}', "is no record of a run: time"),
    "record of another run": (
        ".json",
        b'{"id": "0", "time": "", "name": "", "dataset_hash": "", "samples": 1, "digests": {}, '
        b'"asked": {}, "judge": "", "rubric": "", "judge_identity": "", "gate": "", '
        b'"readings": []}',
        "is no record of a run: it is of the run 0, and its name is of ",
    ),
    "record in another encoding": (".json", "{}".encode("utf-16"), "is no record of a run"),
    "scores that are no gzip": (".gz", b"{}", "is no scores of a run: holds no scores: Not a gz"),
    "torn scores": (".gz", gzip.compress(b"{}" * 500)[:-12], "is no scores of a run: holds no sc"),
    "scores of something else": (".gz", gzip.compress(b"[]"), "is no scores of a run: holds no sc"),
    "scores of no candidate": (
        ".gz",
        gzip.compress(b'{"samples": ["a"], "values": {"baseline": {"overall": [1]}}}'),
        "is no scores of a run: has no scores of a candidate",
    ),
    "scores of fewer samples": (
        ".gz",
        gzip.compress(b'{"samples": ["a"], "values": {"candidate": {"overall": [1, 2]}}}'),
        "is no scores of a run: has not one score for each sample",
    ),
}


@pytest.mark.parametrize("case", TORN)
def test_what_is_torn_is_refused_before_a_run_and_left_out_by_a_report(
    history: str, tmp_path: Path, case: str
) -> None:
    for number in range(2):
        report.report_in(history, a_run(tmp_path / f"run-{number}", number))
    ending, content, why = TORN[case]
    name = [one for one in objects_of(history) if one.endswith(ending)][-1]
    others = set(objects_of(history)) - {name}
    spoil(history, name, content, tmp_path)
    with pytest.raises(InputError) as refused:
        histories.check_history(history)
    assert len(str(refused.value).splitlines()) == 1
    assert f"{history}/{name} {why}" in str(refused.value)
    assert "Remove it" in str(refused.value)
    folder = a_run(tmp_path / "last", 9)
    written = report.report_in(history, folder)
    assert written.trend is not None
    assert others < set(objects_of(history)), "nothing is lost, and the new run is there"
    if ending == ".json":
        assert len(written.trend.runs) == 2
        told = f"{name} {why}"
        assert any(told in caution.text for caution in written.cautions)
    else:
        assert len(written.trend.runs) == 3
        assert why in written.trend.unpaired
        assert {one.pairs for one in written.trend.movements} == {None}
        told = written.trend.unpaired
    assert name in (folder / "report.md").read_text().replace("\\", "")


def test_a_record_that_no_report_could_tell_is_left_out(tmp_path: Path) -> None:
    history = str(tmp_path / "history")
    report.report_in(history, a_run(tmp_path / "first", 1))
    (path,) = Path(history).glob("*Z-*.json")
    path.write_text(path.read_text().replace('"value": ', '"value": 1e999, "was": ', 1))
    with pytest.raises(InputError, match="holds a number that is not finite"):
        histories.check_history(history)
    written = report.report_in(history, a_run(tmp_path / "second", 2))
    assert any("not finite" in caution.text for caution in written.cautions)


def test_every_object_that_is_torn_has_a_line(tmp_path: Path) -> None:
    history = tmp_path / "history"
    for number in range(3):
        report.report_in(str(history), a_run(tmp_path / f"run-{number}", number))
    records = sorted(history.glob("*Z-*.json"))
    for path in records[:2]:
        path.write_text("{")
    (history / "notes.json").write_text("{")
    (history / f"20200101T000000000Z-{'0' * 16}.json").mkdir()
    with pytest.raises(InputError) as refused:
        histories.check_history(str(history))
    lines = str(refused.value).splitlines()
    assert [path.name in line for path, line in zip(records, lines, strict=False)] == [True, True]
    assert len(lines) == 2


def test_a_torn_record_is_refused_before_anything_runs(tmp_path: Path) -> None:
    history = tmp_path / "history"
    history.mkdir()
    (history / f"20200101T000000000Z-{'0' * 16}.json").write_text("{")
    values = {"dataset": {"eval": "eval.json"}, "model": "org/model", "mode": "auto"}
    with pytest.raises(InputError, match="is no record of a run"):
        preflight.prepare(config.parse(values | {"history": str(history)}), tmp_path / "run")


def test_processes_that_write_at_once_lose_nothing(history: str, tmp_path: Path) -> None:
    """Two that report the same run, and two that report runs of their own."""
    runs = [a_run(tmp_path / f"run-{number}", number) for number in range(3)]
    code = "import sys; from pathlib import Path; from assay import report; "
    code += "report.report_in(sys.argv[1], Path(sys.argv[2]))"
    twin = Path(shutil.copytree(runs[0], tmp_path / "twin"))
    started = [
        subprocess.Popen([sys.executable, "-c", code, history, str(folder)])
        for folder in (*runs, twin)
    ]
    assert [process.wait() for process in started] == [0] * 4
    histories.check_history(history)
    last = report.report_in(history, a_run(tmp_path / "last", 9)).trend
    assert last is not None
    assert len({one.id for one in last.runs}) == len(last.runs) == 4


def test_the_scores_of_a_run_are_kept_without_loss_and_small(tmp_path: Path) -> None:
    draw, samples = np.random.default_rng(3), 10_000
    sides: tuple[Side, Side] = ("baseline", "candidate")
    values = {
        side: {
            **{f"judge-{at}": draw.integers(1, 11, samples).astype(float) for at in range(5)},
            **{f"metric-{at}": 100 * draw.random(samples) for at in range(7)},
        }
        for side in sides
    }
    scores = scoring.Scores(
        samples=tuple(f"{number:016x}" for number in draw.integers(0, 2**63, samples)),
        values={
            side: {n: tuple(v.tolist()) for n, v in rows.items()} for side, rows in values.items()
        },
    )
    path = tmp_path / "scores.gz"
    scoring.write(path, scores)
    assert scoring.read(path) == scores
    assert path.stat().st_size < 1_500_000


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


def test_samples_that_belong_together_do_so_between_runs(tmp_path: Path) -> None:
    draw, n = np.random.default_rng(5), 40
    samples = tuple(f"{number:016x}" for number in range(n))
    runs = [
        scoring.Scores(
            samples=part,
            values={"candidate": {"overall": tuple(draw.normal(7, 1, len(part)).tolist())}},
            clusters=tuple(int(sample, 16) // 4 for sample in part),
        )
        for part in (samples[:36], samples[::-1])
    ]
    scoring.write(tmp_path / "scores.gz", runs[1])
    assert scoring.read(tmp_path / "scores.gz") == runs[1]
    pairs = scoring.pair(*runs)
    assert pairs.samples == 36
    (compared,) = scoring.differences(pairs, "candidate", ["overall"], {})
    assert (compared.n, compared.clusters) == (36, 9)
    then, now = (
        dict(zip(one.samples, one.values["candidate"]["overall"], strict=True)) for one in runs
    )
    wanted = np.mean([(now[sample] or 0) - (then[sample] or 0) for sample in samples[:36]])
    assert compared.difference == pytest.approx(wanted)
