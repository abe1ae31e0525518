"""Look every pinned package up in the advisories of the Python package index, with pip-audit.

Ends with an error where one has a known vulnerability, and where the index could not be asked.

    python -m tests.audit
"""

import json
import subprocess
import sys
from typing import Any

from tests.project import ROOT

FILES = ("requirements.txt", "requirements-app.txt", "requirements-scale.txt", "requirements-dev.txt")
UNREACHED = "nothing was audited: the index's advisories can't be reached from here; run make audit where they can"


def verdict(report: dict[str, Any]) -> str | None:
    """Return what is wrong by pip-audit's report, or None."""
    packages = report["dependencies"]
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        return UNREACHED
    found = [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'none'}"
        for package in audited
        for flaw in package["vulns"]
    ]
    unknown = [package["name"] for package in packages if package not in audited]
    if unknown:
        found.append(f"the index has no advisories for {', '.join(unknown)}")
    return "\n".join(found) or None


def main() -> None:
    requirements = [argument for file in FILES for argument in ("--requirement", str(ROOT / file))]
    command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off"]
    done = subprocess.run(
        [*command, "--format", "json", *requirements],
        capture_output=True,
        text=True,
        check=False,
    )
    # Without a report it says nothing but why it could not ask.
    sys.exit(verdict(json.loads(done.stdout)) if done.stdout else UNREACHED)


if __name__ == "__main__":
    main()
