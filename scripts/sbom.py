#!/usr/bin/env python3
"""Writes the bill of materials of the program as CycloneDX 1.6 JSON, or checks one.

    scripts/sbom.py [--program FILE] [--output FILE]     from Package.swift, Package.resolved and the linked libraries
    scripts/sbom.py --check FILE                         against CycloneDX's own schema; prints findings, exits with 1

Swift packages carry version, revision and licence; libraries that the program is linked with carry the Debian package
and version that they come from. The same inputs give the same bytes: the time is SOURCE_DATE_EPOCH, or that of the
commit, and the serial number follows from the content.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(os.environ.get("CLAWGRANT_DEPLOYMENT_TOOLS", ROOT / ".build/tools/deployment"))
DEPENDENCIES = ROOT / "docs/security/dependencies.md"


def rows(heading):
    """The rows of the table under a heading of dependencies.md, as lists of cells."""
    text = DEPENDENCIES.read_text("utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return cells[2:]


def command(*words, partly=False):
    """What a program prints; nothing when it fails, unless a part of the answer will do."""
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    return ran.stdout.strip() if partly or ran.returncode == 0 else ""


def instant():
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or command("git", "log", "-1", "--format=%ct") or "0"
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def version():
    """What the program says of itself."""
    text = (ROOT / "Sources/Observability/BuildVersion.swift").read_text("utf-8")
    return re.search(r'static let text = "([0-9][^"]*)"', text)[1]


def licences(expression):
    if " OR " in expression or " AND " in expression:
        return [{"expression": expression}]
    return [{"license": {"id": expression}}]


def swift_packages():
    known = {name: (purpose, licence) for name, purpose, licence in rows("In the program: Swift packages")}
    for pin in sorted(json.loads((ROOT / "Package.resolved").read_text("utf-8"))["pins"], key=lambda pin: pin["identity"]):
        name, state = pin["identity"], pin["state"]
        place = re.sub(r"^https?://|\.git$", "", pin["location"])
        label = state.get("version") or state["revision"]
        component = {
            "type": "library", "bom-ref": f"pkg:swift/{place}@{label}", "name": name, "version": label,
            "purl": f"pkg:swift/{place}@{label}", "scope": "required",
            "externalReferences": [{"type": "vcs", "url": f"https://{place}"}],
            "properties": [{"name": "clawgrant:revision", "value": state["revision"]}],
        }
        if name in known:
            component["description"], component["licenses"] = known[name][0], licences(known[name][1])
        yield component


def linked(program):
    """Libraries of the distribution that a program is linked with, by their packages."""
    libraries = {}
    for path in re.findall(r"(/\S+) \(", command("ldd", str(program))):
        # dpkg knows a library by the name it was installed under, with or without the merged /usr.
        real = os.path.realpath(path)
        for name in (real, real.removeprefix("/usr")):
            libraries[name] = os.path.basename(path)
    found = {}
    for line in command("dpkg-query", "-S", *libraries, partly=True).splitlines():
        owners, _, name = line.rpartition(": ")
        if name in libraries:
            found.setdefault(owners.split(",")[0], set()).add(libraries[name])
    versions = {}
    if found:
        for line in command("dpkg-query", "-W", "-f=${binary:Package}\t${Version}\t${Architecture}\n", *found).splitlines():
            package, version, architecture = line.split("\t")
            versions[package.partition(":")[0]] = version, architecture
    known = {cells[1].split(",")[0].strip(): cells for cells in rows("In the program: system libraries")}
    for package, names in sorted(found.items()):
        name = package.partition(":")[0]
        version, architecture = versions[name]
        purl = f"pkg:deb/debian/{name}@{version}?arch={architecture}"
        component = {
            "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "scope": "required",
            "properties": [{"name": "clawgrant:linked", "value": ", ".join(sorted(names))}],
        }
        for library, cells in known.items():
            if any(linked_as.startswith(library + ".") for linked_as in names):
                component["description"], component["licenses"] = cells[2], licences(cells[3])
        yield component


def bill(program):
    root = f"pkg:generic/clawgrant@{version()}"
    components = list(swift_packages()) + (list(linked(program)) if program else [])
    direct = {re.sub(r"\.git$", "", url.rpartition("/")[2]).lower()
              for url in re.findall(r'\.package\(url: "([^"]+)"', (ROOT / "Package.swift").read_text("utf-8"))}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": instant(),
            "tools": {"components": [{"type": "application", "name": "scripts/sbom.py", "version": version()}]},
            "component": {
                "type": "application", "bom-ref": root, "name": "clawgrant", "version": version(), "purl": root,
                "properties": [{"name": "clawgrant:commit", "value": command("git", "rev-parse", "HEAD") or "unknown"}],
            },
        },
        "components": components,
        # What these need in turn is in their own manifests; of the Debian packages only what is linked is listed.
        "dependencies": [{
            "ref": root,
            "dependsOn": sorted(c["bom-ref"] for c in components if c["name"] in direct or c["purl"].startswith("pkg:deb/")),
        }],
    }
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).digest()
    document["serialNumber"] = f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}"
    return document


def check(path):
    from jsonschema import Draft7Validator, RefResolver
    folder = TOOLS / "cyclonedx/schema/_res"
    load = lambda name: json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text("utf-8"))
    schema = load("bom-1.6")
    base = "http://cyclonedx.org/schema/"
    store = {base + "spdx.schema.json": load("spdx"), base + "spdx.SNAPSHOT.schema.json": load("spdx"),
             base + "jsf-0.82.schema.json": load("jsf-0.82"), base + "jsf-0.82.SNAPSHOT.schema.json": load("jsf-0.82")}
    document = json.loads(Path(path).read_text("utf-8"))
    findings = [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
                for error in Draft7Validator(schema, resolver=RefResolver.from_schema(schema, store=store)).iter_errors(document)]
    for component in document.get("components", []):
        if component["purl"].startswith("pkg:swift/"):
            if "licenses" not in component:
                findings.append(f"{component['name']} has no licence: it is missing in docs/security/dependencies.md")
            if not re.fullmatch(r"[0-9a-f]{40}", component["properties"][0]["value"]):
                findings.append(f"{component['name']} has no revision")
    refs = {component["bom-ref"] for component in document.get("components", [])}
    for dependency in document.get("dependencies", []):
        findings += [f"{ref} is named and not listed" for ref in dependency.get("dependsOn", []) if ref not in refs]
    return findings


def main():
    parser = argparse.ArgumentParser(description="Bill of materials")
    parser.add_argument("--program", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--check", type=Path)
    options = parser.parse_args()
    if options.check:
        findings = check(options.check)
        print("\n".join(findings), end="\n" if findings else "")
        return 1 if findings else 0
    text = json.dumps(bill(options.program), indent=2, ensure_ascii=False) + "\n"
    if options.output:
        options.output.write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
