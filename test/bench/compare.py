#!/usr/bin/env python3
"""Measures narud beside mosquitto and a bare relay, in turn, several rounds, and prints medians.

    test/bench/compare.py [--rounds 5] [--relay SOURCE.cpp] [--only "PART;PART"]
                          [--brokers relay,narud,mosquitto] [--json FILE]
                          [--history test/bench/HISTORY.csv] [--directory DIR] [--narud PATH]
                          [--small] [--list]

Each broker is pinned to the first processor and the load generator to the second. Machines differ
and are noisy, so what counts is the ratio to the relay of the same round. The relay (an epoll loop
that forwards frames and knows no topics, sessions or disks) is compiled from the given source;
without one its column stays empty. mosquitto gets no limits and TCP_NODELAY. The rows, and what
each figure is to reach, are in scenarios.py.

Ends with 1 when narud lost, repeated, reordered or refused a message or failed in a run, whatever
the figures; a target that is not reached is only told.
"""
import argparse
import csv
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import brokers
from scenarios import ROWS, smaller

FLAWS = ("lost", "duplicates", "out_of_order", "foreign", "refused", "not_resumed", "dropped")
BENCH_SECONDS = 400
IDLE_SECONDS = 1  # Until the memory of an idle broker is read.


class RunFailed(Exception):
    """A bench gave no figures."""


def start_figures(port, process, began):
    seconds = brokers.first_connack(port, process, began)
    time.sleep(IDLE_SECONDS)
    return {"first_connack_ms": seconds * 1000, "memory_bytes": brokers.resident_bytes(process.pid)}


def bench(arguments, port, process, trust):
    command = ["taskset", "-c", "1", brokers.BIN / "naru", "--json", "bench", *arguments, "-V",
               "3.1.1", "--port", str(port), "--pid", str(process.pid), *trust]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BENCH_SECONDS,
                              check=False)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"no end within {BENCH_SECONDS} s") from None
    if not done.stdout.strip():
        raise RunFailed((done.stderr.strip().splitlines() or ["ended without a word"])[-1])
    result = json.loads(done.stdout.strip().splitlines()[-1])
    result["flaws"] = {}
    if done.returncode != 0:  # The bench knows what is a fault in its scenario.
        found = {name: result[name] for name in FLAWS if result.get(name)}
        result["flaws"] = found or {"exit": done.returncode}
    return result


def measure(row, broker, all_brokers, small):
    """The result of each run of the row, each against a broker of its own."""
    results = {}
    runs = row.relay_runs if broker == "relay" and row.relay_runs else row.runs
    for name, arguments in runs.items():
        with all_brokers.running(broker, row) as (port, process, began):
            if arguments is None:
                results[name] = start_figures(port, process, began)
                continue
            brokers.wait_for_port(port, process)
            trust = all_brokers.certificate()[1] if row.tls else []
            results[name] = bench(smaller(arguments) if small else arguments, port, process,
                                  trust)
    return results


def number_at(results, path):
    run, _, keys = path.rpartition(":")
    value = results[run]
    for key in keys.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def figure_of(results, figure):
    value = number_at(results, figure.path)
    if value is None:
        return None
    if figure.over:
        return value / number_at(results, figure.over)
    return value * figure.scale


class Measured:
    """Figures of one row by broker, round after round, and what went wrong."""

    def __init__(self, row):
        self.row = row
        self.seen = {}
        self.flaws = []

    def add_round(self, names, all_brokers, small):
        for broker in names:
            if not all_brokers.can(broker, self.row):
                continue
            try:
                results = measure(self.row, broker, all_brokers, small)
            except RunFailed as failure:
                print(f"{self.row.name}: {broker}: {failure}", file=sys.stderr)
                if broker == "narud":
                    self.flaws.append(str(failure))
                continue
            for figure in self.row.figures:
                value = figure_of(results, figure)
                if value is not None:
                    self.seen.setdefault((broker, figure), []).append(value)
            if broker == "narud":
                self.flaws += [f"{name} {count}" for result in results.values()
                               for name, count in result.get("flaws", {}).items()]

    def median(self, broker, figure):
        values = self.seen.get((broker, figure))
        return statistics.median(values) if values else None

    def lines(self):
        """One for each figure, as a dictionary."""
        for figure in self.row.figures:
            narud, relay = self.median("narud", figure), self.median("relay", figure)
            label = f"{self.row.name}: {figure.label}" if figure.label else self.row.name
            reached = None
            if figure.target and narud is not None:
                reached = figure.target.is_reached(narud, relay)
            yield {"scenario": label, "unit": figure.unit, "relay": relay, "narud": narud,
                   "ratio": narud / relay if narud is not None and relay else None,
                   "mosquitto": self.median("mosquitto", figure),
                   "target": str(figure.target or ""), "reached": reached,
                   "flaws": "; ".join(self.flaws),
                   "rounds": {broker: values for (broker, of), values in self.seen.items()
                              if of is figure}}


def shown(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"


def print_line(line):
    reached = {True: "yes", False: "no", None: ""}[line["reached"]]
    print(f"| {line['scenario']} | {line['unit']} | {shown(line['relay'])} | "
          f"{shown(line['narud'])} | {shown(line['ratio'])} | {shown(line['mosquitto'])} | "
          f"{line['target']} | {reached} | {line['flaws'] or 0} |", flush=True)


def machine():
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}; {os.cpu_count()} processors; Linux {platform.release()}"


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude", "*"],
                          cwd=brokers.ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def append_history(path, lines):
    """One line for each figure of each broker."""
    is_new = not os.path.exists(path) or os.path.getsize(path) == 0
    with open(path, "a", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        if is_new:
            writer.writerow(["date", "commit", "machine", "scenario", "broker", "figure", "unit",
                             "ratio"])
        for line in lines:
            for broker in ("relay", "narud", "mosquitto"):
                value = line[broker]
                if value is None:
                    continue
                over = f"{value / line['relay']:.3f}" if line["relay"] else ""
                writer.writerow([datetime.date.today().isoformat(), commit(), machine(),
                                 line["scenario"], broker, f"{value:.6g}", line["unit"], over])


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--relay", help="source of the bare relay")
    parser.add_argument("--only", help="parts of the names of rows, with ; between")
    parser.add_argument("--brokers", default="relay,narud,mosquitto", help="with commas between")
    parser.add_argument("--narud", default=brokers.BIN / "narud", help="another binary")
    parser.add_argument("--json", help="file for all figures of all rounds")
    parser.add_argument("--history", help="file to append a line for each figure to, as CSV")
    parser.add_argument("--directory", help="where the brokers' files are, by default in /tmp")
    parser.add_argument("--small", action="store_true",
                        help="a twentieth of everything: whether the rows work, not what they cost")
    parser.add_argument("--list", action="store_true", help="only say which rows there are")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    wanted = arguments.only.split(";") if arguments.only else [""]
    rows = [row for row in ROWS if any(part in row.name for part in wanted)]
    if arguments.list or not rows:
        print("\n".join(row.name for row in rows or ROWS))
        sys.exit(0 if rows else f"no row has '{arguments.only}' in its name")
    brokers.raise_open_files(1100 if arguments.small else max(row.connections for row in rows))
    lines = []
    print("| scenario | unit | relay | narud | narud / relay | mosquitto | target | reached | "
          "flaws of narud |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="naru-compare-", dir=arguments.directory) as directory:
        all_brokers = brokers.Brokers(directory, arguments.relay, arguments.narud)
        for row in rows:
            measured = Measured(row)
            for _ in range(arguments.rounds):
                measured.add_round(arguments.brokers.split(","), all_brokers, arguments.small)
            for line in measured.lines():
                print_line(line)
                lines.append(line)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump({"date": datetime.datetime.now().isoformat(timespec="seconds"),
                       "commit": commit(), "machine": machine(), "lines": lines}, out, indent=1)
    if arguments.history:
        append_history(arguments.history, lines)
    flawed = {line["scenario"].split(":")[0]: line["flaws"] for line in lines if line["flaws"]}
    if flawed:
        sys.exit("narud failed: " + "; ".join(f"{name}: {flaws}" for name, flaws in flawed.items()))


if __name__ == "__main__":
    main()
