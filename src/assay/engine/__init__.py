"""Who answers the prompts: each engine behind one protocol.

What a prompt is and how an answer is read is LLaMA-Factory's, whoever answers: an engine is given
token ids and gives token ids. A new one is a module that has `find`, and a line in ENGINES.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Protocol

from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import Coder, Prompt
from assay.records import Failure

# An engine by its name -> the module whose `find` returns it, or None for a job that it cannot do
# or where it is not installed. The first that can answers; the last one always can.
ENGINES = {"transformers": "assay.engine.transformers"}


class Engine(Protocol):
    """Answers prompts with the model and the decoding settings of one job."""

    def answer(
        self, coder: Coder, prompts: Sequence[Prompt]
    ) -> Iterator[Sequence[tuple[Prompt, list[int] | Failure]]]:
        """Yield each prompt, in any order, with the ids that the model wrote after it, up to and
        with the first that ends an answer; whatever stands after that is not looked at. A prompt
        that could not be answered has the cause instead. What is yielded together is stored
        together, and never asked again."""


def find(job: GenerateJob) -> Engine:
    """Return the first engine that can do `job`."""
    return _first(job)[1]


def name(job: GenerateJob) -> str:
    """Return the name of the first engine that can do `job`."""
    return _first(job)[0]


def _first(job: GenerateJob) -> tuple[str, Engine]:
    able = ((name, importlib.import_module(module).find(job)) for name, module in ENGINES.items())
    return next((name, engine) for name, engine in able if engine)
