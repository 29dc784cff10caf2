#!/usr/bin/env python3
"""Measures narud beside mosquitto and a bare relay, in turn, several rounds, and prints medians.

    test/bench/compare.py [--rounds 5] [--relay SOURCE.cpp] [--only NAME,...] [--markdown]

Each broker is pinned to the first processor and the load generator to the second. The figure is
CPU microseconds of the broker's process for each message, or each delivery in fan-out; machines
differ and are noisy, so what counts is the ratio to the relay of the same round. The relay (an
epoll loop that forwards frames and knows no topics, sessions or disks) is compiled from the given
source; without one its column stays empty. mosquitto gets no limits and TCP_NODELAY.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.join(ROOT, "build", "release", "bin")

SCENARIOS = {
    # name: (arguments of naru bench, relay mode, figures: (part of the JSON, key))
    "fan-in QoS 0, 1,000 publishers, window 8":
        (["fan-in", "-q", "0", "-w", "8", "-n", "200000"], "all", [("use", "broker_cpu_us")]),
    "fan-in QoS 1, 1,000 publishers, window 1":
        (["fan-in", "-q", "1", "-w", "1", "-n", "40000"], "all", [("use", "broker_cpu_us")]),
    "fan-out QoS 0, 1 to 1,000":
        (["fan-out", "--subscribers", "1000", "-q", "0", "-n", "300"], "all",
         [("use", "broker_cpu_us_per_delivery")]),
    "fan-out QoS 1, 1 to 1,000":
        (["fan-out", "--subscribers", "1000", "-q", "1", "-n", "300"], "all",
         [("use", "broker_cpu_us_per_delivery")]),
    "500 pairs QoS 1, window 1":
        (["pairs", "-q", "1", "-w", "1", "-n", "40000"], "pair", [("use", "broker_cpu_us")]),
    "500 pairs QoS 2, window 1":
        (["pairs", "-q", "2", "-w", "1", "-n", "20000"], "pair", [("use", "broker_cpu_us")]),
    "QoS 1 to 100 offline sessions, 1,000 each":
        (["offline", "--subscribers", "100", "-q", "1", "-n", "1000"], None,
         [("enqueue", "broker_cpu_us"), ("drain", "broker_cpu_us")]),
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"a broker ended at once: {process.args}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            continue
    sys.exit(f"nothing listens on {port}: {process.args}")


class Bench:
    def __init__(self, directory, relay_source):
        self.directory = directory
        self.relay = None
        if relay_source:
            self.relay = os.path.join(directory, "relay")
            subprocess.run(["g++", "-O2", "-std=c++20", relay_source, "-o", self.relay], check=True)

    def command(self, broker, port, mode):
        if broker == "relay":
            return [self.relay, str(port), mode] if self.relay and mode else None
        path = os.path.join(self.directory, broker + ".conf")
        lines = [f"listener {port} 127.0.0.1", "allow_anonymous true"]
        if broker == "mosquitto":
            lines += ["set_tcp_nodelay true", "max_queued_messages 0", "max_inflight_messages 0",
                      "persistence false"]
            program = [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", path]
        else:
            data = os.path.join(self.directory, "data")
            shutil.rmtree(data, ignore_errors=True)
            lines.append("shards 1")
            program = [os.path.join(BIN, "narud"), "-c", path, "--data", data]
        with open(path, "w", encoding="ascii") as out:
            out.write("\n".join(lines) + "\n")
        return program

    def run(self, broker, arguments, mode):
        port = free_port()
        command = self.command(broker, port, mode)
        if command is None:
            return None
        process = subprocess.Popen(["taskset", "-c", "0"] + command, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            wait_for(port, process)
            done = subprocess.run(
                ["taskset", "-c", "1", os.path.join(BIN, "naru"), "--json", "bench"] + arguments +
                ["-V", "3.1.1", "--port", str(port), "--pid", str(process.pid)],
                capture_output=True, text=True, timeout=300, check=False)
            return json.loads(done.stdout.strip().splitlines()[-1])
        finally:
            process.terminate()
            process.wait()


def describe(values):
    return f"{statistics.median(values):.2f}" if values else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--relay", help="source of the bare relay")
    parser.add_argument("--only", help="parts of the names of scenarios, with commas between")
    arguments = parser.parse_args()
    print("| scenario | relay, us | narud, us | narud / relay | mosquitto, us | lost by narud |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="naru-compare-") as directory:
        bench = Bench(directory, arguments.relay)
        for name, (command, mode, figures) in SCENARIOS.items():
            if arguments.only and not any(part in name for part in arguments.only.split(",")):
                continue
            seen = {}
            lost = 0
            for _ in range(arguments.rounds):
                for broker in ("relay", "narud", "mosquitto"):
                    result = bench.run(broker, command, mode)
                    if result is None:
                        continue
                    if broker == "narud":
                        lost += result["lost"]
                    for part, key in figures:
                        seen.setdefault((broker, part), []).append(result[part][key])
            for part, _ in figures:
                relay = seen.get(("relay", part), [])
                narud = seen[("narud", part)]
                ratio = ""
                if relay:
                    ratio = f"{statistics.median(narud) / statistics.median(relay):.2f}"
                label = name if len(figures) == 1 else f"{name}: {part}"
                print(f"| {label} | {describe(relay)} | {describe(narud)} | {ratio} | "
                      f"{describe(seen[('mosquitto', part)])} | {lost} |", flush=True)


if __name__ == "__main__":
    main()
