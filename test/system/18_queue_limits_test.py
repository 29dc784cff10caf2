"""Limits of a session's queue: what they drop, from which end, and that every drop is counted."""
import pytest

from raw_mqtt import V5, V311, keep, let_quiet

ENDINGS = ["online", "kill9"]


def sleeper(broker, join, version, qos=1):
    client = join(broker, version, "sleeper", **keep(version))
    client.subscribe("a", qos)
    client.disconnect()


def publish(broker, join, count, size=10, qos=1):
    """The payloads of that many publishes, all of them acknowledged."""
    payloads = [str(number).zfill(size) for number in range(count)]
    publisher = join(broker, V5)
    for payload in payloads:
        publisher.publish("a", payload, qos)
    publisher.disconnect()
    return payloads


def wake(broker, join, version, how, count):
    if how == "kill9":
        broker.crash_and_restart()
    client = join(broker, version, "sleeper", **keep(version))
    assert client.connack.session_present
    got = [client.take().payload.decode() for _ in range(count)]
    assert let_quiet(client) == []
    return got


@pytest.mark.parametrize("how", ENDINGS)
@pytest.mark.parametrize("qos", [1, 2])
def test_a_full_queue_drops_the_newest(start_broker, join, version, how, qos):
    broker = start_broker("max_queued_messages 10\n")
    sleeper(broker, join, version, qos)
    sent = publish(broker, join, 25, qos=qos)
    assert broker.counter("dropped_queue_full") == 15
    assert wake(broker, join, version, how, 10) == sent[:10]


@pytest.mark.parametrize("how", ENDINGS)
@pytest.mark.parametrize("qos", [1, 2])
def test_a_full_queue_drops_the_oldest_where_told_to(start_broker, join, version, how, qos):
    broker = start_broker("max_queued_messages 10\nqueue_drop oldest\n")
    sleeper(broker, join, version, qos)
    sent = publish(broker, join, 25, qos=qos)
    assert broker.counter("dropped_queue_full") == 15
    assert wake(broker, join, version, how, 10) == sent[-10:]


@pytest.mark.parametrize("drop", ["newest", "oldest"])
def test_bytes_are_limited_too(start_broker, join, drop):
    broker = start_broker(f"max_queued_bytes 1010\nqueue_drop {drop}\n")
    sleeper(broker, join, V5)
    sent = publish(broker, join, 20, size=100)  # 101 bytes each: the topic counts.
    assert broker.counter("dropped_queue_full") == 10
    kept = sent[:10] if drop == "newest" else sent[-10:]
    assert wake(broker, join, V5, "online", 10) == kept


def test_one_message_above_the_limit_of_bytes_is_kept_alone(start_broker, join):
    broker = start_broker("max_queued_bytes 50\n")
    sleeper(broker, join, V5)
    sent = publish(broker, join, 3, size=100)
    assert broker.counter("dropped_queue_full") == 2
    assert wake(broker, join, V5, "online", 1) == sent[:1]


def test_a_queue_takes_again_what_it_has_room_for(start_broker, join):
    broker = start_broker("max_queued_messages 5\n")
    sleeper(broker, join, V311)
    first = publish(broker, join, 8)
    client = join(broker, V311, "sleeper", **keep(V311))
    assert [client.take().payload.decode() for _ in range(5)] == first[:5]
    client.ping()
    client.disconnect()
    second = publish(broker, join, 8)
    assert broker.counter("dropped_queue_full") == 6
    assert wake(broker, join, V311, "online", 5) == second[:5]


def test_without_a_limit_nothing_is_dropped(start_broker, join):
    broker = start_broker("max_queued_messages 0\n")
    sleeper(broker, join, V5)
    sent = publish(broker, join, 1500)
    assert broker.counter("dropped_queue_full") == 0
    client = join(broker, V5, "sleeper", **keep(V5))
    assert [client.take().payload.decode() for _ in sent] == sent
