"""Why a server ended or hangs, as its log tells it, and what to do."""

from __future__ import annotations

import re
import signal
from collections import deque
from pathlib import Path

from assay import process
from assay.errors import AssayError, SettingsError, StageError
from assay.settings import redacted

PORT_TAKEN = "Address already in use"
_AGAIN = "the same again asks only what is left"
_LESS = "lower generate.vllm.gpu_memory_utilization or max_num_seqs, or take more GPUs"
_BY_SAYING = {
    r"less than desired GPU memory utilization": "Something else holds memory of this GPU: end it, "
    "or lower generate.vllm.gpu_memory_utilization",
    r"No available memory for the cache blocks|KV cache is needed|KV cache memory": "Raise "
    "generate.vllm.gpu_memory_utilization (on a CPU VLLM_CPU_KVCACHE_SPACE, in GiB), or lower "
    "generate.cutoff_len or max_new_tokens",
    r"out of memory|OutOfMemory|Cannot allocate memory": f"Its memory is too small: {_LESS}",
    r"divisible by tensor parallel|must be divisible": "Set "
    "generate.vllm.tensor_parallel_size to a number that divides the attention heads",
    r"SafetensorError|HeaderTooLarge|MetadataIncomplete": "The weights are damaged: restore them",
    r"[Ll]o[Rr][Aa]": "vLLM cannot serve this adapter: set generate.engine: transformers",
}
# what it says of its settings, with the model's
_REFUSED = re.compile(
    r"unrecognized arguments|invalid choice|error: argument|validation errors? for \w*Config"
)
_REMEDY = "Correct generate.vllm, or set generate.engine: transformers"
# what vLLM says of an error that it names above
_OTHERS = re.compile(
    r"Engine core initialization failed|EngineDeadError|Worker failed|WorkerProc|"
    r"See root cause above|cancelled|Warning"
)
_ERROR = re.compile(r"(?:^|\s)((?:\w+\.)*\w*(?:Error|Exception|Interrupt)\b: ?.*|error: .*)$")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LINES, _LONGEST, _BELOW = 8, 300, 2


def ended(code: int, log: Path, *, for_memory: bool) -> AssayError:
    """Return what to raise for a server that ended with `code`: SettingsError where it refused what
    it was set to."""
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    if for_memory:
        return _told(f"ended with {how}: it was killed for memory (OOM)", log, process.MEMORY)
    if (first := cause(_text(log))) and _REFUSED.search(first):
        return SettingsError(f"vLLM refuses generate.vllm, or the model with it: {first}", _REMEDY)
    return _told(f"ended with {how}", log, f"See its log; {_AGAIN}")


def hung(how: str, log: Path) -> StageError:
    """Return what to raise for a server that does nothing more."""
    return _told(how, log, f"Look what its device does; {_AGAIN}")


def cause(text: str) -> str:
    """Return the first error that a log tells which is not said of another one, "" without one."""
    lines = [_COLOURS.sub("", line) for line in text.splitlines()]
    for place, line in enumerate(lines):
        match = _ERROR.search(line)
        if match and not _OTHERS.search(match.group(1)):
            said = match.group(1).strip()
            if _REFUSED.search(said):  # which setting it is stands below
                said = " ".join(" ".join([said, *lines[place + 1 : place + 1 + _BELOW]]).split())
            return redacted(said)[:_LONGEST]
    return ""


def _text(log: Path) -> str:
    return log.read_text(errors="replace") if log.is_file() else ""


def _told(how: str, log: Path, remedy: str) -> StageError:
    text = _text(log)
    first = cause(text)
    found = (mend for saying, mend in _BY_SAYING.items() if re.search(saying, first))
    lines = deque((line.rstrip() for line in text.splitlines() if line.strip()), _LINES)
    tail = "\n".join(f"  {redacted(_COLOURS.sub('', line))[:_LONGEST]}" for line in lines)
    because = f" because of {first}" if first else ""
    return StageError(f"vLLM {how}{because}; the end of {log}:\n{tail}", next(found, remedy))
