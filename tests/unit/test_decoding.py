"""What is said of how answers were decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from assay import decoding
from assay.records import Decoding, Generation

PLAIN = Generation(
    model="m",
    base_model="b",
    digest="d",
    template="t",
    dataset_hash="h",
    samples=1,
    seconds=1.0,
    settings={"do_sample": False, "temperature": 0.95},
    results={},
    versions={},
)


def decoded(used: Mapping[str, object], own: Mapping[str, object] | None = None) -> Generation:
    return replace(PLAIN, decoding=Decoding(used=used, not_obeyed=own or {}))


def test_what_a_models_file_asks_for_in_vain_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    own = {"do_sample": True, "min_new_tokens": 4, "suppress_tokens": list(range(99))}
    done = decoded({}, own)
    assert decoding.not_obeyed(done).startswith("do_sample: True, min_new_tokens: 4, suppress_")
    assert decoding.not_obeyed(done).endswith("…")
    assert len(decoding.not_obeyed(done)) < 150
    decoding.tell(done, "")
    said = capsys.readouterr().err
    assert said.startswith("generate: the model's generation_config.json is not obeyed (do_sample:")
    assert decoding.unasked(done).startswith("min_new_tokens: 4, suppress_tokens: [0, 1")


def test_nothing_is_said_of_a_run_from_before(capsys: pytest.CaptureFixture[str]) -> None:
    decoding.tell(PLAIN, "baseline")
    decoding.tell(decoded({}), "baseline")
    assert capsys.readouterr().err == ""
    assert decoding.not_obeyed(PLAIN) == ""
    assert decoding.unasked(PLAIN) == ""
    assert list(decoding.differences(PLAIN, decoded({"num_beams": 2}))) == []


def test_differences_are_those_of_what_is_chosen() -> None:
    one = decoded({"max_new_tokens": 8, "eos_token_id": [1], "pad_token_id": 0})
    other = decoded({"max_new_tokens": 9, "eos_token_id": [2], "min_p": 0.1})
    assert list(decoding.differences(one, other)) == [
        ("max_new_tokens", 8, 9),
        ("min_p", None, 0.1),
    ]
    assert list(decoding.differences(one, one)) == []
