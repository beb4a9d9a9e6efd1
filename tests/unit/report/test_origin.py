"""What was taken from an earlier run's answers is said, and proves no less than it did there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from assay.report import report

DATA = Path(__file__).parents[2] / "data" / "run"
ORIGIN: dict[str, Any] = {
    "entry": "s3://kept/5f-cpu.zip",
    "place": "s3://runs/first/baseline",
    "made": "2026-11-25T03:31:07Z",
    "seconds": 3725.0,
    "runner": "Volcano Job assay-generate-1 (1 pod, queue research)",
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_both_pages_say_which_answers_were_taken_and_what_they_took(run: Path) -> None:
    before = report(run)
    assert "an earlier run" not in (run / "report.html").read_text()
    edit(run / "baseline/generation.json", origin=ORIGIN, seconds=0.2)
    after = report(run)
    page = (run / "report.html").read_text().replace("&#39;", "'")
    for text in (page, (run / "report.md").read_text()):
        assert "an earlier run's, made 2026-11-25 03:31 UTC" in text
        assert "0 s (an earlier run took 1 h 02 min)" in text
        assert "s3://runs/first/baseline" in text
    assert "taken from s3://kept/5f-cpu.zip" in page
    assert ORIGIN["runner"] in page, "the provenance has it all"
    assert (after.summary, after.cautions) == (before.summary, before.cautions)


def test_taken_answers_that_are_the_others_void_the_comparison(run: Path) -> None:
    edit(run / "baseline/generation.json", origin=ORIGIN)
    shutil.copy(run / "candidate/predictions.jsonl", run / "baseline/predictions.jsonl")
    told = [caution.text for caution in report(run).cautions if caution.severe]
    assert "Baseline and candidate gave the same output on every sample." in told


@pytest.mark.parametrize(
    ("baseline", "candidate", "differ"),
    [("cpu", "H100", True), ("A100", "H100", True), ("H100", "H100", False), ("", "H100", False)],
)
def test_answers_of_two_devices_are_a_caution(
    run: Path, baseline: str, candidate: str, differ: bool
) -> None:
    edit(run / "baseline/generation.json", device=baseline)
    edit(run / "candidate/generation.json", device=candidate)
    told = " ".join(caution.text for caution in report(run).cautions if not caution.severe)
    text = f"The devices differ, which may change an answer: {baseline} (baseline), {candidate}"
    assert (text in told) == differ


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_answers_of_two_engines_are_a_caution(run: Path, engine: str) -> None:
    edit(run / "candidate/generation.json", engine=engine)  # the other is from before it was said
    told = " ".join(caution.text for caution in report(run).cautions if not caution.severe)
    text = "The engines differ, which may change an answer: transformers (baseline), vllm"
    assert (text in told) == (engine == "vllm")


def test_what_a_models_own_file_asks_for_in_vain_is_a_caution(run: Path) -> None:
    used = {"max_new_tokens": 64, "eos_token_id": [2]}
    settings = json.loads((run / "candidate/generation.json").read_text())["settings"]
    own = {"do_sample": True, "no_repeat_ngram_size": 3}  # the first is a setting, and was chosen
    for side, asked in (("baseline", {}), ("candidate", own)):
        decoding = {"used": used, "not_obeyed": asked}
        edit(
            run / side / "generation.json", decoding=decoding, settings=settings | {"do_sample": 0}
        )
    told = [caution.text for caution in report(run).cautions if "generation_config" in caution.text]
    assert len(told) == 1
    assert "asks for no_repeat_ngram_size: 3. It was not obeyed" in told[0]


def test_sides_that_were_not_decoded_alike_are_a_caution(run: Path) -> None:
    for side, most in (("baseline", 64), ("candidate", 32)):
        used = {"max_new_tokens": most, "eos_token_id": [most]}
        edit(run / side / "generation.json", decoding={"used": used, "not_obeyed": {}})
    told = [caution.text for caution in report(run).cautions]
    assert "The decoding differs: max_new_tokens is 64 (baseline), 32 (candidate)." in told
    assert not any("eos_token_id" in text for text in told)
