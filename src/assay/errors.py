"""Everything Assay raises on purpose.

AssayError
├── InputError            the user can fix it: exit code 2, one line, no traceback
│   ├── ProblemsError     several at once, a line for each
│   ├── SettingsError     an unknown, mistyped or impossible setting
│   ├── DatasetError      a file or row that is not a usable dataset
│   ├── ModelError        a model directory that is not what it should be
│   ├── JudgeError        an endpoint, key or rubric that cannot give a verdict
│   ├── StoreError        an address, credential or disk that artifacts cannot go to or come from
│   │   └── InUseError    another process works on the same folder
│   ├── KfpError          Kubeflow Pipelines cannot be reached, or refuses
│   └── MissingExtraError an optional dependency is not installed
├── StageError            a stage failed while it ran: exit code 1, what was done is kept
│   ├── StoreUnavailableError  a store that had answered was away for longer than it is waited for
│   └── UnsentError       a store does not take a result, which is kept elsewhere
└── GateError             the gate did not say GO: exit code 1 for NO_GO, 3 for INCONCLUSIVE
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from assay import exits
from assay.text import flat, indented


class AssayError(Exception):
    """What failed, and what to do about it.

    `what` names the file, row or value; `remedy` is an instruction. Neither ever holds a secret,
    nor anything that a terminal would obey, and neither can pass for another line of the output.
    """

    exit_code = exits.FAILED

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what = indented(what)
        self.remedy = flat(remedy)

    def __str__(self) -> str:
        return f"{self.what}. {self.remedy}" if self.remedy else self.what


class InputError(AssayError):
    """The user's input cannot be used as it is: one line."""

    exit_code = exits.REFUSED

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what = flat(what)


class ProblemsError(InputError):
    """Several things that the user can mend, a line for each."""

    def __init__(self, errors: Sequence[InputError]) -> None:
        super().__init__("")
        self.what = "\n".join(map(str, errors))


class SettingsError(InputError):
    """A setting is unknown, of the wrong type or out of range."""


class DatasetError(InputError):
    """A dataset file or one of its rows cannot be used."""


class StoreError(InputError):
    """A store or disk cannot be read or written: address, credentials, certificate or room."""


class InUseError(StoreError):
    """Another process works on the folder, and two at once would pay twice."""


class ModelError(InputError):
    """A model directory is missing, incomplete or not the one it claims to be."""


class JudgeError(InputError):
    """The judge cannot give a verdict: endpoint, key, model or rubric."""


class KfpError(InputError):
    """Kubeflow Pipelines cannot be reached or refuses; `status` is its HTTP status, 0 where it
    gave none."""

    def __init__(self, what: str, remedy: str = "", status: int = 0) -> None:
        super().__init__(what, remedy)
        self.status = status


class MissingExtraError(InputError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed", f"pip install 'assay[{extra}]'")


class StageError(AssayError):
    """A stage failed while it ran; everything that it had finished is kept."""


class StoreUnavailableError(StageError):
    """A store that is known to be the right one does not answer, for longer than it is waited for:
    the same again may succeed."""


class UnsentError(StageError):
    """What was computed or paid for is not where it belongs, since the store does not take it: it
    is kept where the message says, and the same again sends it."""


class GateError(AssayError):
    """The gate did not let a candidate pass."""

    def __init__(self, what: str, remedy: str = "", *, exit_code: int = exits.FAILED) -> None:
        super().__init__(what, remedy)
        self.exit_code = exit_code


class Problems:
    """Gathers what several checks find, so that the user can mend all of it at once."""

    def __init__(self) -> None:
        self._errors: list[InputError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note an InputError of the body, once where several say the same, and go on after it."""
        try:
            yield
        except InputError as error:
            if str(error) not in map(str, self._errors):
                self._errors.append(error)

    @property
    def any(self) -> bool:
        """Return whether something was noted."""
        return bool(self._errors)

    def note(self, *checks: Callable[[], object]) -> None:
        """Make all the checks and note what they raise."""
        for check in checks:
            with self.noted():
                check()

    def check(self) -> None:
        """Raise what was noted: an InputError, a ProblemsError where there are several."""
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise ProblemsError(self._errors)


def raise_all(found: Iterable[InputError]) -> None:
    """Raise what was found: an InputError, a ProblemsError where there are several."""
    problems = Problems()
    for error in found:
        with problems.noted():
            raise error
    problems.check()


def check_all(*checks: Callable[[], object]) -> None:
    """Make all the checks and raise what they raise: an InputError, a ProblemsError where there
    are several."""
    problems = Problems()
    problems.note(*checks)
    problems.check()
