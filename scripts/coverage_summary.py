#!/usr/bin/env python3
"""Prints the line coverage of each target from the JSON that `swift test --enable-code-coverage` writes."""

import json
import sys
from collections import defaultdict
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "Sources"


def main(report):
    counts = defaultdict(lambda: [0, 0])
    for entry in json.loads(Path(report).read_text())["data"][0]["files"]:
        try:
            target = Path(entry["filename"]).relative_to(SOURCES).parts[0]
        except ValueError:
            continue
        lines = entry["summary"]["lines"]
        for key in (target, "all targets"):
            counts[key][0] += lines["covered"]
            counts[key][1] += lines["count"]
    width = max((len(name) for name in counts), default=0)
    for name in sorted(counts, key=lambda name: (name == "all targets", name)):
        covered, total = counts[name]
        print(f"{name:<{width}}  {100 * covered / total if total else 0:6.1f} %  {covered} of {total} lines")
    return 0 if counts else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
