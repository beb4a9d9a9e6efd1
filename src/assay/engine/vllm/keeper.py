"""Runs in vLLM's environment: `python keeper.py ARGUMENT ...` is its API server, which ends, with
all that it started, as soon as the process that started it is gone."""

import os
import runpy
import signal
import sys
import threading
import time
import warnings

_POLL_SECONDS = 0.2


def _end_with_parent() -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()


if __name__ == "__main__":  # its workers import this file, too
    _end_with_parent()
    warnings.simplefilter("ignore")
    sys.path[0] = ""  # this folder holds modules of other names that it must not find
    # the command `vllm serve` of the wheel for CPUs asks for a package of another name than its own
    runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__", alter_sys=False)
