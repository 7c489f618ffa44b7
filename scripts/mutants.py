#!/usr/bin/env python3
"""Plants the faults of Tests/Mutants one by one and sees whether the tests notice.

All faults are built at once: each stands behind a switch in a copy of the sources, .build-mutants/tree, and the
environment variable PLANTED_FAULT turns one on. A fault counts as caught when a test of its suites fails, when their
process crashes, or when it does not end; first every suite must pass without any fault.

A fault is a table of a .toml file:

    [[mutant]]
    id = "lift-by-declarer"
    breaks = "who stopped may lift"
    file = "Sources/IssuanceRules/Control/Lifting.swift"
    find = "declarers.isDisjoint(with: pending.people)"   # stands in the file exactly once
    replace = "true"
    kind = "expression"     # or "statement"; "text" for a piece of a string literal; "switch" where the fault is written
                            # out, with $on for the switch
    suites = ["IssuanceRulesTests"]     # patterns of names of tests from their target on, the quickest first

Results are kept in .build-mutants/results.json until the fault is written otherwise. docs/planted-bugs.md is made of them
as soon as every fault has one, or when it is asked for.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "Tests/Mutants"
PAGE = ROOT / "docs/planted-bugs.md"
WORK = ROOT / ".build-mutants"
TREE = WORK / "tree"
RESULTS = WORK / "results.json"
BUNDLE = "clawgrantPackageTests"
TESTS = WORK / "tests.xctest"
VARIABLE = "PLANTED_FAULT"
SWITCH = f"""import Foundation

/// Which planted fault is on.
enum Mutation {{
    private static let active = ProcessInfo.processInfo.environment["{VARIABLE}"]

    static func on(_ id: String) -> Bool {{ active == id }}
}}
"""
# Searches among thousands of random inputs, which take longer than all the rest.
SLOW = "PropertyTests"
FAILED = re.compile(r'✘ Test (?!run with |case )("[^"]*"|\S+) (?:recorded|failed)')
PASSED = re.compile(r"✔ Test (?!run with |case )")
MEMBERS = {"id", "breaks", "file", "find", "replace", "suites"}


def read_list():
    """Every fault of the list, in order, and what is wrong with the list itself."""
    faults, findings, seen = [], [], set()
    for path in sorted(LIST.glob("*.toml")):
        for fault in tomllib.loads(path.read_text())["mutant"]:
            name = fault.get("id", "a fault without an id")
            missing = MEMBERS - fault.keys()
            if missing or not fault.keys() <= MEMBERS | {"kind"}:
                findings.append(f"{path.name}: {name}: its members are {', '.join(sorted(MEMBERS))} and kind")
                continue
            if name in seen:
                findings.append(f"{path.name}: {name} stands twice")
            seen.add(name)
            fault.setdefault("kind", "expression")
            fault["subject"] = path.stem
            faults.append(fault)
    return faults, findings


def planted(fault):
    """What stands in the sources in place of the text of a fault: both, with the switch between them."""
    find, replace, on = fault["find"], fault["replace"], f'Mutation.on("{fault["id"]}")'
    match fault["kind"]:
        case "expression":
            return f"({on} ? ({replace}) : ({find}))"
        case "statement":
            return f"if {on} {{ {replace} }} else {{ {find} }}"
        case "switch":
            return replace.replace("$on", on)
        case "text":
            new, old = (
                text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for text in (replace, find))
            return f'\\({on} ? "{new}" : "{old}")'
    raise ValueError(f"there is no kind {fault['kind']}")


def planted_sources(faults):
    """The text of every file with faults in it, with all of them planted, and what does not apply."""
    texts, findings = {}, []
    for fault in faults:
        name = fault["file"]
        if name not in texts:
            texts[name] = (ROOT / name).read_text() if (ROOT / name).is_file() else ""
        count = texts[name].count(fault["find"])
        if count != 1:
            findings.append(f"{fault['subject']}.toml: {fault['id']}: its text stands {count} times in {name}")
            continue
        try:
            texts[name] = texts[name].replace(fault["find"], planted(fault))
        except ValueError as error:
            findings.append(f"{fault['subject']}.toml: {fault['id']}: {error}")
    return texts, findings


def test_targets(faults):
    """The test targets that hold the suites of faults."""
    return {target(pattern) for fault in faults for pattern in fault["suites"]}


def target(pattern):
    return pattern.split(".")[0]


def with_tests(package, targets):
    """The package without the test targets that no fault needs, which would take most of the time to build."""
    end = 0
    kept = ""
    for match in re.finditer(r'\n *\.testTarget\(\s*name: "(\w+)"', package):
        close, depth = package.index("(", match.start()), 0
        for place in range(close, len(package)):
            depth += {"(": 1, ")": -1}.get(package[place], 0)
            if depth == 0:
                close = place + 1
                break
        close += package[close : close + 1] == ","
        kept += package[end : match.start()]
        kept += package[match.start() : close] if match.group(1) in targets else ""
        end = close
    return kept + package[end:]


def check():
    """What keeps the list from being planted, a line each. Takes no build."""
    faults, findings = read_list()
    findings += planted_sources(faults)[1]
    for pattern in sorted({pattern for fault in faults for pattern in fault["suites"]}):
        folder = ROOT / "Tests" / target(pattern)
        text = "\n".join(path.read_text() for path in folder.rglob("*.swift"))
        for name in re.findall(r"\w+", pattern)[1:]:
            if not re.search(rf"\b(struct|enum|class|extension|func) {name}\b", text):
                findings.append(f"{pattern}: nothing is called {name} in Tests/{folder.name}")
        if not text:
            findings.append(f"{pattern}: a pattern of tests begins with the name of their target")
    return findings


def plant(faults):
    """Writes the copy of the sources with every fault behind its switch."""
    texts, findings = planted_sources(faults)
    if findings:
        sys.exit("\n".join(findings))
    modules = {pathlib.Path(*pathlib.Path(name).parts[:2]) for name in texts}
    texts |= {str(module / "Mutation.swift"): SWITCH for module in modules}
    texts["Package.swift"] = with_tests((ROOT / "Package.swift").read_text(), test_targets(faults))
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True)
    # Git leaves out the versions of the dependencies, which the copy is to share.
    names = {"Package.resolved", *listed.stdout.decode().split("\0")} - {""}
    names = {name for name in names if (ROOT / name).exists()} | texts.keys()
    for folder, folders, files in os.walk(TREE):
        folders[:] = [name for name in folders if not name.startswith(".build")]
        for path in (pathlib.Path(folder) / name for name in files):
            if str(path.relative_to(TREE)) not in names:
                path.unlink()
    for name in names:
        target = TREE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name not in texts:
            # With its time, so that a build takes it for what it is: unchanged.
            if target.is_symlink():
                target.unlink()
            shutil.copy2(ROOT / name, target, follow_symlinks=False)
        elif not target.exists() or target.read_text() != texts[name]:
            target.write_text(texts[name])


def build():
    log = WORK / "build.log"
    with log.open("w") as output:
        # The tests, and the program that some of them start.
        for product in (BUNDLE, "clawgrant"):
            command = ["swift", "build", "--product", product]
            if subprocess.run(command, cwd=TREE, stdout=output, stderr=subprocess.STDOUT).returncode != 0:
                break
        else:
            return
    lines = [line for line in log.read_text(errors="replace").splitlines() if "error:" in line]
    sys.exit("\n".join(sorted(set(lines))[:40] + [f"the sources with the faults do not build, see {log}"]))


class Running:
    """The processes under way, each the leader of a group of its own, so that none outlives this one."""

    def __init__(self):
        self.lock, self.groups = threading.Lock(), set()

    def start(self, command, environment):
        with self.lock:
            process = subprocess.Popen(
                command, cwd=TREE, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
            self.groups.add(process.pid)
        return process

    def end(self, process):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        with self.lock:
            self.groups.discard(process.pid)

    def end_all(self):
        with self.lock:
            for group in self.groups:
                try:
                    os.killpg(group, signal.SIGKILL)
                except ProcessLookupError:
                    pass


RUNNING = Running()


def run(pattern, fault, seconds, skip=None, parallel=True):
    """Runs tests until the first of them fails; returns None when all pass, or how the fault was noticed."""
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    if fault:
        environment[VARIABLE] = fault["id"]
    # The bundle itself: `swift test` plans the package anew each time.
    command = [str(TESTS), "--testing-library", "swift-testing", "--filter", pattern]
    command += ["--skip", skip] if skip else []
    command += [] if parallel else ["--no-parallel"]
    process = RUNNING.start(command, environment)
    late = threading.Event()

    def give_up():
        late.set()
        RUNNING.end(process)

    timer = threading.Timer(seconds, give_up)
    timer.start()
    failed, passed, last = None, 0, ""
    for line in process.stdout:
        line = re.sub(r"\x1b\[[0-9;]*m", "", line)
        last = line.strip() or last
        if match := FAILED.search(line):
            place = re.search(r" at (\w+\.swift):\d", line)
            failed = match.group(1) + (f" ({place.group(1)})" if place else "")
            break
        passed += bool(PASSED.match(line))
    if failed and fault:
        RUNNING.end(process)
    timer.cancel()
    status = process.wait()
    RUNNING.end(process)
    if failed:
        return {"how": "failed", "test": failed}
    if late.is_set():
        return {"how": "did not end", "test": f"{pattern}, given {seconds} s"}
    if status != 0:
        return {"how": "crashed", "test": f"{pattern}: {last[:160]}"}
    if passed == 0 and not skip:
        return {"how": "failed", "test": f"none of the tests {pattern} ran: what do they need?"}
    return None


def stages(fault):
    """The runs that look for a fault, quick ones first."""
    for pattern in fault["suites"]:
        if pattern == target(pattern):
            yield pattern, SLOW
        yield pattern, None


def try_fault(fault, options):
    start = time.monotonic()
    result = None
    for pattern, skip in stages(fault):
        BASELINE.require(pattern, options.seconds)
        result = run(pattern, fault, options.seconds, skip, parallel=not needs_servers(pattern))
        if result:
            break
    result = result or {"how": "survived", "test": ""}
    result["seconds"] = round(time.monotonic() - start)
    result["digest"] = digest(fault)
    return result


def needs_servers(pattern):
    """Whether tests start workers and brokers, which starve each other side by side."""
    return bool(re.search(r"\b(ChaosTests|StopTests)\b", pattern))


def digest(fault):
    return json.dumps([fault[key] for key in ("file", "find", "replace", "kind", "suites")])


def read_results(faults):
    """What earlier runs found, of faults that still read the same."""
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    return {
        fault["id"]: known[fault["id"]] for fault in faults
        if known.get(fault["id"], {}).get("digest") == digest(fault)}


def page(faults, results):
    """docs/planted-bugs.md."""
    tried = [fault for fault in faults if fault["id"] in results]
    how = [results[fault["id"]]["how"] for fault in tried]
    total = (
        f"Of {len(tried)} faults {len(tried) - how.count('survived')} are caught: {how.count('failed')} by a test that "
        f"fails, {how.count('crashed')} by a crash, {how.count('did not end')} by tests that no longer end.")
    if "survived" in how:
        total += f" {how.count('survived')} were noticed by nothing when they were tried last."
    if len(tried) < len(faults):
        total += f" {len(faults) - len(tried)} more are on the list and have not been tried as they are written now."
    lines = [
        "# Planted bugs", "",
        "A test that cannot fail proves nothing. So faults are planted in the parts that must not be wrong – rules, control,",
        "fencing, deciding, sealing, publishing, evidence, reading – one at a time, and the tests have to notice each of",
        "them. The list is in [Tests/Mutants](../Tests/Mutants), and a fault of it is a piece of the sources with the wrong",
        "piece beside it. `./dev check` fails as soon as one of them no longer applies to the sources.", "",
        "```sh",
        "./dev mutants                              # plants all of them, and writes this page",
        "./dev mutants --only epoch-of-a-partition  # one, a pattern of names, or a file of the list such as fencing",
        "./dev mutants --list",
        "./dev mutants --jobs 2                     # so many faults at a time",
        "./dev mutants --resume                     # those that were not caught before",
        "```", "",
        "All faults are built at once, each behind a switch that an environment variable turns on. Without any of them all",
        "suites pass; with one, its suites run until the first test fails. That test is named here; others may fail too.",
        "", total,
    ]
    for subject in sorted({fault["subject"] for fault in tried}):
        lines += ["", f"## {subject.capitalize()}", "", "| Fault | What it breaks | File | Noticed by |", "|---|---|---|---|"]
        for fault in tried:
            if fault["subject"] != subject:
                continue
            result = results[fault["id"]]
            cell = result["test"].replace("|", "\\|")
            noticed = {"failed": f"`{cell}`", "survived": "**nothing**"}.get(result["how"], f"{result['how']}: `{cell}`")
            place = str(pathlib.Path(fault["file"]).relative_to("Sources"))
            lines.append(f"| `{fault['id']}` | {fault['breaks']} | {place} | {noticed} |")
    return "\n".join(lines) + "\n"


def choose(faults, only):
    if not only:
        return faults
    chosen = [
        fault for fault in faults
        if any(fault["subject"] == name or re.fullmatch(name, fault["id"]) for name in only)]
    return chosen or sys.exit(f"no fault is called {' or '.join(only)}")


class Baseline:
    """Suites without any fault, each tried when it is first needed: nothing is shown by one that fails anyway."""

    def __init__(self):
        self.lock, self.known = threading.Lock(), {}

    def require(self, pattern, seconds):
        with self.lock:
            if pattern not in self.known:
                self.known[pattern] = run(pattern, None, seconds, parallel=not needs_servers(pattern))
            if failed := self.known[pattern]:
                raise SystemExit(f"without any fault {pattern} does not pass: {failed['how']}: {failed['test']}")


BASELINE = Baseline()


def try_all(chosen, results, options):
    width = max(len(fault["id"]) for fault in chosen)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(try_fault, fault, options): fault for fault in chosen}
        try:
            for done in concurrent.futures.as_completed(running):
                name, result = running[done]["id"], done.result()
                results[name] = result
                RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True))
                print(f"{name:{width}}  {result['how']:11}  {result['test']}  ({result['seconds']} s)", flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            RUNNING.end_all()
            raise


def main():
    parser = argparse.ArgumentParser(prog="./dev mutants", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="a fault, a pattern of names, or a file of Tests/Mutants")
    parser.add_argument("--list", action="store_true", help="list the faults and end")
    parser.add_argument("--check", action="store_true", help="see whether every fault applies to the sources, and end")
    parser.add_argument("--plant", action="store_true", help="write the sources with the faults, build them, and end")
    parser.add_argument("--skip-build", action="store_true", help="take what was built before")
    parser.add_argument("--resume", action="store_true", help="leave out what was caught before")
    parser.add_argument("--page", action="store_true", help="write the page of what was tried, whatever is missing")
    parser.add_argument("--jobs", type=int, default=1, help="faults at a time (1)")
    parser.add_argument("--seconds", type=int, default=300, help="longest time of a run of tests (300)")
    options = parser.parse_args()
    findings = check()
    if options.check or findings:
        sys.exit("\n".join(findings) if findings else 0)
    faults, _ = read_list()
    chosen = choose(faults, options.only)
    if options.list:
        for fault in chosen:
            print(f"{fault['subject']:12} {fault['id']:36} {fault['breaks']}")
        print(f"{len(chosen)} faults")
        return
    if not options.skip_build:
        WORK.mkdir(exist_ok=True)
        plant(faults)
        build()
    if options.plant:
        return
    results = read_results(faults)
    if options.resume:
        chosen = [fault for fault in chosen if results.get(fault["id"], {}).get("how", "survived") == "survived"]
    if chosen:
        # A copy, so that a build meanwhile does not take the tests away.
        shutil.copy2(TREE / f".build/debug/{BUNDLE}.xctest", TESTS)
        try_all(chosen, results, options)
    if options.page or all(fault["id"] in results for fault in faults):
        PAGE.write_text(page(faults, results))
    survivors = [fault["id"] for fault in chosen if results[fault["id"]]["how"] == "survived"]
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} faults were caught")
    if survivors:
        sys.exit("nothing noticed " + ", ".join(survivors))


if __name__ == "__main__":
    main()
