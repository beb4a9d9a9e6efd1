"""Print what requirements.lock says of the packages that each FILE names, hashes and all:

python images/locked.py FILE...
"""

import re
import sys
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements.lock"


def locked(names: set[str]) -> str:
    """Return the lock's blocks of `names`. Raises SystemExit where it lacks one."""
    blocks = re.split(r"\n(?=\S)", LOCK.read_text().strip())
    chosen = [block for block in blocks if block.split("==")[0] in names]
    missing = names - {block.split("==")[0] for block in chosen}
    if missing:
        sys.exit(f"requirements.lock lacks {', '.join(sorted(missing))}: make lock")
    return "\n".join(chosen)


if __name__ == "__main__":
    print(locked({name for file in sys.argv[1:] for name in Path(file).read_text().split()}))
