"""Run by vLLM's own interpreter: prints its server's settings as `names.json` has them."""

import json

from vllm import __version__  # type: ignore[import-not-found]
from vllm.entrypoints.launchers.cli_args import (  # type: ignore[import-not-found]
    make_arg_parser,
)
from vllm.utils.argparse_utils import FlexibleArgumentParser  # type: ignore[import-not-found]

SECRETS = ("hf_token",)


def settings() -> dict[str, object]:
    """Return the kind of each setting: see assay.engine.vllm.arguments.names."""
    found: dict[str, object] = {}
    for action in make_arg_parser(FlexibleArgumentParser())._actions:
        if action.dest in ("help", *SECRETS) or not action.option_strings:
            continue
        switch = any(name.startswith("--no-") for name in action.option_strings)
        choices = [str(choice) for choice in action.choices or ()]
        found[action.dest] = "switch" if switch else "on" if action.nargs == 0 else choices or ""
    return dict(sorted(found.items()))


if __name__ == "__main__":
    print(json.dumps({"version": __version__.partition("+")[0], "settings": settings()}, indent=1))
