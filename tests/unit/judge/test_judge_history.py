"""Whatever was judged, changed, failed and killed before: each row is of the present judge, and
nothing that is complete is paid for twice."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from assay import store
from assay.judge import JudgeSettings, judge, judge_pairs, verdicts
from assay.judge.contract import Chat
from assay.judge.outcome import CallError, Reply
from assay.records import Message, Prediction, Sample, Verdict
from tests.faults.endpoint import scores
from tests.unit.judge.fake import settings_for
from tests.unit.judge.unpaid import answering

QUESTIONS = ("Q0", "Q0", "Q1", "Q1", "Q2")  # twins where their answers are the same
WHOLE = 1000
Content = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One `assay judge`: which judge, on which answers, and after how many new rows it is killed
    (WHOLE: not at all); the judge cuts what it says of the answers in `cut`."""

    model: str
    rubric: str
    answers: tuple[str, ...]
    most: int
    only_failed: bool
    max_tokens: int
    cut: frozenset[str]
    rows: int
    torn: bool

    @property
    def asked(self) -> JudgeSettings:
        return replace(
            settings_for("http://127.0.0.1:9/v1"),
            model=self.model,
            rubric=self.rubric,
            max_samples=self.most,
            max_tokens=self.max_tokens,
        )

    @property
    def contents(self) -> dict[str, Content]:
        """What the judge sees of each id."""
        judge = self.model, self.rubric
        pairs = zip(QUESTIONS, self.answers, strict=True)
        return {f"s{at}": (*judge, *pair) for at, pair in enumerate(pairs)}


STEPS = some.builds(
    Step,
    model=some.sampled_from(["m", "m2"]),
    rubric=some.sampled_from(["default-en", "default-zh"]),
    answers=some.tuples(*[some.sampled_from(["A0", "A1"])] * len(QUESTIONS)),
    most=some.sampled_from([0, 0, 0, 1, 3]),
    only_failed=some.booleans(),
    max_tokens=some.sampled_from([512, 4096]),
    cut=some.frozensets(some.sampled_from(["A0", "A1"])),
    rows=some.sampled_from([WHOLE, WHOLE, *range(7)]),
    torn=some.booleans(),
)


class Judging:
    """One run folder, judged step by step; `seen` is what the judge was asked about in a step."""

    def __init__(self, folder: Path, *, pairs: bool) -> None:
        self.folder, self.pairs = folder, pairs
        self.log = folder / ("pairs.jsonl" if pairs else "verdicts.jsonl")
        self.scored: set[Content] = set()
        self.contents: dict[str, Content] = {}
        self.step: Step | None = None

    def reply(self, asked: JudgeSettings, chat: Chat) -> Reply:
        text = chat[1]["content"]
        words = (re.findall(r"Q\d", text)[0], re.findall(r"A\d", text)[-1])
        rubric = "default-en" if chat[0]["content"].isascii() else "default-zh"
        content = (asked.model, rubric, *words)
        assert content not in self.scored, "paid for again"
        assert self.step
        if words[1] in self.step.cut:
            raise CallError("truncated", "cut", tokens=(9, 9), answered=True)
        choice = ("A", "B", "tie")[score_of(content) % 3]
        pair = '{"commentary": "So.", "better": "' + choice + '"}'
        return Reply(text=pair if self.pairs else scores(score_of(content)), tokens=(9, 9))

    def run(self, step: Step) -> None:
        self.step = step
        before = self.log.read_bytes() if self.log.exists() else b""
        self._write(step)
        samples, answers = self.folder / "dataset.jsonl", self.folder / "answers.jsonl"
        if self.pairs:
            files = samples, self.folder / "others.jsonl", answers
            judge_pairs(*files, self.log, step.asked, only_failed=step.only_failed)
        else:
            judge(samples, answers, self.log, step.asked, only_failed=step.only_failed)
        self._name(step)
        if step.rows < WHOLE:
            self._kill(before, step)
        rows = store.read_rows(self.log, Verdict) if self.log.exists() else ()
        self.scored = {self.contents[row.key] for row in rows if not row.unscored}

    def _write(self, step: Step) -> None:
        asked = [
            Sample(id=f"s{at}", messages=(Message(role="user", content=question),), target="")
            for at, question in enumerate(QUESTIONS)
        ]
        store.write_rows(self.folder / "dataset.jsonl", asked)
        given = [prediction(f"s{at}", answer) for at, answer in enumerate(step.answers)]
        store.write_rows(self.folder / "answers.jsonl", given)
        others = [prediction(row.id, "the other") for row in given]
        store.write_rows(self.folder / "others.jsonl", others)

    def _name(self, step: Step) -> None:
        """Learn what each key that is new is of, and see that every row that counts is true."""
        for id_, row in verdicts(self.log).items():
            content = self.contents.setdefault(row.key, step.contents[id_])
            assert content == step.contents[id_], "a row of another judge or answer counts"

    def _kill(self, before: bytes, step: Step) -> None:
        kept, new = before, self.log.read_bytes()[len(before) :].splitlines(keepends=True)
        kept += b"".join(new[: step.rows])
        self.log.write_bytes(kept + (new[step.rows][:9] if new[step.rows :] and step.torn else b""))


def score_of(content: Content) -> int:
    return 1 + sum(map(ord, "".join(content))) % 10


def prediction(id_: str, answer: str) -> Prediction:
    return Prediction(id=id_, output=answer, finish="stop", prompt_tokens=1, output_tokens=1)


@pytest.mark.parametrize("pairs", [False, True], ids=["scores", "pairs"])
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=some.lists(STEPS, min_size=1, max_size=6), last=STEPS)
def test_each_row_is_of_the_present_judge_and_nothing_is_paid_for_twice(
    pairs: bool, steps: list[Step], last: Step
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        judging = Judging(Path(folder), pairs=pairs)
        answering(patch, judging.reply)
        for step in steps:
            judging.run(step)
        whole = replace(last, most=0, only_failed=False, cut=frozenset(), rows=WHOLE)
        for _ in range(2):
            judging.run(whole)
            rows = verdicts(judging.log)
            assert rows.keys() == whole.contents.keys()
            assert not any(row.unscored for row in rows.values())
            if not pairs:
                given = {id_: row.values["overall"] for id_, row in rows.items()}
                assert given == {id_: score_of(of) for id_, of in whole.contents.items()}
