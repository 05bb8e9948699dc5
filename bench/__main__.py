"""`make bench`: start, core, store, many documents, searches, subscriptions, topics, each wire.

python -m bench [start|core|store|documents|fields|search|realtime|topics|wires|opensearch]
    [their flags]
Without a part all run, OpenSearch only where it is installed (tests/setup/opensearch).
"""

from __future__ import annotations

import subprocess
import sys

from tests.support.opensearch import is_there

PARTS = (
    "start",
    "core",
    "store",
    "documents",
    "fields",
    "search",
    "realtime",
    "topics",
    "wires",
    "opensearch",
)


def main() -> int:
    words = sys.argv[1:]
    parts = [words.pop(0)] if words and words[0] in PARTS else list(PARTS)
    for part in parts:
        print(f"-- {part}", flush=True)
        if part == "opensearch" and not is_there():
            print("left out: needs OpenSearch and a JDK (see tests/setup/opensearch)")
            continue
        # A process of its own: what one part leaves in memory is not the next one's.
        done = subprocess.run([sys.executable, "-m", f"bench.{part}", *words], check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
