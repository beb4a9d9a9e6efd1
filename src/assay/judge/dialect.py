"""What an endpoint accepts of a request: a ladder for each thing that it can refuse.

A rung is left only for a refusal that names the parameter as such, in a field of the error or as
unsupported, unknown or invalid; that the error quotes an answer with the word in it is none. And
it stays left only where the endpoint then takes the request.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from assay.judge.contract import Chat
from assay.judge.refusal import Refusal
from assay.judge.wordings import ALIASES, RANGE, UNNAMED, names, of_text, said

FORMS = ("json_schema", "json_schema-maxLength", "json_schema-types", "json_object", "prompt")
LIMITS = ("max_tokens", "max_completion_tokens", "")
_BARE = {"type", "properties", "required"}

# 403: of a parameter of a paid plan; 424: of a gateway, which quotes what is behind it
REFUSALS = {400, 403, 404, 405, 406, 409, 412, 415, 422, 424, 500, 501}

_KEYWORD = re.compile(
    r"(?<!json_)schema|maxLength|\benum\b|additional_?Prop|keyword|grammar|\bstrict\b|propert", re.I
)
_TYPES_ONLY = re.compile(r"\benum\b|additional_?Prop|\bstrict\b", re.IGNORECASE)
_UNKNOWN = re.compile(r"unsupported param|unknown|unrecogni[sz]ed|unexpected|extra|argument", re.I)
_KIND = re.compile(r"\btype: Input should be '(?:text|json_object)|json_schema|\btype\b", re.I)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How an endpoint is asked: the form of the reply as one of FORMS, the name of the limit on
    output tokens as one of LIMITS, whether with a temperature and with a system turn, whether its
    answers are streamed, with the tokens counted in the stream, and whether thinking is left to
    the model or switched off."""

    form: str = FORMS[0]
    limit: str = LIMITS[0]
    temperature: bool = True
    system: bool = True
    stream: bool = False
    usage: bool = True
    thinking: bool = True

    def without(self, refusal: Refusal, sent: Collection[str]) -> Dialect | None:
        """Return what is left to try after a refusal of a request with the parameters `sent`, None
        where it names none of them."""
        if refusal.status not in REFUSALS or any(map(of_text, refusal.names)):
            return None
        for name in _refused(refusal, self, sent):
            lower = _lower(self, name, refusal)
            if lower != self:
                return lower
        return None

    def joined(self, other: Dialect) -> Dialect:
        """Return the dialect that sends nothing that either of the two leaves out."""
        return Dialect(
            form=max(self.form, other.form, key=FORMS.index),
            limit=max(self.limit, other.limit, key=LIMITS.index),
            temperature=self.temperature and other.temperature,
            system=self.system and other.system,
            stream=self.stream or other.stream,
            usage=self.usage and other.usage,
            thinking=self.thinking and other.thinking,
        )


def dropped(dialect: Dialect, wanted: Dialect) -> tuple[str, ...]:
    """Return what a verdict depends on and the endpoint refused, of what was `wanted`: the form
    that is left, and the names of the other things. The limit on the output, and whether the
    answer is streamed, change no verdict that is finished."""
    if dialect == wanted:
        return ()
    names = [dialect.form] if dialect.form != wanted.form else []
    for name in ("temperature", "system", "thinking"):
        names += [name] if getattr(wanted, name) and not getattr(dialect, name) else []
    return tuple(names)


def with_dropped(wanted: Dialect, names: Sequence[str]) -> Dialect:
    """Return the dialect that lacks what `dropped` has named."""
    known = {each.name for each in fields(Dialect)} - {"form", "limit"}
    changed: dict[str, Any] = {name: False for name in names if name in known}
    form = next((name for name in names if name in FORMS), wanted.form)
    return replace(wanted, form=form, **changed)


def described(dialect: Dialect) -> dict[str, object]:
    """Return a dialect for judge.json: what else it is where it is not the usual one."""
    usual = Dialect()
    more = ("form", "system", "thinking", "stream")
    return {
        "json_schema": dialect.form.startswith("json_schema"),
        "temperature": dialect.temperature,
        "limit": dialect.limit,
        **{
            name: getattr(dialect, name)
            for name in more
            if getattr(dialect, name) != getattr(usual, name)
        },
    }


def messages(dialect: Dialect, chat: Chat) -> Chat:
    """Return the messages as the endpoint takes them: without system turns these are put before
    what the user says."""
    if dialect.system or chat[0]["role"] != "system":
        return chat
    first, user, *rest = chat
    return [{"role": "user", "content": f"{first['content']}\n\n{user['content']}"}, *rest]


def response_format(dialect: Dialect, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameter that asks for the form of the reply, {} where the prompt alone does."""
    if dialect.form == "prompt":
        return {}
    if dialect.form == "json_object":
        return {"response_format": {"type": "json_object"}}
    asked: dict[str, Any] = {"name": "verdict", "strict": True, "schema": schema}
    if dialect.form == FORMS[1]:
        asked["schema"] = _short(schema, {"maxLength"})
    elif dialect.form == FORMS[2]:
        bare = {name: value for name, value in schema.items() if name in _BARE}
        asked = {"name": "verdict", "schema": _short(bare, {"maxLength", "enum"})}
    return {"response_format": {"type": "json_schema", "json_schema": asked}}


def _short(schema: Mapping[str, Any], left_out: set[str]) -> dict[str, Any]:
    """Return a schema without some keywords of its properties; a choice of words stays."""
    properties = {
        name: {
            key: value
            for key, value in each.items()
            if key not in left_out or (key == "enum" and each["type"] == "string")
        }
        for name, each in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def _refused(refusal: Refusal, dialect: Dialect, sent: Collection[str]) -> Iterator[str]:
    """Yield the things that a refusal is about: those that its fields name, or else those that its
    text calls unsupported, unknown or invalid."""
    able = [name for name in ALIASES if _is_sent(name, dialect, sent)]
    named = [name for name in able if any(names(name, field) for field in refusal.names)]
    told = [name for name in able if said(name, refusal.text, refusal.status)]
    any_of_them = [name for name in ("temperature", "form", "limit") if name in able]
    for name in named or told or (any_of_them if UNNAMED.search(refusal.text) else []):
        if name != "limit" or not RANGE.search(refusal.text):
            yield name


def _is_sent(name: str, dialect: Dialect, sent: Collection[str]) -> bool:
    if name == "thinking":
        return "enable_thinking" not in sent
    if name == "stream":
        return "stream" not in sent
    return {
        "temperature": "temperature" in sent,
        "limit": bool(set(LIMITS) & set(sent)),
        "form": "response_format" in sent,
        "system": dialect.system,
        "usage": "stream_options" in sent,
    }[name]


def _lower(dialect: Dialect, name: str, refusal: Refusal) -> Dialect:
    if name == "form":
        return replace(dialect, form=_lower_form(dialect.form, refusal))
    if name == "limit":
        return replace(dialect, limit=LIMITS[min(LIMITS.index(dialect.limit) + 1, 2)])
    changed: dict[str, Any] = {name: name == "stream"}
    return replace(dialect, **changed)


def _lower_form(form: str, refusal: Refusal) -> str:
    """Return the next form to ask for: one keyword fewer where the schema was refused, another type
    where that was, and none where the parameter itself is unknown."""
    place, text = FORMS.index(form), refusal.text
    about = " ".join((text, *refusal.names))
    if form in FORMS[:3] and _KEYWORD.search(about):
        return FORMS[2 if form == FORMS[0] and _TYPES_ONLY.search(about) else place + 1]
    whole = _UNKNOWN.search(" ".join((text, *refusal.codes))) and not _KIND.search(text)
    return "prompt" if whole or form == "json_object" else "json_object"
