"""Where narud listens: several ports and addresses, one family of them, Unix sockets, limits."""
import os
import socket
import stat
import subprocess

import pytest

from narud_server import narud_binary, wait_until
from raw_mqtt import V5, V311, Client

pytestmark = pytest.mark.core


def has_ipv6():
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


def refused_start(tmp_path, text, binary=None):
    """The configuration does not start: what narud says."""
    file = tmp_path / "refused.conf"
    file.write_text("allow_anonymous true\n" + text)
    done = subprocess.run([binary or narud_binary(), "-c", str(file), "--data",
                           str(tmp_path / "data"), "--port-file", str(tmp_path / "ports")],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert done.returncode in (1, 2), done
    return done.stdout


def works(client, topic):
    client.connect(f"c-{topic}")
    assert client.subscribe(topic, 1) == 1
    client.publish(topic, b"there and back", 1)
    assert client.take().payload == b"there and back"


def unix_client(path, version=V5):
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    return Client(0, version, stream=stream)


def test_each_listener_section_is_open(start_broker, unique):
    lines = "listener auto 127.0.0.1\nlistener auto 127.0.0.1\n"
    broker = start_broker(lines + ("listener auto ::1\n" if has_ipv6() else ""))
    assert len(broker.listeners) == 3 if has_ipv6() else 2
    assert len({port for _, port in broker.listeners}) == len(broker.listeners)
    for address, port in broker.listeners:
        works(Client(port, V5, host=address), unique())


@pytest.mark.parametrize("domain, address", [("ipv4", "0.0.0.0"), ("ipv6", "::")])
def test_socket_domain_leaves_one_family(start_broker, unique, domain, address):
    if domain == "ipv6" and not has_ipv6():
        address = None
    if address is None:
        return
    broker = start_broker(f"listener auto\nsocket_domain {domain}\n")
    assert [known for known, _ in broker.listeners] == [address]
    works(Client(broker.port, V311, host="127.0.0.1" if domain == "ipv4" else "::1"), unique())


def test_an_address_of_the_other_family_is_said(tmp_path):
    said = refused_start(tmp_path, "listener 1 127.0.0.1\nsocket_domain ipv6\n")
    assert "refused.conf:2: error: listener 1 127.0.0.1" in said and "socket_domain" in said


def test_a_listener_that_cannot_be_opened_names_its_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = refused_start(tmp_path, f"\n\nlistener {taken.getsockname()[1]} 127.0.0.1\n")
    assert "refused.conf:4: error: " in said and "another program" in said


def test_a_unix_socket_serves_and_goes_with_its_broker(start_broker, tmp_path, unique):
    path = str(tmp_path / "mqtt.sock")
    broker = start_broker(f"listener 0 {path}\nlistener auto 127.0.0.1\n")
    assert broker.listeners[0] == (path, 0)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    for _ in range(8):  # Other client ids: other shards.
        works(unix_client(path), unique())
    client = unix_client(path)
    client.connect("local")
    assert broker.session("local")["address"] == "unix"
    assert broker.terminate() == 0
    assert not os.path.exists(path)


def test_a_unix_socket_has_the_mode_that_is_asked_for(start_broker, tmp_path):
    path = str(tmp_path / "mqtt.sock")
    start_broker(f"listener 0 {path}\nsocket_mode 600\nlistener auto 127.0.0.1\n")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_what_a_killed_broker_left_is_taken_over(start_broker, tmp_path, unique):
    path = str(tmp_path / "mqtt.sock")
    broker = start_broker(f"listener 0 {path}\nlistener auto 127.0.0.1\n")
    broker.kill9()
    assert os.path.exists(path)
    broker.start()
    works(unix_client(path), unique())


def test_a_unix_socket_in_use_and_a_plain_file_are_left_alone(start_broker, tmp_path):
    path = str(tmp_path / "mqtt.sock")
    start_broker(f"listener 0 {path}\nlistener auto 127.0.0.1\n")
    assert "another program answers there" in refused_start(tmp_path, f"listener 0 {path}\n")
    unix_client(path).connect("still-served")
    note = tmp_path / "note"
    note.write_text("keep me")
    said = refused_start(tmp_path, f"listener 0 {note}\n")
    assert "no socket" in said and "refused.conf:2: error: " in said
    assert note.read_text() == "keep me"


def test_max_connections_holds_for_its_listener_alone(start_broker, unique):
    broker = start_broker("listener auto 127.0.0.1\nmax_connections 2\n"
                          "listener auto 127.0.0.1\n")
    limited, free = (port for _, port in broker.listeners)
    inside = [Client(limited, V5) for _ in range(2)]
    for number, client in enumerate(inside):
        client.connect(unique(f"in{number}-"))
    Client(limited, V5).expect_closed()
    works(Client(free, V5), unique())
    inside[0].disconnect()

    def has_room():
        client = Client(limited, V5)
        try:
            client.connect(unique("next"))
        except AssertionError:
            return False
        return True

    wait_until(has_room, what="room for another connection")
