"""PUBLISH from one client to another: every QoS both ways, order, and what rides along."""
import itertools
import threading

import pytest

from raw_mqtt import V5, V311, Kind, publish_packet

pytestmark = [pytest.mark.core, pytest.mark.threads]

QOS_PAIRS = list(itertools.product((0, 1, 2), (0, 1, 2)))
RIDE_ALONG = [
    ("payload_format_indicator", 1),
    ("content_type", "application/json"),
    ("response_topic", "answers/here"),
    ("correlation_data", bytes(range(256))),
    ("user_property", ("b", "first")),
    ("user_property", ("a", "second")),
    ("user_property", ("b", "third")),
    ("user_property", ("", "")),
]


@pytest.mark.parametrize("sent,granted", QOS_PAIRS)
def test_a_message_arrives_with_the_lower_qos_of_both_sides(broker, join, unique, version, sent,
                                                            granted):
    topic = unique("qos/")
    subscriber = join(broker, version)
    assert subscriber.subscribe(topic, granted) == granted
    publisher = join(broker, version)
    publisher.publish(topic, b"hello", sent)
    message = subscriber.take()
    assert (message.topic, message.payload) == (topic, b"hello")
    assert message.qos == min(sent, granted)
    assert not message.dup
    assert not message.retain


@pytest.mark.parametrize("sent,granted", QOS_PAIRS)
def test_mosquitto_pub_reaches_mosquitto_sub(broker, tools, unique, version, sent, granted):
    topic = unique("tools/")
    subscriber = tools.sub(broker, version, "-t", topic, "-q", str(granted), "-C", "1",
                           "-F", "%t %q %r %p")
    subscriber.wait_subscribed()
    tools.pub(broker, version, "-t", topic, "-q", str(sent), "-m", "hello")
    assert subscriber.wait_end() == (0, [f"{topic} {min(sent, granted)} 0 hello"])


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_two_versions_speak_to_each_other(broker, join, unique, version, qos):
    topic = unique("mixed/")
    other = V5 if version == V311 else V311
    subscriber = join(broker, other)
    subscriber.subscribe(topic, qos)
    join(broker, version).publish(topic, b"across", qos)
    message = subscriber.take()
    assert (message.payload, message.qos, message.properties) == (b"across", qos, [])


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_of_one_publisher_keep_their_order(broker, join, unique, version, qos):
    topic = unique("order/")
    subscriber = join(broker, version)
    subscriber.subscribe(topic + "/#", 2)
    publisher = join(broker, version)
    for number in range(100):
        publisher.publish(f"{topic}/{number % 3}", str(number), qos)
    assert [int(subscriber.take().payload) for _ in range(100)] == list(range(100))


def test_acknowledgements_come_in_the_order_of_the_publishes(broker, join, unique, version):
    publisher = join(broker, version)
    topic = unique()
    publisher.send(b"".join(publish_packet(topic, b"x", 1, 100 - i, version) for i in range(50)))
    assert [publisher.expect(Kind.PUBACK).packet_id for _ in range(50)] == \
        [100 - i for i in range(50)]


def test_every_subscriber_gets_its_copy(broker, join, unique, version):
    topic = unique("fan/")
    subscribers = [join(broker, version) for _ in range(20)]
    for number, subscriber in enumerate(subscribers):
        subscriber.subscribe(topic, number % 3)
    join(broker, version).publish(topic, b"all", 2)
    assert [s.take().qos for s in subscribers] == [n % 3 for n in range(20)]


def test_a_publisher_gets_its_own_message(broker, join, unique, version):
    client = join(broker, version)
    topic = unique()
    client.subscribe(topic, 1)
    client.publish(topic, b"echo", 1)
    assert client.take().payload == b"echo"


def test_an_empty_payload_is_a_message(broker, join, unique, version):
    topic = unique()
    client = join(broker, version)
    client.subscribe(topic)
    client.publish(topic, b"")
    assert client.take().payload == b""


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_megabyte_arrives_whole(broker, join, unique, version, qos):
    topic = unique()
    subscriber = join(broker, version)
    subscriber.subscribe(topic, 2)
    payload = bytes(i * 7 % 251 for i in range(1024)) * 1024
    join(broker, version).publish(topic, payload, qos)
    assert subscriber.take().payload == payload


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_v5_properties_pass_through_unchanged_and_in_order(broker, join, unique, qos):
    topic = unique()
    subscriber = join(broker, V5)
    subscriber.subscribe(topic, 2)
    join(broker, V5).publish(topic, b"{}", qos, properties=RIDE_ALONG)
    message = subscriber.take()
    assert message.all_properties("user_property") == \
        [value for name, value in RIDE_ALONG if name == "user_property"]
    assert sorted(map(repr, message.properties)) == sorted(map(repr, RIDE_ALONG))


def test_v5_properties_survive_a_queue_and_a_crash(own_broker, join, dial):
    expiry = {"session_expiry_interval": 600}
    subscriber = join(own_broker, V5, "sleeper", clean=False, properties=expiry)
    subscriber.subscribe("a", 1)
    subscriber.disconnect()
    join(own_broker, V5).publish("a", b"{}", 1, properties=RIDE_ALONG)
    own_broker.crash_and_restart()
    again = dial(own_broker, V5)
    assert again.connect("sleeper", clean=False, properties=expiry).session_present
    assert sorted(map(repr, again.take().properties)) == sorted(map(repr, RIDE_ALONG))


def test_many_publishers_at_once_lose_nothing(broker, join, unique, version):
    topic = unique("crowd/")
    subscriber = join(broker, version)
    subscriber.subscribe(topic + "/+", 1)

    def publish(number, client):
        for count in range(30):
            client.publish(f"{topic}/{number}", str(count), 1)

    clients = [join(broker, version) for _ in range(8)]
    threads = [threading.Thread(target=publish, args=pair) for pair in enumerate(clients)]
    for thread in threads:
        thread.start()
    seen = {f"{topic}/{n}": [] for n in range(8)}
    for _ in range(8 * 30):
        message = subscriber.take()
        seen[message.topic].append(int(message.payload))
    for thread in threads:
        thread.join()
    assert all(numbers == list(range(30)) for numbers in seen.values())


def test_a_publish_nobody_wants_is_acknowledged(broker, join, unique, version):
    client = join(broker, version)
    assert client.publish(unique(), b"x", 1).code in (0, 0x10)
    assert client.publish(unique(), b"x", 2).code in (0, 0x10)
