"""Message expiry of MQTT 5: too late is never delivered, and the rest of the time is told."""
import pytest

from raw_mqtt import V5, V311, Missing, let_quiet
from narud_server import let_pass, wait_until

KEEP = {"clean": False, "properties": {"session_expiry_interval": 600}}


def expiring(seconds):
    return {"message_expiry_interval": seconds}


def sleeper(broker, join, qos=1):
    client = join(broker, V5, "sleeper", **KEEP)
    client.subscribe("a", qos)
    client.disconnect()


def wake(broker, dial, version=V5):
    client = dial(broker, version)
    client.client_id = "sleeper"
    client.connect("sleeper", **(KEEP if version == V5 else {"clean": False}))
    return client


def test_a_message_delivered_at_once_keeps_its_interval(broker, join, unique):
    topic = unique()
    client = join(broker, V5)
    client.subscribe(topic, 1)
    for qos in 0, 1:
        client.publish(topic, b"x", qos, properties=expiring(100))
        assert client.take().property("message_expiry_interval") in (99, 100)


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("qos", [1, 2])
def test_an_expired_message_is_not_delivered(own_broker, join, dial, qos, crash):
    sleeper(own_broker, join, qos)
    publisher = join(own_broker, V5)
    publisher.publish("a", b"late", qos, properties=expiring(1))
    publisher.publish("a", b"fresh", qos, properties=expiring(100))
    publisher.publish("a", b"forever", qos)
    if crash:
        own_broker.crash_and_restart()
    let_pass(3.1 if crash else 2.1)  # A crash may cost a second of the store's time.
    got = let_quiet(wake(own_broker, dial))
    assert [m.payload for m in got] == [b"fresh", b"forever"]
    assert got[0].property("message_expiry_interval") <= (99 if crash else 98)
    assert got[1].property("message_expiry_interval") is None


def test_the_interval_is_lowered_by_the_time_waited(own_broker, join, dial):
    sleeper(own_broker, join)
    join(own_broker, V5).publish("a", b"x", 1, properties=expiring(10))
    let_pass(2.1)
    assert wake(own_broker, dial).take().property("message_expiry_interval") in (7, 8)


def test_expired_messages_are_counted(own_broker, join, dial):
    sleeper(own_broker, join)
    publisher = join(own_broker, V5)
    for _ in range(3):
        publisher.publish("a", b"x", 1, properties=expiring(1))
    let_pass(2.1)
    assert let_quiet(wake(own_broker, dial)) == []
    wait_until(lambda: own_broker.counter("dropped_expired") == 3, what="3 counted drops")


def test_a_v311_client_gets_nothing_expired_either(own_broker, join, dial):
    client = join(own_broker, V311, "sleeper", clean=False)
    client.subscribe("a", 1)
    client.disconnect()
    publisher = join(own_broker, V5)
    publisher.publish("a", b"late", 1, properties=expiring(1))
    publisher.publish("a", b"fresh", 1, properties=expiring(100))
    let_pass(2.1)
    assert [m.payload for m in let_quiet(wake(own_broker, dial, V311))] == [b"fresh"]


@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_a_message_that_waits_for_the_window_expires_too(broker, join, unique, stored):
    topic = unique()
    properties = {"receive_maximum": 1}
    if stored:
        properties["session_expiry_interval"] = 600
    client = join(broker, V5, properties=properties)
    client.subscribe(topic, 1)
    publisher = join(broker, V5)
    publisher.publish(topic, b"holds the window", 1)
    publisher.publish(topic, b"late", 1, properties=expiring(1))
    publisher.publish(topic, b"end", 1)
    held = client.receive()
    with pytest.raises(Missing):
        client.receive(wait=2.1)
    client.acknowledge(held)
    assert client.take().payload == b"end"
