"""SUBSCRIBE and UNSUBSCRIBE: which topics a filter takes, options of MQTT 5, and every answer."""
import pytest

from raw_mqtt import V5, V311, Closed, Kind, frame, subscribe_packet

NO_LOCAL, RETAIN_AS_PUBLISHED = 0x04, 0x08
TOPICS = [
    "sport", "sport/", "/sport", "sport/tennis", "sport/tennis/", "sport/tennis/player1",
    "sport/tennis/player1/ranking", "sport//player1", "/", "//", "/finance", "finance", "a b/c",
    "Sport/tennis", "나루/터",
]
MATCHES = {
    "sport/tennis/player1/#": ["sport/tennis/player1", "sport/tennis/player1/ranking"],
    "sport/#": ["sport", "sport/", "sport/tennis", "sport/tennis/", "sport/tennis/player1",
                "sport/tennis/player1/ranking", "sport//player1"],
    "#": TOPICS,
    "+": ["sport", "finance"],
    "+/+": ["sport/", "/sport", "sport/tennis", "/", "/finance", "a b/c", "Sport/tennis", "나루/터"],
    "/+": ["/sport", "/", "/finance"],
    "+/": ["sport/", "/"],
    "sport/+": ["sport/", "sport/tennis"],
    "sport/+/player1": ["sport/tennis/player1", "sport//player1"],
    "+/tennis/#": ["sport/tennis", "sport/tennis/", "sport/tennis/player1",
                   "sport/tennis/player1/ranking", "Sport/tennis"],
    "sport": ["sport"],
    "/": ["/"],
    "//": ["//"],
    "+/+/+": ["sport/tennis/", "sport/tennis/player1", "sport//player1", "//"],
    "나루/+": ["나루/터"],
}
BAD_FILTERS = ["", "a#", "a/#/b", "#/a", "a+", "a/+b", "+a/b", "##"]


@pytest.mark.parametrize("topic_filter", MATCHES)
def test_a_filter_takes_exactly_these_topics(broker, join, version, topic_filter):
    subscriber = join(broker, version)
    assert subscriber.subscribe(topic_filter, 1) == 1
    assert subscriber.subscribe("the-end", 1) == 1
    publisher = join(broker, version)
    for topic in TOPICS:
        publisher.publish(topic, b"x", 1)
    publisher.publish("the-end", b"end", 1)
    got = [m.topic for m in subscriber.take_until(b"end")]
    assert sorted(got) == sorted(MATCHES[topic_filter])


@pytest.mark.parametrize("topic_filter", ["#", "+/a", "+/#"])
def test_wildcards_at_the_start_hide_dollar_topics(broker, join, version, topic_filter):
    subscriber = join(broker, version)
    subscriber.subscribe(topic_filter, 0)
    other = join(broker, version)
    other.subscribe("$naru-test/#", 0)
    publisher = join(broker, version)
    publisher.publish("$naru-test/a", b"hidden")
    publisher.publish("open/a", b"open")
    assert subscriber.take_until(b"open") == []
    assert other.take().payload == b"hidden"


@pytest.mark.parametrize("topic_filter", BAD_FILTERS)
def test_a_bad_filter_is_refused_and_nobody_is_disturbed(broker, join, version, topic_filter):
    other = join(broker, version)
    client = join(broker, version)
    client.send(subscribe_packet(1, [(topic_filter, 0)], version))
    try:
        answer = client.receive()
    except Closed:
        assert version == V311
    else:
        codes = answer.codes if answer.kind == Kind.SUBACK else [answer.code]
        assert codes[0] in ((0x81, 0x82, 0x8F) if version == V5 else (0x80,))
    other.ping()


def test_one_subscribe_with_many_filters_answers_each(broker, join, unique, version):
    stem = unique()
    client = join(broker, version)
    filters = [(f"{stem}/{n}", n % 3) for n in range(30)]
    assert client.subscribe_many(filters) == [n % 3 for n in range(30)]


def test_subscribing_again_replaces_the_options(broker, join, unique, version):
    topic = unique()
    client = join(broker, version)
    client.subscribe(topic, 2)
    client.subscribe(topic, 0)
    join(broker, version).publish(topic, b"x", 2)
    assert client.take().qos == 0
    client.publish(topic, b"end")
    assert client.take_until(b"end") == []


def test_overlapping_filters_deliver_with_the_highest_qos(broker, join, unique, version):
    stem = unique()
    client = join(broker, version)
    client.subscribe_many([(f"{stem}/+", 0), (f"{stem}/a", 2), (f"{stem}/#", 1)])
    publisher = join(broker, version)
    publisher.publish(f"{stem}/a", b"x", 2)
    publisher.publish(f"{stem}/a", b"end", 2)
    copies = [client.take()]
    while copies[-1].payload != b"end":
        copies.append(client.take())
    copies = [m for m in copies if m.payload == b"x"]
    assert max(m.qos for m in copies) == 2
    assert len(copies) <= 3


def test_unsubscribe_ends_delivery(broker, join, unique, version):
    gone, kept = unique(), unique()
    client = join(broker, version)
    client.subscribe_many([(gone, 1), (kept, 1)])
    client.unsubscribe(gone)
    publisher = join(broker, version)
    publisher.publish(gone, b"x", 1)
    publisher.publish(kept, b"end", 1)
    assert client.take_until(b"end") == []


def test_unsubscribe_compares_filters_letter_by_letter(broker, join, unique, version):
    stem = unique()
    client = join(broker, version)
    client.subscribe(f"{stem}/+", 1)
    client.unsubscribe(f"{stem}/a", f"{stem}/#")
    client.publish(f"{stem}/a", b"still", 1)
    assert client.take().payload == b"still"


def test_unsuback_says_for_each_filter_whether_it_was_there(broker, join, unique):
    topic = unique()
    client = join(broker, V5)
    client.subscribe(topic, 1)
    assert client.unsubscribe(topic, topic, "never/was") == [0x00, 0x11, 0x11]


def test_unsuback_of_v311_has_no_codes(broker, join, unique):
    client = join(broker, V311)
    assert client.unsubscribe(unique()) == []


def test_v5_no_local_keeps_own_messages_away(broker, join, unique):
    topic = unique()
    client = join(broker, V5)
    client.subscribe(topic, 1 | NO_LOCAL)
    client.publish(topic, b"own", 1)
    join(broker, V5).publish(topic, b"end", 1)
    assert client.take_until(b"end") == []


def test_v5_retain_as_published_keeps_the_flag(broker, join, unique):
    topic = unique()
    as_published, plain = join(broker, V5), join(broker, V5)
    as_published.subscribe(topic, 1 | RETAIN_AS_PUBLISHED)
    plain.subscribe(topic, 1)
    publisher = join(broker, V5)
    publisher.publish(topic, b"kept", 1, retain=True)
    publisher.publish(topic, b"live", 1)
    assert [as_published.take().retain for _ in range(2)] == [True, False]
    assert [plain.take().retain for _ in range(2)] == [False, False]
    publisher.publish(topic, b"", 1, retain=True)


def identifiers(message):
    return sorted(message.all_properties("subscription_identifier"))


def test_v5_subscription_identifiers_come_back(broker, join, unique):
    stem = unique()
    client = join(broker, V5)
    client.subscribe(f"{stem}/a", 1, {"subscription_identifier": 1})
    client.subscribe(f"{stem}/#", 1, {"subscription_identifier": 268435455})
    client.subscribe(f"{stem}/b", 1)
    client.publish(f"{stem}/c", b"one", 1)
    assert identifiers(client.take()) == [268435455]
    client.publish(f"{stem}/a", b"both", 1)
    client.publish(f"{stem}/c", b"end", 1)
    copies = client.take_until(b"end")
    assert sorted(sum((identifiers(m) for m in copies), [])) == [1, 268435455]


def test_v5_subscription_identifier_is_replaced_and_removed(broker, join, unique):
    topic = unique()
    client = join(broker, V5)
    client.subscribe(topic, 1, {"subscription_identifier": 5})
    client.subscribe(topic, 1, {"subscription_identifier": 6})
    client.publish(topic, b"x", 1)
    assert identifiers(client.take()) == [6]
    client.subscribe(topic, 1)
    client.publish(topic, b"x", 1)
    assert identifiers(client.take()) == []


def test_v5_subscription_identifiers_survive_a_crash(own_broker, join, dial):
    options = {"clean": False, "properties": {"session_expiry_interval": 600}}
    client = join(own_broker, V5, "sub", **options)
    client.subscribe("a", 1, {"subscription_identifier": 77})
    client.disconnect()
    publisher = join(own_broker, V5)
    publisher.publish("a", b"before", 1)
    own_broker.crash_and_restart()
    again = dial(own_broker, V5)
    again.connect("sub", **options)
    assert identifiers(again.take()) == [77]
    join(own_broker, V5).publish("a", b"after", 1)
    assert identifiers(again.take()) == [77]


def test_v5_subscription_identifier_zero_is_a_protocol_error(broker, join):
    client = join(broker, V5)
    client.send(subscribe_packet(1, [("a", 0)], V5, {"subscription_identifier": 0}))
    client.expect_refusal(0x82, 0x81)


def test_a_subscribe_without_filters_is_a_protocol_error(broker, join, version):
    client = join(broker, version)
    client.send(subscribe_packet(1, [], version))
    client.expect_refusal(0x82, 0x81)


@pytest.mark.parametrize("options", [0x03, 0x40, 0x80, 0xFF])
def test_reserved_subscription_options_are_refused(broker, join, version, options):
    """QoS 3 can be read and is a protocol error; reserved bits are malformed (3.8.3.1)."""
    client = join(broker, version)
    client.send(subscribe_packet(1, [("a", options)], version))
    client.expect_refusal(0x82 if options == 0x03 else 0x81)


def test_an_unsubscribe_without_filters_is_a_protocol_error(broker, join, version):
    client = join(broker, version)
    client.send(frame(Kind.UNSUBSCRIBE, b"\0\1" + (b"\0" if version == V5 else b"")))
    client.expect_refusal(0x82, 0x81)


def test_a_subscription_counts_from_suback_on(broker, join, unique, version):
    """Published by another client right after SUBACK, so on any thread it has to be known."""
    publisher = join(broker, version)
    for _ in range(50):
        topic = unique("now/")
        client = join(broker, version)
        client.subscribe(topic, 1)
        publisher.publish(topic, b"now", 1)
        assert client.take().payload == b"now"
        client.close()
