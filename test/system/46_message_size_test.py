"""message_size_limit: no payload above it goes anywhere, and who sent it hears so."""
import signal

import pytest

from raw_mqtt import V5, V311, Will
from narud_server import wait_until

pytestmark = pytest.mark.core
BROKER_SETTINGS = "message_size_limit 100"
TOO_LARGE, NOT_AUTHORIZED_V3 = 0x95, 5
AT_LIMIT, ABOVE = b"x" * 100, b"x" * 101


@pytest.fixture
def listener(broker, join, unique):
    """A subscriber and its topic."""
    client = join(broker, V5)
    client.topic = unique()
    client.subscribe(client.topic, 2)
    return client


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_payload_at_the_limit_passes(broker, join, listener, version, qos):
    join(broker, version).publish(listener.topic, AT_LIMIT, qos)
    assert listener.take().payload == AT_LIMIT


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_one_byte_more_ends_a_connection_of_mqtt_5(broker, join, listener, qos):
    before = broker.counter("denied_publishes")
    client = join(broker, V5)
    client.publish_unanswered(listener.topic, ABOVE, qos)
    client.expect_refusal(TOO_LARGE)
    assert broker.counter("denied_publishes") == before + 1
    join(broker, V5).publish(listener.topic, b"next", 1)
    assert listener.take().payload == b"next"


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_3_1_1_client_stays_and_its_message_goes_nowhere(broker, join, listener, qos):
    before = broker.counter("denied_publishes")
    client = join(broker, V311)
    client.publish(listener.topic, ABOVE, qos)
    client.publish(listener.topic, b"next", 1)
    assert listener.take().payload == b"next"
    assert broker.counter("denied_publishes") == before + 1


def test_nothing_too_large_is_retained(broker, join, unique):
    topic = unique()
    join(broker, V311).publish(topic, ABOVE, 1, retain=True)
    late = join(broker, V5)
    late.subscribe(topic, 1)
    late.publish(topic, b"next", 1)
    assert late.take().payload == b"next"


def test_a_will_has_the_same_limit(broker, dial, version):
    dial(broker, version).connect("at-limit", will=Will("w", AT_LIMIT))
    dial(broker, version).connect("above", TOO_LARGE if version == V5 else NOT_AUTHORIZED_V3,
                                  will=Will("w", ABOVE))


def test_a_topic_and_properties_do_not_count(broker, join, unique):
    topic = unique() + "/" + "t" * 300
    client = join(broker, V5)
    client.subscribe(topic, 1)
    client.publish(topic, AT_LIMIT, 1, properties={"content_type": "c" * 300})
    assert client.take().payload == AT_LIMIT


def test_a_reload_moves_the_limit(start_broker, join):
    broker = start_broker("message_size_limit 100\nlistener auto 127.0.0.1")
    client = join(broker, V5)
    broker.config_file.write_text(
        broker.config_file.read_text().replace("message_size_limit 100", "message_size_limit 101"))
    broker.send_signal(signal.SIGHUP)
    wait_until(lambda: "reloaded" in broker.log(), what="the reload")
    client.subscribe("a", 1)
    client.publish("a", ABOVE, 1)
    assert client.take().payload == ABOVE
    client.publish_unanswered("a", ABOVE + b"x")
    client.expect_refusal(TOO_LARGE)
