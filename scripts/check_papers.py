#!/usr/bin/env python3
"""Holds the papers about security and operation against the tree. Prints one line a finding; exits with 1 if any.

- Every test that docs/security/threat-model.md, docs/disasters.md, docs/upgrade.md and docs/backup.md name exists.
- The threat model has a row for each threat of the runbook, and every row names a test.
- docs/security/dependencies.md lists what Package.swift, the resolved versions, ./dev and the lists of Python packages
  name, and of the program's own nothing else.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAPERS = ["docs/security/threat-model.md", "docs/security/key-ceremony.md", "docs/disasters.md", "docs/upgrade.md", "docs/backup.md"]
THREATS = ["prompt injection", "policy drift", "replay of a previously approved credential", "unverified model calls",
           "sandbox escape", "budget overrun"]

findings = []


def text(name):
    return (ROOT / name).read_text("utf-8")


def tests():
    """Names of the test functions: those with @Test, whatever stands between."""
    names = set()
    for path in (ROOT / "Tests").rglob("*.swift"):
        source = path.read_text("utf-8")
        for match in re.finditer(r"@Test\b", source):
            found = re.compile(r"\bfunc (\w+)").search(source, match.end())
            if found:
                names.add(found.group(1))
    return names


def threats():
    """The rows of the threat model's tables of threats, each as its cells."""
    rows = []
    for part in text("docs/security/threat-model.md").split("\n## ")[1:]:
        if part.startswith(("The six threats", "The rest")):
            lines = [line for line in part.splitlines() if line.startswith("|")]
            rows += [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return rows


def check_tests():
    known = tests()
    for name in PAPERS:
        for number, line in enumerate(text(name).splitlines(), 1):
            # A test's name is a word in lower camel case with a capital in it; others in backticks are commands and settings.
            for word in re.findall(r"`([a-z]+[A-Z]\w*)`", line):
                if word not in known and word not in NOT_TESTS:
                    findings.append(f"{name}:{number}: there is no test {word}")
    rows = threats()
    for row in rows:
        if not any(word in known for word in re.findall(r"`(\w+)`", row[-1])):
            findings.append(f"docs/security/threat-model.md: no test for: {row[0]}")
    for threat in THREATS:
        if not any(row[0].lower().startswith(threat) for row in rows):
            findings.append(f"docs/security/threat-model.md: the runbook's threat is not there: {threat}")


# Names of Kubernetes and of the program that look like tests.
NOT_TESTS = {"maxUnavailable", "runAsNonRoot", "keyGeneration", "verifyOnly", "notBefore", "notAfter"}


def section(name, heading):
    body = text(name).split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = [line.strip("|").split("|")[0] for line in body.splitlines() if line.startswith("|")][2:]
    return [name.strip() for cell in cells for name in cell.split(",")]


def missing(what, wanted, listed):
    for name in sorted(wanted - listed):
        findings.append(f"docs/security/dependencies.md: {what} {name} is used and not listed")


def compare(what, wanted, listed):
    missing(what, wanted, listed)
    for name in sorted(listed - wanted):
        findings.append(f"docs/security/dependencies.md: {name} is listed as {what} and not used")


def check_dependencies():
    paper = "docs/security/dependencies.md"
    direct = {re.sub(r"\.git$", "", url.rpartition("/")[2]).lower()
              for url in re.findall(r'\.package\(\s*url: "([^"]+)"', text("Package.swift"))}
    listed = set(section(paper, "In the program: Swift packages"))
    for name in sorted(direct - listed):
        findings.append(f"{paper}: Package.swift names {name}, which is not listed")
    resolved = ROOT / "Package.resolved"
    if resolved.is_file():
        compare("Swift package", {pin["identity"] for pin in json.loads(resolved.read_text("utf-8"))["pins"]}, listed)
    packages = {name for names in re.findall(r"\b\w+_PACKAGES=\(([^)]*)\)", text("dev")) for name in names.split()}
    pinned = set()
    for name in (ROOT / "scripts").glob("*-tools.txt"):
        pinned |= {match.lower().replace("_", "-") for match in re.findall(r"^([\w.-]+)==", name.read_text("utf-8"), re.M)}
    linked = set(section(paper, "In the program: system libraries"))
    missing("package", packages | pinned, linked | set(section(paper, "To build and to test")))
    for name in sorted(linked - packages):
        findings.append(f"{paper}: {name} is listed as a system library and not installed")


def main():
    check_tests()
    check_dependencies()
    for line in findings:
        print(line)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
