"""Nobody knocks the broker over: whatever one client does, others are answered and memory stays
within what the options allow. Full sizes are marked slow."""
import contextlib
import random
import resource
import socket
import struct
import threading
import time

import pytest

from certificates import Authority
from narud_server import narud_binary, wait_until
from observer import Observer
from raw_mqtt import (V5, Client, Closed, Kind, connect_packet, frame, keep, publish_packet,
                      subscribe_packet)

pytestmark = pytest.mark.core

LONGEST = 1.0  # Seconds that a polite client may ever wait,
CALM = 0.25  # and one in a hundred times; 0.1 where nothing else runs on the machine.
MIB = 1024


@pytest.fixture(scope="module", autouse=True)
def many_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))


@pytest.fixture(scope="module")
def sanitized():
    """A sanitizer keeps freed memory for a while, and is slow."""
    with open(narud_binary(), "rb") as file:
        content = file.read()
    return b"__asan_init" in content or b"__tsan_init" in content


@contextlib.contextmanager
def observed(broker, sanitized, memory_mib):
    """A polite client and the memory of the broker, from here to the end of the block."""
    before = broker.memory_kib()
    highest = [before]
    over = threading.Event()

    def watch():
        while not over.wait(0.02):
            highest.append(broker.memory_kib())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with Observer(broker.port) as observer:
            yield observer
    finally:
        over.set()
        watching.join()
    broker.check_alive()
    assert observer.trips
    assert observer.worst() < LONGEST * (3 if sanitized else 1)
    grown = (max(highest) - before) / MIB
    assert grown < memory_mib + (600 if sanitized else 0), f"{grown:.0f} MiB more than before"


def open_sockets(broker, count):
    sockets = []
    for _ in range(count):
        sockets.append(socket.create_connection(("127.0.0.1", broker.port), timeout=8))
    return sockets


def close_all(sockets):
    for each in sockets:
        each.close()


def half_open(broker, sanitized, count):
    with observed(broker, sanitized, memory_mib=count // 100 + 30):
        sockets = open_sockets(broker, count)
        wait_until(lambda: broker.status()["connections"] >= count, 30, "all connections")
        wait_until(lambda: broker.status()["connections"] == 1, 60, "the end of silent connections")
    assert broker.counter("turned_away_late") == count
    close_all(sockets)


def test_connections_that_say_nothing(start_broker, sanitized):
    half_open(start_broker("connect_timeout 2s"), sanitized, 500)


@pytest.mark.slow
def test_ten_thousand_connections_that_say_nothing(start_broker, sanitized):
    half_open(start_broker("connect_timeout 10s"), sanitized, 10_000)


def test_connects_in_drops(start_broker, sanitized, unique):
    broker = start_broker("connect_timeout 1s")
    packet = connect_packet(unique())
    with observed(broker, sanitized, memory_mib=30):
        sockets = open_sockets(broker, 200)
        for at in range(len(packet) - 1):
            for each in sockets:
                with contextlib.suppress(OSError):
                    each.send(packet[at:at + 1])
        wait_until(lambda: broker.counter("turned_away_late") == 200, 20, "the end of all of them")
    close_all(sockets)


@pytest.mark.parametrize("qos", [0, 1])
def test_a_subscriber_that_never_reads(start_broker, sanitized, join, qos):
    """100 MB for it, of which the broker holds no more than its buffers."""
    broker = start_broker("")
    deaf = join(broker)
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.subscribe("flood", qos)
    publisher = join(broker)
    payload = bytes(500_000)
    with observed(broker, sanitized, memory_mib=100):
        for number in range(200):
            if qos == 0:
                publisher.publish("flood", payload)
                if number % 10 == 9:
                    publisher.ping()
            else:
                publisher.publish("flood", payload, 1)
    assert broker.counter("dropped_slow") + broker.counter("dropped_queue_full") > 100


def test_messages_that_are_never_released(start_broker, sanitized, join, version):
    """QoS 2 without PUBREL: 16 MB of it are kept for a clean session."""
    broker = start_broker("")
    client = join(broker, version)
    codes = []
    with observed(broker, sanitized, memory_mib=60):
        with contextlib.suppress(Closed):
            for _ in range(200):
                client.publish_unanswered("a", bytes(1_000_000), 2)
                codes.append(client.await_kind(Kind.PUBREC).code)
    assert codes.count(0) == 16
    assert set(codes[16:]) == ({0x97} if version == V5 else set())
    assert broker.counter("beyond_limit_unreleased") > 0


def test_a_remaining_length_that_will_never_come(start_broker, sanitized, join, dial, version):
    broker = start_broker("")
    with observed(broker, sanitized, memory_mib=40):
        for _ in range(50):
            client = join(broker, version)
            client.send(b"\x30\xff\xff\xff\x7f" + bytes(1000))
            client.expect_refusal(0x95)
            stranger = dial(broker, version)
            stranger.send(b"\x10\xff\xff\xff\x7f" + bytes(1000))
            stranger.expect_closed()


TOPICS = {"long": b"x" * 65_535, "deep": b"/" * 9_999, "deep and long": b"a/" * 32_767}


@pytest.mark.parametrize("name", TOPICS)
def test_monstrous_topics(start_broker, sanitized, join, version, name):
    topic = TOPICS[name]
    broker = start_broker("")
    with observed(broker, sanitized, memory_mib=40):
        everything = join(broker, version)
        everything.subscribe("#", 0)
        for retain in (False, True):
            client = join(broker, version)
            client.send(publish_packet(topic, b"x", 1, 1, version, retain))
            with contextlib.suppress(Closed):
                client.receive()
        client = join(broker, version)
        code = client.subscribe(topic, 1)
        assert code == (0x8F if version == V5 else 0x80)
        client.ping()
        everything.ping()


def test_overlapping_wildcards(start_broker, sanitized, join):
    """Each level literal or +: a thousand filters that match the same topic, of ten clients."""
    broker = start_broker("")
    levels = "abcdefghij"
    filters = ["/".join(letter if bits >> at & 1 else "+" for at, letter in enumerate(levels))
               for bits in range(1000)]
    with observed(broker, sanitized, memory_mib=150):
        bombers = [join(broker) for _ in range(10)]
        for bomber in bombers:
            bomber.subscribe_many([(each, 0) for each in filters])
        publisher = join(broker)
        for _ in range(20):
            publisher.publish("/".join(levels), bytes(100), 1)
        publisher.ping()


def retained_for_a_slow_link(broker, sanitized, join, count, **session):
    """It gets all of it: a session that lasts by way of the disk, some 700 bytes a message; a clean
    one in steps that it asks for by reading."""
    publisher = join(broker)
    for first in range(0, count, 500):
        packets = [publish_packet(f"r/{n}", bytes(200), 1, n - first + 1, retain=True)
                   for n in range(first, first + 500)]
        publisher.send(b"".join(packets))
        for _ in packets:
            publisher.await_kind(Kind.PUBACK)
    with observed(broker, sanitized, memory_mib=60 + (count // 1000 if session else 0)):
        slow = join(broker, **session)
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.send(subscribe_packet(1, [("r/#", 1)]))
        topics = [slow.take(wait=30).topic for _ in range(count)]
    assert sorted(topics) == sorted(f"r/{n}" for n in range(count))


def test_many_retained_messages_for_a_slow_link(start_broker, sanitized, join):
    broker = start_broker("max_inflight_messages 20\nwrite_buffer 8M")
    retained_for_a_slow_link(broker, sanitized, join, 5_000)


@pytest.mark.parametrize("lasting", [False, True], ids=["clean", "lasting"])
def test_more_retained_messages_of_qos_0_than_may_be_unsent(start_broker, join, lasting):
    """That are 4 MB, beyond which QoS 0 is dropped; the kernel takes some more."""
    broker = start_broker("write_buffer 8M")
    publisher = join(broker)
    for n in range(300):
        publisher.publish(f"r/{n}", bytes(100_000), 1, retain=True)
    reader = join(broker, **(keep(V5) if lasting else {}))
    reader.send(subscribe_packet(1, [("r/#", 0)]))
    topics = [reader.take(wait=30).topic for _ in range(300)]
    assert sorted(topics) == sorted(f"r/{n}" for n in range(300))


@pytest.mark.slow
@pytest.mark.parametrize("lasting", [False, True], ids=["clean", "lasting"])
def test_a_hundred_thousand_retained_messages_for_a_slow_link(start_broker, sanitized, join,
                                                              lasting):
    broker = start_broker("max_inflight_messages 20\nwrite_buffer 8M")
    retained_for_a_slow_link(broker, sanitized, join, 100_000, **(keep(V5) if lasting else {}))


def storm(broker, sanitized, count, port=None, wrap=lambda stream: stream):
    """All clients connect, are cut off together, and come back together."""
    def connect(first, clients):
        for number in range(first, count, 8):
            stream = socket.create_connection(("127.0.0.1", port or broker.port), timeout=60)
            client = Client(broker.port, stream=wrap(stream))
            client.send(connect_packet(f"c{number}"))
            clients.append(client)
        for client in clients:
            assert client.receive(wait=60).code == 0

    with observed(broker, sanitized, memory_mib=count // 20 + 30) as observer:
        for _ in range(2):
            parts = [[] for _ in range(8)]
            threads = [threading.Thread(target=connect, args=(first, part))
                       for first, part in enumerate(parts)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            clients = [client for part in parts for client in part]
            assert len(clients) == count
            assert broker.status()["connections"] == count + 1
            for client in clients:
                client.close()
    print(f"{count}: median {observer.percentile(0.5):.4f}, p99 {observer.percentile(0.99):.4f}, "
          f"worst {observer.worst():.4f} s of {len(observer.trips)}")
    return observer


def test_a_reconnect_storm(start_broker, sanitized):
    storm(start_broker(""), sanitized, 400)


@pytest.mark.slow
def test_a_reconnect_storm_of_five_thousand(start_broker, sanitized):
    assert storm(start_broker(""), sanitized, 5_000).percentile(0.99) < CALM


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


def tls_storm(start_broker, sanitized, authority, count):
    certificate, key = authority.issue("broker", "localhost", alternative="DNS:localhost")
    broker = start_broker("listener auto 127.0.0.1\nlistener auto 127.0.0.1\n"
                          f"certfile {certificate}\nkeyfile {key}\n")
    context = authority.context()

    def wrap(stream):
        return context.wrap_socket(stream, server_hostname="localhost")
    return storm(broker, sanitized, count, broker.listeners[1][1], wrap)


def test_a_reconnect_storm_over_tls(start_broker, sanitized, authority):
    tls_storm(start_broker, sanitized, authority, 200)


@pytest.mark.slow
def test_a_reconnect_storm_of_five_thousand_over_tls(start_broker, sanitized, authority):
    assert tls_storm(start_broker, sanitized, authority, 5_000).percentile(0.99) < CALM


def test_a_flood_of_pings(start_broker, sanitized, join):
    """Its answers are not read, so the broker stops reading it."""
    broker = start_broker("")
    flooder = join(broker)
    flooder.socket.settimeout(2)
    with observed(broker, sanitized, memory_mib=40):
        pings = frame(Kind.PINGREQ) * 100_000
        with contextlib.suppress(TimeoutError):
            for _ in range(100):
                flooder.socket.sendall(pings)


def test_clients_that_reset_while_they_are_answered(start_broker, sanitized):
    """The answer fails while nobody waits for input: the subscription asks other shards first."""
    broker = start_broker("shards 4")

    def hurry(first):
        for number in range(first, 3000, 3):
            stream = socket.create_connection(("127.0.0.1", broker.port), timeout=8)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.sendall(connect_packet(f"hasty{number % 50}")
                           + subscribe_packet(1, [("a/+/b", 1)]) + frame(Kind.PINGREQ))
            stream.close()

    with observed(broker, sanitized, memory_mib=40):
        hurried = [threading.Thread(target=hurry, args=[first]) for first in range(3)]
        for each in hurried:
            each.start()
        for each in hurried:
            each.join()


def mutated(packets, rng):
    data = bytearray(b"".join(packets))
    for _ in range(rng.randrange(1, 6)):
        kind = rng.randrange(3)
        at = rng.randrange(len(data))
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at:at + rng.randrange(1, 4)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 4))
        if not data:
            return b"\0"
    return bytes(data)


@pytest.mark.parametrize("seed", range(3))
def test_random_and_mutated_bytes(start_broker, sanitized, version, seed):
    broker = start_broker("")
    rng = random.Random(seed)
    packets = [connect_packet("mutant", version), subscribe_packet(1, [("a/+/b", 1)], version),
               publish_packet("a/x/b", b"payload", 2, 2, version, retain=True),
               frame(Kind.PUBREL, b"\0\2"), frame(Kind.PINGREQ)]
    with observed(broker, sanitized, memory_mib=60):
        for number in range(300):
            stream = socket.create_connection(("127.0.0.1", broker.port), timeout=8)
            if number % 3 == 0:
                data = rng.randbytes(rng.randrange(1, 2000))
            else:
                data = packets[0] * (number % 3 == 1) + mutated(packets, rng)
            with contextlib.suppress(OSError):
                stream.sendall(data)
            stream.close()
