"""Who answers, and how; and what of it a fine-tune's own record says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, MinLen

from assay import engine as engines
from assay import llamafactory, reuse
from assay.engine import AUTO
from assay.engine.vllm import settings as of_vllm
from assay.llamafactory import thought
from assay.numeric import Seed
from assay.records import ModelManifest


@dataclass(frozen=True, kw_only=True)
class GenerateSettings:
    """Who answers, and how. `engine` is one of assay.engine.ENGINES, or auto: the first that can
    and that the samples are worth. Decoding is greedy and seeded unless `do_sample`. `batch_size`
    counts samples, of which an accelerator answers many times as many at once
    (assay.engine.capacity), `cutoff_len` and `max_new_tokens` tokens. `template` is inherited from
    the fine-tune where it is "". `evaluate_loss` adds the likelihood of the targets; with
    `score_thoughts` a reasoning model's thoughts are scored with its answers; `thought_marks` are
    the two that it writes them between, none for those of the template. Of the devices in
    sight `devices` are used (0: all), by each copy of the model `devices_each` (0: as many as its
    weights need); without an accelerator they are processes. Where more than a share of
    `max_unanswered` of the samples cannot be answered, the stage ends. `llamafactory` takes
    LLaMA-Factory's settings for loading a model and reading a prompt, `vllm` those of vLLM's server
    by their names there. `cache` is the folder or URI that keeps answers, so that no run gives them
    again: none for none, and "" for none on one machine, and for a place beside the artifacts in a
    pipeline whose artifacts lie in a store. More than `cache_gb` (10**9 bytes, 0: any number) are
    not kept: what is least recently used goes."""

    engine: str = AUTO
    template: str = ""
    batch_size: Annotated[int, Ge(1)] = 16
    cutoff_len: Annotated[int, Ge(16)] = 2048
    max_new_tokens: Annotated[int, Ge(1)] = 512
    do_sample: bool = False
    temperature: Annotated[float, Gt(0)] = 0.95
    top_p: Annotated[float, Gt(0), Le(1)] = 0.7
    top_k: Annotated[int, Ge(0)] = 50
    repetition_penalty: Annotated[float, Gt(0)] = 1.0
    seed: Seed = 42
    evaluate_loss: bool = True
    score_thoughts: bool = False
    thought_marks: list[Annotated[str, MinLen(1)]] = field(default_factory=list)
    devices: Annotated[int, Ge(0)] = 0
    devices_each: Annotated[int, Ge(0)] = 0
    max_unanswered: Annotated[float, Ge(0), Le(1)] = 0.5
    cache: str = ""
    cache_gb: Annotated[float, Ge(0)] = 10.0
    llamafactory: Mapping[str, Any] = field(default_factory=dict)
    vllm: Mapping[str, Any] = field(default_factory=dict)


def check(settings: GenerateSettings) -> None:
    """Raise InputError for what cannot work and can be known before a GPU is asked for."""
    engines.check(settings.engine)
    thought.check_marks(settings.thought_marks)
    reuse.check(settings.cache)
    if settings.template:
        llamafactory.check_template(settings.template, "generate")
    llamafactory.check_settings(settings.llamafactory, "generate.llamafactory")
    of_vllm.check(settings.vllm)


def check_here(settings: GenerateSettings) -> None:
    """Raise SettingsError for what the engine asked for, as it is on this machine, cannot do."""
    engines.check_here(settings.engine)
    of_vllm.check_here(settings.vllm)


def check_in_image(settings: GenerateSettings) -> None:
    """Raise SettingsError for what the engine in the images, which answers on a cluster, cannot."""
    of_vllm.check_in_image(settings.vllm)


def inherit(
    settings: GenerateSettings, template: str, tuned: Mapping[str, Any]
) -> GenerateSettings:
    """Return `settings` with what is not set taken from a fine-tune: its template, and those of
    its LLaMA-Factory settings that change what the model sees or how it is loaded."""
    loading = {**llamafactory.inherited(tuned), **settings.llamafactory}
    return replace(settings, template=settings.template or template, llamafactory=loading)


def inherit_from(settings: GenerateSettings, manifest: ModelManifest) -> GenerateSettings:
    """Return `settings` with what is not set taken from a model folder, which may have come from
    anywhere: as `inherit`, but for what only the user may ask for."""
    tuned, refused = _tuned(manifest), withheld(settings, manifest)
    refused.update(dict.fromkeys(llamafactory.SPREAD))  # a file that the folder would name
    safe = {name: value for name, value in tuned.items() if name not in refused}
    return inherit(settings, manifest.template, safe)


def withheld(settings: GenerateSettings, manifest: ModelManifest) -> dict[str, Any]:
    """Return what a model folder asks for and `inherit_from` does not take from it."""
    return llamafactory.withheld(_tuned(manifest), settings.llamafactory)


def _tuned(manifest: ModelManifest) -> Mapping[str, Any]:
    tuned = manifest.settings.get("llamafactory")
    return tuned if isinstance(tuned, Mapping) else {}
