"""Wills: published once when a client is lost, and never when it takes leave."""
import pytest

from raw_mqtt import V5, Kind, Missing, Will, connect_packet, let_quiet
from narud_server import let_pass, wait_until

pytestmark = pytest.mark.core


@pytest.fixture
def watcher(broker, join, unique, version):
    client = join(broker, version)
    client.topic = unique("will/")
    client.subscribe(client.topic, 2)
    return client


def assert_no_will(watcher):
    assert let_quiet(watcher) == []


def lasting(seconds):
    return {"session_expiry_interval": seconds}


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_lost_connection_publishes_the_will(broker, join, watcher, version, qos):
    join(broker, version, will=Will(watcher.topic, b"gone", qos)).close()
    message = watcher.take()
    assert (message.payload, message.qos, message.retain) == (b"gone", qos, False)
    assert_no_will(watcher)


def test_disconnect_drops_the_will(broker, join, watcher, version):
    join(broker, version, will=Will(watcher.topic, qos=1)).disconnect()
    assert_no_will(watcher)


def test_a_persistent_client_s_will_is_dropped_by_disconnect_too(broker, join, watcher, version):
    properties = lasting(600) if version == V5 else ()
    join(broker, version, clean=False, properties=properties,
         will=Will(watcher.topic, qos=1)).disconnect()
    assert_no_will(watcher)


@pytest.mark.slow
def test_keep_alive_time_out_publishes_the_will(broker, join, watcher, version):
    client = join(broker, version, keep_alive=1, will=Will(watcher.topic, qos=1))
    client.expect_closed(wait=6)
    assert watcher.take().payload == b"gone"


def test_a_malformed_packet_publishes_the_will(broker, join, watcher, version):
    client = join(broker, version, will=Will(watcher.topic, qos=1))
    client.send(b"\x00\x00")
    client.expect_closed()
    assert watcher.take().payload == b"gone"


def test_a_retained_will_is_there_for_later_subscribers(broker, join, watcher, version):
    join(broker, version, will=Will(watcher.topic, b"state", 1, retain=True)).close()
    assert not watcher.take().retain
    later = join(broker, version)
    later.subscribe(watcher.topic, 1)
    message = later.take()
    assert (message.payload, message.retain) == (b"state", True)


def test_an_empty_will_is_a_message(broker, join, watcher, version):
    join(broker, version, will=Will(watcher.topic, b"", 1)).close()
    assert watcher.take().payload == b""


def test_take_over_publishes_the_will_of_the_old_connection(broker, join, watcher, version):
    old = join(broker, version, will=Will(watcher.topic, b"old", 1))
    new = join(broker, version, old.client_id, will=Will(watcher.topic, b"new", 1))
    assert watcher.take().payload == b"old"
    new.disconnect()
    assert_no_will(watcher)


def test_a_new_connect_replaces_the_will(broker, join, watcher, version):
    first = join(broker, version, will=Will(watcher.topic, b"first", 1))
    first.disconnect()
    join(broker, version, first.client_id, will=Will(watcher.topic, b"second", 1)).close()
    assert watcher.take().payload == b"second"
    assert_no_will(watcher)


def test_a_will_reaches_a_sleeping_subscriber(own_broker, join, dial, version):
    options = {"clean": False, "properties": lasting(600) if version == V5 else ()}
    sleeper = join(own_broker, version, "sleeper", **options)
    sleeper.subscribe("w", 1)
    sleeper.disconnect()
    join(own_broker, version, "dying", will=Will("w", b"gone", 1)).close()
    wait_until(lambda: own_broker.is_disconnected("dying"))
    again = dial(own_broker, version)
    again.connect("sleeper", **options)
    assert again.take().payload == b"gone"


@pytest.mark.slow
def test_a_will_survives_the_broker_s_crash_and_comes_once(own_broker, join, dial, version):
    options = {"clean": False, "properties": lasting(600) if version == V5 else ()}
    sleeper = join(own_broker, version, "sleeper", **options)
    sleeper.subscribe("w", 2)  # QoS 1 could come again: a PUBACK need not be on disk.
    sleeper.disconnect()
    join(own_broker, version, "dying", will=Will("w", b"gone", 2), **options)
    own_broker.crash_and_restart()
    again = dial(own_broker, version)
    again.client_id = "sleeper"
    again.connect("sleeper", **options)
    assert again.take(wait=20).payload == b"gone"
    again.disconnect()
    own_broker.crash_and_restart()
    again = dial(own_broker, version)
    again.client_id = "sleeper"
    again.connect("sleeper", **options)
    assert let_quiet(again) == []


def test_v5_disconnect_with_will_publishes_it(broker, join, unique):
    topic = unique()
    watcher = join(broker, V5)
    watcher.subscribe(topic, 1)
    join(broker, V5, will=Will(topic, b"said", 1)).disconnect(0x04)
    assert watcher.take().payload == b"said"


def test_v5_will_properties_pass_through(broker, join, unique):
    topic = unique()
    watcher = join(broker, V5)
    watcher.subscribe(topic, 1)
    properties = [("content_type", "text/plain"), ("response_topic", "r"),
                  ("correlation_data", b"\0\xff"), ("payload_format_indicator", 1),
                  ("user_property", ("z", "1")), ("user_property", ("a", "2"))]
    join(broker, V5, will=Will(topic, b"gone", 1, properties=properties)).close()
    assert sorted(map(repr, watcher.take().properties)) == sorted(map(repr, properties))


def delayed(topic, seconds):
    return Will(topic, b"late", 1, properties={"will_delay_interval": seconds})


@pytest.mark.slow
def test_v5_will_delay_holds_it_back(broker, join, unique):
    topic = unique()
    watcher = join(broker, V5)
    watcher.subscribe(topic, 1)
    join(broker, V5, will=delayed(topic, 2), properties=lasting(600)).close()
    with pytest.raises(Missing):
        watcher.receive(wait=1.5)
    assert watcher.take(wait=4).payload == b"late"


@pytest.mark.slow
def test_v5_reconnecting_in_time_cancels_the_delayed_will(broker, join, dial, unique):
    topic, name = unique(), unique("car")
    watcher = join(broker, V5)
    watcher.subscribe(topic, 1)
    join(broker, V5, name, will=delayed(topic, 1), properties=lasting(600)).close()
    again = join(broker, V5, name, clean=False, properties=lasting(600))
    assert again.connack.session_present
    let_pass(1.8)
    assert_no_will(watcher)


def test_v5_the_end_of_the_session_ends_the_delay(broker, join, unique):
    topic = unique()
    watcher = join(broker, V5)
    watcher.subscribe(topic, 1)
    join(broker, V5, will=delayed(topic, 600), properties=lasting(1)).close()
    assert watcher.take(wait=5).payload == b"late"
    join(broker, V5, will=delayed(topic, 600)).close()
    assert watcher.take().payload == b"late"


def test_v5_a_clean_start_ends_the_session_and_so_the_delay(broker, join, unique):
    topic, name = unique(), unique("car")
    watcher = join(broker, V5)
    watcher.subscribe(topic, 1)
    join(broker, V5, name, will=delayed(topic, 600), properties=lasting(600)).close()
    join(broker, V5, name, clean=True)
    assert watcher.take().payload == b"late"


@pytest.mark.slow
def test_v5_take_over_of_a_session_that_goes_on_drops_the_delayed_will(broker, join, unique):
    topic, name = unique(), unique("car")
    watcher = join(broker, V5)
    watcher.subscribe(topic, 1)
    join(broker, V5, name, will=delayed(topic, 1), properties=lasting(600))
    join(broker, V5, name, clean=False, properties=lasting(600))
    let_pass(1.8)
    assert_no_will(watcher)


@pytest.mark.slow
def test_v5_a_delayed_will_survives_a_crash(own_broker, join, dial):
    sleeper = join(own_broker, V5, "sleeper", clean=False, properties=lasting(600))
    sleeper.subscribe("w", 1)
    sleeper.disconnect()
    join(own_broker, V5, "dying", will=delayed("w", 2), properties=lasting(600)).close()
    wait_until(lambda: own_broker.is_disconnected("dying"))
    own_broker.crash_and_restart()
    again = dial(own_broker, V5)
    again.connect("sleeper", clean=False, properties=lasting(600))
    assert again.take(wait=20).payload == b"late"


def test_mosquitto_sub_leaves_a_will(broker, tools, unique, version):
    topic = unique()
    watcher = tools.sub(broker, version, "-t", topic, "-q", "1", "-C", "1").wait_subscribed()
    dying = tools.sub(broker, version, "-t", "x", "--will-topic", topic, "--will-payload", "lost",
                      "--will-qos", "1")
    dying.wait_subscribed()
    dying.kill()
    assert watcher.wait_end() == (0, ["lost"])


def test_a_will_on_a_wildcard_topic_is_refused(broker, join, dial, unique, version):
    other = join(broker, version)
    client = dial(broker, version)
    client.send(connect_packet(unique(), version, will=Will("a/+", b"x")))
    packets = client.expect_closed()
    assert all(p.kind == Kind.CONNACK and p.code for p in packets)
    other.ping()
