"""What the components call, where it does more than pass on."""

from __future__ import annotations

import shutil
from pathlib import Path

from assay import store, task

RUN = Path(__file__).parents[1] / "data" / "run"


def test_a_report_of_parts_from_a_store(tmp_path: Path) -> None:
    """An object store keeps no folder of a stage that had nothing to do, and puts its own index
    beside the files of one that had."""
    config = {"model": "org/model", "dataset": {"eval": "eval.json"}, "mode": "auto"}
    sides = {}
    for side in ("baseline", "candidate"):
        sides[side] = tmp_path / side
        shutil.copytree(RUN / side, sides[side])
        (sides[side] / "verdicts.jsonl").unlink()
        (sides[side] / store.INDEX).write_text("{}")
    samples = tmp_path / "samples"
    samples.mkdir()
    shutil.copy(RUN / "dataset.jsonl", samples)
    parts = {"": [str(samples), str(tmp_path / "verdicts")]}
    parts |= {side: [str(path)] for side, path in sides.items()}
    assert task.report(config, parts, tmp_path / "run")
    assert not list((tmp_path / "run").rglob(store.INDEX))
    assert (tmp_path / "run/report.html").is_file()


def test_a_report_without_a_baseline(tmp_path: Path) -> None:
    """On this machine's disk the folder of a side that was not asked for is there, and empty."""
    config = {"model": "org/model", "dataset": {"eval": "eval.json"}, "mode": "auto"}
    for name in ("samples", "baseline"):
        (tmp_path / name).mkdir()
    shutil.copy(RUN / "dataset.jsonl", tmp_path / "samples")
    parts = {"": [str(tmp_path / "samples")], "baseline": [str(tmp_path / "baseline")]}
    parts |= {"candidate": [str(RUN / "candidate")]}
    found = task.report({**config, "baseline": "none"}, parts, tmp_path / "run")
    assert found
    assert {name.partition(" ")[0] for name in found} == {"candidate"}
