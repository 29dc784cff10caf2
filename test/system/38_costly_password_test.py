"""Passwords whose hashes take long: they hold up nobody but who gives them."""
import base64
import hashlib
import threading
import time

import pytest

from narud_server import wait_until
from raw_mqtt import V5, Client, Kind, connect_packet, publish_packet, subscribe_packet

pytestmark = pytest.mark.core

ITERATIONS = 400_000  # Some tenths of a second each.


def line(user, password, iterations=ITERATIONS):
    salt = b"saltsaltsalt"
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
    parts = [base64.b64encode(part).decode() for part in (salt, digest)]
    return f"{user}:$7${iterations}${parts[0]}${parts[1]}\n"


@pytest.fixture
def passwords(tmp_path):
    file = tmp_path / "passwords"
    file.write_text(line("quick", "q", 101) + line("slow", "s"))
    return file


def test_a_slow_password_holds_up_nobody_else(start_broker, join, dial, passwords, version):
    # On a busy machine six of them take longer than a client usually may until it is in.
    broker = start_broker(f"shards 1\nallow_anonymous false\npassword_file {passwords}\n"
                          "connect_timeout 120s")
    other = join(broker, version, username="quick", password="q")
    waiting = [dial(broker, version) for _ in range(6)]
    begun = time.monotonic()
    for number, client in enumerate(waiting):
        client.send(connect_packet(f"slow{number}", version, username="slow", password="s"))
    pings = 0
    longest = 0.0
    while not broker.session("slow5"):
        before = time.monotonic()
        other.ping()
        longest = max(longest, time.monotonic() - before)
        pings += 1
    took = time.monotonic() - begun
    for client in waiting:
        assert client.expect(Kind.CONNACK).code == 0
        client.ping()
    assert longest < took / 3, f"{pings} pings, the longest {longest:.3f} of {took:.3f} s"


def test_right_and_wrong_as_with_any_other_hash(start_broker, join, dial, passwords, version):
    broker = start_broker(f"allow_anonymous false\npassword_file {passwords}")
    refused = 0x86 if version == V5 else 4
    join(broker, version, username="slow", password="s").ping()
    dial(broker, version).connect("c", refused, username="slow", password="q")
    dial(broker, version).connect("c", refused, username="nobody", password="q")
    assert broker.counter("denied_connects") == 2


def test_what_follows_connect_waits_for_the_answer(start_broker, dial, passwords):
    broker = start_broker(f"allow_anonymous false\npassword_file {passwords}")
    client = dial(broker)
    client.send(connect_packet("c", username="slow", password="s")
                + subscribe_packet(1, [("a", 0)]) + publish_packet("a", b"x"))
    assert client.expect(Kind.CONNACK).code == 0
    assert client.expect(Kind.SUBACK).codes == [0]
    assert client.take().payload == b"x"


def test_a_client_that_leaves_while_it_waits(start_broker, dial, join, passwords):
    broker = start_broker(f"allow_anonymous false\npassword_file {passwords}")
    for _ in range(3):
        client = dial(broker)
        client.send(connect_packet("gone", username="slow", password="s"))
        client.socket.close()
    join(broker, V5, username="slow", password="s").ping()
    wait_until(lambda: broker.session("gone") is None)


def test_a_reload_while_a_password_is_checked(start_broker, dial, passwords):
    broker = start_broker(f"allow_anonymous false\npassword_file {passwords}")
    clients = [dial(broker) for _ in range(4)]
    for number, client in enumerate(clients):
        client.send(connect_packet(f"c{number}", username="slow", password="s"))
    passwords.write_text(line("quick", "q", 101))
    status, _ = broker.api("POST", "/v1/config/reload")
    assert status == 200
    for client in clients:
        packet = client.receive()
        assert packet.code in (0x86, 0x98) or client.expect_refusal(0x98)
    wait_until(lambda: all(broker.session(f"c{i}") is None for i in range(4)))


@pytest.mark.slow
def test_too_many_who_wait_are_told_to_come_again(start_broker, passwords):
    """1024 may wait; the rest hears 0x89 at once, and those who wait too long hear it then."""
    broker = start_broker(f"allow_anonymous false\npassword_file {passwords}")
    clients = [Client(broker.port) for _ in range(1100)]
    codes = []

    def end(client):
        try:
            codes.append(client.receive(wait=40).code)
        finally:
            client.close()

    for number, client in enumerate(clients):
        client.send(connect_packet(f"c{number}", username="slow", password="s"))
    threads = [threading.Thread(target=end, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) == {0, 0x89}, set(codes)
    assert len(codes) == 1100
    wait_until(lambda: broker.counter("connects") == codes.count(0))
