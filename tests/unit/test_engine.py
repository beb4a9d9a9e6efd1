"""An engine is one module and one line: the first that can do a job answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assay import engine
from assay.engine import Choice, transformers, vllm
from assay.engine.transformers import Transformers
from assay.errors import SettingsError
from assay.llamafactory.prompts import Prompt
from tests.jobs import JOB

OWN = """
def find(job):
    return ["own"] if job.adapter else "it has no adapter"
"""


@pytest.fixture(name="own")
def register_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put an engine that can only do adapters before the others."""
    (tmp_path / "own_engine_of_adapters.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(engine, "ENGINES", {"own": "own_engine_of_adapters", **engine.ENGINES})
    yield
    sys.modules.pop("own_engine_of_adapters", None)


def test_transformers_answers_whatever_else_there_is_not() -> None:
    assert engine.find(JOB) == Transformers(job=JOB)


WITH_ADAPTER = replace(JOB, adapter="adapter")


@pytest.mark.usefixtures("own")
def test_the_first_engine_that_can_do_the_job_answers() -> None:
    refused, missing = engine.choose("auto", JOB, 9), f"not vllm, {vllm.missing()}"
    assert refused == Choice(name="transformers", why=f"not own, it has no adapter; {missing}")
    assert engine.choose("auto", WITH_ADAPTER, 9).name == "own"
    assert engine.find(replace(WITH_ADAPTER, engine="own")) == ["own"]  # type: ignore[comparison-overlap]


@pytest.mark.usefixtures("own")
def test_an_engine_that_is_asked_for_answers_or_says_why_not() -> None:
    assert engine.choose("transformers", WITH_ADAPTER, 9).name == "transformers"
    assert engine.choose("own", WITH_ADAPTER, 9) == Choice(
        name="own", why="generate.engine asks for it"
    )
    for attempt in (engine.choose, lambda _name, job, _samples: engine.find(job)):
        with pytest.raises(SettingsError, match="engine = own cannot answer here: it has no adap"):
            attempt("own", replace(JOB, engine="own"), 9)


def test_an_engine_is_taken_unasked_where_so_many_samples_are_worth_it(
    own: None, tmp_path: Path
) -> None:
    few = "\ndef unasked(job, samples):\n    return '' if samples > 9 else 'too few'\n"
    versions = "\ndef versions():\n    return {'own': '1'}\n"
    (tmp_path / "own_engine_of_adapters.py").write_text(OWN + few + versions)
    sys.modules.pop("own_engine_of_adapters", None)
    assert engine.choose("auto", WITH_ADAPTER, 9).why.startswith("not own, too few; not vllm, ")
    assert [engine.choose("auto", WITH_ADAPTER, 10).name, engine.versions("own")] == [
        "own",
        {"own": "1"},
    ]
    assert engine.choose("own", WITH_ADAPTER, 9).name == "own"
    assert engine.versions("transformers") == {}


def test_an_engine_that_is_not_here_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(SettingsError, match=r"engine = vllm cannot answer here: .*no vLLM"):
        engine.check_here("vllm")
    for name in ("auto", "transformers"):
        engine.check_here(name)


def test_a_name_of_none_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"engine = 'transformer' is no engine.*transformers"):
        engine.check("transformer")
    engine.check("auto")


def test_what_leaves_no_place_for_an_answer_is_asked_of_no_model() -> None:
    """An empty prompt, and those that fill the context; without one that fits nothing is loaded."""
    lengths = {"none": 0, "all": 64, "more": 99}
    batch = [
        Prompt(id=name, tokens=[7] * length, truncated=False, calls=False, wanted=None)
        for name, length in lengths.items()
    ]
    answered = transformers._answered(None, batch, {}, 64, lambda _tokens: 0)
    found = {prompt.id: cause for batch in answered for prompt, cause in batch}
    assert found == {"none": "empty_prompt", "all": "prompt_too_long", "more": "prompt_too_long"}
