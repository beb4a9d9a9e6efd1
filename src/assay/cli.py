"""The command `assay`. Heavy imports happen in the command that needs them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay import __version__
from assay.cluster.cli import add_parsers as add_cluster
from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.config import Config

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 a stage failed, 2 the input has to be
    corrected, 130 interrupted (running it again resumes). Those of a run on a cluster are more:
    assay.cluster.cli."""
    arguments = _parser().parse_args(argv)
    from assay.process import interruptible

    try:
        with interruptible():
            return arguments.command(arguments) or 0
    except AssayError as error:
        print(f"assay: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("assay: interrupted; run the same command again to resume", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="assay", description="Evaluate every fine-tune, and know whether to trust the result."
    )
    parser.add_argument("--version", action="version", version=f"assay {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    whole = commands.add_parser("run", help="fine-tune and evaluate as a configuration says")
    whole.add_argument("config", type=Path, metavar="CONFIG.yaml")
    whole.add_argument("--out", type=Path, metavar="RUN", help="run folder (runs/<CONFIG>)")
    _add_set(whole)
    whole.set_defaults(command=_run)
    for name, help_text in (
        ("finetune", "fine-tune the base model"),
        ("generate", "answer the samples with the baseline and the candidate"),
        ("metrics", "score the predictions with the auto-metrics"),
        ("judge", "have the predictions judged by an LLM"),
    ):
        stage = commands.add_parser(name, help=f"{help_text}, in a run folder")
        stage.add_argument("folder", type=Path, metavar="RUN")
        stage.add_argument("--config", type=Path, metavar="CONFIG.yaml", help="begin RUN with it")
        _add_set(stage)
        stage.set_defaults(command=_stage, stage=name)
    report = commands.add_parser("report", help="write a run folder's report")
    report.add_argument("folder", type=Path, metavar="RUN")
    report.add_argument("--title", default="", help="the report's heading")
    report.set_defaults(command=_report)
    _add_dataset(commands)
    add_cluster(commands)
    demo = commands.add_parser("demo", help="fine-tune and evaluate a 135M model on this machine")
    demo.add_argument("--out", type=Path, default=Path("demo-run"), metavar="FOLDER")
    demo.set_defaults(command=_demo)
    return parser


def _add_dataset(commands: Any) -> None:
    dataset = commands.add_parser("dataset", help="look at a dataset before it is used")
    check = dataset.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "check", help="rows, lengths, faults, and what it shares with the training data"
    )
    check.add_argument("data", metavar="DATA", help="a file, folder, URI or hub id")
    check.add_argument("--against", default="", metavar="TRAIN", help="the training data")
    check.add_argument("--format", default="auto", choices=("auto", "alpaca", "sharegpt"))
    check.add_argument("--model", default="", help="count tokens as this model directory does")
    check.add_argument("--template", default="", help="with this LLaMA-Factory template")
    check.add_argument("--cutoff-len", type=int, default=2048, metavar="TOKENS")
    check.set_defaults(command=_check_dataset)


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.NAME=VALUE",
        help="override one setting, such as judge.temperature=0.2 (repeatable)",
    )


def _run(arguments: argparse.Namespace) -> None:
    from assay import config, run, terminal
    from assay.settings import read_assignments

    folder = arguments.out or Path("runs") / arguments.config.stem
    settings = config.load(arguments.config, read_assignments("--set", arguments.set))
    with terminal.live() as listen:
        report = run.run(settings, folder, listen)
    terminal.print_summary(folder)
    print(f"Report: {report}")


def _stage(arguments: argparse.Namespace) -> None:
    from assay import run, terminal

    settings = _settings(arguments)
    with terminal.live() as listen:
        if arguments.stage == "finetune":
            run.finetune(settings, arguments.folder, listen)
        elif arguments.stage == "generate":
            for side in run.sides(settings):
                run.generate(settings, arguments.folder, side, listen)
        elif arguments.stage == "metrics":
            run.compute_metrics(settings, arguments.folder, listen)
        else:
            run.judge(settings, arguments.folder, listen)


def _settings(arguments: argparse.Namespace) -> Config:
    from assay import config, run
    from assay.settings import read_assignments

    overrides = read_assignments("--set", arguments.set)
    if arguments.config:
        settings = config.load(arguments.config, overrides)
        run.begin(settings, arguments.folder)
        return settings
    return config.load(arguments.folder / run.CONFIG, overrides)


def _report(arguments: argparse.Namespace) -> None:
    from assay import report, run, terminal

    report.report(arguments.folder, title=arguments.title)
    terminal.print_summary(arguments.folder)
    print(f"Report: {arguments.folder / run.REPORT}")


def _check_dataset(arguments: argparse.Namespace) -> int:
    from assay import dataset

    result = dataset.check(
        arguments.data,
        against=arguments.against,
        format=arguments.format,
        model=arguments.model,
        template=arguments.template,
        cutoff_len=arguments.cutoff_len,
    )
    print(dataset.describe(result))
    return result.exit_code


def _demo(arguments: argparse.Namespace) -> None:
    from assay.demo.run import run_demo

    run_demo(arguments.out)
