"""The paho client of Debian, as application developers use it: callbacks, threads, reconnects."""
import threading

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from raw_mqtt import V5, V311
from narud_server import wait_until

PROTOCOLS = {V311: paho.MQTTv311, V5: paho.MQTTv5}
WAIT = 15


class Application:
    """A paho client whose loop runs in its own thread and that keeps what it got."""

    def __init__(self, broker, version, name, clean=True):
        self.version = version
        options = {"clean_session": clean} if version == V311 else {}
        self.client = paho.Client(name, protocol=PROTOCOLS[version], **options)
        self.clean = clean
        self.broker = broker
        self.messages = []
        self.connected = threading.Event()
        self.subscribed = threading.Event()
        self.session_present = None
        self.client.on_connect = self._on_connect
        self.client.on_message = lambda _client, _data, message: self.messages.append(message)
        self.client.on_subscribe = lambda *_: self.subscribed.set()

    def _on_connect(self, _client, _data, flags, code, _properties=None):
        assert code == 0
        self.session_present = bool(flags["session present"])
        self.connected.set()

    def connect(self):
        options = {}
        if self.version == V5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if self.clean else 600
            options = {"clean_start": self.clean, "properties": properties}
        self.client.connect("127.0.0.1", self.broker.port, keepalive=30, **options)
        self.client.loop_start()
        assert self.connected.wait(WAIT)
        return self

    def subscribe(self, topic, qos):
        self.subscribed.clear()
        self.client.subscribe(topic, qos)
        assert self.subscribed.wait(WAIT)

    def publish(self, topic, payload, qos=1, **options):
        info = self.client.publish(topic, payload, qos, **options)
        info.wait_for_publish(WAIT)
        assert info.is_published()

    def wait_messages(self, count):
        wait_until(lambda: len(self.messages) >= count, WAIT, f"{count} messages")
        return self.messages

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()

    def vanish(self):
        """The network goes without a word."""
        self.client.loop_stop()
        self.client.socket().close()


@pytest.fixture
def application():
    running = []

    def start(broker, version, name, clean=True):
        running.append(Application(broker, version, name, clean).connect())
        return running[-1]

    yield start
    for app in running:
        app.stop()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_and_subscribe(broker, application, unique, version, qos):
    topic = unique()
    subscriber = application(broker, version, unique("sub"))
    subscriber.subscribe(topic + "/#", qos)
    publisher = application(broker, version, unique("pub"))
    for number in range(50):
        publisher.publish(f"{topic}/{number % 3}", str(number), qos)
    got = subscriber.wait_messages(50)
    assert [int(m.payload) for m in got] == list(range(50))
    assert all(m.qos == qos and not m.dup for m in got)


def test_retained(broker, application, unique, version):
    topic = unique()
    publisher = application(broker, version, unique("pub"))
    publisher.publish(topic, b"state", 1, retain=True)
    subscriber = application(broker, version, unique("sub"))
    subscriber.subscribe(topic, 1)
    assert subscriber.wait_messages(1)[0].retain
    publisher.publish(topic, b"", 1, retain=True)
    assert subscriber.wait_messages(2)[1].payload == b""


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("crash", [False, True])
def test_a_persistent_session(own_broker, application, version, crash, qos):
    sleeper = application(own_broker, version, "sleeper", clean=False)
    sleeper.subscribe("a", qos)
    sleeper.stop()
    publisher = application(own_broker, version, "pub")
    for number in range(20):
        publisher.publish("a", str(number), qos)
    if crash:
        publisher.stop()
        own_broker.crash_and_restart()
    awake = application(own_broker, version, "sleeper", clean=False)
    got = awake.wait_messages(20)
    assert awake.session_present
    assert [int(m.payload) for m in got] == list(range(20))


def test_a_will(broker, application, unique, version):
    topic = unique()
    watcher = application(broker, version, unique("watcher"))
    watcher.subscribe(topic, 1)
    dying = Application(broker, version, unique("dying"))
    dying.client.will_set(topic, b"lost", 1)
    dying.connect()
    dying.vanish()
    assert watcher.wait_messages(1)[0].payload == b"lost"


def test_keep_alive_of_an_idle_client(broker, application, unique, version):
    app = Application(broker, version, unique("idle"))
    lost = threading.Event()
    app.client.on_disconnect = lambda *_: lost.set()
    app.client.connect("127.0.0.1", broker.port, keepalive=1)
    app.client.loop_start()
    assert app.connected.wait(WAIT)
    assert not lost.wait(3)
    app.stop()


def test_take_over(broker, application, unique, version):
    name = unique("twin")
    old = Application(broker, version, name)
    lost = threading.Event()
    old.client.on_disconnect = lambda *_: (lost.set(), old.client.disconnect())
    old.connect()
    application(broker, version, name)
    assert lost.wait(WAIT)
    old.client.loop_stop()


def test_the_client_reconnects_by_itself_after_a_crash_and_loses_nothing(start_broker, application,
                                                                         version):
    """paho resends what was not acknowledged; a fixed port lets it find the broker again."""
    broker = start_broker()
    port = broker.port
    broker.terminate()
    broker.settings = f"allow_anonymous true\nlistener {port} 127.0.0.1"
    broker.start()
    subscriber = application(broker, version, "sub", clean=False)
    subscriber.subscribe("a", 1)
    publisher = application(broker, version, "pub", clean=False)
    publisher.client.reconnect_delay_set(1, 1)
    subscriber.client.reconnect_delay_set(1, 1)
    for number in range(30):
        publisher.client.publish("a", str(number), 1)
        if number == 15:
            broker.crash_and_restart()
    wait_until(lambda: {int(m.payload) for m in subscriber.messages} == set(range(30)), 30,
               "all 30 messages")


def test_v5_properties(broker, application, unique):
    topic = unique()
    subscriber = application(broker, V5, unique("sub"))
    subscriber.subscribe(topic, 1)
    properties = Properties(PacketTypes.PUBLISH)
    properties.ContentType = "application/json"
    properties.ResponseTopic = "answers"
    properties.CorrelationData = b"\0\1\2"
    properties.MessageExpiryInterval = 100
    properties.UserProperty = [("k", "1"), ("a", "2"), ("k", "3")]
    application(broker, V5, unique("pub")).publish(topic, b"{}", 1, properties=properties)
    got = subscriber.wait_messages(1)[0].properties
    assert got.ContentType == "application/json"
    assert got.ResponseTopic == "answers"
    assert got.CorrelationData == b"\0\1\2"
    assert got.MessageExpiryInterval in (99, 100)
    assert got.UserProperty == [("k", "1"), ("a", "2"), ("k", "3")]


def test_v5_unsubscribe_codes_and_receive_maximum(broker, unique):
    app = Application(broker, V5, unique("app"))
    codes = []
    done = threading.Event()
    app.client.on_unsubscribe = lambda _c, _d, _m, _p, found: (codes.append(found), done.set())
    app.connect()
    topic = unique()
    app.subscribe(topic, 1)
    app.client.unsubscribe(topic)
    assert done.wait(WAIT)
    app.stop()
    found = codes[0] if isinstance(codes[0], list) else [codes[0]]
    assert [c.value for c in found] == [0]
