"""naru bench: every scenario, small, against the real broker; and that it finds what is wrong."""
import csv
import json
import resource
import signal
import subprocess

import pytest

from certificates import Authority
from narud_server import ROOT, Server, let_pass, naru_binary, narud_binary, wait_until

COUNTS = "lost", "duplicates", "out_of_order", "refused"


def bench(port, scenario, *arguments, code=0):
    done = subprocess.run([naru_binary(), "--json", "bench", scenario, "-p", str(port),
                           *map(str, arguments)], stdin=subprocess.DEVNULL, text=True,
                          check=False, timeout=120, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    assert done.returncode == code, done
    return json.loads(done.stdout) if done.stdout else done.stderr


def assert_flawless(told):
    assert {name: told[name] for name in COUNTS} == dict.fromkeys(COUNTS, 0), told


def assert_percentiles(told, name):
    p50, p99, p999 = (told[f"{name}_us_{each}"] for each in ("p50", "p99", "p999"))
    assert 0 < p50 <= p99 <= p999


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("scenario", ["fan-in", "fan-out", "pairs"])
def test_messages(broker, scenario, qos):
    told = bench(broker.port, scenario, "--publishers", 5, "--subscribers", 5, "-n", 200, "-q", qos)
    assert told["published"] == 200
    assert told["received"] == (200 if scenario == "pairs" else 1000)
    assert_flawless(told)
    assert_percentiles(told, "ack")
    assert_percentiles(told, "delivery")
    assert_percentiles(told, "connect")


def test_mixed_filters(broker):
    told = bench(broker.port, "mixed", "--publishers", 25, "--subscribers", 30, "--filters", 40,
                 "-n", 500, "--pid", broker.process.pid)
    assert_flawless(told)
    assert told["received"] > told["published"]  # One sees all, others a part.
    assert told["use"]["broker_cpu_us"] >= 0
    wanted = broker.get("/v1/subscriptions?limit=1")["subscriptions"]
    assert wanted == []  # Clean sessions leave nothing.


def test_few_get_a_message_among_many_filters(broker):
    told = bench(broker.port, "mixed", "--few", "--publishers", 10, "--subscribers", 40,
                 "--filters", 20, "-n", 300)
    assert_flawless(told)
    assert told["received"] == 4 * 300


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publishers_are_split_among_subscribers(broker, qos):
    told = bench(broker.port, "fan-in", "--split", "--publishers", 10, "--subscribers", 4, "-n",
                 500, "-q", qos, "-w", 4)
    assert_flawless(told)
    assert told["received"] == told["published"] == 500


def test_offline_sessions_with_messages_of_their_own(broker):
    told = bench(broker.port, "offline", "--split", "--publishers", 6, "--subscribers", 6, "-n",
                 300, "-q", 2)
    assert_flawless(told)
    assert told["enqueue"]["messages"] == told["drain"]["messages"] == 300


def test_sessions_that_last(broker):
    """Delivery waits for the disk, and nothing is left behind."""
    before = broker.status()["commits"]["units"]
    told = bench(broker.port, "fan-in", "--lasting", "--publishers", 5, "-n", 200)
    assert_flawless(told)
    assert told["received"] == 200
    assert broker.status()["commits"]["units"] - before >= 200
    assert broker.status()["sessions"] == 0


def test_retained_messages_are_fetched_and_cleared(broker):
    told = bench(broker.port, "retained", "--publishers", 4, "--subscribers", 3, "-n", 300)
    assert (told["published"], told["received"]) == (300, 900)
    assert told["lost"] == told["duplicates"] == told["refused"] == 0
    assert "out_of_order" not in told  # Nothing says which topic comes first.
    assert_percentiles(told, "fetch")
    assert broker.get("/v1/retained")["retained"] == []


def test_idle_connections(broker):
    told = bench(broker.port, "idle", "--subscribers", 200, "--hold", "300ms", "--pid",
                 broker.process.pid)
    assert told["connections"] == 200
    assert told["received"] == 200
    assert told["dropped"] == 0
    assert_flawless(told)
    assert (told["bytes_per_connection"] or 1) < 100_000  # Null: of memory the broker had.
    assert told["connects_per_s"] > 0
    assert_percentiles(told, "connect")


def test_connections_that_come(broker):
    told = bench(broker.port, "connect", "--subscribers", 150, "--pid", broker.process.pid)
    assert told["connections"] == told["use"]["messages"] == 150
    assert told["use"]["broker_cpu_us"] > 0
    assert told["resumed"] == 0
    assert_percentiles(told, "connect")


def test_connections_resume_with_their_tickets(start_broker, tmp_path):
    authority = Authority(tmp_path / "ca")
    crt, key = authority.issue("broker", "localhost", alternative="DNS:localhost")
    broker = start_broker(f"listener auto 127.0.0.1\ncertfile {crt}\nkeyfile {key}\n"
                          "allow_anonymous true")
    arguments = "connect", "-h", "localhost", "--cafile", authority.crt, "--subscribers", 60
    assert bench(broker.port, *arguments)["resumed"] == 0
    told = bench(broker.port, *arguments, "--resume")
    assert (told["resumed"], told["not_resumed"]) == (60, 0)


def test_filters_that_change(broker):
    told = bench(broker.port, "filters", "--publishers", 5, "--subscribers", 20, "--filters", 29,
                 "--phase", "300ms", "--pid", broker.process.pid)
    assert_flawless(told)
    assert told["filters"] == told["subscribe"]["messages"] == 20 * 30
    assert (told["bytes_per_filter"] or 1) > 0  # Null: of memory the broker had.
    both = told["both"]
    assert both["messages"] + told["publishing"]["messages"] == told["received"]
    assert both["changes"] > 0 and both["changes"] % 2 == 0
    assert told["changing"]["per_s"] > 0
    assert "message_cost_ratio" in both


def test_filters_alone(broker):
    told = bench(broker.port, "filters", "--exact", "--publishers", 1, "--subscribers", 10,
                 "--filters", 99, "--phase", 0, "--pid", broker.process.pid)
    assert told["filters"] == 1000
    assert "both" not in told
    assert_flawless(told)


def test_too_few_files(broker):
    """What to do is in the message, and nothing was tried."""
    before = broker.counter("connects")
    done = subprocess.run([naru_binary(), "bench", "fan-in", "-p", str(broker.port),
                           "--publishers", "500"], stdin=subprocess.DEVNULL, text=True,
                          check=False, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200)))
    assert done.returncode == 1
    assert "501 connections need 533 open files, and the limit is 200" in done.stderr
    assert "ulimit -Hn 533" in done.stderr
    assert broker.counter("connects") == before


@pytest.mark.parametrize("qos", [1, 2])
def test_a_storm_of_reconnects(broker, qos):
    told = bench(broker.port, "storm", "--subscribers", 60, "--publishers", 20, "--rounds", 4,
                 "--rate", 400, "-q", qos)
    assert told["connects"] == 60 * 4
    assert told["lost"] == told["out_of_order"] == told["refused"] == 0
    assert told["published"] > 0
    assert told["connects_per_s"] > 0
    assert_percentiles(told, "connect")
    assert broker.status()["sessions"] == 0  # It leaves nothing behind.


def test_an_open_loop_keeps_its_rate(broker):
    told = bench(broker.port, "pairs", "--publishers", 4, "--subscribers", 4, "--rate", 2000,
                 "--open-loop", "-n", 1000, "--window", 1)
    assert_flawless(told)
    assert told["published"] == 1000
    assert told["use"]["seconds"] == pytest.approx(0.5, abs=0.3)
    assert_percentiles(told, "bench_late")
    assert_percentiles(told, "delivery")


def test_an_open_loop_counts_the_time_a_message_should_have_gone(start_broker):
    """A broker that stands still for a moment: closed, the bench sends less; open, it shows."""
    broker = start_broker("listener auto 127.0.0.1\nallow_anonymous true\nmax_packet_size 2M")
    command = [naru_binary(), "--json", "bench", "pairs", "-p", str(broker.port), "--publishers",
               "2", "--subscribers", "2", "--rate", "1000", "--duration", "2s", "--window", "1"]
    told = {}
    for name, extra in ("closed", []), ("open", ["--open-loop"]):
        running = subprocess.Popen(command + extra, stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        stand_still(broker, 0.7)
        told[name] = json.loads(running.communicate(timeout=60)[0])
        assert_flawless(told[name])
    # A third of all messages was due while nothing moved; the closed loop had two under way.
    assert told["open"]["delivery_us_p99"] > 400_000
    assert told["closed"]["delivery_us_p50"] < 100_000


def stand_still(broker, seconds):
    before = broker.counter("publishes_in")
    wait_until(lambda: broker.counter("publishes_in") > before + 100, what="the load")
    broker.send_signal(signal.SIGSTOP)
    let_pass(seconds)
    broker.send_signal(signal.SIGCONT)


def test_messages_over_tls(start_broker, tmp_path):
    authority = Authority(tmp_path / "ca")
    crt, key = authority.issue("broker", "localhost", alternative="DNS:localhost")
    broker = start_broker(f"listener auto 127.0.0.1\ncertfile {crt}\nkeyfile {key}\n"
                          "allow_anonymous true")
    host = "-h", "localhost"
    told = bench(broker.port, "fan-in", *host, "--cafile", authority.crt, "--publishers", 5, "-n",
                 300, "--size", 20000)
    assert_flawless(told)
    assert told["received"] == 300
    assert "certificate" in bench(broker.port, "fan-in", *host, "--tls", "-n", 1, code=3)
    assert "no.crt" in bench(broker.port, "fan-in", "-n", 1, "--cafile", tmp_path / "no.crt",
                             code=2)
    told = bench(broker.port, "pairs", *host, "--insecure", "--publishers", 3, "--subscribers", 3,
                 "-n", 30)
    assert_flawless(told)


@pytest.fixture(scope="module")
def guarded(request, tmp_path_factory):
    """A broker that wants certificates, and the arguments of somebody who has one."""
    authority = Authority(tmp_path_factory.mktemp("ca"))
    crt, key = authority.issue("broker", "localhost", alternative="DNS:localhost")
    mine, my_key = authority.issue("bench", "bench")
    server = Server(f"listener auto 127.0.0.1\ncertfile {crt}\nkeyfile {key}\n"
                    f"cafile {authority.crt}\nrequire_certificate true\n"
                    "use_identity_as_username true").start()
    request.addfinalizer(server.close)
    trust = ["-h", "localhost", "--tls", "--cafile", authority.crt]
    return server, trust, [*trust, "--cert", mine, "--key", my_key]


@pytest.mark.parametrize("scenario, arguments", [
    ("fan-in", ["--publishers", 5, "-n", 100]),
    ("fan-out", ["--subscribers", 5, "-n", 100]),
    ("pairs", ["--publishers", 3, "--subscribers", 3, "-n", 100]),
    ("offline", ["--publishers", 2, "--subscribers", 2, "-n", 100]),
    ("mixed", ["--publishers", 5, "--subscribers", 5, "-n", 100]),
    ("retained", ["--publishers", 2, "--subscribers", 2, "-n", 50]),
    ("idle", ["--subscribers", 20, "--hold", "200ms"]),
    ("storm", ["--subscribers", 10, "--publishers", 3, "--rounds", 2, "--rate", 200]),
])
def test_every_scenario_where_a_certificate_is_required(guarded, scenario, arguments):
    server, _, with_certificate = guarded
    told = bench(server.port, scenario, *with_certificate, *arguments)
    assert told["lost"] == told["refused"] == 0
    assert told["received"] > 0


def test_without_the_certificate_nobody_gets_in(guarded, tmp_path):
    server, trust, _ = guarded
    few = "--publishers", 2, "-n", 10
    assert "certificate" in bench(server.port, "fan-in", *trust, *few, code=3)
    crt, key = Authority(tmp_path / "other", "Another Authority").issue("bench", "bench")
    stranger = [*trust, "--cert", crt, "--key", key]
    assert "TLS" in bench(server.port, "fan-in", *stranger, *few, code=3)


def test_loss_is_found(start_broker):
    """A queue limit makes the broker drop: the bench counts it and ends with 1."""
    broker = start_broker("listener auto 127.0.0.1\nallow_anonymous true\nmax_queued_messages 5")
    told = bench(broker.port, "offline", "--publishers", 2, "--subscribers", 2, "-n", 100, code=1)
    assert told["lost"] == 2 * 95


COMPARE = ROOT / "test" / "bench" / "compare.py"


def compare(*arguments, code=0):
    done = subprocess.run([COMPARE, "--small", "--rounds", "1", "--brokers", "narud",
                           *map(str, arguments)], stdin=subprocess.DEVNULL, text=True, check=False,
                          timeout=300, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == code, done
    return done


@pytest.mark.slow
def test_every_row_of_the_comparison(tmp_path):
    done = compare("--json", tmp_path / "all.json", "--history", tmp_path / "history.csv")
    lines = json.loads((tmp_path / "all.json").read_text())["lines"]
    rows = subprocess.run([COMPARE, "--list"], check=True, text=True, stdout=subprocess.PIPE)
    for row in rows.stdout.splitlines():
        assert any(line["scenario"].startswith(row) for line in lines), row
    assert all(line["narud"] is not None for line in lines)
    assert all(line["flaws"] == "" for line in lines)
    assert len(done.stdout.splitlines()) == 2 + len(lines)
    history = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert [line["scenario"] for line in history] == [line["scenario"] for line in lines]
    assert {line["broker"] for line in history} == {"narud"}


def test_a_comparison_in_which_something_is_lost_fails(tmp_path):
    """With a queue limit, which no row has."""
    wrapper = tmp_path / "narud"
    wrapper.write_text("#!/bin/sh\necho max_queued_messages 5 >> \"$2\"\n"
                       f"exec {narud_binary()} \"$@\"\n")
    wrapper.chmod(0o755)
    done = compare("--only", "QoS 1 to 100 offline sessions, the same", "--narud", wrapper, code=1)
    assert "lost" in done.stderr
    assert "lost" in done.stdout


def test_progress_is_told_on_stderr(broker):
    done = subprocess.run([naru_binary(), "bench", "pairs", "-p", str(broker.port), "--publishers",
                           "1", "--subscribers", "1", "--rate", "50", "--duration", "6s"],
                          text=True, check=True, timeout=60, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    assert "publishing for 5 s" in done.stderr
    assert "published" not in [line.split("\t")[0] for line in done.stderr.splitlines()]


@pytest.mark.parametrize("arguments, reason", [
    (["fan-in", "--open-loop"], "--rate"),
    (["storm", "-q", "0"], "QoS 0"),
    (["pairs", "--publishers", "2", "--subscribers", "3"], "as many"),
    (["fan-in", "--cert", "only.crt"], "go together"),
    (["connect", "--resume"], "TLS"),
    (["filters", "--filters", "0"], "--phase 0"),
    (["pairs", "--lasting", "-q", "0"], "QoS 0"),
    (["fan-in", "--count", "100", "--duration", "1s"], "--count"),
    (["fan-in", "--count", "0"], "--count"),
    (["fan-in", "--duration", "0"], "--duration 0"),
    (["fan-in", "--prefix", "a/+"], "no wildcards"),
    (["storm", "--count", "5"], "--count"),
    (["idle", "--rate", "5"], "--rate"),
    (["connect", "--window", "5"], "--window"),
])
def test_wrong_arguments(broker, arguments, reason):
    assert reason in bench(broker.port, *arguments, code=2)


def test_client_ids_begin_as_told(broker):
    running = start_bench(broker, "pairs", "--publishers", 1, "--subscribers", 1, "--rate", 50,
                          "--duration", "30s", "-i", "fixed")
    try:
        wait_until(lambda: {"fixed-pub-0", "fixed-sub-0"} <= {
            each["client_id"] for each in broker.get("/v1/clients")["clients"]}, 30.0, "both")
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)


def start_bench(broker, scenario, *arguments):
    return subprocess.Popen([naru_binary(), "--json", "bench", scenario, "-p", str(broker.port),
                             *map(str, arguments)], stdin=subprocess.DEVNULL, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("scenario, arguments", [
    ("offline", ["--publishers", 2, "--subscribers", 20]),
    ("fan-in", ["--lasting", "--publishers", 3, "--subscribers", 3]),
    ("retained", ["--publishers", 3, "--subscribers", 2]),
    ("storm", ["--publishers", 3, "--subscribers", 20, "--rounds", 1_000_000]),
])
def test_an_interrupted_bench_leaves_nothing_behind(own_broker, scenario, arguments, number):
    endless = [] if scenario == "storm" else ["--duration", "10m"]
    running = start_bench(own_broker, scenario, "--rate", 300, *endless, *arguments)
    wait_until(lambda: own_broker.counter("publishes_in") > 50, 30.0, "the load")
    running.send_signal(number)
    out, error = running.communicate(timeout=60)
    assert running.returncode == 1, error
    assert "interrupted while " in error and "failed" not in error, error
    told = json.loads(out)
    assert told["published"] > 50 and told["interrupted"] and "lost" not in told
    assert own_broker.status()["sessions"] == 0
    assert own_broker.get("/v1/retained")["retained"] == []


def test_a_bench_that_cannot_clean_up_says_what_does(own_broker):
    running = start_bench(own_broker, "retained", "--rate", 300, "--duration", "10m")
    wait_until(lambda: own_broker.counter("publishes_in") > 50, 30.0, "the load")
    own_broker.send_signal(signal.SIGSTOP)
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=60)
    own_broker.send_signal(signal.SIGCONT)
    assert running.returncode == 1
    assert "naru retained clear 'bench/#' --yes" in error


def test_memory_that_was_reused_is_not_told_as_none(start_broker):
    """The second bench finds what the first one took."""
    broker = start_broker("shards 1\n")
    arguments = "filters", "--exact", "--publishers", 1, "--subscribers", 20, "--filters", 500, \
        "--phase", 0, "--pid", broker.process.pid
    grown = [bench(broker.port, *arguments)["bytes_per_filter"] for _ in range(4)]
    assert grown[0] > 0
    assert all(each is None or each > 0 for each in grown)


def test_a_wrong_password_is_a_refusal(start_broker, tmp_path):
    passwords = tmp_path / "passwd"
    subprocess.run([naru_binary(), "passwd", passwords, "anna"], input="right\n", text=True,
                   check=True, timeout=60)
    broker = start_broker("listener auto 127.0.0.1\nallow_anonymous false\n"
                          f"password_file {passwords}")
    wrong = "-u", "anna", "-P", "wrong"
    assert "password" in bench(broker.port, "fan-in", *wrong, "--publishers", 2, "-n", 10, code=1)
    fleet = subprocess.run([naru_binary(), "fleet", "-p", str(broker.port), *wrong, "--vehicles",
                            "1", "--duration", "30s"], check=False, timeout=60,
                           stdin=subprocess.DEVNULL, capture_output=True)
    assert fleet.returncode == 1, fleet


def test_a_short_fleet_without_a_broker_cannot_be_reached(own_broker):
    own_broker.kill9()
    fleet = subprocess.run([naru_binary(), "fleet", "-p", str(own_broker.port), "--vehicles", "2",
                            "--duration", "1s"], check=False, timeout=60,
                           stdin=subprocess.DEVNULL, capture_output=True)
    assert fleet.returncode == 3, fleet
