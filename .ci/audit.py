#!/usr/bin/env python3
"""Asks whether a version in requirements.lock has a published vulnerability.

The answer needs the advisory data of the package index. Where that cannot be reached, this says so and passes: what is not known
must not look like a finding, nor keep anybody from building.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".cache" / "audit"
PATIENCE = 180
"""Seconds for each of the two steps."""

Report = dict[str, list[dict[str, Any]]]


def main() -> int:
    """1 when there is a finding, else 0."""
    try:
        report = _report()
    except (OSError, subprocess.SubprocessError, ValueError) as problem:
        print(f"audit: not done, the advisory data cannot be reached ({type(problem).__name__})")
        return 0
    audited = [each for each in report["dependencies"] if "skip_reason" not in each]
    if not audited:
        print("audit: not done, the advisory data cannot be reached (it knows none of the packages)")
        return 0
    found = [
        (each["name"], each["version"], vulnerability) for each in audited for vulnerability in each.get("vulns", [])
    ]
    for name, version, vulnerability in found:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        print(f"audit: {name} {version}: {vulnerability['id']}, fixed in {fixed}")
    unknown = len(report["dependencies"]) - len(audited)
    print(f"audit: {len(audited)} packages, {unknown} not known there, {len(found)} published vulnerabilities")
    return 1 if found else 0


def _report() -> Report:
    """What pip-audit says. Raises: OSError, SubprocessError, ValueError when it could not ask."""
    if not (ENVIRONMENT / "bin" / "pip-audit").exists():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        pip = str(ENVIRONMENT / "bin" / "pip")
        _run(pip, "install", "--quiet", "--disable-pip-version-check", "pip-audit").check_returncode()
    lock = str(ROOT / "requirements.lock")
    audit = (
        "--disable-pip",
        "--require-hashes",
        "--requirement",
        lock,
        "--format",
        "json",
        "--progress-spinner",
        "off",
    )
    report: Report = json.loads(_run(str(ENVIRONMENT / "bin" / "pip-audit"), *audit).stdout)
    return report


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # programs of the environment made above
        command, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
