"""Who answers the prompts: each engine behind one protocol.

What a prompt is and how an answer is read is LLaMA-Factory's, whoever answers: an engine is given
token ids and gives token ids. A new one is a module that has `find`, and a line in ENGINES.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from assay.errors import SettingsError
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import Coder, Prompt, Written
from assay.settings import check_value

AUTO = "auto"
# An engine by its name -> its module. `find` there returns the engine, or why it cannot do a job
# or is not here. Where it has them, `unasked` says why it should not do a number of samples that
# nobody asked it for ("": it should), `missing` what it lacks on this machine, and `versions` of
# which packages its answers depend on beside LLaMA-Factory's; an engine's `note` is what has to be
# known of how it does the job. The first that can answers, and transformers always can.
ENGINES = {
    "vllm": "assay.engine.vllm",
    "transformers": "assay.engine.transformers",
    "endpoint": "assay.engine.endpoint",
}


class Engine(Protocol):
    """Answers prompts with the model and the decoding settings of one job."""

    def answer(
        self, coder: Coder, prompts: Iterable[Prompt]
    ) -> Iterator[Sequence[tuple[Prompt, Written]]]:
        """Yield each prompt, in any order, with the ids that the model wrote after it, up to and
        with the first that ends an answer (whatever stands after that is not looked at), or with
        why it could not be asked. What is yielded together is stored together, and never asked
        again."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The engine that answers, by its `name`, and `why` it is this one."""

    name: str
    why: str


def check(name: str) -> None:
    """Raise SettingsError where `name` is no engine's, nor auto."""
    check_value(name, (AUTO, *ENGINES), "generate.engine", "engine")


def check_here(name: str) -> None:
    """Raise SettingsError where the engine of this name is not on this machine."""
    missing = getattr(_module(name), "missing", str)() if name in ENGINES else ""
    if missing:
        raise _unable(name, missing)


def choose(asked: str, job: GenerateJob, samples: int) -> Choice:
    """Return who answers `samples` of a job: whom the setting asks for, or of auto the first that
    can and that so many are worth. Raises SettingsError where who is asked for cannot."""
    if asked != AUTO:
        find(replace(job, engine=asked))
        return Choice(name=asked, why=_with_note(asked, job, "generate.engine asks for it"))
    others = []
    for name in ENGINES:
        if why_not := _why_not(name, job, samples):
            others.append(f"not {name}, {why_not}")
        else:
            why = "; ".join(others) or "it is here, and can"
            return Choice(name=name, why=_with_note(name, job, why))
    raise SettingsError(f"nobody can answer: {'; '.join(others)}", "Set generate.engine")


def find(job: GenerateJob) -> Engine:
    """Return the engine that the job names. Raises SettingsError where it cannot do it."""
    engine: Engine | str = _module(job.engine).find(job)
    if isinstance(engine, str):
        raise _unable(job.engine, engine)
    return engine


def versions(name: str) -> dict[str, str]:
    """Return the versions that an engine's answers depend on beside LLaMA-Factory's."""
    own = getattr(_module(name), "versions", dict)
    return dict(own())


def _unable(name: str, why_not: str) -> SettingsError:
    return SettingsError(
        f"generate.engine = {name} cannot answer here: {why_not}",
        "Set generate.engine: auto, or give it what it needs",
    )


def _why_not(name: str, job: GenerateJob, samples: int) -> str:
    found = _module(name).find(job)
    if isinstance(found, str):
        return found
    unasked = getattr(_module(name), "unasked", None)
    return str(unasked(job, samples)) if unasked else ""


def _with_note(name: str, job: GenerateJob, why: str) -> str:
    note = getattr(_module(name).find(job), "note", "")
    return f"{why}; {note}" if note else why


def _module(name: str) -> Any:
    return importlib.import_module(ENGINES[name])
