"""The rows of compare.py: what naru bench does, which figure counts, and what issue 4 wants of it.

A run is the arguments of `naru bench`; a row with several runs names them. A figure is where the
JSON of a run has a number, "RUN:PART.KEY" or "PART.KEY", divided by another one if `over` is given.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Target:
    """What a figure of narud has to reach: `most` or `least` in its unit, or `ratio` times what the
    relay needs."""
    most: float = None
    least: float = None
    ratio: float = None
    digits: int = 2

    def __str__(self):
        if self.ratio is not None:
            return f"<= {self.ratio:g}x relay"
        return f"<= {self.most:,g}" if self.most is not None else f">= {self.least:,g}"

    def is_reached(self, narud, relay):
        """None when nothing can be said: the relay did not run."""
        if self.ratio is not None:
            return narud <= self.ratio * relay if relay else None
        return narud <= self.most if self.most is not None else narud >= self.least


@dataclasses.dataclass(frozen=True)
class Figure:
    path: str
    target: Target = None
    label: str = ""  # Behind the row's name, where a row has several figures.
    unit: str = "us"
    scale: float = 1
    over: str = None


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    runs: dict
    figures: tuple
    relay_mode: str = None    # Of the relay: all, pair; None: it cannot do this.
    relay_runs: dict = None   # What it does instead, when the row is compared with another one.
    narud_lines: tuple = ()   # Of its configuration.
    tls: bool = False
    connections: int = 1100   # At once, for the limit of open files.


def cpu(target=None, part="use", label="", key="broker_cpu_us"):
    return Figure(f"{part}.{key}", target, label)


# What a small run has less of, and how much.
SIZES = ("-n", "--publishers", "--subscribers", "--filters", "--rate")
TIMES = {"--duration": "500ms", "--phase": "300ms", "--hold": "100ms"}
SMALLER = 20


def smaller(arguments):
    """The same run, small: to see whether it works, not what it costs."""
    if arguments is None:
        return None
    small = list(arguments)
    for at, name in enumerate(arguments[:-1]):
        if name in SIZES:
            small[at + 1] = str(max(1, int(arguments[at + 1]) // SMALLER))
        if name in TIMES and arguments[at + 1] != "0":
            small[at + 1] = TIMES[name]
    return small


def ratio(most):
    return Target(ratio=most)


def most(value):
    return Target(most=value)


def least(value):
    return Target(least=value)


def bench(line):
    return {"": line.split()}


def latency(name, p99=None):
    return tuple(Figure(f"{name}_us_{key}", p99 if key == "p99" else None, f"{name} {key}")
                 for key in ("p50", "p99", "p999"))


MIB = 1 / (1 << 20)
WINDOW_1 = "fan-in -q 1 -w 1 --publishers 1000 -n 40000"
PAIRS = "--publishers 500 --subscribers 500"
OPEN_LOOP = "fan-in -q 1 --publishers 1000 --open-loop --rate 20000 --duration 10s"

ROWS = (
    Row("fan-in QoS 0, 1,000 publishers, window 8",
        bench("fan-in -q 0 -w 8 --publishers 1000 -n 200000"), (cpu(ratio(1.5)),), "all"),
    Row("fan-in QoS 1, 1,000 publishers, window 1", bench(WINDOW_1), (cpu(ratio(1.25)),), "all"),
    Row("fan-in QoS 1, window 4, 4 subscribers of a quarter each; relay: window 1",
        bench("fan-in -q 1 -w 4 --publishers 1000 --subscribers 4 --split -n 100000"),
        (cpu(ratio(0.6)),), "all", relay_runs=bench(WINDOW_1)),
    Row("fan-out QoS 0, 1 to 1,000", bench("fan-out --subscribers 1000 -q 0 -n 300"),
        (cpu(ratio(1.3), key="broker_cpu_us_per_delivery"),), "all"),
    Row("fan-out QoS 1, 1 to 1,000", bench("fan-out --subscribers 1000 -q 1 -n 300"),
        (cpu(ratio(1.3), key="broker_cpu_us_per_delivery"),), "all"),
    Row("500 pairs QoS 1, window 1", bench("pairs -q 1 -w 1 " + PAIRS + " -n 40000"),
        (cpu(ratio(1.3)),), "pair"),
    Row("500 pairs QoS 2, window 1", bench("pairs -q 2 -w 1 " + PAIRS + " -n 20000"),
        (cpu(ratio(1.25)),), "pair"),
    Row("200,000 mixed filters over 1,000 clients, 100 publishers QoS 0, 4 deliveries each",
        bench("mixed --few --publishers 100 --subscribers 1000 --filters 199 -q 0 -w 8 -n 50000"),
        (cpu(most(6), label="message"),
         cpu(label="delivery", key="broker_cpu_us_per_delivery"))),
    Row("100,000 retained messages",
        bench("retained --publishers 100 -w 10 --subscribers 10 -q 1 -n 100000"),
        (cpu(most(4.5), "store", "store QoS 1"), cpu(most(1.5), "fetch", "read by wildcard"))),
    Row("QoS 1 to 100 offline sessions, the same 1,000 to each",
        bench("offline --subscribers 100 -q 1 -n 1000"),
        (cpu(most(4.5), "enqueue", "acknowledge"), cpu(most(2.5), "drain", "drain"))),
    Row("QoS 1 to 100 offline sessions, 1,000 of its own to each",
        bench("offline --split --publishers 100 --subscribers 100 -q 1 -n 100000"),
        (cpu(most(4.5), "enqueue", "acknowledge"), cpu(most(2.5), "drain", "drain"))),
    Row("QoS 2 to 100 offline sessions, 1,000 of its own to each",
        bench("offline --split --publishers 100 --subscribers 100 -q 2 -n 100000"),
        (cpu(most(12), "enqueue", "acknowledge"), cpu(most(12), "drain", "drain"))),
    Row("accept 10,000 connections", bench("connect --subscribers 10000 --connect-rate 20000"),
        (cpu(most(25)),), "all", connections=10000),
    Row("accept 10,000 connections, TLS, full handshake",
        bench("connect --subscribers 10000 --connect-rate 1500"), (cpu(),), tls=True,
        connections=10000),
    Row("accept 10,000 connections, TLS, resumed",
        bench("connect --resume --subscribers 10000 --connect-rate 1500"), (cpu(most(150)),),
        tls=True, connections=10000),
    Row("open loop, 20,000 QoS 1 a second from 1,000 publishers, in memory", bench(OPEN_LOOP),
        (cpu(ratio(1.3), label="CPU"), *latency("ack", ratio(2)), *latency("delivery", ratio(2))),
        "all"),
    Row("open loop, 20,000 QoS 1 a second from 1,000 publishers, synced; relay: in memory",
        bench(OPEN_LOOP + " --lasting"),
        (cpu(label="CPU"), *latency("ack", most(5000)), *latency("delivery", most(5000))), "all",
        relay_runs=bench(OPEN_LOOP)),
    Row("1,000,000 filters that change, 100 publishers QoS 1",
        bench("filters --publishers 100 --subscribers 1000 --filters 999 -q 1 -w 8 --phase 5s"),
        (Figure("both.changes_per_s", least(100_000), "changes a second beside publishing", "/s"),
         Figure("changing.per_s", None, "changes a second alone", "/s"),
         Figure("both.message_cost_ratio", most(1.3), "a message beside changes", "x alone"),
         cpu(None, "publishing", "message alone"), cpu(None, "changing", "change alone"),
         Figure("both.broker_memory_before_bytes", None, "RSS before", "MiB", MIB),
         Figure("both.broker_memory_after_bytes", None, "RSS after", "MiB", MIB),
         Figure("both.memory_ratio", most(1.05), "RSS after", "x before"))),
    Row("fan-in QoS 1, window 1, by number of publishers",
        {"1,000": WINDOW_1.split(),
         "4,000": "fan-in -q 1 -w 1 --publishers 4000 -n 80000".split(),
         "18,000": "fan-in -q 1 -w 1 --publishers 18000 -n 180000".split()},
        (*(Figure(f"{n}:use.broker_cpu_us", None, n) for n in ("1,000", "4,000", "18,000")),
         *(Figure(f"{n}:use.broker_cpu_us", ratio(1), f"{n} over 1,000", "x",
                  over="1,000:use.broker_cpu_us") for n in ("4,000", "18,000"))),
        "all", connections=18100),
    Row("idle connection, 10,000, one subscription each",
        bench("idle --subscribers 10000 --connect-rate 5000 --hold 2s"),
        (Figure("bytes_per_connection", most(1280), unit="bytes"),), connections=10000),
    Row("idle TLS connection, 10,000, one subscription each",
        bench("idle --subscribers 10000 --connect-rate 1500 --hold 2s"),
        (Figure("bytes_per_connection", most(18432), unit="bytes"),), tls=True,
        connections=10000),
    Row("idle broker", {"": None},
        (Figure("memory_bytes", most(15), "RSS", "MiB", MIB),
         Figure("first_connack_ms", most(200), "start to first CONNACK", "ms")), "all"),
    Row("1,000,000 exact filters",
        bench("filters --exact --publishers 1 --subscribers 1000 --filters 999 --phase 0"),
        (Figure("bytes_per_filter", most(100), "bytes each", "bytes"),
         cpu(None, "subscribe", "subscribe"))),
    Row("1,000,000 queued messages of 100 offline sessions, memory_limit 128M",
        bench("offline --split --publishers 100 --subscribers 100 -q 1 -n 1000000"),
        (Figure("enqueue.broker_memory_bytes", most(128), "RSS when queued", "MiB", MIB),
         Figure("drain.broker_memory_bytes", None, "RSS when drained", "MiB", MIB),
         cpu(None, "enqueue", "acknowledge"), cpu(None, "drain", "drain")),
        narud_lines=("memory_limit 128M",)),
)
