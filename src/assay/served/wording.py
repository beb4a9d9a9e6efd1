"""What the judge's client says of its settings, in the words of who set them for a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields

from assay.errors import JudgeError, ModelError
from assay.judge.remedies import remedy as remedy_of_judge
from assay.judge.settings import JudgeSettings

_ELSEWHERE = {
    "model": "{where}.name",
    "max_tokens": "generate.max_new_tokens",
    "temperature": "generate.do_sample",
    "rubric": "dataset.eval",
}
_SETTING = re.compile(
    rf"\bjudge(?:\.panel\.\d+)?\.({'|'.join(each.name for each in fields(JudgeSettings))})\b"
)
_WORDS = (
    (re.compile(r"\bThe judge's key\b"), "The key of {where}"),
    (re.compile(r"\bjudge's settings\b"), "the settings of {where}"),
    (re.compile(r"\b(another|a) judge\b(?!\.)"), r"\1 model"),
    (re.compile(r"\b(the|its) judge\b(?!\.)"), r"\1 endpoint"),
    (re.compile(r"https://judge\.example/v1"), "https://models.example/v1"),
)
_REMEDIES = {
    "context_overflow": "Serve the model with a longer context, lower generate.max_new_tokens, or "
    "leave such samples out",
    "content_filter": "Look at the sample, or use an endpoint whose filter lets it pass",
    "refused": "Look at the sample: the endpoint says that the model declined",
}


def told(text: str, where: str) -> str:
    """Return what is said of a judge's setting as said of the model's, which is set as `where`
    (model or baseline)."""
    for pattern, words in _WORDS:
        text = pattern.sub(words.format(where=where), text)
    return _SETTING.sub(lambda match: _named(match[1], where), text)


@contextmanager
def of_model(where: str) -> Iterator[None]:
    """Turn a JudgeError of the block into a ModelError in the model's words."""
    try:
        yield
    except JudgeError as error:
        raise ModelError(told(error.what, where), told(error.remedy, where)) from None


def telling(tell: Callable[[str], None], where: str) -> Callable[[str], None]:
    """Return `tell` for a client that speaks of a judge."""
    return lambda what: tell(told(what, where))


def remedy(
    settings: JudgeSettings, where: str, cause: str, detail: str, models: Sequence[str] = ()
) -> str:
    """Return what to do about a cause, given what was said and the `models` that are served."""
    own = _REMEDIES.get(cause)
    return own or told(remedy_of_judge(settings, cause, detail, models), where)


def _named(setting: str, where: str) -> str:
    return _ELSEWHERE.get(setting, f"{{where}}.{setting}").format(where=where)
