"""Run by an interpreter that has vLLM: prints its server's settings, as `names/cpu.json` and
`names/gpu.json` have them. `names.py FOLDER` reads the vLLM in the folder, an unpacked wheel that
needs a GPU to run (pip download --no-deps), with what this interpreter has beside it."""

import importlib
import json
import sys
from argparse import BooleanOptionalAction
from typing import Any

SECRETS = ("hf_token",)
# where its parser is: in 0.33, and before
PARSERS = ("vllm.entrypoints.common.cli_args", "vllm.entrypoints.launchers.cli_args")


def settings(parser: Any) -> dict[str, object]:
    """Return the kind of each setting: see assay.engine.vllm.settings.KnownSettings."""
    found: dict[str, object] = {}
    for action in parser._actions:
        if action.dest in ("help", *SECRETS) or not action.option_strings:
            continue
        # its --no-NAME may be hidden, and another word for it, --disable-NAME, be shown
        switch = isinstance(action, BooleanOptionalAction)
        choices = [str(choice) for choice in action.choices or ()]
        found[action.dest] = "switch" if switch else "on" if action.nargs == 0 else choices or ""
    return dict(sorted(found.items()))


def _parser() -> Any:
    platforms: Any = importlib.import_module("vllm.platforms")
    if not platforms.current_platform.device_type:  # that of a wheel for what is not here
        platforms._current_platform = importlib.import_module("vllm.platforms.cpu").CpuPlatform()
    for name in PARSERS:
        try:
            made = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        argparse_utils = importlib.import_module("vllm.utils.argparse_utils")
        return made.make_arg_parser(argparse_utils.FlexibleArgumentParser())
    raise SystemExit(f"its parser is in none of {', '.join(PARSERS)}")


if __name__ == "__main__":
    sys.path[:0] = sys.argv[1:]
    version = importlib.import_module("vllm").__version__.partition("+")[0]
    print(json.dumps({"version": version, "settings": settings(_parser())}, indent=1))
