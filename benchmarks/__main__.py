"""Runs every benchmark of this folder, one after the other, each in a process of its own.

make bench
.venv/bin/python -m benchmarks ingest search
"""

import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
SHARED = {"capacity", "load", "pictures", "scale_report", "serve_report", "storage", "table"}  # what others are made of


def main() -> int:
    known = sorted(
        path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_") and path.stem not in SHARED
    )
    chosen = sys.argv[1:] or known
    unknown = [name for name in chosen if name not in known]
    if unknown:
        print(f"There is no benchmark '{unknown[0]}'. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    failed = []
    for name in chosen:
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=FOLDER.parent).returncode:
            failed.append(name)
        print(f"== {name} took {time.monotonic() - start:.0f} s", flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
