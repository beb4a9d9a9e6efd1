"""What a fine-tune says of the model that it wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ModelManifest:
    """What a model directory is: written last by finetune, so its presence means complete.

    `digest` is over the weight files alone (sha256, see store.digest_weights); `base_digest` is
    the same of the base model, or its commit where that is on a hub. `runner` says where it was
    made: inline, or in which Volcano Job. `configuration` has the sha256 of each file beside the
    weights that changes an answer (model.configuration), and none from before it was kept.
    """

    base_model: str
    base_digest: str
    finetuning_type: Literal["lora", "full"]
    template: str
    digest: str
    dataset_hash: str
    samples: int
    settings: Mapping[str, object]
    versions: Mapping[str, str]
    runner: str = "inline"
    finished: str = ""
    configuration: Mapping[str, str] = field(default_factory=dict)
