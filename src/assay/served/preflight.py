"""Before anything is spent: does this endpoint answer for the model at all?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from assay import store
from assay.errors import ModelError
from assay.generate import GenerateSettings
from assay.judge.causes import CONTENT_FILTER, NOT_FOUND, OVERFLOW
from assay.judge.session import Caller
from assay.records import Message, Sample
from assay.served import chat
from assay.served.client import Answering, asked_as, check_settings
from assay.served.cut import silently_cut
from assay.served.log import AskedRow
from assay.served.naming import is_same
from assay.served.settings import ServedModel
from assay.served.sitting import ask
from assay.served.wording import of_model, remedy, told
from assay.text import flat

LONGEST_S = 60.0
OF_A_SAMPLE = (OVERFLOW, CONTENT_FILTER, "refused")

_PLAIN = Sample(
    id="preflight",
    messages=(Message(role="user", content="What is the capital of France?"),),
    target="Paris",
)


def check(
    model: ServedModel, settings: GenerateSettings, where: str, samples: Path | None = None
) -> None:
    """Have the endpoint answer the longest of the `samples` (dataset.jsonl), or where there are
    none yet a fixed one. Raises InputError with the remedy where it does not; what only that one
    sample is refused for is a line, as it will be a failed row."""
    check_settings(model, settings, where)
    quick = replace(
        model,
        retries=min(model.retries, 2),
        max_wait_s=min(model.max_wait_s, LONGEST_S),
        outage_s=0.0,  # now it may also be the address that is wrong
    )
    print(flat(f"asking {model} for an answer"), flush=True)
    row, models = asyncio.run(_try(quick, settings, where, _longest(samples)))
    if row.failed in OF_A_SAMPLE and samples:
        told_row = f"id={row.prediction.id} gets no answer: {row.failed}: {row.detail}"
        row, models = asyncio.run(_try(quick, settings, where, _PLAIN))
        print(flat(told_row), flush=True)
    if row.failed:
        raise _error(model, settings, where, row, models)
    if row.model and not is_same(model.name, row.model):
        print(flat(f"{model} says that {row.model} answered"), flush=True)
    answer = row.prediction
    if answer.finish == "length" and 0 < answer.output_tokens < settings.max_new_tokens - 1:
        print(flat(_told_of_limit(row, settings)), flush=True)
    if any(silently_cut([(row.sent, row.prediction.prompt_tokens)])):
        print(flat(_told_of_cut(row)), flush=True)


def _told_of_limit(row: AskedRow, settings: GenerateSettings) -> str:
    return (
        f"the answer to id={row.prediction.id} was cut at {row.prediction.output_tokens:,} tokens, "
        f"before generate.max_new_tokens ({settings.max_new_tokens:,}): the endpoint has a lower "
        "limit of its own, or its context ends there"
    )


def _told_of_cut(row: AskedRow) -> str:
    return (
        f"id={row.prediction.id} has {row.sent:,} bytes, and the endpoint counts "
        f"{row.prediction.prompt_tokens:,} tokens: it cuts prompts without saying so. Serve the "
        "model with a longer context"
    )


def _longest(samples: Path | None) -> Sample:
    rows = store.read_rows(samples, Sample) if samples else iter([_PLAIN])
    return max(rows, key=lambda row: chat.size(chat.messages(row), chat.tools(row)), default=_PLAIN)


async def _try(
    model: ServedModel, settings: GenerateSettings, where: str, sample: Sample
) -> tuple[AskedRow, Sequence[str]]:
    """Return what comes of a sample, and where the model is not known, those that are served."""
    with of_model(where):
        endpoint = Answering(asked_as(model, settings), settings)
    async with Caller(endpoint) as caller:
        row = await ask(caller, sample)
        return row, await endpoint.models() if row.failed == NOT_FOUND else []


def _error(
    model: ServedModel, settings: GenerateSettings, where: str, row: AskedRow, models: Sequence[str]
) -> ModelError:
    asked = asked_as(model, settings)
    detail = told(row.detail, where)
    what = remedy(asked, where, row.failed, row.detail, models)
    if models and model.name not in models:
        return ModelError(
            f"{where}: the endpoint {model.endpoint} serves no model {model.name!r}: {detail}", what
        )
    return ModelError(
        f"{where}: {model} gives no answer: {row.failed}: {detail} (sample {row.prediction.id})",
        what,
    )
