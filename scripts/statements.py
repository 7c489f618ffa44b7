#!/usr/bin/env python3
"""Lists the prepared statements of the ledger as they stand in the sources of a commit, as JSON.

    scripts/statements.py [COMMIT] > Tests/DeploymentTests/previous-statements.json

For a release: its statements are kept and prepared against the schemas of later builds, whose workers stand beside its
own during an upgrade. Reads `PreparedStatement(name, text, parameterTypes:)` in Sources/GrantLedger; the interpolations
it resolves are constants with a literal of their own. What it cannot resolve is listed under `unresolved`.
"""

import json
import re
import subprocess
import sys

FOLDER = "Sources/GrantLedger"
# The names that PREPARE takes for the types of Sources/Postgres.
TYPES = {"int2": "int2", "int4": "int4", "int8": "int8", "text": "text", "bytea": "bytea", "bool": "bool", "uuid": "uuid",
         "timestamptz": "timestamptz", "jsonb": "jsonb", "float8": "float8"}


def sources(commit):
    if commit is None:
        names = subprocess.run(["git", "ls-files", FOLDER], check=True, capture_output=True, text=True).stdout.split()
        return {name: open(name, encoding="utf-8").read() for name in names if name.endswith(".swift")}
    names = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", commit, FOLDER], check=True, capture_output=True, text=True).stdout.split()
    return {name: subprocess.run(["git", "show", f"{commit}:{name}"], check=True, capture_output=True, text=True).stdout
            for name in names if name.endswith(".swift")}


def literal(text, start):
    """A Swift string literal at `start`, as parts: (text, False) and (interpolated expression, True). And its end."""
    fence = '"""' if text.startswith('"""', start) else '"'
    if not text.startswith('"', start):
        return None, start
    position, parts, current = start + len(fence), [], ""
    while not text.startswith(fence, position):
        if text.startswith("\\(", position):
            depth, end = 1, position + 2
            while depth:
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                end += 1
            parts += [(current, False), (text[position + 2:end - 1], True)]
            current, position = "", end
        elif text.startswith("\\\n", position):
            position += 2
        elif text[position] == "\\":
            current += {"n": "\n", "t": "\t"}.get(text[position + 1], text[position + 1])
            position += 2
        else:
            current += text[position]
            position += 1
    parts.append((current, False))
    return parts, position + len(fence)


def constants(files):
    """`Type.name` and `file:name` of every constant with a literal."""
    found = {}
    for name, text in files.items():
        owner = None
        for match in re.finditer(r"^(?:enum|struct|extension|public enum) (\w+)|static let (\w+)(?:: String)? =\s*(?=\")", text, re.M):
            if match.group(1):
                owner = match.group(1)
            else:
                parts, _ = literal(text, match.end())
                found[f"{owner}.{match.group(2)}"] = parts
                found[f"{name}:{match.group(2)}"] = parts
    return found


def resolve(parts, name, known, depth=0):
    if parts is None or depth > 5:
        return None
    out = ""
    for text, is_expression in parts:
        if not is_expression:
            out += text
            continue
        inner = resolve(known.get(text) or known.get(f"{name}:{text}"), name, known, depth + 1)
        if inner is None:
            return None
        out += inner
    return out


def main():
    commit = sys.argv[1] if len(sys.argv) > 1 else None
    files = sources(commit)
    known = constants(files)
    statements, unresolved = [], []
    for name, text in sorted(files.items()):
        for match in re.finditer(r"PreparedStatement\(\s*(?=\")", text):
            title, position = literal(text, match.end())
            comma = re.compile(r"\s*,\s*").match(text, position)
            body, position = literal(text, comma.end()) if comma else (None, position)
            types = re.compile(r"\s*,\s*parameterTypes:\s*\[([^\]]*)\]").match(text, position)
            title, body = resolve(title, name, known), resolve(body, name, known)
            if title is None or body is None:
                unresolved.append(f"{name}:{text.count(chr(10), 0, match.start()) + 1}")
                continue
            words = re.findall(r"\.(\w+)", types.group(1)) if types else []
            words = [TYPES[w.removesuffix("Array")] + ("[]" if w.endswith("Array") else "") for w in words]
            sql = re.sub(r"[ \t]+", " ", re.sub(r"\n\s*", "\n", body)).strip()
            statements.append({"name": title, "sql": sql, "types": words})
    json.dump({"commit": commit, "statements": statements, "unresolved": unresolved}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
