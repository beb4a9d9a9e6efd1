import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from assay.report import report
from assay.report.markdown import MAX_CHARACTERS

DATA = Path(__file__).parents[2] / "data" / "run"


def written(run: Path, **answer: Any) -> str:
    path = run / "candidate/predictions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [row | answer for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report(run)
    return (run / "report.md").read_text()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


def outside_fences(text: str) -> str:
    return re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "```\n# Out of the fence\n```",
        "``````\n</details>",
        "@everyone see #1 ![x](http://example.invalid/x.png)",
        "| a | b |\n| - | - |",
    ],
)
def test_what_a_model_wrote_stays_in_its_fence(run: Path, hostile: str) -> None:
    text = written(run, output=hostile)
    assert hostile in text
    rest = outside_fences(text)
    for line in hostile.splitlines():
        assert line not in rest.splitlines()
    assert "alert(1)" not in rest
    assert "@everyone" not in rest


def test_characters_that_reorder_text_are_written_out(run: Path) -> None:
    assert "safe [U+202E]txt" in written(run, output="safe \u202etxt")


def test_an_id_cannot_leave_its_code_span(run: Path) -> None:
    for path in run.rglob("*.jsonl"):
        path.write_text(path.read_text().replace("house-017", "`x` <b> | \\n# y"))
    report(run)
    text = (run / "report.md").read_text()
    assert "### `` `x` <b> | # y ``: overall baseline 10, candidate 3" in text


def test_a_title_is_text(run: Path) -> None:
    report(run, title="<img src=x> [a](b)\n# c")
    first = (run / "report.md").read_text().splitlines()[0]
    assert first == r"# &lt;img src=x> \[a\](b) \# c"


def test_it_fits_a_comment_and_says_what_is_left_out(run: Path) -> None:
    for path in [run / "dataset.jsonl", *run.glob("*/predictions.jsonl")]:
        rows = path.read_text()
        path.write_text("".join(rows.replace("house-", f"h{copy}-") for copy in range(10)))
    for path in [*run.glob("*/scores.jsonl"), *run.glob("*/verdicts.jsonl")]:
        path.write_text(path.read_text().replace("house-", "h0-"))
    text = written(run, output="word " * 1_000)
    assert len(text) <= MAX_CHARACTERS < 65_536
    left = re.search(
        r"^(\d+) more samples are left out here; they are in report.json.$", text, re.M
    )
    assert left
    assert int(left[1]) + text.split("## Samples")[1].count("\n### ") == 240


def test_it_fits_a_comment_whatever_a_run_is_called_and_lacks(run: Path) -> None:
    long = "caution|*" * 20_000
    generation = run / "candidate/generation.json"
    generation.write_text(json.dumps(json.loads(generation.read_text()) | {"template": long}))
    path = run / "candidate/scores.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    causes = ({f"metric-{at}": f"cause {at} {long[:900]}"} for at in range(len(rows)))
    lacking = (row | {"unscored": cause} for row, cause in zip(rows, causes, strict=True))
    path.write_text("".join(json.dumps(row) + "\n" for row in lacking))
    report(run, title=long)
    text = (run / "report.md").read_text()
    assert len(text) <= MAX_CHARACTERS
    assert "## What was compared\n\nLeft out here for its length; report.html has it." in text
    assert "more samples are left out here; they are in report.json." in text
