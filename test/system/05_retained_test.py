"""Retained messages: one per topic, for those who subscribe later, and on disk."""
import pytest

from raw_mqtt import V5, Kind, let_quiet
from narud_server import let_pass, wait_until

pytestmark = pytest.mark.core

NO_RETAINED, RETAIN_IF_NEW = 0x20, 0x10


def retained(client, topic_filter, qos=1, count=1):
    """What a new subscription brings: so many, which may come a while after SUBACK, and then no
    more."""
    client.subscribe(topic_filter, qos)
    return [client.take() for _ in range(count)] + let_quiet(client)


def brings_nothing(client, topic_filter, qos=1):
    return retained(client, topic_filter, qos, count=0) == []


def test_a_later_subscriber_gets_it_with_the_flag_set(broker, join, unique, version):
    topic = unique()
    join(broker, version).publish(topic, b"state", 1, retain=True)
    messages = retained(join(broker, version), topic)
    assert [(m.payload, m.retain, m.qos, m.dup) for m in messages] == [(b"state", True, 1, False)]


def test_a_present_subscriber_gets_it_with_the_flag_clear(broker, join, unique, version):
    topic = unique()
    subscriber = join(broker, version)
    subscriber.subscribe(topic, 1)
    join(broker, version).publish(topic, b"state", 1, retain=True)
    assert not subscriber.take().retain


def test_the_latest_replaces_the_earlier(broker, join, unique, version):
    topic = unique()
    publisher = join(broker, version)
    for number in range(10):
        publisher.publish(topic, str(number), number % 3, retain=True)
    publisher.publish(topic, b"not retained", 1)
    assert [m.payload for m in retained(join(broker, version), topic)] == [b"9"]


def test_an_empty_payload_clears(broker, join, unique, version):
    topic = unique()
    subscriber = join(broker, version)
    subscriber.subscribe(topic, 1)
    publisher = join(broker, version)
    publisher.publish(topic, b"state", 1, retain=True)
    publisher.publish(topic, b"", 1, retain=True)
    assert [(subscriber.take().payload) for _ in range(2)] == [b"state", b""]
    assert brings_nothing(join(broker, version), topic)


@pytest.mark.parametrize("sent", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_it_comes_with_the_lower_qos(broker, join, unique, version, sent, granted):
    topic = unique()
    join(broker, version).publish(topic, b"state", sent, retain=True)
    subscriber = join(broker, version)
    if sent == 0:  # Nothing says when it is kept, so its coming does.
        wait_until(lambda: not brings_nothing(subscriber, topic), what="the retained message")
    assert [m.qos for m in retained(subscriber, topic, granted)] == [min(sent, granted)]


def test_a_wildcard_brings_all_that_match(broker, join, unique, version):
    stem = unique()
    publisher = join(broker, version)
    for leaf in "a", "b", "c/d", "c/e":
        publisher.publish(f"{stem}/{leaf}", leaf, 1, retain=True)
    for topic_filter, leaves in (("#", ["a", "b", "c/d", "c/e"]), ("+", ["a", "b"]),
                                 ("+/d", ["c/d"]), ("c/#", ["c/d", "c/e"]), ("x/#", [])):
        got = retained(join(broker, version), f"{stem}/{topic_filter}", count=len(leaves))
        assert sorted(m.payload.decode() for m in got) == leaves


def test_wildcards_hide_retained_dollar_topics(start_broker, join, version):
    broker = start_broker()
    publisher = join(broker, version)
    publisher.publish("$naru-test/a", b"hidden", 1, retain=True)
    publisher.publish("open/a", b"open", 1, retain=True)
    assert [m.payload for m in retained(join(broker, version), "+/a")] == [b"open"]
    assert [m.payload for m in retained(join(broker, version), "$naru-test/+")] == [b"hidden"]


def test_subscribing_again_brings_it_again(broker, join, unique, version):
    topic = unique()
    join(broker, version).publish(topic, b"state", 1, retain=True)
    subscriber = join(broker, version)
    for _ in range(2):
        assert [m.payload for m in retained(subscriber, topic)] == [b"state"]


def test_a_persistent_session_gets_it_at_subscribe_not_at_reconnect(broker, join, dial, unique,
                                                                    version):
    topic, name = unique(), unique("keeper")
    options = {"clean": False}
    if version == V5:
        options["properties"] = {"session_expiry_interval": 600}
    join(broker, version).publish(topic, b"state", 1, retain=True)
    subscriber = join(broker, version, name, **options)
    assert [m.payload for m in retained(subscriber, topic)] == [b"state"]
    subscriber.disconnect()
    again = dial(broker, version)
    assert again.connect(name, **options).session_present
    assert let_quiet(again) == []


def test_v5_retain_handling_0_1_2(broker, join, unique):
    topic = unique()
    join(broker, V5).publish(topic, b"state", 1, retain=True)
    never = join(broker, V5)
    assert brings_nothing(never, topic, 1 | NO_RETAINED)
    if_new = join(broker, V5)
    assert len(retained(if_new, topic, 1 | RETAIN_IF_NEW)) == 1
    assert brings_nothing(if_new, topic, 1 | RETAIN_IF_NEW)
    assert len(retained(if_new, topic, 1)) == 1


def test_v5_properties_are_retained_too(broker, join, unique):
    topic = unique()
    properties = [("content_type", "text/plain"), ("user_property", ("k", "1")),
                  ("user_property", ("k", "2")), ("response_topic", "r"),
                  ("correlation_data", b"\0\1"), ("payload_format_indicator", 1)]
    join(broker, V5).publish(topic, b"state", 1, retain=True, properties=properties)
    message = retained(join(broker, V5), topic)[0]
    assert sorted(map(repr, message.properties)) == sorted(map(repr, properties))


def test_v5_subscription_identifier_comes_with_it(broker, join, unique):
    topic = unique()
    join(broker, V5).publish(topic, b"state", 1, retain=True)
    subscriber = join(broker, V5)
    subscriber.subscribe(topic, 1, {"subscription_identifier": 9})
    assert subscriber.take().property("subscription_identifier") == 9


@pytest.mark.slow
def test_v5_expiry_ends_it_and_counts_down(broker, join, unique):
    short, long = unique(), unique()
    publisher = join(broker, V5)
    publisher.publish(short, b"x", 1, retain=True, properties={"message_expiry_interval": 1})
    publisher.publish(long, b"x", 1, retain=True, properties={"message_expiry_interval": 100})
    assert len(retained(join(broker, V5), short)) == 1
    let_pass(2.1)
    assert brings_nothing(join(broker, V5), short)
    left = retained(join(broker, V5), long)[0].property("message_expiry_interval")
    assert 90 <= left <= 98


@pytest.mark.parametrize("how", ["restart", "crash_and_restart"])
def test_it_survives(own_broker, join, version, how):
    publisher = join(own_broker, version)
    for topic in "kept", "replaced", "cleared":
        publisher.publish(topic, b"old", 1, retain=True)
    publisher.publish("replaced", b"new", 2, retain=True)
    publisher.publish("cleared", b"", 1, retain=True)
    getattr(own_broker, how)()
    messages = retained(join(own_broker, version), "+", 2, count=2)
    assert sorted((m.topic, m.payload) for m in messages) == \
        [("kept", b"old"), ("replaced", b"new")]
    assert all(m.retain for m in messages)


def test_mosquitto_clients_set_see_and_clear_it(broker, tools, unique, version):
    topic = unique()
    tools.pub(broker, version, "-t", topic, "-m", "state", "-q", "1", "-r")
    seen = tools.sub(broker, version, "-t", topic, "-q", "1", "-C", "1", "-F", "%r %p")
    assert seen.wait_end() == (0, ["1 state"])
    tools.pub(broker, version, "-t", topic, "-n", "-q", "1", "-r")
    later = tools.sub(broker, version, "-t", topic, "-q", "1", "-C", "1", "-F", "%r %p")
    later.wait_subscribed()
    tools.pub(broker, version, "-t", topic, "-m", "live", "-q", "1")
    assert later.wait_end() == (0, ["0 live"])


def test_more_than_a_window_of_retained_messages_arrives(broker, join, unique, version):
    stem = unique()
    publisher = join(broker, version)
    for number in range(150):
        publisher.publish(f"{stem}/{number}", str(number), 1, retain=True)
    subscriber = join(broker, version)
    subscriber.subscribe(f"{stem}/#", 1)
    got = [subscriber.take() for _ in range(150)]
    assert {int(m.payload) for m in got} == set(range(150))
    assert all(m.retain and m.kind == Kind.PUBLISH for m in got)
