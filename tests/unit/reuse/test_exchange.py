"""An entry is taken whole and as it was kept, or a line says why not: nothing fails by it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from assay import reuse, store
from assay.folder import ANSWERED, GENERATION, LIKELIHOOD, PREDICTIONS, RESULTS
from assay.records import Generation, Likelihood, Prediction
from assay.reuse import exchange
from tests.unit.reuse.kept import SAMPLES, answer, entry_of, write_model

Spoil = Callable[[Path], object]


@pytest.fixture(name="base")
def make_base(tmp_path: Path) -> str:
    return str(write_model(tmp_path / "base"))


def keep(entry: reuse.Entry, folder: Path, words: str = "I am.", device: str = "cpu") -> Generation:
    done = answer(folder, entry, words, device)
    reuse.keep(entry, folder, done, "s3://runs/first/baseline", "baseline")
    return done


def take(entry: reuse.Entry, out: Path, *, accelerated: bool = False) -> Generation | None:
    return reuse.take(entry, SAMPLES, out, "baseline", accelerated)


def check_taken(entry: reuse.Entry, tmp_path: Path) -> None:
    kept = keep(entry, tmp_path / "first")
    out = tmp_path / "second"
    (out / "partial").mkdir(parents=True)
    taken = take(entry, out)
    assert taken == store.read_record(out / GENERATION, Generation)
    assert taken
    assert sorted(path.name for path in out.iterdir()) == sorted(ANSWERED)
    for name in (PREDICTIONS, RESULTS):
        assert (out / name).read_bytes() == (tmp_path / "first" / name).read_bytes()
    own = {"finished", "origin", "runner", "seconds"}
    assert {n for n, value in vars(taken).items() if value != vars(kept)[n]} == own
    assert taken.runner == "inline"
    assert 0 < taken.seconds < kept.seconds
    assert taken.origin
    assert vars(taken.origin) == {
        "entry": entry.uri("cpu"),
        "place": "s3://runs/first/baseline",
        "made": kept.finished,
        "seconds": kept.seconds,
        "runner": kept.runner,
    }


def test_what_one_run_keeps_another_takes(base: str, tmp_path: Path) -> None:
    entry = entry_of(base, str(tmp_path / "kept"))
    assert take(entry, tmp_path / "none") is None
    assert not (tmp_path / "none").exists()
    check_taken(entry, tmp_path)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [f"{entry.key}-cpu.zip"]


def test_it_may_lie_in_a_store(base: str, bucket: str, tmp_path: Path) -> None:
    check_taken(entry_of(base, f"{bucket}/kept/"), tmp_path)


def test_a_model_whose_loss_is_no_number_is_not_asked_again(base: str, tmp_path: Path) -> None:
    entry, out = entry_of(base, str(tmp_path / "kept")), tmp_path / "first"
    done = replace(answer(out, entry), results={})
    (out / RESULTS).unlink()
    broken = {"eval_loss": "not_finite", "accuracy": "not_finite"}
    rows = [Likelihood(id=row.id, values={}, unscored=broken, tokens=3) for row in SAMPLES]
    store.write_rows(out / LIKELIHOOD, rows)
    reuse.keep(entry, out, done, "", "baseline")
    taken = take(entry, tmp_path / "second")
    assert taken
    assert taken.results == {}
    assert list(store.read_rows(tmp_path / "second" / LIKELIHOOD, Likelihood)) == rows
    assert not (tmp_path / "second" / RESULTS).exists()


def test_the_numbers_of_an_accelerator_are_not_those_of_a_cpu(base: str, tmp_path: Path) -> None:
    entry = entry_of(base, str(tmp_path / "kept"))
    keep(entry, tmp_path / "first", device="NVIDIA H100 80GB HBM3")
    assert take(entry, tmp_path / "cpu") is None
    taken = take(entry, tmp_path / "gpu", accelerated=True)
    assert taken
    assert taken.device == "NVIDIA H100 80GB HBM3"


def test_the_device_is_looked_for_only_where_there_is_an_entry(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def device() -> str:
        asked.append("")
        return "cpu"

    monkeypatch.setattr(exchange, "_device", device)
    entry = entry_of(base, str(tmp_path / "kept"))
    assert reuse.take(entry, SAMPLES, tmp_path / "out", "", None) is None
    assert not asked
    keep(entry, tmp_path / "first")
    assert reuse.take(entry, SAMPLES, tmp_path / "out", "", None)
    assert len(asked) == 1


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def flip(path: Path) -> None:
    held = bytearray(path.read_bytes())
    held[60] ^= 0xFF
    path.write_bytes(held)


def into_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def rewritten(change: Callable[[dict[str, bytes]], object]) -> Spoil:
    def spoil(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            comment = archive.comment
            held = {name: archive.read(name) for name in archive.namelist()}
        change(held)
        with zipfile.ZipFile(path, "w") as archive:
            archive.comment = comment
            for name, content in held.items():
                archive.writestr(name, content)

    return spoil


def another_key(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"0" * 64


DAMAGE: dict[str, Spoil] = {
    "empty": lambda path: path.write_bytes(b""),
    "torn": cut,
    "a flipped bit": flip,
    "no archive": lambda path: path.write_text("<html>"),
    "a folder": into_folder,
    "the answers to something else": another_key,
    "no record": rewritten(lambda held: held.pop(GENERATION)),
    "a record of another kind": rewritten(lambda held: held.update({GENERATION: b"{}"})),
    "a record that was never kept": rewritten(
        lambda held: held.update({GENERATION: held[GENERATION].replace(b'"place"', b'"where"')})
    ),
    "no answers": rewritten(lambda held: held.pop(PREDICTIONS)),
    "an answer less": rewritten(
        lambda held: held.update({PREDICTIONS: held[PREDICTIONS].splitlines(keepends=True)[0]})
    ),
    "a torn line": rewritten(lambda held: held.update({PREDICTIONS: held[PREDICTIONS][:-9]})),
    "no loss": rewritten(lambda held: held.pop(RESULTS)),
    "no likelihood": rewritten(lambda held: held.pop(LIKELIHOOD)),
    "other weights": rewritten(
        lambda held: held.update(
            {GENERATION: held[GENERATION].replace(b'"digest": "', b'"digest": "0')}
        )
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_entry_that_does_not_hold_is_a_line(
    base: str, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    entry, out = entry_of(base, str(tmp_path / "kept")), tmp_path / "out"
    keep(entry, tmp_path / "first")
    path = Path(entry.uri("cpu"))
    DAMAGE[damage](path)
    assert take(entry, out) is None
    assert not list(out.rglob("*"))
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"baseline: what {tmp_path / 'kept'} keeps is not used: ")
    if path.is_dir():
        path.rmdir()
    keep(entry, tmp_path / "first")  # and is mended by who answers next
    assert take(entry, out)


def test_a_store_that_is_not_there_is_a_line(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    entry = entry_of(base, "s3://b/kept")
    with store.relied_on():  # as in a task
        assert take(entry, tmp_path / "out") is None
        keep(entry, tmp_path / "first")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("baseline: what s3://b/kept keeps is not used: ")
    assert second.startswith("baseline: the answers are not kept for other runs: ")
    assert "the store does not answer" in first
    assert "the store does not answer" in second


def test_a_disk_that_takes_nothing_is_a_line(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept").write_text("a file by now")
    keep(entry_of(base, str(tmp_path / "kept")), tmp_path / "first")
    assert "baseline: the answers are not kept for other runs: " in capsys.readouterr().err


def test_a_model_that_changed_while_it_answered_keeps_nothing(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = entry_of(base, str(tmp_path / "kept"))
    (Path(base) / "model.safetensors").write_bytes(b"another one")
    keep(entry, tmp_path / "first")
    assert not (tmp_path / "kept").exists()
    assert f"{base} changed while it answered" in capsys.readouterr().err


def test_a_model_without_a_key_is_said_once_and_not_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = {"trust_remote_code": True}
    base = str(write_model(tmp_path / "base"))
    entry = entry_of(base, str(tmp_path / "kept"), llamafactory=code)
    assert take(entry, tmp_path / "out") is None
    keep(entry, tmp_path / "first")
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("baseline: the answers are not kept for other runs: trust_remote_code")
    assert not (tmp_path / "kept").exists()


WRITER = """
import sys
from pathlib import Path
from tests.unit.reuse.kept import answer, entry_of
from assay import reuse
base, cache, out, words = sys.argv[1:]
entry = entry_of(base, cache)
done = answer(Path(out), entry, words)
for _ in range(30):
    reuse.keep(entry, Path(out), done, out, "")
"""


def test_several_writers_at_once_leave_a_whole_entry_at_any_time(base: str, tmp_path: Path) -> None:
    """Two runs that found nothing, and answer the same, keep it at the same time."""
    entry = entry_of(base, str(tmp_path / "kept"))
    keep(entry, tmp_path / "first", "0" * 90_000)
    writers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                WRITER,
                base,
                entry.cache,
                str(tmp_path / digit),
                digit * 90_000,
            ],
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            stderr=subprocess.PIPE,
        )
        for digit in "123"
    ]
    while any(writer.poll() is None for writer in writers):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        assert take(entry, tmp_path / "out")
        [words] = {
            row.output for row in store.read_rows(tmp_path / "out" / PREDICTIONS, Prediction)
        }
        assert len(set(words)) == 1
    assert [writer.communicate()[1] for writer in writers] == [b"", b"", b""]
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_answers_of_other_samples_do_not_fit(base: str, tmp_path: Path) -> None:
    entry = entry_of(base, str(tmp_path / "kept"))
    keep(entry, tmp_path / "first")
    for others in (SAMPLES[::-1], SAMPLES[:1], [*SAMPLES, replace(SAMPLES[0], id="c")]):
        assert reuse.take(entry, others, tmp_path / "out", "", False) is None
