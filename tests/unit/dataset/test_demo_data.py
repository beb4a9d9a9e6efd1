from __future__ import annotations

from pathlib import Path

from assay import demo
from assay.dataset import load
from tests.data import make_demo_data

DATA = Path(demo.__file__).parent / "data"


def test_files_are_what_the_script_makes(tmp_path: Path) -> None:
    make_demo_data.make(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in DATA.iterdir()}


def test_both_forms_of_the_evaluation_rows_are_the_same_samples() -> None:
    alpaca = load(f"{DATA}#smart_home_eval")
    assert alpaca == load(f"{DATA}#smart_home_eval_sharegpt")
    assert len(alpaca) == make_demo_data.EVAL_ROWS


def test_nothing_is_evaluated_that_was_trained_on() -> None:
    trained = {sample.messages[-1].content.lower() for sample in load(f"{DATA}#smart_home_train")}
    assert len(trained) == make_demo_data.TRAIN_ROWS
    held_out = {sample.messages[-1].content.lower() for sample in load(f"{DATA}#smart_home_eval")}
    assert not trained & held_out
