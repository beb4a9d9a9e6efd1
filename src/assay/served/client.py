"""The judge's client, asking a model for answers: greedy and seeded unless it is to be sampled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assay.engine import AUTO
from assay.engine.endpoint import NAME
from assay.errors import SettingsError
from assay.generate import GenerateSettings
from assay.judge import JudgeSettings, check_access, learned
from assay.judge.access import MODEL_VARIABLES
from assay.judge.contract import Chat
from assay.judge.dialect import REFUSALS, Dialect
from assay.judge.endpoint import Endpoint
from assay.judge.refusal import Refusal
from assay.judge.wordings import unquoted
from assay.served.answer import ModelReply, answer_in
from assay.served.settings import ServedModel
from assay.served.wording import of_model

OPTIONAL = ("seed", "top_p")
_LOCAL = {"repetition_penalty": 1.0}


class Answering(Endpoint):
    """An endpoint that is asked for a model's answers, with the decoding of `generate`. What of
    OPTIONAL it refuses is left out from then on."""

    def __init__(self, asked: JudgeSettings, decoding: GenerateSettings) -> None:
        super().__init__(asked, learned.recall(asked))
        self.decoding = decoding
        self.left_out: set[str] = set()

    @property
    def dropped(self) -> tuple[str, ...]:
        """What the endpoint refused of what an answer depends on."""
        return (*super().dropped, *sorted(self.left_out))

    def read(self, body: Any, content: bytes) -> ModelReply:
        """Return the answer in a body without an error, which was `content`. Raises CallError."""
        return answer_in(body, content, self._access.hide)

    def body(self, dialect: Dialect, chat: Chat, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of a request; `schema` is what goes with the messages, such as tools."""
        body = super().body(dialect, chat, {})
        own: dict[str, Any] = {"seed": self.decoding.seed}
        if self.decoding.do_sample:
            own["top_p"] = self.decoding.top_p
        own = {name: value for name, value in own.items() if name not in self.left_out}
        return own | body | dict(schema)

    def _lower(self, tried: Dialect, refused: Refusal, body: Mapping[str, Any]) -> Dialect | None:
        for name in OPTIONAL:
            own = name in body and name not in self.settings.extra_body
            if own and _is_about(refused, name, body):
                self.left_out.add(name)  # others may have been sent with it meanwhile
                return tried
        return super()._lower(tried, refused, body)


def asked_as(served: ServedModel, decoding: GenerateSettings) -> JudgeSettings:
    """Return the settings by which the judge's client asks a served model."""
    return JudgeSettings(
        endpoint=served.endpoint,
        model=served.name,
        api_key_env=served.api_key_env,
        headers=served.headers,
        query=served.query,
        extra_body=served.extra_body,
        stream=served.stream,
        ca_file=served.ca_file,
        temperature=min(decoding.temperature, 2.0) if decoding.do_sample else 0.0,
        max_tokens=decoding.max_new_tokens,
        json_schema=False,
        concurrency=served.concurrency,
        requests_per_minute=served.requests_per_minute,
        tokens_per_minute=served.tokens_per_minute,
        timeout_s=served.timeout_s,
        retries=served.retries,
        max_wait_s=served.max_wait_s,
        outage_s=served.outage_s,
    )


def check_settings(served: ServedModel, decoding: GenerateSettings, where: str) -> None:
    """Raise InputError for what cannot work and can be known without the endpoint; `where` is the
    setting that names the model. No secret may stand in it."""
    with of_model(where):
        check_access(asked_as(served, decoding))
    if decoding.score_thoughts:
        raise SettingsError(
            f"generate.score_thoughts scores what a template trains, and {where} is an endpoint, "
            "whose thoughts come apart",
            "Leave it out",
        )
    if decoding.thought_marks:
        raise SettingsError(
            f"generate.thought_marks are of what weights write, and {where} is an endpoint, whose "
            "thoughts come apart",
            "Leave them out",
        )
    for name, usual in _LOCAL.items():
        if getattr(decoding, name) != usual:
            raise SettingsError(
                f"generate.{name} is no parameter that every endpoint takes, and {where} is one",
                f"Set it to {usual:g}, and give the endpoint's own parameter in {where}.extra_body",
            )


def check_engine(asked: str, *, weights: bool) -> None:
    """Raise SettingsError where generate.engine does not fit whether a run has `weights`."""
    if asked == NAME and weights:
        raise SettingsError(
            f"generate.engine is {NAME}, and this run also has a model of weights",
            "Set generate.engine: auto. Each model behind an endpoint is asked there all the same",
        )
    if asked not in (AUTO, NAME) and not weights:
        raise SettingsError(
            f"generate.engine is {asked}, and no model of this run has weights",
            f"Set generate.engine: {NAME}, or auto",
        )


def variables(served: ServedModel) -> dict[str, str]:
    """Return the environment variables that a served model needs, by the setting's name."""
    named = {f"headers.{name}": variable for name, variable in served.headers.items()}
    return {"api_key_env": served.api_key_env, **named} if served.api_key_env else named


def in_pods(variable: str) -> bool:
    """Whether the pods of a pipeline that ask a model have this variable."""
    return variable in MODEL_VARIABLES.values()


def _is_about(refused: Refusal, name: str, body: Mapping[str, Any]) -> bool:
    """Whether a refusal names a parameter, in its fields or in its own words."""
    if refused.status not in REFUSALS:
        return False
    sent = " ".join(" ".join(turn["content"].split()) for turn in body["messages"])
    own = unquoted(refused.text, sent)
    return any(re.search(rf"\b{name}\b", text) for text in (own, *refused.names))
