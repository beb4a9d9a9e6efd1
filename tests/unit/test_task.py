"""What the components call, where it does more than pass on."""

from __future__ import annotations

import shutil
from pathlib import Path

from assay import run, store, task
from assay.config import parse
from assay.progress import ignore
from assay.scoring import JUDGING
from tests.faults.endpoint import chat, scores, serving

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
    assert task.numbers(task.report(config, parts, tmp_path / "run"))
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
    found = task.numbers(task.report({**config, "baseline": "none"}, parts, tmp_path / "run"))
    assert "bleu-4" in found
    assert not [name for name in found if "baseline" in name]


def test_a_task_and_a_run_judge_alike(tmp_path: Path) -> None:
    """One side is no pair, and a side without predictions is left out."""
    (tmp_path / "empty").mkdir()
    asked = {"model": "fake", "api_key_env": "", "pairwise": True, "panel": [{"model": "second"}]}
    config = {"model": "m", "dataset": {"eval": "e.json"}, "mode": "judge"}
    folder = tmp_path / "run"
    for name in ("dataset.jsonl", "candidate/predictions.jsonl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(RUN / name, folder / name)
    with serving(lambda _: chat(scores(7))) as endpoint:
        given = asked | {"endpoint": endpoint.url, "self_test": False, "flip_sample": 0}
        sides = {"baseline": tmp_path / "empty", "candidate": RUN / "candidate"}
        task.score("judge", "judge", given, RUN, sides, tmp_path / "out", ignore)
        place = store.Mirror(folder=folder)
        run.score(JUDGING, parse(config | {"judge": given}).judge, place, ignore)
    assert len(endpoint.requests) == 2 * 2 * 24
    (folder / "candidate/predictions.jsonl").unlink()
    (folder / "dataset.jsonl").unlink()
    assert files_of(tmp_path / "out") == files_of(folder)
    assert not any("pairs" in name or "baseline" in name for name in files_of(folder))
    assert len([name for name in files_of(folder) if name.endswith("verdicts.jsonl")]) == 2


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
