"""How answers are decoded: as the settings say, whatever a model's own generation_config.json asks.

LLaMA-Factory passes its own arguments and leaves the rest to that file, so a base model and its
fine-tune, which need not have the same one, would be decoded differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.llamafactory.prompts import Coder
from assay.llamafactory.readable import readable
from assay.records import Decoding

# What says how tokens are numbered or kept in memory, not which are chosen.
_NO_CHOICE = frozenset(
    {
        "_from_model_config",
        "bos_token_id",
        "cache_config",
        "cache_implementation",
        "compile_config",
        "decoder_start_token_id",
        "disable_compile",
        "eos_token_id",
        "max_length",
        "output_attentions",
        "output_hidden_states",
        "output_logits",
        "output_scores",
        "pad_token_id",
        "return_dict_in_generate",
        "transformers_version",
        "use_cache",
    }
)
_KEPT = ("bos_token_id", "decoder_start_token_id")


def options(coder: Coder) -> dict[str, Any]:
    """Return what is passed to `model.generate`: LLaMA-Factory's arguments and all end tokens."""
    return {
        **coder.generating.to_dict(obey_generation_config=True),
        "eos_token_id": list(coder.ends),
        "pad_token_id": coder.reading.tokenizer.pad_token_id,
        # or nothing could be drawn of a model whose logits are NaN
        "remove_invalid_values": coder.generating.do_sample,
    }


def disobey(model: Any) -> None:
    """Have `model` decode by what it is passed, and by transformers' defaults for the rest."""
    from transformers import GenerationConfig

    own = model.generation_config
    model.generation_config = GenerationConfig(**{name: getattr(own, name) for name in _KEPT})


def decoding(coder: Coder) -> Decoding:
    """Return how answers are decoded, and what the model's own file would have changed of it."""
    from transformers import GenerationConfig

    defaults = GenerationConfig._get_default_generation_params()
    in_force = {**defaults, **options(coder)}
    in_force.pop("max_length")  # max_new_tokens is what counts
    known = vars(GenerationConfig()).keys() - _NO_CHOICE
    own = {
        name: value
        for name, value in sorted(_own(coder.model).items())
        if name in known and value is not None and _differs(value, in_force.get(name))
    }
    used = {name: value for name, value in sorted(in_force.items()) if value is not None}
    return Decoding(used=used, not_obeyed=own)


def _differs(value: object, used: object) -> bool:
    """Whether a value is another: 0, false and none at all are the same, off."""
    return (value or None) != (used or None)


def _own(arguments: Any) -> Mapping[str, Any]:
    """Return what the model's folder asks for: by generation_config.json, without one by
    config.json, as older models do."""
    from transformers import GenerationConfig

    where = {
        "cache_dir": arguments.cache_dir,
        "revision": arguments.model_revision,
        "token": arguments.hf_hub_token,
    }
    name = arguments.model_name_or_path
    with readable(name, "generation_config.json", "Restore the file or delete it"):
        try:
            return dict(GenerationConfig.from_pretrained(name, **where).to_dict())
        except OSError:  # it has none
            config = GenerationConfig.from_pretrained(
                name, config_file_name="config.json", _from_model_config=True, **where
            )
            return dict(config.to_dict())
