"""What an operator sees and does: metrics, health, clients, subscriptions, retained messages."""
import json
import subprocess

import pytest

import raw_mqtt
from narud_server import narud_binary, naru_binary, wait_until

PATIENCE = 30
V311, V5 = raw_mqtt.V311, raw_mqtt.V5
KEEP = {"clean": False, "properties": {"session_expiry_interval": 600}}


@pytest.fixture
def naru(own_broker):
    def run(*arguments, code=0):
        command = [naru_binary(), "--socket", own_broker.api_socket, *map(str, arguments)]
        done = subprocess.run(command, text=True, check=False, timeout=PATIENCE,
                              stdin=subprocess.DEVNULL, capture_output=True)
        assert done.returncode == code, done
        return done.stdout
    return run


def metrics(text):
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_metrics_count_what_happened(own_broker, naru, join):
    join(own_broker, V5, "sleeper", **KEEP).subscribe("a", 1)
    publisher = join(own_broker, V5, "publisher")
    for _ in range(5):
        publisher.publish("a", b"x", 1, retain=True)
    seen = metrics(naru("metrics"))
    assert seen["naru_publishes_in_total"] == 5
    assert seen["naru_connections"] == 2
    assert seen["naru_sessions"] == 1
    assert seen["naru_subscriptions"] == 1
    assert seen["naru_retained_messages"] == 1
    assert seen["naru_queue_messages"] == 5
    assert seen["naru_commit_seconds_count"] == seen["naru_commits_total"] > 0
    assert seen["naru_commit_wait_seconds_sum"] >= seen["naru_commit_seconds_sum"] > 0
    assert seen["naru_disk_free_bytes"] > 0
    assert seen['naru_dropped_total{cause="queue_full"}'] == 0
    assert "sleeper" not in naru("metrics")


def test_the_reference_of_metrics_needs_no_broker():
    done = subprocess.run([narud_binary(), "--metrics-reference"], check=True, text=True,
                          capture_output=True, timeout=PATIENCE)
    assert "`naru_publishes_in_total`" in done.stdout


def test_health(own_broker, naru):
    assert own_broker.api("GET", "/v1/health/live") == (200, {"live": True})
    assert own_broker.api("GET", "/v1/health/ready") == (200, {"ready": True, "reasons": []})
    assert naru("health") == "ready\n"
    assert naru("health", "--live") == "live\n"
    own_broker.terminate()
    naru("health", code=3)


def test_a_full_disk_is_not_ready(start_broker):
    broker = start_broker("stream_disk_percent 1\nsession_disk_percent 1\nledger_disk_percent 1\n")
    status, answer = broker.api("GET", "/v1/health/ready")
    assert (status, answer["ready"]) == (503, False)
    done = subprocess.run([naru_binary(), "--socket", broker.api_socket, "health"], check=False,
                          text=True, capture_output=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "disk" in done.stdout


def test_clients_by_what_they_are(own_broker, naru, join):
    join(own_broker, V5, "away", **KEEP).disconnect()
    join(own_broker, V5, "here", **KEEP)
    join(own_broker, V311, "clean")
    wait_until(lambda: own_broker.is_disconnected("away"))

    def ids(*arguments):
        return [c["client_id"] for c in json.loads(naru("--json", "clients", *arguments))]

    assert ids("list") == ids() == ["away", "clean", "here"]
    assert ids("list", "--connected") == ["clean", "here"]
    assert ids("list", "--limit", "1") == ["away"]


def test_pages_of_many_clients_are_whole_and_in_order(own_broker, join):
    """Clean and kept ones, more than one page, on as many shards as there are."""
    names = []
    for n in range(60):
        names.append(f"c{n:03}")
        if n % 2:
            join(own_broker, V311, names[-1])
        else:
            join(own_broker, V5, names[-1], **KEEP).disconnect()
    seen, after = [], ""
    while after is not None:
        page = own_broker.get(f"/v1/clients?limit=7&after={after}")
        seen += [c["client_id"] for c in page["clients"]]
        after = page["next"]
    assert seen == names


def test_show_explains(own_broker, naru, join):
    client = join(own_broker, V5, "car1", **KEEP)
    client.subscribe("a", 1)
    client.disconnect()
    wait_until(lambda: own_broker.session("car1")["reason"])
    join(own_broker, V5).publish("a", b"xyz", 1)
    known = json.loads(naru("--json", "clients", "show", "car1"))
    assert known["reason"] == "normal_disconnection"
    assert known["queued"] == 1
    assert known["queued_bytes"] >= 3
    told = " ".join(known["explain"])
    assert "away" in told and "1 messages wait until it connects" in told
    assert naru("clients", "show", "car1") == naru("clients", "car1")
    naru("clients", "show", "nobody", code=1)


def test_kick_ends_the_connection_and_keeps_the_session(own_broker, naru, join):
    client = join(own_broker, V5, "car1", **KEEP)
    client.subscribe("a", 1)
    naru("clients", "kick", "car1", "--reason", "new certificate")
    packet = client.expect(raw_mqtt.Kind.DISCONNECT)
    assert packet.code == 0x98
    assert packet.property("reason_string") == "new certificate"
    wait_until(lambda: own_broker.session("car1")["reason"])
    known = own_broker.session("car1")
    assert known["reason"] == "administrative_action"
    assert [s["filter"] for s in known["subscriptions"]] == ["a"]
    assert own_broker.counter("protocol_errors") == 0
    assert 'client_kicked client=car1 reason="new certificate"' in own_broker.log()
    naru("clients", "kick", "car1", code=1)


def test_subscriptions(own_broker, naru, join):
    kept = join(own_broker, V5, "kept", **KEEP)
    kept.subscribe_many([("a/+", 1), ("b", 2)])
    kept.disconnect()
    join(own_broker, V311, "clean").subscribe("a/#", 0)
    join(own_broker, V311, "idle")

    def found(*arguments):
        rows = json.loads(naru("--json", "subscriptions", *arguments))
        return [(row["client_id"], row["filter"], row["qos"]) for row in rows]

    assert sorted(found()) == [("clean", "a/#", 0), ("kept", "a/+", 1), ("kept", "b", 2)]
    assert found("--filter", "a/+") == [("kept", "a/+", 1)]
    assert found("--topic", "a/1") == [("clean", "a/#", 0), ("kept", "a/+", 1)]
    assert sorted(found("--client", "kept")) == [("kept", "a/+", 1), ("kept", "b", 2)]
    assert found("--client", "idle") == []
    naru("subscriptions", "--client", "nobody", code=1)
    naru("subscriptions", "--filter", "a", "--topic", "a", code=2)


def test_retained_messages_are_listed_and_cleared(own_broker, naru, join):
    publisher = join(own_broker, V5, "publisher")
    for topic in "old/1", "old/2", "kept":
        publisher.publish(topic, b"x", 1, retain=True)

    def topics(*arguments):
        return [r["topic"] for r in json.loads(naru("--json", "retained", "list", *arguments))]

    assert topics() == ["kept", "old/1", "old/2"]
    assert topics("old/#") == ["old/1", "old/2"]
    assert "old/1" in naru("retained", "clear", "old/#", code=1)
    assert len(topics()) == 3
    naru("retained", "clear", "old/#", "--yes")
    assert topics() == ["kept"]
    own_broker.crash_and_restart()
    assert topics() == ["kept"]


@pytest.mark.parametrize("typed,offered", [
    (["naru", "cli"], ["clients"]),
    (["naru", "clients", ""], ["list", "show", "explain", "kick", "forget"]),
    (["naru", "clients", "--"], ["--limit", "--socket", "--json", "--version", "--help"]),
    (["naru", "status", ""], ["--help", "--socket", "--json"]),
    (["naru", "completion", ""], ["bash", "zsh"]),
    (["naru", "pub", "-V", "3.1."], ["3.1.1"]),
    (["naru", "pub", "-t", ""], []),
    (["naru", "clients", "show", ""], []),
    (["naru", "config", "check", "here/"], ["here/naru.conf", "here/other.conf"]),
    (["naru", "pub", "-f", "here/o"], ["here/other.conf"]),
    (["naru", "pub", "--file", "=", "here/o"], ["here/other.conf"]),
    (["naru", "--socket", "here/o"], ["here/other.conf"]),
    (["naru", "--socket", "here/other.conf", "stat"], ["status"]),
    (["naru", "passwd", "here/o"], ["here/other.conf"]),
    (["naru", "--json", "clients", "list", "--con"], ["--connected"]),
    (["naru", "store", "re"], ["restore"]),
])
def test_bash_completes_words(typed, offered, tmp_path):
    (tmp_path / "here").mkdir()
    for name in "naru.conf", "other.conf":
        (tmp_path / "here" / name).write_text("")
    script = subprocess.run([naru_binary(), "completion", "bash"], check=True, text=True,
                            capture_output=True, timeout=PATIENCE).stdout
    words = " ".join(f"'{word}'" for word in typed)
    script += f"COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _naru; echo ${{COMPREPLY[@]}}\n"
    done = subprocess.run(["bash", "-c", script], check=True, text=True, capture_output=True,
                          timeout=PATIENCE, cwd=tmp_path)
    words = done.stdout.split()
    assert set(offered) <= set(words) and len(words) == len(set(words))
    if typed[-1] not in ("", "--"):
        assert sorted(words) == offered
    if typed[-1] == "" and typed[1] != "status":
        assert not [word for word in words if word.startswith("--")]
