"""GET /v1/status and /v1/clients, and the door they stand behind."""
import os
import stat
import threading

import pytest

from raw_mqtt import V5, V311
from narud_server import let_pass, wait_until

KEEP = {"clean": False, "properties": {"session_expiry_interval": 600}}


def test_status_names_the_node_and_its_health(own_broker):
    status = own_broker.status()
    assert status["health"] == "green"
    assert status["problems"] == []
    assert status["node"]["id"]
    assert status["node"]["version"]
    assert status["node"]["shards"] >= 1
    assert {"address": "127.0.0.1", "port": own_broker.port} in status["listeners"]


def test_the_node_id_outlives_a_crash(own_broker):
    before = own_broker.status()["node"]["id"]
    own_broker.crash_and_restart()
    assert own_broker.status()["node"]["id"] == before


def test_status_counts(own_broker, join, version):
    keep = {"clean": False, "properties": KEEP["properties"] if version == V5 else ()}
    sleeper = join(own_broker, version, "sleeper", **keep)
    sleeper.subscribe_many([("a", 1), ("b", 1)])
    sleeper.disconnect()
    publisher = join(own_broker, version, "publisher")
    for _ in range(4):
        publisher.publish("a", b"x", 1, retain=True)
    wait_until(lambda: own_broker.status()["connections"] == 1)
    status = own_broker.status()
    assert status["sessions"] == 2 or status["sessions"] == 1
    assert status["subscriptions"] == 2
    assert status["retained"] == 1
    assert status["queued_messages"] == 4
    assert status["counters"]["publishes_in"] == 4
    assert status["counters"]["bytes_in"] > 0
    assert status["commits"]["commits"] > 0
    assert status["commits"]["units"] >= status["commits"]["commits"]


def test_refused_connects_are_counted(own_broker, dial):
    dial(own_broker, V311).connect("", 2, clean=False)
    wait_until(lambda: own_broker.counter("refused_connects") == 1)


def test_a_client_is_described(own_broker, join):
    client = join(own_broker, V5, "car1", keep_alive=77, **KEEP)
    client.subscribe("a/+", 1)
    client.subscribe("b", 2)
    known = own_broker.session("car1")
    assert known["client_id"] == "car1"
    assert known["connected"] is True
    assert known["protocol"] == "5.0"
    assert known["session_expiry_s"] == 600
    assert known["keep_alive_s"] == 77
    assert known["address"].startswith("127.0.0.1")
    found = sorted((s["filter"], s["qos"]) for s in known["subscriptions"])
    assert found == [("a/+", 1), ("b", 2)]
    epoch, since = known["epoch"], known["connected_at"]
    assert known["disconnected_at"] is None
    client.disconnect()
    wait_until(lambda: own_broker.is_disconnected("car1"))
    join(own_broker, V5, "other").publish("b", b"x", 1)
    known = own_broker.session("car1")
    assert known["connected"] is False
    assert known["connected_at"] is None
    assert known["disconnected_at"] >= since
    assert known["queued"] == 1
    join(own_broker, V5, "car1", **KEEP)
    assert own_broker.session("car1")["epoch"] > epoch


def test_a_v311_client_is_described(own_broker, join):
    join(own_broker, V311, "old")
    known = own_broker.session("old")
    assert known["protocol"] == "3.1.1"
    assert known["clean_start"] is True


def test_messages_in_flight_are_told(own_broker, join, version):
    keep = {"clean": False, "properties": KEEP["properties"] if version == V5 else ()}
    client = join(own_broker, version, "car1", **keep)
    client.subscribe("a", 1)
    join(own_broker, version).publish("a", b"x", 1)
    message = client.receive()
    wait_until(lambda: own_broker.session("car1")["in_flight"] == 1)
    client.acknowledge(message)
    wait_until(lambda: own_broker.session("car1")["in_flight"] == 0)


def test_clients_come_in_order_and_in_pages(own_broker, join):
    names = sorted(f"car{n:02}" for n in range(25))
    for name in names:
        join(own_broker, V311, name)
    seen, after = [], ""
    while after is not None:
        page = own_broker.get(f"/v1/clients?limit=10&after={after}")
        seen += [c["client_id"] for c in page["clients"]]
        after = page["next"]
    assert seen == names
    assert own_broker.session("nobody") is None


def test_a_client_id_with_special_letters_has_its_page(own_broker, join):
    join(own_broker, V5, "a b/ü?")
    status, known = own_broker.api("GET", "/v1/clients/a%20b%2F%C3%BC%3F")
    assert (status, known["client_id"]) == (200, "a b/ü?")


def test_only_the_owner_may_open_the_socket(own_broker):
    mode = stat.S_IMODE(os.stat(own_broker.api_socket).st_mode)
    assert mode == 0o600


@pytest.mark.parametrize("method,path,code", [
    ("POST", "/v1/status", (404, 405)),
    ("GET", "/", (404,)),
    ("GET", "/v2/status", (404,)),
    ("DELETE", "/v1/clients/x", (404, 405)),
])
def test_what_is_not_there_is_refused_with_a_sentence(own_broker, method, path, code):
    status, answer = own_broker.api(method, path)
    assert status in code
    assert answer["error"]


def test_many_requests_at_once(own_broker, join):
    join(own_broker, V5, "car1")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(own_broker.status()["health"]))
               for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["green"] * 30


def test_an_idle_broker_rests(own_broker, join):
    """A thousandth of a processor would already be a timer that runs for nothing."""
    for _ in range(10):
        join(own_broker, V5)
    own_broker.status()
    let_pass(1)
    before = own_broker.cpu_seconds()
    let_pass(2)
    assert own_broker.cpu_seconds() - before <= 0.1


def test_sigterm_tells_v5_clients_and_ends_with_0(start_broker, join, version):
    broker = start_broker()
    client = join(broker, version)
    assert broker.terminate() == 0
    client.expect_refusal(0x8B)
