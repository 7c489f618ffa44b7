#!/usr/bin/env python3
"""Checks what no compiler sees: links between documents, rules of the house for every text file, forgotten tests, planted
faults that no longer apply.

Looks at the files git knows or would add. Prints one line a finding, `file:line: what`, and exits with 1 if any.
"""

import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
import mutants

ROOT = Path(__file__).resolve().parent.parent

# The brackets keep the rules from finding themselves.
RULES = [
    (re.compile(r"\b(TO[D]O|FIX[M]E|XX[X])\b"), "an open end: finish it, or take it out"),
    (re.compile(r"(?<![\w.:/*])/(wor[k]/|hom[e]/\w|User[s]/\w|roo[t]/)"), "a path of one machine"),
    (re.compile(r"^(<{7}|>{7}|={7})( |$)"), "a conflict marker"),
]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s+(\S+)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")


def tracked():
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    return [ROOT / name for name in sorted(set(names)) if name and (ROOT / name).is_file()]


def text_of(path):
    """The text of a file; None when it is not text."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def prose(text):
    """The lines of a document with their numbers, without code."""
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and (fence is None or mark.group(1).startswith(fence)):
            fence = None if fence else mark.group(1)
        elif fence is None:
            yield number, re.sub(r"`[^`]*`", lambda code: " " * len(code.group()), line), line


def anchors(text):
    """The fragments by which the headings of a document can be linked to."""
    found, seen = set(), {}
    for _, _, line in prose(text):
        heading = HEADING.match(line)
        if not heading:
            continue
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1)).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(slug if count == 0 else f"{slug}-{count}")
    return found


def forgotten_tests():
    """Test targets of the package that the list in ./dev leaves out."""
    targets = re.findall(r'\.testTarget\(\s*name: "(\w+)"', text_of(ROOT / "Package.swift") or "")
    listed = re.search(r"^TEST_TARGETS=\(([^)]*)\)", text_of(ROOT / "dev") or "", re.M)
    return sorted(set(targets) - set(listed.group(1).split() if listed else []))


def check_links(path, text):
    for number, line, _ in prose(text):
        for target in LINK.findall(line) + REFERENCE.findall(line):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            name, _, fragment = target.partition("#")
            goal = path if not name else (ROOT / name[1:] if name.startswith("/") else path.parent / name)
            if not goal.exists():
                yield number, f"link to {target}: there is no such file"
            elif fragment and goal.suffix == ".md" and fragment not in anchors(text_of(goal) or ""):
                yield number, f"link to {target}: there is no such heading"


def check_rules(text):
    for number, line in enumerate(text.splitlines(), 1):
        for rule, finding in RULES:
            if rule.search(line):
                yield number, finding


def main():
    findings = 0
    for path in tracked():
        text = text_of(path)
        if text is None:
            continue
        results = list(check_rules(text))
        if path.suffix == ".md":
            results += check_links(path, text)
        for number, finding in sorted(results):
            print(f"{path.relative_to(ROOT)}:{number}: {finding}")
            findings += 1
    for target in forgotten_tests():
        print(f"dev: {target} is a test target that TEST_TARGETS does not list")
        findings += 1
    for finding in mutants.check():
        print(f"Tests/Mutants: {finding}")
        findings += 1
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
