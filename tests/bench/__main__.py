"""Run the benchmarks: `python -m tests.bench [NAME ...]`, each of them a table from one run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main(names: list[str]) -> int:
    """Run every bench_<NAME>.py, or those named; return the first exit code that is not 0."""
    found = {
        path.stem.removeprefix("bench_"): path
        for path in sorted(Path(__file__).parent.rglob("bench_*.py"))
    }
    if unknown := set(names) - set(found):
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(found)}", file=sys.stderr)
        return 2
    codes = []
    for name in names or found:
        print(f"\n== {name}", flush=True)
        module = ".".join(found[name].relative_to(ROOT).with_suffix("").parts)
        command = [sys.executable, "-m", module]
        codes.append(subprocess.run(command, cwd=ROOT, check=False).returncode)
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
