"""KFP's own retries of a task: what they are for, and what they are not."""

from __future__ import annotations

import pytest

from assay import store, task, tries
from assay.errors import (
    AssayError,
    InputError,
    ProblemsError,
    StageError,
    StoreUnavailableError,
    UnsentError,
)

STAYS: dict[str, AssayError] = {
    "bad input": InputError("row 3 has no answer", "Correct it"),
    "several": ProblemsError([InputError("row 3 has no answer"), InputError("row 4 is empty")]),
    "a failed stage": StageError("the loss is NaN at step 4", "Lower the learning rate"),
}
PASSES: dict[str, BaseException] = {
    "a store that was away": StoreUnavailableError("the store was away for 600 s", "Try again"),
    "a result that was not taken": UnsentError("the bucket is read-only", "Run it again"),
    "a signal": KeyboardInterrupt(),
}


class Work:
    """Something that a task does, which fails each time that it is done."""

    def __init__(self, uri: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
        self.uri, self.error, self.done = uri, error, 0
        self._environment = monkeypatch

    def tried(self, number: str | None) -> int:
        """Do it as KFP's try of this number, and return how often it was done so far."""
        self._environment.delenv(tries.NUMBER, raising=False)
        if number is not None:
            self._environment.setenv(tries.NUMBER, number)
        with pytest.raises((SystemExit, KeyboardInterrupt)) as ended:
            self._do()
        if isinstance(self.error, AssayError):
            assert ended.value.args == (self.error.exit_code,)
        return self.done

    def _do(self) -> None:
        with task.running(place=self.uri):
            self.done += 1
            raise self.error


@pytest.mark.parametrize("error", STAYS.values(), ids=STAYS)
def test_what_would_fail_again_is_done_once(
    bucket: str,
    error: AssayError,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Its last try tells the same error in the same words, with the same exit code."""
    work = Work(f"{bucket}/run/task/model", error, monkeypatch)
    assert [work.tried(number) for number in ("0", "1", "2")] == [1, 1, 1]
    told = capfd.readouterr().err
    assert told.count(f"assay: {error}\n") == 3


@pytest.mark.parametrize("error", STAYS.values(), ids=STAYS)
def test_a_person_may_have_it_done_again(
    bucket: str, error: AssayError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retry in KFP counts from nothing, and then nothing of before is left."""
    work = Work(f"{bucket}/run/task/model", error, monkeypatch)
    assert [work.tried(number) for number in ("0", "1", "0", "1")] == [1, 1, 2, 2]
    monkeypatch.setenv(tries.NUMBER, "0")
    with task.running(place=work.uri):
        pass
    assert not store.exists(f"{work.uri}{tries.SUFFIX}")


@pytest.mark.parametrize("error", PASSES.values(), ids=PASSES)
def test_what_may_succeed_is_done_again(
    bucket: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(f"{bucket}/run/task/model", error, monkeypatch)
    assert [work.tried(number) for number in ("0", "1", "2")] == [1, 2, 3]


@pytest.mark.parametrize("place", ["", "/a/path", "minio://assay-no-such-bucket/model"])
def test_where_nothing_can_be_kept_each_try_is_one(
    place: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locally, and where the pod of the task has no keys."""
    work = Work(place, InputError("row 3 has no answer"), monkeypatch)
    assert [work.tried(number) for number in ("0", "1", None)] == [1, 2, 3]
