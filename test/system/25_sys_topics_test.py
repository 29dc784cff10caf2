"""$SYS topics: the broker tells how it is, at once to who subscribes and again when it changes."""
import pytest

from raw_mqtt import V5, V311

BROKER_SETTINGS = "sys_interval 1"


def told(client):
    message = client.take()
    return message.topic, message.payload.decode(), message.retain


@pytest.mark.parametrize("qos", (0, 2))
def test_a_subscriber_hears_the_last_value_at_once(broker, join, version, qos):
    probe = join(broker, version)  # The first values may come a moment after the start.
    probe.subscribe("$SYS/broker/version")
    probe.take()
    client = join(broker, version)
    assert client.subscribe("$SYS/broker/version", qos) == qos
    topic, value, retain = told(client)
    assert topic == "$SYS/broker/version" and retain
    assert value == "naru version " + broker.status()["node"]["version"]


def test_a_value_that_changes_is_told_again(broker, join, unique):
    client = join(broker, V311)
    client.subscribe("$SYS/broker/publish/messages/received", 1)
    _, first, retain = told(client)
    assert retain
    publisher = join(broker, V5)
    for _ in range(5):
        publisher.publish(unique(), b"x", 1)
    values = [int(first)]
    while values[-1] < int(first) + 5:
        _, value, retain = told(client)
        assert not retain
        values.append(int(value))
    assert values == sorted(set(values))


def test_wildcards_at_the_first_level_do_not_see_them(broker, join, unique):
    client = join(broker, V5)
    last = unique()
    client.subscribe_many([("#", 0), ("+/broker/version", 0), (last, 0)])
    probe = join(broker, V5)
    probe.subscribe("$SYS/broker/uptime")
    for _ in range(3):  # One at once, then as time goes by.
        probe.take()
    client.publish(last, b"end")
    assert [m.topic for m in client.take_until(b"end") if m.topic.startswith("$")] == []


def test_all_of_them_by_one_filter(broker, join):
    client = join(broker, V5)
    client.subscribe("$SYS/#")
    wanted = {"$SYS/broker/" + name for name in (
        "uptime", "clients/total", "clients/connected", "subscriptions/count", "bytes/received",
        "retained messages/count", "store/messages/bytes", "load/connections/15min")}
    seen = set()
    while not wanted <= seen:
        seen.add(told(client)[0])


def test_a_persistent_session_does_not_queue_them(broker, join, dial, unique):
    name = unique()
    options = {"clean": False, "properties": {"session_expiry_interval": 100}}
    client = join(broker, V5, client_id=name, **options)
    client.subscribe("$SYS/broker/uptime", 1)
    told(client)
    client.disconnect()
    probe = join(broker, V5)
    probe.subscribe("$SYS/broker/uptime")
    for _ in range(3):
        probe.take()
    again = dial(broker, V5)
    again.connect(name, **options)
    again.ping()
    assert broker.session(name)["queued"] == 0


def test_they_are_no_retained_messages_of_clients(broker, join):
    client = join(broker, V5)
    client.subscribe("$SYS/broker/version")
    told(client)
    assert broker.status()["retained"] == 0


def test_sys_interval_0_tells_nothing(start_broker, join, unique):
    broker = start_broker("sys_interval 0")
    client = join(broker, V5)
    last = unique()
    client.subscribe_many([("$SYS/#", 0), (last, 0)])
    client.publish(last, b"end")
    assert client.take_until(b"end") == []
