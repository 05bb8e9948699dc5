"""`make bench`: the core alone, the store alone, then whole requests on every wire.

python -m bench [core|store|wires] [their flags]
"""

from __future__ import annotations

import subprocess
import sys

PARTS = ("core", "store", "wires")


def main() -> int:
    words = sys.argv[1:]
    parts = [words.pop(0)] if words and words[0] in PARTS else list(PARTS)
    for part in parts:
        print(f"-- {part}", flush=True)
        # A process of its own: what one part leaves in memory is not the next one's.
        done = subprocess.run([sys.executable, "-m", f"bench.{part}", *words], check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
