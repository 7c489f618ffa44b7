#!/usr/bin/env python3
"""Fits a model of queues to measured figures and sizes installations with it.

Reads figures.json beside it, which holds what `clawgrant bench --json` printed, and prints the tables of docs/scale.md.
--write puts them into the page, --check ends with an error when the page says something else. Needs nothing but Python.

Two parts, both with few parameters and more measurements than parameters, so that each has residuals to be judged by:

- Work. A decision costs a kind of process d, and its batch k, which it shares with those that came in while the batch was
  gathered: at x decisions a second d + k/(1 + x*g). Least squares of the relative errors.
- Time. A round of publishing takes t0 + t1*n with n decisions in it, and rounds follow each other without overlap, at
  the least s apart: a decision waits for the next round to begin and for its own (a server with gated batches). With
  the share of the processors that is taken, u, all work is stretched by 1/(1 - u^c), c processors; a round takes
  R = t0 / (1 - t1*x) so stretched, and begins every T = max(s, R). Reading, deciding and committing take m, stretched
  too, after a wait of up to w for the broker's answer to a fetch. Half of the decisions are there after
  w/2 + m + T/2 + R, and 99 of 100 after w + m + T + R.
"""

import argparse
import json
import math
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "scale.md"
BEGIN, END = "<!-- model: begin -->", "<!-- model: end -->"
KINDS = ["worker", "postgres", "broker", "relay_and_reader"]
NAMES = {"worker": "workers", "postgres": "PostgreSQL", "broker": "broker of development", "relay_and_reader": "relay and reader"}
# Load of the processors above which queues grow as long as the rate lasts, and the model says nothing.
STEADY = 0.9
# How far rounds that are not full are apart (limits.seal_interval_ms), and what a fetch of the benchmark's broker waits.
INTERVAL, FETCH = 0.020, 0.050
# Share of a processor that is planned with: the rest is for failures, compaction and the peak within the second.
PLANNED = 0.6


def solve(rows, values):
    """Least squares by the normal equations, Gauss with pivots: few parameters, well scaled by the caller."""
    count = len(rows[0])
    matrix = [[sum(r[i] * r[j] for r in rows) for j in range(count)] + [sum(r[i] * v for r, v in zip(rows, values))] for i in range(count)]
    for i in range(count):
        pivot = max(range(i, count), key=lambda k: abs(matrix[k][i]))
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        for k in range(count):
            if k != i:
                factor = matrix[k][i] / matrix[i][i]
                matrix[k] = [a - factor * b for a, b in zip(matrix[k], matrix[i])]
    return [matrix[i][count] / matrix[i][i] for i in range(count)]


class Figures:
    def __init__(self, document):
        self.values = {f["name"]: f["value"] for f in document["figures"]}
        self.machine = document["machine"]
        self.rates = sorted(int(n.split(".")[1]) for n in self.values if n.startswith("latency.") and n.endswith(".p50"))

    def __getitem__(self, name):
        return self.values[name]


class Work:
    """Processor seconds a second: each * rate + batch * batches a second, with 1 + rate * gathering decisions in a batch."""

    def __init__(self, figures, kind):
        self.points = [(x, figures[f"latency.{x}.{kind}_cpu_per_decision"] * 1e-6) for x in figures.rates]
        if kind in OF_BACKLOG:
            self.points.append((figures["batch.decisions_per_second"], figures[f"batch.{kind}_cpu_per_decision"] * 1e-6))
        # No batch is so large that a decision costs the ledger less than rows that all lie ready.
        least = figures[FLOORS[kind]] * 1e-6 if kind in FLOORS else None
        fits = []
        for step in range(1, 200):
            gathering = step * 5e-4
            # Relative errors: at every rate the same share of what was measured counts alike.
            rows = [[1 / y, 1 / (1 + x * gathering) / y] for x, y in self.points]
            each, batch = solve(rows, [1.0] * len(rows))
            if least is not None and each < least:
                each, batch = least, solve([r[1:] for r in rows], [1 - least * r[0] for r in rows])[0]
            if each >= 0 and batch >= 0:
                error = sum((each * r[0] + batch * r[1] - 1) ** 2 for r in rows)
                fits.append((error, each, batch, gathering))
        if not fits:
            sys.exit(f"no model of {kind} fits the figures")
        _, self.each, self.batch, self.gathering = min(fits)

    def per_decision(self, rate):
        return self.each + self.batch / (1 + rate * self.gathering)

    def per_second(self, rate):
        return self.per_decision(rate) * rate

    def residuals(self):
        return [(x, y, self.per_decision(x)) for x, y in self.points]


class Time:
    """Median and 99th percentile, in seconds, from an approval that is due to its grant that can be read."""

    def __init__(self, figures, work, interval, fetch):
        self.processors = figures.machine["processors"]
        self.work, self.interval, self.fetch = work, interval, fetch
        self.points = [(x, figures[f"latency.{x}.p50"] / 1e3, figures[f"latency.{x}.p99"] / 1e3) for x in figures.rates]
        best = None
        for t0 in [i * 5e-4 for i in range(2, 81)]:
            for t1 in [i * 1e-5 for i in range(0, 41)]:
                for m in [i * 5e-4 for i in range(2, 41)]:
                    error = sum(self.error(point, t0, t1, m) for point in self.points if self.is_steady(point[0]))
                    if best is None or error < best[0]:
                        best = (error, t0, t1, m)
        _, self.t0, self.t1, self.m = best

    def error(self, point, t0, t1, m):
        rate, *measured = point
        return sum(math.log(p / y) ** 2 for p, y in zip(self.predict(rate, t0, t1, m), measured))

    def load(self, rate):
        return sum(w.per_second(rate) for w in self.work.values()) / self.processors

    def is_steady(self, rate):
        return self.load(rate) < STEADY

    def predict(self, rate, t0=None, t1=None, m=None):
        t0, t1, m = (self.t0, self.t1, self.m) if t0 is None else (t0, t1, m)
        stretch = 1 / (1 - self.load(rate) ** self.processors)
        length = stretch * t0 / max(0.05, 1 - t1 * rate)
        begins = max(self.interval, length)
        return (self.fetch / 2 + stretch * m + begins / 2 + length, self.fetch + stretch * m + begins + length)


def micro(seconds):
    return f"{seconds * 1e6:,.0f}".replace(",", " ")


def number(value):
    return f"{value:,.0f}".replace(",", " ")


def processors(value):
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 20 else number(value)


def table(head, rows):
    sides = ["---"] + ["---:"] * (len(head) - 1)
    return ["| " + " | ".join(line) + " |" for line in [head, sides] + rows] + [""]


def deployments(work, figures):
    """What 10, 1 000 and 100 000 decisions a second need, by the parameters."""
    # One elected worker of a log seals and publishes: what of a decision's cost cannot be given to others.
    sealing = sum(figures[name] for name in SEALING) * 1e-6
    rows = []
    for rate in (10, 1_000, 100_000):
        logs = max(1, math.ceil(rate * sealing / PLANNED / SEALER_PROCESSORS))
        share = rate / logs
        workers = max(3, math.ceil(work["worker"].per_second(share) / PLANNED / SEALER_PROCESSORS))
        rows.append([
            number(rate), number(logs), f"{workers} × {processors(max(0.25, work['worker'].per_second(share) / PLANNED / workers))}",
            processors(work["postgres"].per_second(share) / PLANNED), f"{share * WAL / 1e6:.1f}", number(max(12, 4 * workers)),
            f"{share * sealing:.2f}",
        ])
    return table(
        ["decisions/s", "logs", "workers of a log × processors", "processors of its PostgreSQL", "its WAL, MB/s",
         "its input partitions", "processors for sealing"], rows)


# The calls that the elected worker of a log makes for each decision.
SEALING = ["call.seal_receipt", "call.mint", "call.seal_token", "call.complete_grant"]
# Bytes of write-ahead log a decision, without full page writes (docs/capacity.md), doubled for them.
WAL = 6_600
# Processors of one worker: what the sealing one can use of a machine that is easily had.
SEALER_PROCESSORS = 4
# Processes whose batches out of a backlog are gathered as they are at a steady rate.
OF_BACKLOG = {"worker", "postgres"}
FLOORS = {"postgres": "ledger.postgres_cpu_per_decision"}


def report(figures):
    work = {kind: Work(figures, kind) for kind in KINDS}
    time = Time(figures, work, INTERVAL, FETCH)
    lines = ["### What a decision costs", ""]
    lines += table(
        ["process", "each decision, µs", "each batch, µs", "gathered for, ms"],
        [[NAMES[k], micro(w.each), micro(w.batch), f"{w.gathering * 1e3:.1f}"] for k, w in work.items()])
    lines += ["Measured and fitted, µs a decision:", ""]
    head = ["process"] + [f"{number(x)}/s" for x, _, _ in work["worker"].residuals()]
    lines += table(head, [
        [NAMES[k]] + ([f"{micro(y)}; {micro(z)}" for _, y, z in w.residuals()] + [""] * len(head))[:len(head) - 1]
        for k, w in work.items()])
    lines += [f"Worst deviation: {max(abs(z / y - 1) for w in work.values() for _, y, z in w.residuals()) * 100:.0f} %, of the "
              f"workers {max(abs(z / y - 1) for _, y, z in work['worker'].residuals()) * 100:.0f} %.", ""]
    full = figures["batch.decisions_per_second"]
    used = sum(figures[f"batch.{kind}_cpu_per_decision"] for kind in KINDS) * 1e-6 * full / time.processors
    lines += [f"Out of a backlog the {time.processors} processors made {number(full)} decisions a second and were {used * 100:.0f} % "
              "used by what is counted here.", ""]
    lines += ["### How long it takes", ""]
    lines += [f"A round costs {time.t0 * 1e3:.0f} ms and {time.t1 * 1e6:.0f} µs a decision, what comes before it {time.m * 1e3:.0f} ms.", ""]
    rows = []
    for rate, median, tail in time.points:
        said = [f"{v * 1e3:.0f}" for v in time.predict(rate)] if time.is_steady(rate) else ["no steady state"] * 2
        rows.append([number(rate), f"{time.load(rate) * 100:.0f} %", f"{median * 1e3:.0f}", said[0], f"{tail * 1e3:.0f}", said[1]])
    lines += table(["decisions/s", "load of the processors", "p50, ms", "model", "p99, ms", "model"], rows)
    lines += ["### What an installation needs", ""]
    lines += deployments(work, figures)
    return "\n".join(lines).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figures", type=Path, default=HERE / "figures.json")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scale.md")
    parser.add_argument("--check", action="store_true", help="compare the tables with docs/scale.md")
    options = parser.parse_args()
    said = report(Figures(json.loads(options.figures.read_text("utf-8"))))
    if not (options.write or options.check):
        print(said, end="")
        return 0
    page = PAGE.read_text("utf-8")
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    if options.check:
        if old.strip() != said.strip():
            print("docs/scale.md does not say what Benchmarks/Model/model.py finds; run it with --write", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(before + BEGIN + "\n\n" + said + "\n" + END + after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
