"""MQTT over TLS: certificates both ways, identities, revocation, versions, resumption, faults."""
import socket
import ssl
import subprocess

import pytest

from certificates import Authority
from narud_server import narud_binary, wait_until
from raw_mqtt import V5, V311, Client, Closed, Will, connect_packet

pytestmark = pytest.mark.core

# The password "secret" as mosquitto_passwd writes it.
SECRET = ("$7$101$rzqJhzfPgg4XV9O5$VZkTkHDIfUApP09mXkYmr9+xb+VAZBC78uaJF6QwfBgnom+"
          "Yjv4PwvSQbRM/YflQMH+De984uEstx2YM5s+jXw==")
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Fleet:
    """Everybody's certificates."""

    def __init__(self, directory):
        self.authority = Authority(directory / "fleet")
        names = "DNS:localhost,IP:127.0.0.1"
        self.broker = self.authority.issue("broker", "localhost", alternative=names)
        self.car = self.authority.issue("car", "car1", organization="Fleet")
        self.lost = self.authority.issue("lost", "lost-car")
        self.authority.revoke(self.lost[0])
        self.crl = self.authority.revocations()
        self.stranger = Authority(directory / "other", "Other").issue("stranger", "car1")

    def listener(self, *lines):
        return "\n".join(["listener auto 127.0.0.1", f"certfile {self.broker[0]}",
                          f"keyfile {self.broker[1]}", *lines]) + "\n"

    def strict_listener(self, *lines):
        return self.listener(f"cafile {self.authority.crt}", "require_certificate true", *lines)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    return Fleet(tmp_path_factory.mktemp("certificates"))


def dial_tls(broker, context, version=V5, session=None):
    stream = socket.create_connection(("127.0.0.1", broker.port), timeout=8)
    return Client(0, version, stream=context.wrap_socket(stream, server_hostname="localhost",
                                                         session=session))


def is_refused(broker, context):
    """TLS 1.3 tells a client that its certificate is not wanted only when it reads."""
    try:
        client = dial_tls(broker, context)
        client.send(connect_packet("uninvited"))
        client.receive()
    except (ssl.SSLError, ConnectionError, Closed):
        return True
    return False


@pytest.mark.parametrize("tls", VERSIONS, ids=["tls12", "tls13"])
def test_there_and_back(start_broker, fleet, version, tls, unique):
    broker = start_broker(fleet.listener())
    for _ in range(6):  # Different client ids: on several shards most are handed over.
        client = dial_tls(broker, fleet.authority.context(version=tls), version)
        client.connect(unique("car"))
        topic = unique()
        assert client.subscribe(topic, 2) == 2
        client.publish(topic, b"x" * 100, 1)
        assert client.take().payload == b"x" * 100
        client.publish(topic, b"y", 2)
        assert client.take().payload == b"y"
        client.disconnect()


def test_large_messages_and_many_small_ones(start_broker, fleet, unique):
    broker = start_broker(fleet.listener())
    client = dial_tls(broker, fleet.authority.context())
    client.connect(unique("car"))
    client.subscribe("a", 1)
    large = bytes(range(256)) * 4000
    client.publish("a", large, 1)
    assert client.take().payload == large
    for number in range(300):
        client.publish_unanswered("a", str(number))
    assert [int(client.take().payload) for _ in range(300)] == list(range(300))


def test_a_subscriber_that_does_not_read_gets_everything_later(start_broker, fleet, unique):
    broker = start_broker(fleet.listener())
    slow = dial_tls(broker, fleet.authority.context())
    slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    slow.connect(unique("slow"))
    slow.subscribe("a", 1)
    fast = dial_tls(broker, fleet.authority.context())
    fast.connect(unique("fast"))
    for number in range(40):
        fast.publish("a", str(number).encode() * 30_000, 1)
    for number in range(40):
        assert slow.take().payload == str(number).encode() * 30_000


def test_mosquitto_clients_with_certificates(start_broker, fleet, tools, version):
    broker = start_broker(fleet.strict_listener("use_identity_as_username true",
                                                "listener_allow_anonymous false"))
    mine = ["--cafile", fleet.authority.crt, "--cert", fleet.car[0], "--key", fleet.car[1]]
    subscriber = tools.sub(broker, version, *mine, "-i", "watcher", "-t", "t", "-q", "1", "-C", "1")
    subscriber.wait_subscribed()
    tools.pub(broker, version, *mine, "-t", "t", "-m", "by certificate", "-q", "1")
    assert subscriber.wait_end() == (0, ["by certificate"])
    without = ["--cafile", fleet.authority.crt]
    tools.pub(broker, version, *without, "-t", "t", "-m", "x", "-q", "1", expect_code=1)
    wrong = ["--cafile", fleet.authority.crt, "--cert", fleet.stranger[0], "--key",
             fleet.stranger[1]]
    tools.pub(broker, version, *wrong, "-t", "t", "-m", "x", "-q", "1", expect_code=1)
    not_ours = ["--cafile", str(fleet.authority.directory / "car.crt")]
    tools.pub(broker, version, *not_ours, "-t", "t", "-m", "x", "-q", "1", expect_code=1)


def test_who_has_no_valid_certificate_stays_out(start_broker, fleet):
    broker = start_broker(fleet.strict_listener(f"crlfile {fleet.crl}"))
    authority = fleet.authority
    assert is_refused(broker, authority.context())
    assert is_refused(broker, authority.context(fleet.stranger))
    assert is_refused(broker, authority.context(fleet.lost))
    dial_tls(broker, authority.context(fleet.car)).connect("car1")
    wait_until(lambda: broker.counter("failed_handshakes") == 3)
    assert is_refused(broker, authority.context())
    assert is_refused(broker, authority.context(fleet.lost))
    wait_until(lambda: broker.counter("failed_handshakes") == 5)
    lines = [line for line in broker.log().splitlines() if "handshake_failed" in line]
    assert len(lines) == 3, "one address, one minute, one line; and one of each certificate"
    assert "did not return a certificate" in lines[0] and "serial" not in lines[0]
    assert "common_name=car1 serial=1000" in lines[1], "the stranger"
    assert "certificate revoked" in lines[2] and "common_name=lost-car serial=1002" in lines[2]


def test_without_its_list_a_revoked_certificate_counts(start_broker, fleet):
    broker = start_broker(fleet.strict_listener())
    dial_tls(broker, fleet.authority.context(fleet.lost)).connect("lost")


def test_a_capath_serves_like_a_cafile(start_broker, fleet, tmp_path):
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted" / "ca.pem").write_text(open(fleet.authority.crt).read())
    subprocess.run(["openssl", "rehash", str(tmp_path / "trusted")], check=True, timeout=60)
    broker = start_broker(fleet.listener(f"capath {tmp_path / 'trusted'}",
                                         "require_certificate true"))
    dial_tls(broker, fleet.authority.context(fleet.car)).connect("car1")
    assert is_refused(broker, fleet.authority.context())


@pytest.mark.parametrize("option, user", [("use_identity_as_username", "car1"),
                                          ("use_subject_as_username", "CN=car1,O=Fleet")])
def test_the_certificate_is_the_user(start_broker, fleet, option, user):
    """A session belongs to the identity that made it: the same name on another listener."""
    passwords = fleet.authority.directory / "passwords"
    passwords.write_text(f"{user}:{SECRET}\n")
    passwords.chmod(0o600)
    broker = start_broker(f"password_file {passwords}\nallow_anonymous false\n"
                          + fleet.strict_listener(f"{option} true") + "listener auto 127.0.0.1\n")
    car = dial_tls(broker, fleet.authority.context(fleet.car))
    car.connect("car1", clean=False, username="somebody", password="else",
                properties={"session_expiry_interval": 600})
    car.disconnect()
    plain = broker.listeners[1][1]
    same = Client(plain, V5)
    same.connect("car1", clean=False, username=user, password="secret",
                 properties={"session_expiry_interval": 600})
    assert same.connack.session_present


def test_the_least_version_holds(start_broker, fleet):
    broker = start_broker(fleet.listener("tls_version tlsv1.3"))
    assert is_refused(broker, fleet.authority.context(version=ssl.TLSVersion.TLSv1_2))
    dial_tls(broker, fleet.authority.context(version=ssl.TLSVersion.TLSv1_3)).connect("new")


def test_chosen_ciphers_are_used(start_broker, fleet):
    broker = start_broker(fleet.listener("ciphers ECDHE-ECDSA-AES256-GCM-SHA384",
                                         "ciphers_tls1.3 TLS_CHACHA20_POLY1305_SHA256"))
    for tls, name in zip(VERSIONS, ["ECDHE-ECDSA-AES256-GCM-SHA384",
                                    "TLS_CHACHA20_POLY1305_SHA256"]):
        client = dial_tls(broker, fleet.authority.context(version=tls))
        client.connect("c")
        assert client.socket.cipher()[0] == name


@pytest.mark.parametrize("tls", VERSIONS, ids=["tls12", "tls13"])
def test_a_session_is_resumed_with_its_identity(start_broker, fleet, tls):
    broker = start_broker(fleet.strict_listener("use_identity_as_username true"))
    context = fleet.authority.context(fleet.car, tls)
    first = dial_tls(broker, context)
    first.connect("car1", clean=False, properties={"session_expiry_interval": 600})
    session = first.socket.session
    assert session.has_ticket and not first.socket.session_reused
    first.disconnect()
    for _ in range(4):
        again = dial_tls(broker, context, session=session)
        again.connect("car1", clean=False, properties={"session_expiry_interval": 600})
        assert again.socket.session_reused and again.connack.session_present
        session = again.socket.session
        again.disconnect()


def test_bytes_in_pieces_and_a_handshake_in_drops(start_broker, fleet):
    """TLS records cut anywhere, by a middleman who passes on one byte, then all."""
    broker = start_broker(fleet.listener())
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = fleet.authority.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", broker.port), timeout=8) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def exchange(step):
            while True:
                try:
                    result = step()
                    break
                except ssl.SSLWantReadError:
                    for byte in outgoing.read():
                        stream.sendall(bytes([byte]))
                    incoming.write(stream.recv(65536))
            for byte in outgoing.read():
                stream.sendall(bytes([byte]))
            return result

        exchange(session.do_handshake)
        exchange(lambda: session.write(connect_packet("drops")))
        assert exchange(lambda: session.read(4))[0] == 0x20


def test_plain_mqtt_on_a_tls_port_is_refused(start_broker, fleet):
    broker = start_broker(fleet.listener())
    client = Client(broker.port, V311)
    client.send(connect_packet("plain", V311))
    try:
        client.socket.recv(100)
    except ConnectionResetError:
        pass
    wait_until(lambda: broker.counter("failed_handshakes") == 1)
    dial_tls(broker, fleet.authority.context()).connect("sealed")


@pytest.mark.slow
def test_a_silent_handshake_holds_no_connection(start_broker, fleet):
    broker = start_broker(fleet.listener())
    with socket.create_connection(("127.0.0.1", broker.port), timeout=20) as stream:
        assert stream.recv(10) == b""
    assert "took too long" in broker.log()


def test_a_will_follows_a_tls_connection_that_ends(start_broker, fleet):
    broker = start_broker(fleet.listener())
    watcher = dial_tls(broker, fleet.authority.context())
    watcher.connect("watcher")
    watcher.subscribe("gone", 1)
    client = dial_tls(broker, fleet.authority.context())
    client.connect("car", will=Will("gone", b"car", 1))
    client.socket.unwrap().close()
    assert watcher.take().payload == b"car"


@pytest.mark.parametrize("key, value, hint", [
    ("certfile", "/nowhere/a.crt", "No such file"),
    ("certfile", "KEY", "PEM"),
    ("keyfile", "/nowhere/a.key", "No such file"),
    ("keyfile", "OTHER", "not the key of certfile"),
    ("cafile", "/nowhere/ca.crt", "authorities"),
    ("cafile", "KEY", "authorities"),
    ("crlfile", "CERT", "revoked"),
    ("ciphers", "NO-SUCH-CIPHER", "openssl ciphers"),
    ("ciphers_tls1.3", "TLS_NONE", "openssl ciphers"),
])
def test_a_wrong_file_names_its_line(fleet, tmp_path, key, value, hint):
    names = {"KEY": fleet.broker[1], "OTHER": fleet.car[1], "CERT": fleet.broker[0]}
    lines = {"certfile": fleet.broker[0], "keyfile": fleet.broker[1],
             "cafile": fleet.authority.crt, "require_certificate": "true"}
    lines[key] = names.get(value, value)
    text = ["allow_anonymous true", "listener auto 127.0.0.1"]
    text += [f"{name} {value}" for name, value in lines.items()]
    file = tmp_path / "wrong.conf"
    file.write_text("\n".join(text) + "\n")
    line = 3 + list(lines).index(key)
    for extra in ["--check"], ["--data", str(tmp_path / "data")]:
        done = subprocess.run([narud_binary(), "-c", str(file), *extra], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=60, check=False)
        assert done.returncode == 2, done
        assert f"wrong.conf:{line}: error: {key} {lines[key]}: " in done.stdout
        assert hint in done.stdout
