"""In a Python that starts with this folder on its path, accelerate takes processes that meet over
gloo for those of a machine with a device each, so that it shards a model by FSDP, which it does on
no CPU. They compute as the CPU does; all of torch's FSDP is as it is, but for its refusal to send
weights from a CPU. How many numbers the first process has of how many in the model goes to the
file that ASSAY_TEST_SHARDED names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from accelerate import state
from accelerate.utils import dataclasses
from torch.distributed.fsdp import FullyShardedDataParallel, _init_utils

shard = FullyShardedDataParallel.__init__


def backend(*_arguments: object) -> tuple[str, state.DistributedType]:
    """Return what several devices of one machine have, and by what they meet here."""
    return "gloo", state.DistributedType.MULTI_GPU


def set_device(self: state.PartialState) -> None:
    """Have the process compute on its CPU."""
    self.device = torch.device("cpu")


def sharded(self: Any, module: Any, *arguments: Any, **more: Any) -> None:
    """Shard the module, the whole model after its layers, and note what is left of it here."""
    before = sum(weight.numel() for weight in module.parameters())
    shard(self, module, *arguments, **more)
    after = sum(weight.numel() for weight in self.parameters())
    if os.environ.get("RANK") == "0":
        Path(os.environ["ASSAY_TEST_SHARDED"]).write_text(f"{after} {before}")


state.PartialState._prepare_backend = backend
state.PartialState.set_device = set_device
dataclasses.is_cuda_available = lambda: True
torch.cuda.current_device = lambda: torch.device("cpu")
_init_utils._check_module_states_for_sync_module_states = lambda _states: None
FullyShardedDataParallel.__init__ = sharded
