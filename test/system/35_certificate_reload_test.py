"""Certificates while the broker runs: new ones, revoked ones, wrong ones, some that run out; ids
from common names."""
import socket
import ssl
import subprocess

import pytest

from certificates import Authority, openssl
from narud_server import naru_binary, narud_binary, wait_until
from raw_mqtt import V5, V311, Client, Closed, connect_packet

pytestmark = pytest.mark.core

NOT_AUTHORIZED = 0x87
ADMINISTRATIVE_ACTION = 0x98


class Place:
    """The files of one broker, which a test changes under its feet."""

    def __init__(self, directory):
        self.authority = Authority(directory / "fleet")
        self.broker = self.issue("broker", "localhost")
        self.car = self.authority.issue("car", "car1")
        self.lost = self.authority.issue("lost", "lost-car")
        self.crl = self.authority.revocations()

    def issue(self, name, common_name):
        return self.authority.issue(name, common_name,
                                    alternative="DNS:localhost,IP:127.0.0.1")

    def listener(self, *lines):
        return "\n".join(["listener auto 127.0.0.1", f"certfile {self.broker[0]}",
                          f"keyfile {self.broker[1]}", f"cafile {self.authority.crt}",
                          f"crlfile {self.crl}", "require_certificate true", *lines]) + "\n"

    def dial(self, broker, certificate, version=V5):
        stream = socket.create_connection(("127.0.0.1", broker.port), timeout=8)
        return Client(0, version, stream=self.authority.context(certificate).wrap_socket(
            stream, server_hostname="localhost"))

    def is_refused(self, broker, certificate):
        try:
            client = self.dial(broker, certificate)
            client.send(connect_packet("uninvited"))
            client.receive()
        except (ssl.SSLError, ConnectionError, Closed):
            return True
        return False


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def serial_of(client):
    der = client.socket.getpeercert(binary_form=True)
    return ssl.DER_cert_to_PEM_cert(der)


def reload(broker):
    status, answer = broker.api("POST", "/v1/config/reload")
    assert status == 200, answer
    return answer["problems"]


def test_a_new_certificate_is_shown_to_who_comes_after_it(start_broker, place):
    broker = start_broker(place.listener())
    early = place.dial(broker, place.car)
    early.connect("early")
    first = serial_of(early)
    fresh = place.issue("fresh", "localhost")
    for name, made in zip(place.broker, fresh):
        with open(name, "w") as file, open(made) as source:
            file.write(source.read())
    again = place.dial(broker, place.car)
    assert serial_of(again) == first, "nothing was read again yet"
    assert reload(broker) == []
    late = place.dial(broker, place.car)
    late.connect("late")
    assert serial_of(late) == open(fresh[0]).read() != first
    early.ping()


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_who_is_revoked_is_ended_and_stays_out(start_broker, place, version):
    broker = start_broker(place.listener())
    kept = place.dial(broker, place.car, version)
    kept.connect("car1")
    lost = [place.dial(broker, place.lost, version) for _ in range(5)]
    for number, client in enumerate(lost):  # On several shards.
        client.connect(f"lost{number}")
    silent = place.dial(broker, place.lost, version)  # Has not said CONNECT.
    place.authority.revoke(place.lost[0])
    place.authority.revocations()
    lost[0].ping()
    assert reload(broker) == []
    for client in lost:
        client.expect_refusal(ADMINISTRATIVE_ACTION)
    silent.expect_closed()
    kept.ping()
    assert place.is_refused(broker, place.lost)
    place.dial(broker, place.car, version).connect("car2")
    assert "its certificate is revoked" in broker.log()


def test_a_ticket_from_before_does_not_bring_a_revoked_certificate_back(start_broker, place):
    broker = start_broker(place.listener())
    context = place.authority.context(place.lost)

    def dial(session=None):
        stream = socket.create_connection(("127.0.0.1", broker.port), timeout=8)
        return Client(0, V5, stream=context.wrap_socket(stream, server_hostname="localhost",
                                                        session=session))

    first = dial()
    first.connect("lost")
    session = first.socket.session
    first.disconnect()
    place.authority.revoke(place.lost[0])
    place.authority.revocations()
    reload(broker)
    with pytest.raises((ssl.SSLError, ConnectionError, Closed)):
        again = dial(session)
        again.send(connect_packet("lost"))
        again.receive()


def change_line(broker, key, value):
    """Returns the number of the line."""
    lines = broker.config_file.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(key + " "))
    lines[at] = f"{key} {value}"
    broker.config_file.write_text("\n".join(lines) + "\n")
    return at + 1


@pytest.mark.parametrize("key, hint", [("certfile", "No such file"), ("keyfile", "not the key of"),
                                       ("crlfile", "revoked"), ("cafile", "authorities"),
                                       ("ciphers", "openssl ciphers")])
def test_a_wrong_file_keeps_all_of_the_old_and_names_its_line(start_broker, place, tmp_path, key,
                                                              hint):
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite a\n")
    broker = start_broker(f"acl_file {acl}\n" + place.listener("ciphers DEFAULT"))
    client = place.dial(broker, place.car)
    client.connect("car1")
    value = {"certfile": "/nowhere/a.crt", "ciphers": "NONE"}.get(key, place.car[1])
    number = change_line(broker, key, value)
    acl.write_text("topic readwrite b\ntopics\n")
    status, answer = broker.api("POST", "/v1/config/reload")
    assert status == 422
    text = answer["error"]
    assert f"narud.conf:{number}: error: {key} {value}: " in text and hint in text
    assert f"{acl}:2: " in text, "everything that is wrong, at once"
    assert client.subscribe("a", 1) == 1 and client.subscribe("b", 1) == NOT_AUTHORIZED
    place.dial(broker, place.car).connect("car2")


HOUR = 3600
DAY = 24 * HOUR


def cut_list(place, holds):
    place.authority.revocations(holds)


def cut_certificate(place, holds):
    place.broker = place.authority.issue("late", "localhost", alternative="DNS:localhost",
                                         holds=holds)


def add_authority(place, _):
    other = Authority(place.authority.directory / "other", "Other")
    with open(place.authority.crt, "a") as all_of_them, open(other.crt) as one:
        all_of_them.write(one.read())


def list_notices(broker):
    """What --check says of a broker's configuration, and that it is good."""
    done = subprocess.run([narud_binary(), "--check", "-c", str(broker.config_file)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.returncode, done.stdout) == (0, "the configuration is good\n"), done
    return done.stderr.splitlines()


@pytest.mark.parametrize("key, change, holds, what, is_red", [
    ("crlfile", cut_list, (-2 * HOUR, -HOUR), "the list of CN=Test Authority ran out at 20", True),
    ("crlfile", cut_list, (0, 13 * DAY), "the list of CN=Test Authority runs out at 20", False),
    ("certfile", cut_certificate, (-2 * HOUR, -HOUR),
     "the certificate of CN=localhost ran out at 20", True),
    ("certfile", cut_certificate, (HOUR, 20 * DAY),
     "the certificate of CN=localhost holds only from 20", True),
    ("certfile", cut_certificate, (0, 13 * DAY),
     "the certificate of CN=localhost runs out at 20", False),
    ("crlfile", add_authority, None, "there is no list of CN=Other: ", False),
], ids=["list", "soon_list", "certificate", "early_certificate", "soon_certificate", "no_list"])
def test_what_does_not_hold_is_told_and_refuses_no_start(start_broker, place, key, change, holds,
                                                         what, is_red):
    change(place, holds)
    broker = start_broker(place.listener())
    lines = broker.config_file.read_text().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if line.startswith(key + " "))
    text = lines[number - 1] + ": " + what
    notice = f"{broker.config_file}:{number}: notice: {text}"
    assert any(line.startswith(notice) for line in broker.log().splitlines()), "at start"
    for told in list_notices(broker), reload(broker):
        assert len(told) == 1 and told[0].startswith(notice) and "reload" in told[0]
    status = broker.status()
    assert status["health"] == ("red" if is_red else "green")
    if is_red:
        assert status["problems"][0].startswith("listener auto 127.0.0.1: " + text)


@pytest.mark.slow
def test_a_list_that_runs_out_meanwhile_turns_the_status_red(start_broker, place):
    broker = start_broker(place.listener() + "listener auto 127.0.0.1\n")
    assert reload(broker) == [] and broker.status()["health"] == "green"
    place.authority.revocations(holds=(0, 10))
    assert " runs out at 20" in reload(broker)[0]
    wait_until(lambda: broker.status()["health"] == "red", 40)
    problems = broker.status()["problems"]
    assert len(problems) == 1 and "crlfile" in problems[0] and " ran out at 20" in problems[0]
    told = subprocess.run([naru_binary(), "--socket", broker.api_socket, "metrics"], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60, check=True)
    assert "\nnaru_problems 1\n" in told.stdout
    assert place.is_refused(broker, place.car)
    place.authority.revocations()
    assert reload(broker) == [] and broker.status()["health"] == "green"
    place.dial(broker, place.car).connect("car1")


def test_tls_is_not_switched_on_under_an_open_socket(start_broker, place):
    broker = start_broker("listener auto 127.0.0.1\n")
    text = broker.config_file.read_text()
    broker.config_file.write_text(text.replace(
        "listener auto 127.0.0.1",
        f"listener auto 127.0.0.1\ncertfile {place.broker[0]}\nkeyfile {place.broker[1]}"))
    assert any("certfile turns TLS on" in each and "restart" in each for each in reload(broker))
    Client(broker.port, V5).connect("plain")


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_the_common_name_is_the_client_id(start_broker, place, version):
    broker = start_broker(place.listener("clientid_from cn"))
    first = place.dial(broker, place.car, version)
    first.connect("whatever")
    assert broker.session("car1")["connected"]
    assert broker.session("whatever") is None
    second = place.dial(broker, place.car, version)
    second.connect("")
    if version == V5:
        assert second.connack.property("assigned_client_identifier") == "car1"
    first.expect_refusal(0x8E)
    other = place.dial(broker, place.lost, version)
    other.connect("car1")
    second.ping()


def test_an_id_from_the_certificate_and_a_user_of_its_own(start_broker, place, tmp_path):
    """The certificate says which device it is, the password who uses it."""
    passwords = tmp_path / "passwords"
    subprocess.run([naru_binary(), "passwd", str(passwords), "alice"], input="a\n", text=True,
                   check=True, stdout=subprocess.PIPE, timeout=30)
    broker = start_broker(f"allow_anonymous false\npassword_file {passwords}\n"
                          + place.listener("clientid_from cn"))
    client = place.dial(broker, place.car)
    client.connect("x", username="alice", password="a")
    assert broker.session("car1")["user"] == "alice"
    place.dial(broker, place.car).connect("x", 0x86, username="alice", password="b")


def test_a_certificate_without_a_common_name_gets_no_id(start_broker, place):
    base = place.authority.directory / "nameless"
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/O=Fleet", "-keyout", f"{base}.key", "-out", f"{base}.csr")
    openssl("x509", "-req", "-in", f"{base}.csr", "-CA", place.authority.crt, "-CAkey",
            place.authority.directory / "ca.key", "-CAcreateserial", "-days", 30, "-out",
            f"{base}.crt")
    broker = start_broker(place.listener("clientid_from cn"))
    place.dial(broker, (f"{base}.crt", f"{base}.key")).connect("x", NOT_AUTHORIZED)
    wait_until(lambda: "common names of certificates" in broker.log())
