"""Equal weights give equal answers, whatever generation_config.json lies beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.generate import GenerateSettings, generate
from assay.llamafactory.generation_config import _own
from assay.records import Generation, Message, Prediction, Sample
from tests.end_to_end.two_layers import cut

OWN = {
    "no_repeat_ngram_size": 1,
    "min_new_tokens": 9,
    "suppress_tokens": list(range(20, 60)),
    "do_sample": True,
    "temperature": 0.6,
    "repetition_penalty": 1.3,
    "eos_token_id": [0, 2],
}
ROOMS = ("nursery", "hall", "attic", "study")


@pytest.fixture(name="sides", scope="module")
def answer_with_both(
    smollm2: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[list[Prediction], Generation]]:
    """The answers of one model, plain and beside a file of its own that asks for much."""
    folder = tmp_path_factory.mktemp("decoding")
    plain = cut(smollm2, folder / "plain")
    own = Path(shutil.copytree(plain, folder / "own"))
    (own / "generation_config.json").write_text(json.dumps(OWN))
    rows = [
        Sample(
            id=room, messages=(Message(role="user", content=f"Where is the {room}?"),), target="?"
        )
        for room in ROOMS
    ]
    store.write_rows(folder / "dataset.jsonl", rows)
    settings = GenerateSettings(
        template=TEMPLATE, max_new_tokens=16, cutoff_len=128, evaluate_loss=False
    )
    sides = {}
    for model in (plain, own):
        out = folder / f"{model.name}-out"
        done = generate(str(model), folder / "dataset.jsonl", out, settings)
        sides[model.name] = (list(store.read_rows(out / "predictions.jsonl", Prediction)), done)
    return sides


def test_a_models_own_file_changes_no_answer(sides: Any) -> None:
    assert sides["own"][0] == sides["plain"][0]


def test_the_decoding_is_recorded_whole_with_what_was_not_obeyed(sides: Any) -> None:
    plain, own = (sides[name][1].decoding for name in ("plain", "own"))
    assert own.used == plain.used
    assert plain.not_obeyed == {}
    assert own.not_obeyed == {name: OWN[name] for name in sorted(OWN) if name != "eos_token_id"}
    expected = {
        "do_sample": False,
        "max_new_tokens": 16,
        "no_repeat_ngram_size": 0,
        "num_beams": 1,
        "repetition_penalty": 1.0,
    }
    assert expected.items() <= own.used.items()


@pytest.mark.parametrize(
    ("own", "config", "expected"),
    [
        ({"min_new_tokens": 5, "chat_format": "x"}, {}, {"min_new_tokens": 5, "chat_format": "x"}),
        (None, {"no_repeat_ngram_size": 3}, {"no_repeat_ngram_size": 3}),  # as older models have it
        (None, {}, {}),
    ],
)
def test_a_models_own_wishes_are_read_as_it_is_loaded(
    smollm2: Path, tmp_path: Path, own: Any, config: dict[str, Any], expected: dict[str, Any]
) -> None:
    held = json.loads((smollm2 / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(held | config))
    if own is not None:
        (tmp_path / "generation_config.json").write_text(json.dumps(own))
    where = {"cache_dir": None, "model_revision": "main", "hf_hub_token": None}
    read = _own(SimpleNamespace(model_name_or_path=str(tmp_path), **where))
    names = expected.keys() | {"min_new_tokens", "no_repeat_ngram_size"}
    assert {name: read[name] for name in names if read.get(name) is not None} == expected
