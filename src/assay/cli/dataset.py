"""`assay dataset check`."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from assay.cli import command
from assay.dataset.settings import Format


def add_parsers(subparsers: Any) -> None:
    """Add the command `dataset check` to the command line; its `command` returns the exit code."""
    parser = command.add(subparsers, "dataset", "look at data before it is used")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = command.add(
        commands,
        "check",
        "say what a dataset holds: rows, lengths, invalid and doubtful rows, and overlap with "
        "training data",
        ends="exit code: 0 usable, 2 some rows cannot be used",
    )
    check.add_argument("data", metavar="DATA", help="file, folder, folder#name, s3://, hf://")
    check.add_argument("--against", default="", metavar="TRAIN", help="training data to compare")
    check.add_argument(
        "--format",
        default="auto",
        choices=get_args(Format),
        help="of its rows; auto: seen from them",
    )
    check.add_argument("--model", default="", metavar="DIR", help="count tokens with its tokenizer")
    check.add_argument("--template", default="", help="LLaMA-Factory's template (the model's own)")
    check.add_argument("--cutoff-len", default=2048, type=int, metavar="N", help="in tokens (2048)")
    check.add_argument("--every-turn", action="store_true", help="a sample of every answer")
    check.add_argument("--cluster", default="", metavar="COLUMN", help="what rows belong to")
    check.add_argument(
        "--no-near-prompts", action="store_true", help="prompts much alike do not belong together"
    )
    check.add_argument(
        "--skip-invalid", action="store_true", help="count rows that cannot be used, exit 0"
    )
    check.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the check that `arguments` ask for; return the exit code."""
    from assay.dataset.check import check
    from assay.dataset.description import describe

    result = check(
        arguments.data,
        against=arguments.against,
        format=arguments.format,
        model=arguments.model,
        template=arguments.template,
        cutoff_len=arguments.cutoff_len,
        every_turn=arguments.every_turn,
        column=arguments.cluster,
        near=not arguments.no_near_prompts,
    )
    print(describe(result))
    return 0 if arguments.skip_invalid else result.exit_code
