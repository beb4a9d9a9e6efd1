"""`assay judge RUN`: stored predictions are judged again, and only what is asked for is paid."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from assay import store
from assay.cli.main import main
from assay.judge import JudgeSummary, verdicts
from tests.faults.endpoint import Answer, Body, chat, error, scores, serving
from tests.unit.judge.conftest import Make

RUBRIC = {
    "name": "support",
    "version": "1",
    "language": "en",
    "scale": [1, 5],
    "dimensions": {"politeness": {1: "rude", 5: "warm"}},
}


@pytest.fixture
def run(files: Make, tmp_path: Path) -> Path:
    """A run folder with the answers of a candidate to three samples."""
    folder = tmp_path / "run"
    (folder / "candidate").mkdir(parents=True)
    samples, predictions = files(3)
    samples.rename(folder / "dataset.jsonl")
    predictions.rename(folder / "candidate" / "predictions.jsonl")
    return folder


def configure(run: Path, url: str) -> None:
    asked = {
        "endpoint": url,
        "model": "fake",
        "api_key_env": "",
        "self_test": False,
        "flip_sample": 0,
    }
    asked |= {"retries": 0, "concurrency": 1, "max_unscored": 1.0}
    values = {"mode": "judge", "dataset": {"eval": "e.json"}, "model": "m", "judge": asked}
    (run / "config.yaml").write_text(yaml.safe_dump(values))


def test_only_failed_asks_again_for_what_failed_alone(run: Path) -> None:
    replies = iter([chat(scores()), error(401, "no"), chat(scores())])
    with serving(lambda _: next(replies)) as endpoint:
        configure(run, endpoint.url)
        assert main(["judge", str(run)]) == 0
    with serving(lambda _: chat(scores())) as endpoint:
        configure(run, endpoint.url)
        assert main(["judge", str(run), "--only-failed"]) == 0
        assert main(["judge", str(run), "--only-failed"]) == 0
    assert len(endpoint.requests) == 1
    rows = verdicts(run / "candidate" / "verdicts.jsonl")
    assert not any(row.unscored for row in rows.values())


def test_another_rubric_judges_the_stored_predictions_anew(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "support.yaml"
    other.write_text(yaml.safe_dump(RUBRIC))

    def handler(body: Body) -> Answer:
        polite = "politeness" in body["messages"][0]["content"]
        return chat('{"commentary": "Warm.", "politeness": 4}' if polite else scores(6))

    with serving(handler) as endpoint:
        configure(run, endpoint.url)
        assert main(["judge", str(run)]) == 0
        assert main(["judge", str(run), "--rubric", str(other)]) == 0
        assert len(endpoint.requests) == 6
        rows = verdicts(run / "candidate" / "verdicts.jsonl")
        assert [row.values for row in rows.values()] == [{"politeness": 4}] * 3
        summary = store.read_record(run / "candidate" / "judge.json", JudgeSummary)
        assert (summary.rubric, summary.verdicts) == ("support", 3)


def test_a_rubric_that_does_not_exist_is_one_line(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(run, "http://127.0.0.1:9/v1")
    assert main(["judge", str(run), "--rubric", "none.yaml"]) == 2
    assert "'none.yaml' is neither a built-in rubric nor a file" in capsys.readouterr().err
