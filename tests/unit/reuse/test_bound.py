"""A cache is bounded: what was least recently used goes, and nothing but answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assay import reuse, store
from assay.errors import SettingsError
from assay.generate import GenerateSettings
from assay.reuse import Entry
from assay.settings import build
from tests.unit.reuse.kept import SAMPLES, answer, entry_of, write_model


def entry(folder: Path, cache: str, name: str) -> Entry:
    return entry_of(str(write_model(folder / name, name.encode())), cache)


def keep(each: Entry, out: Path, gigabytes: float = 0.0) -> None:
    reuse.keep(each, out, answer(out, each), str(out), "baseline", gigabytes)


def aged(each: Entry, age: int) -> int:
    """Make an entry look as old as that, and return its bytes."""
    path = Path(each.uri("cpu"))
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))
    return path.stat().st_size


def test_the_least_recently_used_answers_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "kept"
    first, second, third = (entry(tmp_path, str(cache), name) for name in ("m1", "m2", "m3"))
    for each, age in ((first, 900), (second, 600)):
        keep(each, tmp_path / "out")
        size = aged(each, age)
    (cache / "notes.zip").write_bytes(b"0" * 10 * size)
    assert reuse.take(first, SAMPLES, tmp_path / "again", "baseline", False)
    capsys.readouterr()
    keep(third, tmp_path / "out", gigabytes=2.5 * size / 1e9)
    left = {path.name for path in cache.iterdir()}
    assert left == {Path(each.uri("cpu")).name for each in (first, third)} | {"notes.zip"}
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"baseline: {cache} keeps at most generate.cache_gb = ")
    assert "1 of its answers, " in line
    assert "the least recently used, are removed" in line


def test_within_the_bound_and_without_one_nothing_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "kept"
    for name, gigabytes in (("m1", 0), ("m2", 0), ("m3", 1)):
        keep(entry(tmp_path, str(cache), name), tmp_path / "out", gigabytes)
    assert len(list(cache.iterdir())) == 3
    assert capsys.readouterr().err == ""


def test_answers_above_the_bound_are_not_kept_and_push_out_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "kept"
    keep(entry(tmp_path, str(cache), "m1"), tmp_path / "out")
    keep(entry(tmp_path, str(cache), "m2"), tmp_path / "out", gigabytes=1e-8)
    assert len(list(cache.iterdir())) == 1
    assert "not kept for other runs: they have " in capsys.readouterr().err


def test_a_store_is_bounded_too(bucket: str, tmp_path: Path) -> None:
    cache = f"{bucket}/kept"
    first, second = (entry(tmp_path, cache, name) for name in ("m1", "m2"))
    keep(first, tmp_path / "out")
    [before] = store.stored(cache)
    assert reuse.take(first, SAMPLES, tmp_path / "again", "", False)
    assert store.exists(f"{first.uri('cpu')}.used")
    [after] = store.stored(cache)
    assert (after.name, after.bytes) == (before.name, before.bytes)
    assert after.used >= before.used
    keep(second, tmp_path / "out", gigabytes=1.5 * before.bytes / 1e9)
    assert len(store.listed(cache)) <= 2  # one of them, with its mark if it has one
    assert len(store.stored(cache)) == 1


def test_a_place_that_is_not_there_holds_nothing(bucket: str, tmp_path: Path) -> None:
    assert store.stored(str(tmp_path / "none")) == []
    assert store.stored(f"{bucket}/none") == []
    store.remove(str(tmp_path / "none"))


@pytest.mark.parametrize("bound", [-1, "all", float("nan")])
def test_a_bound_that_is_none_is_refused(bound: object) -> None:
    with pytest.raises(SettingsError, match=r"generate\.cache_gb"):
        build(GenerateSettings, {"cache_gb": bound}, "generate")
