"""Answers are taken where an earlier run gave them, given where not, and kept for the next run.

What answers stands in for the child process; the engine behind it is in end_to_end/.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import engine, hub, llamafactory, progress, resume, store
from assay import generate as generating
from assay.engine import parent, vllm
from assay.engine.vllm.weights import FOLDER
from assay.errors import MissingExtraError, SettingsError
from assay.folder import GENERATE_LOG, LIKELIHOOD, PREDICTIONS, RESULTS, SAMPLES
from assay.generate import GenerateSettings
from assay.llamafactory.job import DEVICE, JOB, SECONDS, GenerateJob
from assay.progress import Progress
from assay.records import Generation
from assay.report.history import identity
from assay.reuse import exchange
from tests.unit.reuse.kept import SAMPLES as ROWS
from tests.unit.reuse.kept import VERSIONS, prediction, write_adapter, write_loss, write_model

Answer = Callable[..., Generation]


@pytest.fixture(name="asked")
def count_questions(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Where the models were asked, each time one was."""
    asked: list[Path] = []

    def predict(_samples: Path, work: Path, *_: object) -> None:
        asked.append(work)
        words = f"Answer {len(asked)}."
        store.write_rows(work / PREDICTIONS, [prediction(row.id, words) for row in ROWS[::-1]])
        write_loss(work)
        store.write_json(work / SECONDS, 3.5)
        store.write_json(work / DEVICE, "cpu")
        (work / GENERATE_LOG).write_text("")

    monkeypatch.setattr(parent, "predict", predict)
    monkeypatch.setattr(exchange, "_device", lambda: "cpu")
    monkeypatch.setattr(llamafactory, "versions", lambda: VERSIONS)
    return asked


@pytest.fixture(name="answer")
def make_answer(tmp_path: Path, asked: list[Path]) -> Answer:
    """Answer with a model into a folder, with the cache that all runs of a test share."""
    store.write_rows(tmp_path / SAMPLES, ROWS)
    settings = GenerateSettings(template="qwen3", cache=str(tmp_path / "kept"))

    def answer(name: Path | str, folder: str, listen: Any = progress.ignore, **more: Any) -> Any:
        given = replace(settings, **more)
        out = tmp_path / folder
        return generating.generate(
            str(name), tmp_path / SAMPLES, out, given, side="baseline", listen=listen
        )

    return answer


def test_the_second_run_asks_no_model(tmp_path: Path, answer: Answer, asked: list[Path]) -> None:
    base, events = write_model(tmp_path / "base"), list[Progress]()
    first = answer(base, "first/baseline")
    second = answer(base, "second/baseline", events.append)
    assert len(asked) == 1
    assert first.origin is None
    assert "cache" not in first.settings, "it changes no answer"
    assert second.origin
    assert second.origin.place == str(tmp_path / "first/baseline")
    assert second.origin.made == first.finished
    assert (second.results, second.digest) == (first.results, first.digest)
    for name in (PREDICTIONS, RESULTS, LIKELIHOOD):
        files = [tmp_path / folder / "baseline" / name for folder in ("first", "second")]
        assert files[0].read_bytes() == files[1].read_bytes()
    [event] = events
    assert (event.stage, event.side, event.state) == ("generate", "baseline", "done")
    assert (event.done, event.total, event.unit) == (2, 2, "samples")
    assert event.note.startswith("predictions taken from the cache (made 20")


def test_a_finished_side_is_left_as_it_is(
    tmp_path: Path, answer: Answer, asked: list[Path]
) -> None:
    """Also one that was taken, and one that another run has kept meanwhile: a run stays itself."""
    base = write_model(tmp_path / "base")
    for folder in ("first", "second", "third"):
        done = answer(base, f"{folder}/baseline")
        before = identity(tmp_path / folder)
        assert answer(base, f"{folder}/baseline") == done
        assert identity(tmp_path / folder) == before
    assert len(asked) == 1
    assert len({identity(tmp_path / folder) for folder in ("first", "second", "third")}) == 3


def test_a_finished_side_needs_nothing_that_answers(
    tmp_path: Path, answer: Answer, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without torch goes on with a run that was answered elsewhere."""
    base = write_model(tmp_path / "base")
    done = answer(base, "run")

    def versions() -> dict[str, str]:
        raise MissingExtraError("torch", "finetune")

    monkeypatch.setattr(llamafactory, "versions", versions)
    assert answer(base, "run") == done
    with pytest.raises(MissingExtraError):
        answer(base, "another run")
    assert len(asked) == 1


def test_what_differs_is_asked(tmp_path: Path, answer: Answer, asked: list[Path]) -> None:
    base, other = write_model(tmp_path / "base"), write_model(tmp_path / "other", b"other")
    adapter = write_adapter(tmp_path / "adapter", str(base))
    answer(base, "first")
    answer(other, "of another")
    answer(adapter, "of an adapter")
    answer(base, "longer", max_new_tokens=99)
    answer(base, "sampled", do_sample=True)
    answer(base, "sampled otherwise", do_sample=True, seed=7)
    assert len(asked) == 6
    for name, more in ((base, {}), (adapter, {}), (base, {"do_sample": True, "seed": 7})):
        assert answer(name, f"again {len(more)} {name.name}", **more).origin
    assert len(asked) == 6


@pytest.mark.parametrize("cache", ["", "none"])
def test_without_a_cache_each_run_asks(
    tmp_path: Path, answer: Answer, asked: list[Path], cache: str
) -> None:
    base = write_model(tmp_path / "base")
    for number in range(2):
        assert answer(base, f"run {number}", cache=cache).origin is None
    assert len(asked) == 2
    assert not (tmp_path / "kept").exists()


def test_what_runs_code_of_its_own_is_asked_each_time(
    tmp_path: Path, answer: Answer, asked: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_model(tmp_path / "base")
    for number in range(2):
        done = answer(base, f"run {number}", llamafactory={"trust_remote_code": True})
        assert done.origin is None
    assert len(asked) == 2
    first, second = [line for line in capsys.readouterr().err.splitlines() if "kept" in line]
    assert first == second
    assert "baseline: the answers are not kept for other runs: trust_remote_code" in first


def test_a_hub_id_is_asked_once_for_each_commit(
    answer: Answer, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, commit in enumerate(("1" * 40, "2" * 40, "1" * 40)):
        monkeypatch.setattr(hub, "_found", lambda *_, now=commit: now)
        done = answer("org/base", f"run {number}")
        assert (done.model, done.digest) == (f"org/base@{commit}", commit)
        assert bool(done.origin) == (number == 2)
    assert len(asked) == 2


def test_taking_fetches_no_weights(
    bucket: str, tmp_path: Path, answer: Answer, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(write_model(tmp_path / "base"), f"{bucket}/base")
    first = answer(f"{bucket}/base", "first", cache=f"{bucket}/kept")
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "another machine"))
    second = answer(f"{bucket}/base", "second", cache=f"{bucket}/kept")
    assert second.origin
    assert second.digest == first.digest != ""
    assert not list((tmp_path / "another machine").rglob("*.safetensors"))
    assert len(asked) == 1


def test_an_interrupted_try_is_cleared_away_by_what_is_taken(
    tmp_path: Path, answer: Answer, asked: list[Path]
) -> None:
    base = write_model(tmp_path / "base")
    answer(base, "first")
    (tmp_path / "second" / "partial").mkdir(parents=True)
    assert answer(base, "second").origin
    assert not (tmp_path / "second" / "partial").exists()
    assert len(asked) == 1


def test_answers_of_other_versions_are_not_gone_on_with(
    tmp_path: Path, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what is kept as theirs would be half of them."""
    base, found = write_model(tmp_path / "base"), list[bool]()

    def die(_samples: Path, work: Path, *_: object) -> None:
        found.append((work / "half").exists())
        (work / "half").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(parent, "predict", die)
    for torch in ("3", "3", "3.1", "3.1"):
        monkeypatch.setattr(llamafactory, "versions", lambda torch=torch: {"torch": torch})
        with pytest.raises(KeyboardInterrupt):
            answer(base, "run")
    assert found == [False, True, False, True]


ANOTHER = """
def find(job):
    return [] if job.base_name else "it is away"

def versions():
    return {"another": "7"}
"""


@pytest.fixture(name="another")
def register_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine behind the usual one, which stands in for all."""
    (tmp_path / "another_engine.py").write_text(ANOTHER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(engine, "ENGINES", {**engine.ENGINES, "another": "another_engine"})


@pytest.mark.usefixtures("another")
def test_who_answers_is_said_and_recorded(
    tmp_path: Path, answer: Answer, asked: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_model(tmp_path / "base")
    usual = answer(base, "usual")
    other = answer(base, "other", engine="another")
    assert (usual.engine, other.engine) == ("transformers", "another")
    assert other.versions == {**VERSIONS, "another": "7"}
    assert usual.settings == other.settings, "who answers is no part of what is asked"
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"baseline: transformers answers (not vllm, {vllm.missing()})"
    assert second == "baseline: another answers (generate.engine asks for it)"
    assert len(asked) == 2, "an engine's answers are not another's, in the cache either"
    assert answer(base, "third", engine="another").origin
    # auto is whoever it was; another that is asked for answers anew where that is asked for, too
    assert answer(base, "other").engine == "another"
    with pytest.raises(SettingsError, match=r"2 answers of another generate\.engine: 'another'"):
        answer(base, "other", engine="transformers")
    with resume.anew():
        assert answer(base, "other", engine="transformers").engine == "transformers"


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("cached", [True, False])
def test_what_was_answered_is_not_dropped_for_other_settings(
    tmp_path: Path,
    answer: Answer,
    asked: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    *,
    finished: bool,
    cached: bool,
) -> None:
    base = write_model(tmp_path / "base")
    if cached:
        answer(base, "earlier", seed=7)

    def die(_samples: Path, work: Path, *_: object) -> None:
        store.write_rows(work / PREDICTIONS, [prediction("a", "One.")])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if not finished:
            patched.setattr(parent, "predict", die)
        with nullcontext() if finished else pytest.raises(KeyboardInterrupt):
            answer(base, "run", cache="none")
    count = len(asked)
    if cached and not finished:
        assert answer(base, "run", seed=7).origin
    else:
        with pytest.raises(SettingsError, match=r"answers of another generate.seed: 42, not 7\. "):
            answer(base, "run", seed=7)
    assert len(asked) == count
    with resume.anew() if cached else nullcontext():
        kept = answer(base, "run", cache="none")
    assert kept.settings["seed"] == 42
    if finished:
        assert len(asked) == count


@pytest.mark.usefixtures("another")
def test_answers_of_two_engines_do_not_mix(
    tmp_path: Path, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, jobs = write_model(tmp_path / "base"), list[str]()

    def die(_samples: Path, work: Path, *_: object) -> None:
        jobs.append(store.read_record(work / JOB, GenerateJob).engine)
        if len(jobs) > 1:
            store.write_rows(work / PREDICTIONS, [prediction("a", "One.")])
        raise KeyboardInterrupt

    monkeypatch.setattr(parent, "predict", die)
    # nothing is answered after the first, something by another after the second
    for name in ("transformers", "another", "another", "auto"):
        with pytest.raises(KeyboardInterrupt):
            answer(base, "run", engine=name)
    with pytest.raises(
        SettingsError, match=r"run holds 1 answers of another.* would mix"
    ) as refused:
        answer(base, "run", engine="transformers")
    assert refused.value.remedy == "Set generate.engine: another, or begin another run"
    assert jobs == ["transformers", "another", "another", "another"]
    # another question begins anew where that is asked for, whoever answers
    with pytest.raises(
        SettingsError, match=r"1 answers of another generate.seed: 42, not 7, generate.engine"
    ):
        answer(base, "run", engine="transformers", seed=7)
    with pytest.raises(KeyboardInterrupt), resume.anew():
        answer(base, "run", engine="transformers", seed=7)
    assert jobs[-1] == "transformers"


def test_a_place_that_can_be_none_is_refused_before_anything_is_asked(
    tmp_path: Path, answer: Answer, asked: list[Path]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"generate\.cache = .*file is a file"):
        answer(write_model(tmp_path / "base"), "run", cache=str(tmp_path / "file"))
    assert asked == []


def test_what_is_written_for_a_server_is_no_unfinished_work() -> None:
    """It may be as large as the model, and the next try writes it anew."""
    assert FOLDER in generating.UNFINISHED.without
