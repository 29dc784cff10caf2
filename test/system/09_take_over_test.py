"""Take-over: one client id, one connection; the newer one wins and loses nothing."""
import pytest

from raw_mqtt import V5, V311, Client, Kind, connect_packet, keep, let_quiet
from narud_server import wait_until

pytestmark = [pytest.mark.core, pytest.mark.threads]


@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_the_old_connection_is_closed_and_told(broker, join, version, stored):
    options = keep(version) if stored else {}
    old = join(broker, version, **options)
    new = join(broker, version, old.client_id, **options)
    old.expect_refusal(0x8E)
    new.ping()
    assert new.connack.session_present == stored


def test_it_works_across_versions(broker, join, version):
    other = V5 if version == V311 else V311
    old = join(broker, version, **keep(version))
    new = join(broker, other, old.client_id, **keep(other))
    old.expect_refusal(0x8E)
    assert new.connack.session_present


def test_messages_in_flight_come_to_the_new_connection(broker, join, unique, version):
    topic = unique()
    old = join(broker, version, **keep(version))
    old.subscribe(topic, 2)
    publisher = join(broker, version)
    for number in range(5):
        publisher.publish(topic, str(number), 1 + number % 2)
    first = [old.expect(Kind.PUBLISH) for _ in range(5)]
    new = join(broker, version, old.client_id, **keep(version))
    second = [new.await_kind(Kind.PUBLISH) for _ in range(5)]
    assert [(m.packet_id, m.payload, m.qos) for m in second] == \
        [(m.packet_id, m.payload, m.qos) for m in first]
    assert all(m.dup for m in second)
    for message in second:
        new.acknowledge(message)
    assert let_quiet(new) == []


def test_a_message_between_the_connections_is_not_lost(broker, join, unique, version):
    """Publishing goes on while the same client connects again and again."""
    topic, name = unique(), unique("car")
    publisher = join(broker, version)
    client = join(broker, version, name, **keep(version))
    client.subscribe(topic, 1)
    seen = []
    for turn in range(20):
        for number in range(5):
            publisher.publish_unanswered(topic, str(turn * 5 + number), 1)
        client = join(broker, version, name, **keep(version))
        while not seen or seen[-1] != turn * 5 + 4:
            seen.append(int(client.take().payload))
        for _ in range(5):
            publisher.expect(Kind.PUBACK)
    assert sorted(set(seen)) == list(range(100))
    firsts = [n for at, n in enumerate(seen) if n not in seen[:at]]
    assert firsts == list(range(100))


def test_a_clean_start_takes_over_and_wipes(broker, join, unique, version):
    topic = unique()
    old = join(broker, version, **keep(version))
    old.subscribe(topic, 1)
    new = join(broker, version, old.client_id)
    old.expect_refusal(0x8E)
    assert not new.connack.session_present
    join(broker, version).publish(topic, b"x", 1)
    assert let_quiet(new) == []


def test_fifty_connections_of_one_name_leave_one(broker, dial, version, unique):
    name = unique("rush")
    clients = [dial(broker, version) for _ in range(50)]
    for client in clients:
        client.send(connect_packet(name, version))
    wait_until(lambda: broker.session(name) is not None)

    def those_open():
        return [c for c in clients if still_open(c)]

    wait_until(lambda: len(those_open()) == 1, what="one survivor")
    those_open()[0].ping()


def still_open(client):
    """Looks at the socket without taking from it what a later reader wants."""
    client.socket.setblocking(False)
    try:
        while True:
            data = client.socket.recv(65536)
            if not data:
                return False
            client.buffer += data
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        client.socket.setblocking(True)


def test_the_old_one_may_vanish_at_the_same_time(broker, join, unique, version):
    topic, name = unique(), unique("flaky")
    client = join(broker, version, name, **keep(version))
    client.subscribe(topic, 1)
    for _ in range(30):
        client.close()
        client = join(broker, version, name, **keep(version))
        assert client.connack.session_present
    join(broker, version).publish(topic, b"x", 1)
    assert client.take().payload == b"x"


def test_mosquitto_sub_gives_way(broker, tools, unique, version):
    name, topic = unique("car"), unique()
    tools.sub(broker, version, "-i", name, "-t", topic).wait_subscribed()
    newer = Client(broker.port, version)
    newer.connect(name)
    newer.subscribe(topic, 1)
    tools.pub(broker, version, "-t", topic, "-m", "x", "-q", "1")
    try:
        assert newer.take().payload == b"x"
    finally:
        newer.close()
