"""`python -m assay` and the console script."""

import sys

from assay.cli.main import main as run_command


def main() -> None:
    """Run one command and exit with its code."""
    sys.exit(run_command())


if __name__ == "__main__":
    main()
