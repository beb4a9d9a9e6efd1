"""`assay gate`: may the candidate replace the baseline?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from assay import config, settings, store
from assay.cli import command
from assay.errors import SettingsError
from assay.folder import METRICS
from assay.gate import EXIT_CODES, Gate, GatePolicy, describe
from assay.gate import read_policy as policy_in

GATE = "gate"


def add_parsers(commands: Any) -> None:
    """Add the command `gate`."""
    gate = command.add(
        commands,
        "gate",
        "say whether a run's candidate may replace the baseline",
        ends="exit code: 0 GO, 1 NO-GO, 2 refused, 3 INCONCLUSIVE",
    )
    gate.add_argument("folder", metavar="RUN", help="run folder or URI")
    gate.add_argument(
        "--policy",
        type=Path,
        metavar="FILE.yaml",
        help="the rules, or a configuration with them (RUN's own)",
    )
    gate.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the report with the gate's decision, print it, and return its exit code."""
    from assay.report import report

    policy = read_policy(arguments.policy) if arguments.policy else None
    with store.mirrored(arguments.folder, weights=False, alone=False) as mirror:
        decided = report(mirror.folder, policy=policy).gate
        mirror.send()
    if decided is None:
        raise SettingsError(
            f"{arguments.folder}/config.yaml has no section gate", "Add one, or give --policy"
        )
    print(describe(decided))
    return EXIT_CODES[decided.decision]


def say(folder: Path) -> int:
    """Print what the gate decided when the report of `folder` was written, if there is one, and
    return its exit code."""
    decided = store.read_json(folder / METRICS)["gate"]
    if decided is None:
        return 0
    gate = settings.build(Gate, decided, "gate")
    print(describe(gate))
    return EXIT_CODES[gate.decision]


def read_policy(path: Path) -> GatePolicy:
    """Return the policy in a YAML file, or that of the configuration in it. Raises InputError."""
    values = config.read_yaml(path)
    if GATE not in values:
        return policy_in(values, str(path))
    where = f"{path}: {GATE}"
    return policy_in(settings.check_mapping(values[GATE], where), where)
