"""What an operator allows clients to ask for, and the answer beyond it."""
import json
import socket
import time

import pytest

from narud_server import wait_until
from raw_mqtt import V5, Client, Closed, Kind, ack_packet, connect_packet, keep

pytestmark = pytest.mark.core

FULL = {4: 3, V5: 0x97}
TOO_FAST = {4: 3, V5: 0x9F}


def turned_away(broker, limit):
    return broker.counter(f"turned_away_{limit}")


def denials(broker):
    """The "denied" lines of the log."""
    return [line for line in broker.log().splitlines() if "denied" in line]


@pytest.fixture
def dial_from():
    """Opens a raw connection from an address of this machine."""
    clients = []

    def dial(broker, address, version=V5):
        stream = socket.create_connection(("127.0.0.1", broker.port), timeout=8,
                                          source_address=(address, 0))
        clients.append(Client(broker.port, version, stream=stream))
        return clients[-1]

    yield dial
    for client in clients:
        client.close()


def test_connections_of_one_address(start_broker, dial_from, unique, version):
    broker = start_broker("max_connections_per_address 2\n")
    inside = [dial_from(broker, "127.0.0.1", version) for _ in range(2)]
    for client in inside:
        client.connect(unique())
    beyond = dial_from(broker, "127.0.0.1", version)
    beyond.connect(unique(), FULL[version])
    beyond.expect_closed()
    dial_from(broker, "127.0.0.2", version).connect(unique())
    assert turned_away(broker, "address_full") == 1
    assert "max_connections_per_address" in denials(broker)[-1]
    inside[0].disconnect()
    wait_until(lambda: broker.status()["connections"] == 2, what="the end of a connection")
    dial_from(broker, "127.0.0.1", version).connect(unique())


def test_many_shards_count_one_address_together(start_broker, dial, unique):
    """Also after a connection was handed to the shard of its client."""
    broker = start_broker("shards 4\nmax_connections_per_address 8\n")
    inside = [dial(broker) for _ in range(8)]
    for client in inside:
        client.connect(unique())
    for _ in range(8):
        dial(broker).connect(unique(), 0x97)
    for client in inside:
        client.disconnect()
    wait_until(lambda: broker.status()["connections"] == 0, what="no connection")
    for _ in range(8):
        dial(broker).connect(unique())


def test_the_total_is_answered_too(start_broker, dial, unique, version):
    broker = start_broker("global_max_connections 1\n")
    dial(broker, version).connect(unique())
    dial(broker, version).connect(unique(), FULL[version])
    assert turned_away(broker, "full") == 1


@pytest.mark.parametrize("option, limit", [("max_connection_rate", "rate"),
                                           ("max_connection_rate_per_address", "address_rate")])
def test_new_connections_a_second(start_broker, dial, unique, version, option, limit):
    broker = start_broker(f"{option} 5\n")
    begun = time.monotonic()
    codes = []
    while TOO_FAST[version] not in codes:
        client = dial(broker, version)
        client.send(connect_packet(unique(), version))
        codes.append(client.expect(Kind.CONNACK).code)
        client.close()
    passed = time.monotonic() - begun
    assert 5 <= codes.count(0) <= 5 * (1 + passed) + 1
    assert turned_away(broker, limit) == 1

    def comes_in():
        client = dial(broker, version)
        client.send(connect_packet(unique(), version))
        return client.expect(Kind.CONNACK).code == 0
    wait_until(comes_in, what="a token")


def test_one_address_does_not_use_up_the_rate_of_another(start_broker, dial_from, unique):
    broker = start_broker("max_connection_rate_per_address 3\n")

    def is_refused():
        client = dial_from(broker, "127.0.0.1")
        client.send(connect_packet(unique()))
        return client.expect(Kind.CONNACK).code == 0x9F
    wait_until(is_refused, what="a refusal")
    dial_from(broker, "127.0.0.2").connect(unique())


def test_an_address_behind_a_proxy(start_broker, dial, unique):
    broker = start_broker("listener auto 127.0.0.1\nenable_proxy_protocol 1\n"
                          "max_connections_per_address 1\n")

    def through_proxy(address):
        client = dial(broker)
        client.send(f"PROXY TCP4 {address} 10.9.9.9 4000 1883\r\n".encode())
        return client

    through_proxy("10.0.0.1").connect(unique())
    through_proxy("10.0.0.2").connect(unique())
    through_proxy("10.0.0.1").connect(unique(), 0x97)
    through_proxy("10.0.0.3").connect(unique())
    assert turned_away(broker, "address_full") == 1


def test_who_does_not_say_connect_is_closed(start_broker, dial, unique, version):
    broker = start_broker("connect_timeout 1s\n")
    silent = dial(broker, version)
    dripping = dial(broker, version)
    packet = connect_packet(unique(), version)
    begun = time.monotonic()
    with pytest.raises(Closed):
        for at in range(len(packet) - 1):  # A slow loris: each byte comes in time.
            dripping.send(packet[at:at + 1])
            silent.socket.settimeout(0.1)
            try:
                if silent.socket.recv(1) == b"":
                    raise Closed("the silent one")
            except TimeoutError:
                pass
    assert 0.9 < time.monotonic() - begun < 5
    dripping.expect_closed(wait=5)
    assert turned_away(broker, "late") == 2
    assert "connect_timeout" in denials(broker)[-1]
    dial(broker, version).connect(unique())


def test_a_reload_changes_the_limits(start_broker, dial, unique):
    broker = start_broker("max_connections_per_address 1\n")
    dial(broker).connect(unique())
    dial(broker).connect(unique(), 0x97)
    text = broker.config_file.read_text()
    broker.config_file.write_text(text.replace("per_address 1", "per_address 2"))
    status, answer = broker.api("POST", "/v1/config/reload")
    assert status == 200, json.dumps(answer)
    dial(broker).connect(unique())
    dial(broker).connect(unique(), 0x97)


@pytest.mark.parametrize("lasting", [False, True], ids=["clean", "lasting"])
def test_filters_of_one_client(start_broker, join, version, lasting):
    broker = start_broker("max_client_subscriptions 2\nmax_filter_levels 3\n")
    client = join(broker, version, **(keep(version) if lasting else {}))
    full, deep = (0x97, 0x8F) if version == V5 else (0x80, 0x80)
    assert client.subscribe_many([("a/b/c/d", 1), ("a/+/#", 1), ("b", 1), ("c", 1)]) == [
        deep, 1, 1, full]
    assert client.subscribe("a/+/#", 0) == 0
    client.unsubscribe("b")
    assert client.subscribe("c", 1) == 1
    assert broker.counter("beyond_limit_filter_levels") == 1
    assert broker.counter("beyond_limit_subscriptions") == 1
    deep_line, full_line = denials(broker)  # One for each kind.
    assert "max_filter_levels" in deep_line and "max_client_subscriptions" in full_line


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_fast_publisher_waits_and_loses_nothing(start_broker, join, version, qos):
    broker = start_broker("max_client_publish_rate 50\n")
    subscriber = join(broker, version)
    subscriber.subscribe("fast", 1)
    publisher = join(broker, version)
    begun = time.monotonic()
    for number in range(100):
        publisher.publish_unanswered("fast", str(number).encode(), qos)
        if qos == 2:
            publisher.send(ack_packet(Kind.PUBREL, publisher.last_id))
    payloads = [int(subscriber.take(wait=20).payload) for _ in range(100)]
    passed = time.monotonic() - begun
    assert payloads == list(range(100))
    assert passed > 0.9
    assert broker.counter("throttled") > 0
    known = broker.session(publisher.client_id)
    assert known["throttled"] > 0
    assert any("faster than its limit" in said for said in known["explain"])
    assert broker.session(subscriber.client_id)["throttled"] == 0


def test_others_are_as_fast_as_they_like(start_broker, join):
    """Each client has its own rate, and waiting costs nobody else anything."""
    broker = start_broker("max_client_byte_rate 10k\nshards 1\n")
    greedy = join(broker)
    greedy.publish_unanswered("a", bytes(100_000), 1)
    greedy.publish_unanswered("a", b"", 1)
    greedy.await_kind(Kind.PUBACK)
    other = join(broker)
    for _ in range(5):
        other.publish("b", bytes(1000), 1)
    assert broker.session(greedy.client_id)["is_throttled"]
    assert not broker.session(other.client_id)["is_throttled"]


def test_who_waits_for_its_rate_is_not_silent(start_broker, join, version):
    """Its keep-alive stands still, since what it says is not read."""
    broker = start_broker("max_client_byte_rate 10k\n")
    client = join(broker, version, keep_alive=1)
    client.publish_unanswered("a", bytes(40_000), 1)
    client.await_kind(Kind.PUBACK)
    client.publish_unanswered("a", b"", 1)
    client.await_kind(Kind.PUBACK)


def test_a_fast_publisher_is_disconnected_where_that_is_wanted(start_broker, join, version):
    broker = start_broker("max_client_publish_rate 3\non_client_rate disconnect\n")
    client = join(broker, version)
    for _ in range(10):
        client.publish("a", b"x")
    client.expect_refusal(0x96)
    assert broker.counter("beyond_limit_rate") == 1
    assert "max_client_publish_rate" in denials(broker)[-1]
