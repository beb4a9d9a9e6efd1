"""`python -m tests.cluster.node install|up|down [--wipe]`."""

from __future__ import annotations

import sys

from tests.cluster.node import bring, programs


def main(command: str, *options: str) -> None:
    """Do what the command line says, or say what this machine lacks for it."""
    if lacks := programs.missing():
        print(f"a cluster needs {', '.join(lacks)}")
    elif command == "install":
        programs.install()
    elif command == "up":
        programs.install()
        print(f"export KUBECONFIG={bring.up().kubeconfig}")
    elif command == "down":
        bring.down(wipe="--wipe" in options)
    else:
        sys.exit(str(__doc__))


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["help"]))
