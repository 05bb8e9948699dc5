"""Asks PyPI for advisories against what the lock pins: once a day for each lock.

Fails if there are any. Where PyPI can't be asked, says of which packages nothing is known.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LOCK = Path("requirements-test.txt")
STAMP = Path(".venv/advisories.stamp")
VALID_S = 86_400
TIMEOUT_S = 120


def main() -> int:
    """The exit code: 1 for a finding, else 0."""
    if is_fresh(STAMP, LOCK, time.time()):
        return 0
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "-r", str(LOCK)]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        print(f"pip-audit: PyPI gave no answer within {TIMEOUT_S} s; nothing was audited")
        return 0
    code, said = verdict(ran.stdout, ran.stderr)
    print(said)
    if code == 0:
        STAMP.touch()
    return code


def is_fresh(stamp: Path, lock: Path, now: float) -> bool:
    """Whether this lock was asked about within a day."""
    if not stamp.exists():
        return False
    asked = stamp.stat().st_mtime
    return asked > lock.stat().st_mtime and 0 <= now - asked < VALID_S


def verdict(report: str, complaint: str) -> tuple[int, str]:
    """The exit code and what to say of pip-audit's report in JSON."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = complaint.strip().splitlines()[-1:] or ["no report"]
        return 0, f"pip-audit: nothing was audited: {reason[0]}"
    found = [
        f"  {package['name']} {package['version']}: {advisory['id']},"
        f" mended in {', '.join(advisory['fix_versions']) or 'no version yet'}"
        for package in packages
        for advisory in package.get("vulns", [])
    ]
    if found:
        return 1, "\n".join(["pip-audit: advisories against what the lock pins:", *found])
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown and len(unknown) == len(packages):
        return 0, "pip-audit: PyPI's advisories are out of reach here; nothing was audited"
    if unknown:
        return 0, (
            f"pip-audit: PyPI's advisories are out of reach for {len(unknown)} of {len(packages)}"
            f" packages: {', '.join(unknown)}"
        )
    return 0, f"pip-audit: nothing is known against {len(packages)} packages"


if __name__ == "__main__":
    sys.exit(main())
