"""A real OpenAI-compatible endpoint on the loopback: llama.cpp with SmolLM2-135M-Instruct.

    python -m assay.demo.judge_server --port-file PATH [--model GGUF] [--port N] [--slots 4]

It picks a free port where none is given, writes it to PATH when it answers, and ends with its
parent or on SIGTERM. A 135M model judges badly; the protocol, the schema and the failure modes are
those of a large one.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from pathlib import Path

from assay import store
from assay.demo.judge_model import MODEL, judge_model

SLOTS = 4
SLOT_TOKENS = 2048


def serve(
    port_file: Path, model: Path, slots: int = SLOTS, threads: int = 0, port: int = 0
) -> None:
    """Serve `model` until the parent dies or SIGTERM comes, with `slots` requests at a time."""
    import xllamacpp

    parent = os.getppid()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = xllamacpp.Server(_parameters(model, slots, threads or os.cpu_count() or 1, port))
    store.write_text(port_file, server.listening_address.rsplit(":", 1)[1].strip("/"))
    while os.getppid() == parent and not stop.wait(0.5):
        pass
    port_file.unlink(missing_ok=True)
    os._exit(0)  # llama.cpp's threads may still be answering; nobody waits for them


def _parameters(model: Path, slots: int, threads: int, port: int) -> object:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model)
    parameters.port = port
    parameters.model_alias = {MODEL}
    parameters.n_parallel = slots
    parameters.n_ctx = slots * SLOT_TOKENS
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.cache_ram_mib = 0
    parameters.ui = False
    parameters.verbosity = 1
    return parameters


def main() -> None:
    """Run the server from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--slots", type=int, default=SLOTS)
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    model = arguments.model or judge_model()
    serve(arguments.port_file, model, arguments.slots, arguments.threads, arguments.port)


if __name__ == "__main__":
    main()
