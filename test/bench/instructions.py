#!/usr/bin/env python3
"""Instructions of narud for each message, with one shard and with two, counted by callgrind.

    test/bench/instructions.py [--only NAME,...] [--top N] [--messages 4000]

Each scenario runs twice with different numbers of messages; what is between the two, divided by the
messages between them, is the steady state: start, connections, subscriptions and the end are in
both and cancel out. Issue 4 wants two shards within 15 % of one. Takes some minutes. --top prints
the functions that a message costs most in, from the same difference, for one shard and for two.
"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import brokers

START_SECONDS = 180  # Under valgrind.
BENCH_SECONDS = 580
MOST_DIFFERENCE = 15  # Percent.
SCENARIOS = {
    "fan-in QoS 0": "fan-in -q 0 -w 8 --publishers 100",
    "fan-in QoS 1": "fan-in -q 1 -w 4 --publishers 100",
    "pairs QoS 1": "pairs -q 1 -w 4 --publishers 50 --subscribers 50",
}


def wait_for_port(port, process):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"narud ended at once: {process.args}")
        try:
            brokers.socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("narud does not listen")


def functions_of(profile):
    """Instructions of each function itself, by name, and the sum of all."""
    done = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", profile],
                          capture_output=True, text=True, check=True)
    counts = {}
    for line in done.stdout.splitlines():
        found = re.match(r"\s*([\d,]+) (?:\([^)]*\))?\s+\S*?:(.+?)(?: \[.*\])?$", line)
        if found:
            name = found.group(2)
            counts[name] = counts.get(name, 0) + int(found.group(1).replace(",", ""))
    total = re.search(r"([\d,]+) (?:\(100.0%\))?\s+PROGRAM TOTALS", done.stdout).group(1)
    return counts, int(total.replace(",", ""))


def profile_of(directory, shards, arguments, messages):
    port = brokers.free_port()
    data = directory / "data"
    shutil.rmtree(data, ignore_errors=True)
    config, profile = directory / "narud.conf", directory / "callgrind.out"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nshards {shards}\n"
                      "sys_interval 0\n", encoding="ascii")
    profile.unlink(missing_ok=True)
    process = subprocess.Popen(["valgrind", "--tool=callgrind",
                                f"--callgrind-out-file={profile}", brokers.BIN / "narud", "-c",
                                config, "--data", data], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        done = subprocess.run([brokers.BIN / "naru", "--json", "bench", *arguments.split(), "-n",
                               str(messages), "-V", "3.1.1", "--port", str(port),
                               "--connect-rate", "200"], capture_output=True, text=True,
                              timeout=BENCH_SECONDS, check=False)
        if done.returncode != 0:
            sys.exit(f"naru bench {arguments} ended with {done.returncode}: {done.stdout}"
                     f"{done.stderr}")
        json.loads(done.stdout)
    finally:
        process.terminate()
        process.wait(START_SECONDS)
    return functions_of(profile)


def per_message(directory, shards, arguments, messages):
    """Instructions a message, and those of each function."""
    few, few_total = profile_of(directory, shards, arguments, messages)
    many, many_total = profile_of(directory, shards, arguments, 3 * messages)
    each = {name: (count - few.get(name, 0)) / (2 * messages) for name, count in many.items()}
    return (many_total - few_total) / (2 * messages), each


def print_top(name, shards, each, count):
    print(f"\n{name}, {shards} shard{'s' if shards > 1 else ''}: instructions of a message")
    for function, instructions in sorted(each.items(), key=lambda item: -item[1])[:count]:
        print(f"{instructions:10.0f}  {function[:140]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="parts of the names of scenarios, with commas between")
    parser.add_argument("--top", type=int, default=0, help="functions to print")
    parser.add_argument("--messages", type=int, default=4000, help="of the shorter run")
    arguments = parser.parse_args()
    tops = []
    print("| scenario | one shard | two shards | difference | target | reached |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="naru-instructions-") as directory:
        for name, line in SCENARIOS.items():
            if arguments.only and not any(part in name for part in arguments.only.split(",")):
                continue
            counts = {}
            for shards in (1, 2):
                counts[shards], each = per_message(pathlib.Path(directory), shards, line,
                                                   arguments.messages)
                tops.append((name, shards, each))
            difference = 100 * (counts[2] / counts[1] - 1)
            print(f"| {name} | {counts[1]:,.0f} | {counts[2]:,.0f} | {difference:+.1f} % | "
                  f"< {MOST_DIFFERENCE} % | "
                  f"{'yes' if abs(difference) < MOST_DIFFERENCE else 'no'} |", flush=True)
    for name, shards, each in tops if arguments.top else []:
        print_top(name, shards, each, arguments.top)


if __name__ == "__main__":
    main()
