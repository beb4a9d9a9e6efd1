import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import assay.report
from assay import store
from assay.errors import InputError
from assay.records import MetricSpec
from assay.report import report
from assay.report import run as reading
from assay.report.glossary import specs_of

DATA = Path(__file__).parents[2] / "data" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


def schema() -> Any:
    return store.read_json(Path(assay.report.__file__).parent / "schema.json")


def edit_rows(path: Path, change: Any) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in change(rows)))


def edit_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def outputs(run: Path) -> dict[str, bytes]:
    names = ("metrics.json", "report.json", "report.md", "report.html")
    return {name: (run / name).read_bytes() for name in names}


def test_the_four_files_hold_the_same_numbers(run: Path) -> None:
    report(run)
    document = store.read_json(run / "report.json")
    metrics = store.read_json(run / "metrics.json")
    listed = {(metric["name"], metric["side"]): metric for metric in metrics["metrics"]}
    differences = {comparison["name"]: comparison for comparison in metrics["comparisons"]}
    pages = [(run / name).read_text() for name in ("report.md", "report.html")]
    assert len(document["summary"]) == 25
    for row in document["summary"]:
        assert row["baseline"] == listed[row["name"], "baseline"]
        assert row["candidate"] == listed[row["name"], "candidate"]
        assert row["comparison"] == differences.get(row["name"])
        digits = 4 if row["kind"] == "likelihood" and row["candidate"]["value"] < 10 else 2
        for page in pages:
            assert f"{row['candidate']['value']:.{digits}f}" in page


def test_a_mean_is_the_mean_of_the_rows(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "candidate/scores.jsonl").read_text().splitlines()]
    expected = sum(row["values"]["bleu-4"] for row in rows) / len(rows)
    (row,) = [row for row in report(run).summary if row.name == "bleu-4"]
    assert row.candidate is not None
    assert row.candidate.value == pytest.approx(expected)


def test_the_same_folder_gives_the_same_files(run: Path) -> None:
    report(run)
    first = outputs(run)
    report(run)
    assert outputs(run) == first


def test_the_json_follows_the_published_schema(run: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    report(run)
    jsonschema.validate(store.read_json(run / "report.json"), schema())


def test_the_schema_names_every_field(run: Path) -> None:
    document = schema()
    assert set(document["properties"]) == set(report(run).__dataclass_fields__)
    for definition in document["$defs"].values():
        assert definition["additionalProperties"] is False
        assert set(definition["required"]) == set(definition["properties"])
        assert definition["description"]


def test_without_a_baseline_the_candidate_stands_alone(run: Path) -> None:
    shutil.rmtree(run / "baseline")
    written = report(run)
    assert written.conclusion.tone == "alone"
    assert written.conclusion.detail.startswith("Overall: 8.83 (95% interval 7.47 to 9.70).")
    assert "Few samples: 24. The intervals are wide." in [c.text for c in written.cautions]
    assert [side.side for side in written.sides] == ["candidate"]
    assert written.regressions == ()
    assert all(row.baseline is None and row.comparison is None for row in written.summary)
    jsonschema.validate(store.read_json(run / "report.json"), schema())


@pytest.mark.parametrize(
    ("gone", "kinds"),
    [
        ("verdicts.jsonl", {"similarity", "likelihood", "diagnostic"}),
        ("scores.jsonl", {"judge", "likelihood"}),
    ],
)
def test_each_mode_alone_makes_a_report(run: Path, gone: str, kinds: set[str]) -> None:
    for side in ("baseline", "candidate"):
        (run / side / gone).unlink()
        if gone == "scores.jsonl":
            (run / side / "totals.jsonl").unlink()
    written = report(run)
    assert {row.kind for row in written.summary} == kinds
    assert written.focus == ("rouge-l" if gone == "verdicts.jsonl" else "overall")
    jsonschema.validate(store.read_json(run / "report.json"), schema())


def test_a_plain_evaluation_of_a_foreign_model_makes_a_report(run: Path) -> None:
    shutil.rmtree(run / "baseline")
    shutil.rmtree(run / "model")
    (run / "config.yaml").unlink()
    written = report(run, title="Nightly")
    assert (written.title, written.training) == ("Nightly", None)
    assert written.provenance["model"] is None


def test_a_sample_that_one_side_lacks_is_counted_not_compared(run: Path) -> None:
    for name in ("predictions", "scores", "verdicts"):
        edit_rows(run / f"baseline/{name}.jsonl", lambda rows: rows[1:])
    written = report(run)
    (row,) = [row for row in written.summary if row.name == "bleu-4"]
    assert row.comparison is not None
    assert row.baseline is not None
    assert (row.comparison.n, row.baseline.n) == (23, 23)
    assert row.baseline.unscored == {"not_scored": 1}
    assert written.examples[0].baseline is None
    assert "The baseline has no answer to 1 samples." in [c.text for c in written.cautions]


@pytest.mark.parametrize("name", ["dataset.jsonl", "candidate/predictions.jsonl"])
def test_a_missing_file_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(InputError, match=f"{name} does not exist"):
        report(run)


@pytest.mark.parametrize("side", ["baseline", "candidate"])
def test_a_side_that_is_not_complete_is_named(run: Path, side: str) -> None:
    (run / side / "generation.json").unlink()
    with pytest.raises(InputError, match=f"{side}/generation.json does not exist"):
        report(run)


def test_a_side_without_any_score_is_named(run: Path) -> None:
    (run / "candidate/scores.jsonl").unlink()
    (run / "candidate/verdicts.jsonl").unlink()
    with pytest.raises(InputError, match=r"neither scores\.jsonl nor verdicts\.jsonl"):
        report(run)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run folder"):
        report(tmp_path / "nothing")


def test_an_empty_dataset_is_refused(run: Path) -> None:
    (run / "dataset.jsonl").write_text("")
    with pytest.raises(InputError, match=r"dataset\.jsonl is empty"):
        report(run)


@pytest.mark.parametrize("name", ["predictions", "scores", "verdicts"])
def test_a_row_without_its_sample_is_named(run: Path, name: str) -> None:
    path = run / "candidate" / f"{name}.jsonl"
    edit_rows(path, lambda rows: [*rows, rows[0] | {"id": "stranger"}])
    with pytest.raises(InputError, match=f"{name}.jsonl:25: id=stranger is not in dataset.jsonl"):
        report(run)


@pytest.mark.parametrize("name", ["dataset.jsonl", "candidate/predictions.jsonl"])
def test_an_id_twice_is_named(run: Path, name: str) -> None:
    edit_rows(run / name, lambda rows: [*rows, rows[0]])
    with pytest.raises(InputError, match=f"{name}:25: id=house-001 is there twice"):
        report(run)


def test_a_score_without_its_prediction_is_named(run: Path) -> None:
    edit_rows(run / "candidate/predictions.jsonl", lambda rows: rows[1:])
    with pytest.raises(InputError, match="id=house-001 has a score and no prediction"):
        report(run)


@pytest.mark.parametrize(
    ("metric", "value"), [("bleu-4", 101.0), ("exact-match", 1e9), ("empty", -1.0)]
)
def test_a_score_off_its_scale_is_named_and_decides_nothing(
    metric: str, value: float, run: Path
) -> None:
    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, "values": {**row["values"], metric: value}} for row in rows]

    edit_rows(run / "candidate/scores.jsonl", change)
    told = rf"candidate/scores\.jsonl: a score of {metric} is .* not between 0 and 100"
    with pytest.raises(InputError, match=told):
        report(run)


def test_a_config_that_is_no_mapping_is_named(run: Path) -> None:
    (run / "config.yaml").write_text("- one\n- two\n")
    with pytest.raises(InputError, match=r"config\.yaml is not a mapping"):
        report(run)


def test_nothing_is_written_where_the_run_cannot_be_read(run: Path) -> None:
    (run / "baseline/generation.json").write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        report(run)
    assert not list(run.glob("report.*"))


def test_text_without_unicode_reaches_every_file_as_unicode(run: Path) -> None:
    edit_rows(
        run / "candidate/predictions.jsonl",
        lambda rows: [rows[0] | {"output": "cut \ud83d here"}, *rows[1:]],
    )
    assert "\\ud83d" in (run / "candidate/predictions.jsonl").read_text()
    report(run)
    for content in outputs(run).values():
        content.decode()
    document = store.read_json(run / "report.json")
    assert document["examples"][0]["candidate"]["output"] == "cut \ufffd here"


def test_numbers_that_json_lacks_are_left_out(run: Path) -> None:
    generation = json.loads((run / "candidate/generation.json").read_text())
    edit_json(run / "candidate/generation.json", results=generation["results"] | {"odd": 1e400})
    report(run)
    assert store.read_json(run / "report.json")["provenance"]["candidate"]["results"]["odd"] is None


def test_the_last_verdict_of_an_id_counts_and_every_one_is_paid(run: Path) -> None:
    path = run / "candidate/verdicts.jsonl"
    before = report(run).sides[1]
    again = {"values": {"overall": 1}, "commentary": "Judged again."}
    edit_rows(path, lambda rows: [*rows, rows[0] | again])
    written = report(run)
    assert written.examples[0].candidate is not None
    assert written.examples[0].candidate.scores["overall"] == 1
    assert "quality" not in written.examples[0].candidate.scores
    assert written.examples[0].candidate.commentary == "Judged again."
    assert written.sides[1].judge_attempts == before.judge_attempts + 1
    assert written.sides[1].commentaries == before.commentaries


def test_corpus_totals_are_shown_with_their_signature(run: Path) -> None:
    totals = (run / "candidate/totals.jsonl").read_text().splitlines()
    expected = {total["name"]: total for total in map(json.loads, totals)}
    rows = {row.name: row for row in report(run).summary if row.name in expected}
    assert len(rows) == 3
    for name, row in rows.items():
        assert row.candidate is not None
        assert (row.candidate.value, row.candidate.low) == (expected[name]["value"], None)
        assert (row.comparison, row.outcome) == (None, "no interval")
        assert expected[name]["signature"] in row.meaning


def test_a_metric_that_nobody_knows_is_shown_as_the_users_own(run: Path) -> None:
    for side in ("baseline", "candidate"):
        edit_rows(
            run / side / "scores.jsonl",
            lambda rows: [row | {"values": {"my-metric": 0.5, "bleu-4": 1.0}} for row in rows],
        )
    (row,) = [row for row in report(run).summary if row.name == "my-metric"]
    assert (row.kind, row.scale, row.direction) == ("own", None, "unknown")
    assert "Metrics of your own" in (run / "report.html").read_text()


def test_what_a_runs_metrics_are_is_read_with_the_run(run: Path) -> None:
    specs = run / "candidate" / "specs.jsonl"
    store.write_rows(specs, [MetricSpec(name="my-metric", direction="lower", scale=(0, 4))])
    evaluated = reading.read(run)
    specs.unlink()
    assert specs_of(evaluated)["my-metric"].direction == "lower"
    assert "my-metric" not in specs_of(reading.read(run))


def test_a_rubrics_own_dimension_is_the_judges(run: Path) -> None:
    for side in ("baseline", "candidate"):
        edit_rows(
            run / side / "verdicts.jsonl",
            lambda rows: [row | {"values": {"tone": 5}, "unscored": {}} for row in rows],
        )
    written = report(run)
    (row,) = [row for row in written.summary if row.name == "tone"]
    assert (row.kind, row.scale) == ("judge", (1.0, 10.0))
    assert written.histograms["tone"]["candidate"][4] == 24
