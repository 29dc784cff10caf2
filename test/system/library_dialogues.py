"""What every client library has to be able to do with narud, over every transport it knows.

A test file gives `make(url, version, name, **options)`, which starts a SpokenClient, and takes
these dialogues as its tests.
"""
import pytest

from certificates import Authority
from narud_server import Server, wait_until
from raw_mqtt import V5, V311

# The password is "secret", as mosquitto_passwd writes it.
PASSWORDS = ("alice:$7$101$rzqJhzfPgg4XV9O5$VZkTkHDIfUApP09mXkYmr9+xb+VAZBC78uaJF6QwfBgnom+"
             "Yjv4PwvSQbRM/YflQMH+De984uEstx2YM5s+jXw==\n")
LISTENERS = """listener auto 127.0.0.1
listener auto 127.0.0.1
certfile {certificate}
keyfile {key}
listener auto 127.0.0.1
protocol websockets
listener auto 127.0.0.1
protocol websockets
certfile {certificate}
keyfile {key}
"""
TRANSPORTS = ["tcp", "tls", "ws", "wss"]
USER = {"user": "alice", "password": "secret"}


class Doors:
    """A broker with one listener for each transport, behind a password."""

    def __init__(self, directory):
        authority = Authority(directory / "authority")
        certificate, key = authority.issue("broker", "localhost",
                                           alternative="DNS:localhost,IP:127.0.0.1")
        passwords = directory / "passwords"
        passwords.write_text(PASSWORDS)
        passwords.chmod(0o600)
        self.authority = authority.crt
        self.server = Server(f"allow_anonymous false\npassword_file {passwords}\n"
                             + LISTENERS.format(certificate=certificate, key=key))

    def url(self, transport, schemes):
        """schemes: what the library calls its transports."""
        _, port = self.server.listeners[TRANSPORTS.index(transport)]
        path = "/mqtt" if transport.startswith("ws") else ""
        return f"{schemes[transport]}://127.0.0.1:{port}{path}"


def keep(version):
    return {"clean": 0, **({"expiry": 600} if version == V5 else {})}


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    opened = Doors(tmp_path_factory.mktemp("doors"))
    opened.server.start()
    yield opened
    opened.server.close()


@pytest.fixture(params=TRANSPORTS)
def transport(request):
    return request.param


@pytest.fixture
def client(request, doors, transport, version, unique, servers):
    """Starts clients of the library: client(name, **options)."""
    servers.append(doors.server)
    running = []

    def start(name=None, **options):
        own = {**USER, **options}
        if transport in ("tls", "wss"):
            own["ca"] = doors.authority
        url = doors.url(transport, request.module.SCHEMES)
        running.append(request.module.make(url, version, name or unique("lib"), **own))
        return running[-1]

    yield start
    for each in running:
        if each.running():
            each.close()
    doors.server.check_alive()


class Dialogues:
    # What a library cannot do over a transport; its own class says otherwise.
    largest = {}  # transport: bytes of a message it can take.

    def tells_session(self, _transport, _version):
        return True

    def test_who_has_no_right_password_stays_out(self, client, version):
        stranger = client(password="wrong")
        assert int(stranger.ask("refused").get("code")) in ((134,) if version == V5 else (4,))

    def test_publish_and_subscribe(self, client, unique):
        subscriber, publisher = client(), client()
        assert not subscriber.connect()
        publisher.connect()
        for qos in range(3):
            topic = unique()
            assert subscriber.subscribe(topic + "/#", qos) == qos
            for number in range(20):
                publisher.publish(f"{topic}/{number}", str(number).encode() * 100, qos)
            got = [subscriber.take() for _ in range(20)]
            assert [m.get("topic") for m in got] == [f"{topic}/{n}" for n in range(20)]
            assert [m.payload for m in got] == [str(n).encode() * 100 for n in range(20)]
            assert all(m.qos == qos and not m.retain for m in got)
            subscriber.unsubscribe(topic + "/#")
            publisher.publish(topic + "/late", b"x", qos)
        subscriber.subscribe("end", 1)
        publisher.publish("end", b"end", 1)
        assert subscriber.take().payload == b"end"
        subscriber.disconnect()
        publisher.disconnect()

    def test_large_and_empty_messages(self, client, unique, transport):
        topic = unique()
        one = client()
        one.connect()
        one.subscribe(topic, 1)
        for size in 0, 1, 125, 126, 65_535, 65_536, 300_000:
            if size > self.largest.get(transport, size):
                break
            one.publish(topic, b"\xa5" * size, 1)
            assert one.take().payload == b"\xa5" * size

    def test_retained(self, client, unique):
        topic = unique()
        one = client()
        one.connect()
        one.publish(topic, b"state", 1, retain=1)
        other = client()
        other.connect()
        other.subscribe(topic, 1)
        message = other.take()
        assert (message.payload, message.retain) == (b"state", True)
        one.publish(topic, b"", 1, retain=1)
        assert other.take().payload == b""

    def test_a_will(self, client, unique):
        topic = unique()
        watcher = client()
        watcher.connect()
        watcher.subscribe(topic, 1)
        leaving = client(will_topic=topic, will_payload=b"left".hex(), will_qos=1)
        leaving.connect()
        leaving.disconnect()
        dying = client(will_topic=topic, will_payload=b"lost".hex(), will_qos=1)
        dying.connect()
        dying.close()
        assert watcher.take().payload == b"lost"

    def test_a_session_goes_on(self, doors, client, unique, transport, version):
        topic, name = unique(), unique("sleeper")
        sleeper = client(name, **keep(version))
        assert not sleeper.connect()
        for qos in 1, 2:
            sleeper.subscribe(f"{topic}/{qos}", qos)
        sleeper.close()
        wait_until(lambda: doors.server.is_disconnected(name))
        publisher = client()
        publisher.connect()
        for number in range(10):
            publisher.publish(f"{topic}/{1 + number % 2}", str(number).encode(), 2)
        awake = client(name, **keep(version))
        assert awake.connect() or not self.tells_session(transport, version)
        got = [awake.take() for _ in range(10)]  # A library may hold QoS 2 back until PUBREL.
        for qos in 1, 2:
            assert [int(m.payload) for m in got if m.qos == qos] == list(range(qos - 1, 10, 2))

    def test_take_over(self, client, unique, version):
        name = unique("twin")
        old, new = client(name), client(name)
        old.connect()
        new.connect()
        old.hear("lost")

    def test_v5_properties(self, client, unique, version):
        if version == V311:  # There the same publish arrives without them.
            expected = {}
        else:
            expected = {"content_type": "application/json", "response_topic": "answers/here",
                        "correlation": "00ff10", "subscription_id": "7"}
        topic = unique()
        one = client()
        one.connect()
        one.subscribe(topic, 1, **({"subscription_id": 7} if version == V5 else {}))
        properties = [("content_type", "application/json"), ("response_topic", "answers/here"),
                      ("correlation", "00ff10"), ("expiry", 100), ("user", "k:1"), ("user", "k:2"),
                      ("user", "a:3")]
        one.publish(topic, b"{}", 1, properties=properties if version == V5 else ())
        message = one.take()
        assert {name: message.get(name) for name in expected} == expected
        if version == V5:
            assert message.all("user") == ["k:1", "k:2", "a:3"]
            assert int(message.get("expiry")) in (99, 100)
