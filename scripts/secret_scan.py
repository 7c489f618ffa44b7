#!/usr/bin/env python3
"""Looks for secrets in files: known shapes, and words of high entropy. Prints `file:line: rule: excerpt`, exits with 1 if any.

    scripts/secret_scan.py                  every text file of the tree that git knows or would add
    scripts/secret_scan.py PATH…            files and folders, such as logs and outputs of tests
    scripts/secret_scan.py --allowed        prints what is allowed, with the reasons

An excerpt shows the first eight characters and never the rest. What is meant to be there is allowed by a line of
scripts/secret_scan_allowed.txt: a pattern of paths, a rule, and the reason. A line that allows nothing is a finding too.
"""

import fnmatch
import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = ROOT / "scripts/secret_scan_allowed.txt"
LARGEST = 64 << 20

# The brackets keep the rules from finding themselves.
RULES = {
    "private-key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVAT[E] KEY-----"),
    # A signed token whole: three parts, the first of which is a JSON object. Without a signature it is of no use.
    "compact-jws": re.compile(r"\bey[J][A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{43,}"),
    "cloud-key": re.compile(r"\b(?:AKI[A]|ASI[A])[0-9A-Z]{16}\b"),
    "vendor-token": re.compile(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pa[t]_[A-Za-z0-9_]{60,}|xox[abprs]-[A-Za-z0-9-]{20,}|sk-[A-Za-z0-9]{40,}"
        r"|glpa[t]-[A-Za-z0-9_-]{20})\b"),
    "connection-string": re.compile(r"SharedAccessKe[y]=[A-Za-z0-9+/]{20,}|AccountKe[y]=[A-Za-z0-9+/]{20,}"),
    "url-password": re.compile(r"\b[a-z][a-z0-9+]{2,}://[^\s/:@\"'<>]{1,64}:[^\s/@\"'<>${}\\(]{6,}@[a-z0-9.-]+", re.I),
    "assignment": re.compile(
        r"(?i)\b(?:passwor[d]|passw[d]|client_secre[t]|api_?ke[y]|auth_?toke[n])\b[\"']?\s*[:=]\s*[\"']([^\"'\s$<>{}\\(]{8,})[\"']"),
}
# Words that could be keys: base64 or hexadecimal, long, and without the order of a text. Digests and public keys look the
# same and are everywhere in this project, so this rule looks at configuration, scripts and logs beside a telling name.
TELLING = re.compile(r"(?i)\b[\w.-]*(?:secre[t]|passwor[d]|private_?ke[y]|see[d]|pi[n]|sealin[g]|bearer)[\w.-]*\b[\"']?\s*[:=]\s*[\"']?([A-Za-z0-9+/_=-]{24,})")


def entropy(word):
    counts = Counter(word)
    return -sum(count / len(word) * math.log2(count / len(word)) for count in counts.values())


def is_dense(word):
    if re.fullmatch(r"[0-9a-fA-F]+", word):
        return len(word) >= 32 and entropy(word) > 3.2
    kinds = sum(bool(re.search(kind, word)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return kinds == 3 and entropy(word) > 4.2


def findings_in(text):
    for number, line in enumerate(text.splitlines(), 1):
        # Outputs may be one line of megabytes; what matters of it is found all the same, piece by piece.
        for start in range(0, max(len(line), 1), 65_536):
            piece = line[start:start + 65_536 + 4_096]
            for name, rule in RULES.items():
                for match in rule.finditer(piece):
                    yield number, name, match.group(match.lastindex or 0)
            for match in TELLING.finditer(piece):
                if is_dense(match.group(1)):
                    yield number, "high-entropy", match.group(1)


def allowed():
    entries = []
    for number, line in enumerate(ALLOWED.read_text("utf-8").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            pattern, rule, reason = (part.strip() for part in line.split("|", 2))
            entries.append({"pattern": pattern, "rule": rule, "reason": reason, "line": number, "used": 0})
    return entries


def tree():
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
        capture_output=True).stdout.decode().split("\0")
    return [(ROOT / name, name) for name in sorted(set(names)) if name and (ROOT / name).is_file()]


def named(arguments):
    for argument in arguments:
        path = Path(argument)
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and not file.is_symlink():
                yield file, str(file)


def main():
    arguments = sys.argv[1:]
    entries = allowed()
    if arguments == ["--allowed"]:
        for entry in entries:
            print(f"{entry['pattern']} ({entry['rule']}): {entry['reason']}")
        return 0
    found = 0
    for path, name in tree() if not arguments else named(arguments):
        if path.stat().st_size > LARGEST:
            print(f"{name}:1: too large to be looked at")
            found += 1
            continue
        data = path.read_bytes()
        if b"\0" in data[:4096]:
            continue
        for number, rule, excerpt in findings_in(data.decode("utf-8", "replace")):
            match = next((entry for entry in entries if not arguments and entry["rule"] in (rule, "*")
                          and fnmatch.fnmatch(name, entry["pattern"])), None)
            if match:
                match["used"] += 1
                continue
            print(f"{name}:{number}: {rule}: {excerpt[:8]}… ({len(excerpt)} characters)")
            found += 1
    if not arguments:
        for entry in entries:
            if not entry["used"]:
                print(f"{ALLOWED.relative_to(ROOT)}:{entry['line']}: allows nothing: take it out")
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
