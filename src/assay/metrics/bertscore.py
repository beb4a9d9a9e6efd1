"""bertscore: how near the words of an answer and of its target are to an encoder model."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from assay import model
from assay.errors import MissingExtraError, SettingsError
from assay.metrics.contract import (
    PERCENT,
    AutoMetric,
    MetricFunction,
    TaskFunction,
    Unscored,
    target_of,
)
from assay.metrics.task import TaskSettings
from assay.records import Prediction, Sample

_EXTRA = "bertscore"
_MARKS = ("cls_token_id", "sep_token_id")
_SPACED = ("GPT2", "Roberta")


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """What `encode` makes of a text: a unit vector for each of its tokens, a row each, and the
    weight of each, which is 0 for what marks begin and end and 1 for all others."""

    encode: Callable[[str], tuple[Any, Any]]


def bind(task: TaskSettings) -> MetricFunction:
    """Return BERTScore's F1 (Zhang et al. 2020) in percent, 0 to 100, by the encoder of the task.

    Each token is matched with the one of the other text whose vector has the largest cosine with
    its own; precision is the mean over the output's tokens, recall over the target's. Equal to
    bert-score 0.3.13 without idf and without rescaling, but that a text of two tokens is none for
    nothing, and that a side without a similar token makes it 0. A blank output is 0. What a text
    has beyond the encoder's context does not count. Raises Unscored("no_target"), and
    "no_tokens" for a text that the encoder has no tokens for, and SettingsError where the task
    names no encoder.
    """
    if not task.encoder:
        raise SettingsError(
            "metrics.task.encoder is missing, and bertscore needs it",
            "Name the encoder model: a directory, a URI or a hub id",
        )

    def function(sample: Sample, prediction: Prediction) -> float:
        target = target_of(sample)
        if not prediction.output.strip():
            return 0.0
        encoder = load(task.encoder, task.encoder_layer)
        return 100 * similarity(encoder.encode(prediction.output), encoder.encode(target))

    return function


def check(task: TaskSettings) -> None:
    """Raise InputError where the encoder of the task cannot be loaded here."""
    load(task.encoder, task.encoder_layer)
    load.cache_clear()  # its memory is needed until there are answers


def similarity(output: tuple[Any, Any], target: tuple[Any, Any]) -> float:
    """Return BERTScore's F1 of two encoded texts, 0 to 1."""
    (given, given_weights), (wanted, wanted_weights) = output, target
    cosines = given @ wanted.T
    precision = float(cosines.max(dim=1).values @ given_weights / given_weights.sum())
    recall = float(cosines.max(dim=0).values @ wanted_weights / wanted_weights.sum())
    if precision <= 0 or recall <= 0:
        return 0.0
    both = 2 * precision * recall / (precision + recall)
    return 1.0 if both > 1 else both  # by rounding; what is no number stays none


@functools.lru_cache(maxsize=1)
def load(name: str, layer: int) -> Encoder:
    """Return the encoder `name`, a directory, URI or hub id, cut after its layer number `layer` (0:
    the last). Raises InputError where it is not there or has no such layer."""
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtraError(str(error.name), _EXTRA) from None
    # a pool of threads does not live on in the processes that fork; each has a core of its own
    torch.set_num_threads(1)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    folder = model.local(name)
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # it names each weight of the layers that are cut
    try:
        layers = _layers(transformers.AutoConfig.from_pretrained(folder), name, layer)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        whole = transformers.AutoModel.from_pretrained(
            folder, num_hidden_layers=layers, dtype=torch.float32
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise SettingsError(
            f"metrics.task.encoder = {name} cannot be loaded: {reason}",
            "Name the directory or URI of an encoder model, or a hub id that can be reached",
        ) from None
    finally:
        transformers.logging.set_verbosity(before)
    own = whole.get_encoder() if whole.config.is_encoder_decoder else whole
    return Encoder(encode=functools.partial(_encode, tokenizer, own.eval()))


def _layers(config: Any, name: str, layer: int) -> int:
    there = int(config.num_hidden_layers)
    if layer > there:
        raise SettingsError(
            f"metrics.task.encoder_layer = {layer}, and {name} has {there} layers",
            f"Set 1 to {there}, or 0 for the last",
        )
    return layer or there


def _encode(tokenizer: Any, encoder: Any, text: str) -> tuple[Any, Any]:
    import torch

    # as bert-score: words of these tokenizers begin with a space, the first one too
    spaced = type(tokenizer).__name__.startswith(_SPACED)
    clean = text.strip().encode(errors="replace").decode()  # without halves of characters
    longest = min(tokenizer.model_max_length, encoder.config.max_position_embeddings)
    ids: list[int] = tokenizer(
        f" {clean}" if spaced else clean,
        truncation=True,
        max_length=longest,
    ).input_ids
    marks = [getattr(tokenizer, mark) for mark in _MARKS]
    weights = [float(token not in marks) for token in ids]
    if not any(weights):
        raise Unscored("no_tokens")
    with torch.inference_mode():
        vectors = encoder(torch.tensor([ids])).last_hidden_state[0]
    return torch.nn.functional.normalize(vectors, dim=-1), torch.tensor(weights)


BERTSCORE = AutoMetric(
    name="bertscore",
    direction="higher",
    scale=PERCENT,
    meaning="BERTScore: F1 of words matched by the vectors that an encoder model has for them, "
    "0 to 100.",
    group="similarity",
    function=TaskFunction(bind=bind),
    package="torch transformers",
    extra=_EXTRA,
    reference="bert-score 0.3.13, F1 in percent, to 1e-5",
)
