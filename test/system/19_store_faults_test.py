"""A disk that is full, a store that is damaged, a clock that is wrong: what was acknowledged stays,
what cannot be kept is refused, and what is wrong is said."""
import hashlib
import os
import subprocess

import pytest

from narud_server import Server, wait_until
from raw_mqtt import V5, V311, Closed, Missing, let_quiet

DISK_MIB = 48
PAYLOAD = 32 * 1024
QUOTA_EXCEEDED = 0x97
TAKEN = (0, 0x10)  # Whether anybody subscribed or not.

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")


def keep(version):
    return {"clean": False,
            "properties": {"session_expiry_interval": 3600} if version == V5 else ()}


def back(broker, dial, version, client_id="sleeper"):
    client = dial(broker, version)
    client.client_id = client_id
    client.connect(client_id, **keep(version))
    return client


class SmallDisk:
    """The data directory of a broker on a file system of its own."""

    def __init__(self, server):
        self.path = server.data
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", self.path],
                       check=True)
        self.ballast_file = self.path / "ballast"

    def fill(self, percent):
        """Somebody else's bytes, up to this much of the file system."""
        disk = os.statvfs(self.path)
        total = disk.f_blocks * disk.f_frsize
        free = disk.f_bavail * disk.f_frsize
        wanted = free - total * (100 - percent) // 100
        with open(self.ballast_file, "wb") as file:
            while wanted > 0:
                try:
                    file.write(bytes(min(wanted, 65536)))
                    file.flush()
                except OSError:
                    break
                wanted -= 65536

    def empty(self):
        self.ballast_file.unlink()

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=True)


@pytest.fixture
def full_disk_broker(servers):
    """A broker on a small disk of its own, and the disk."""
    server = Server("session_disk_percent 90\n")
    servers.append(server)
    disk = SmallDisk(server)
    try:
        yield server.start(), disk
    finally:
        if server.running():
            server.terminate()
        disk.close()
        server.close()


def is_refusing(broker):
    return any("full" in problem for problem in broker.status()["problems"])


def try_publish(client, payload, qos=1):
    """True: acknowledged. False: refused; a client of 3.1.1 is held, and may then be closed."""
    try:
        answer = client.publish("a", payload, qos)
    except Missing:
        assert client.version == V311 or qos == 2, "MQTT 5 can say why, but for PUBCOMP"
        return False
    except (Closed, ConnectionError, BrokenPipeError):
        assert client.version == V311, "MQTT 5 can say why"
        return False
    if answer.code not in TAKEN:
        assert answer.code == QUOTA_EXCEEDED
        return False
    return True


def publish_again(broker, dial, version, payload, qos):
    """One publish from a new connection."""
    client = dial(broker, version)
    client.client_id = "again"
    client.connect("again", clean=True)
    done = try_publish(client, payload, qos)
    client.close()
    return done


@needs_root
@pytest.mark.parametrize("qos", [1, 2])
def test_a_full_disk_refuses_and_loses_nothing(full_disk_broker, dial, join, version, qos):
    broker, disk = full_disk_broker
    sleeper = back(broker, dial, version)
    sleeper.subscribe("a", 2)
    sleeper.disconnect()
    publisher = back(broker, dial, version, "publisher")
    kept = []
    while len(kept) < 2 * DISK_MIB * 1024 * 1024 // PAYLOAD:
        head = str(len(kept)).encode().ljust(8)
        if not try_publish(publisher, head + os.urandom(PAYLOAD), qos):  # Nothing to compress.
            break
        kept.append(head)
    assert len(kept) > 100, "nothing fits on this disk"
    assert len(kept) < 2 * DISK_MIB * 1024 * 1024 // PAYLOAD, "the disk has no end"
    assert broker.running()

    # Acknowledgements go through, and what they free is free.
    sleeper = back(broker, dial, version)
    assert sleeper.connack.session_present
    got = [sleeper.take(30).payload[:8] for _ in kept]
    assert got == kept
    broker.restart()
    wait_until(lambda: publish_again(broker, dial, version, b"after", qos), 100, "room again")


@needs_root
@pytest.mark.parametrize("percent", [97, 100])
def test_it_goes_on_by_itself_when_there_is_room(full_disk_broker, dial, version, percent):
    broker, disk = full_disk_broker
    sleeper = back(broker, dial, version)
    sleeper.subscribe("a", 1)
    sleeper.disconnect()
    assert publish_again(broker, dial, version, b"before", 1)
    disk.fill(percent)
    wait_until(lambda: is_refusing(broker), 10, "the notice that the disk is full")
    assert broker.status()["health"] == "red"
    assert not publish_again(broker, dial, version, b"refused", 1)
    assert broker.counter("refused_disk_full") > 0
    disk.empty()
    wait_until(lambda: not is_refusing(broker), 10, "the notice that there is room")
    wait_until(lambda: publish_again(broker, dial, version, b"after", 1), 20, "a publish again")
    broker.crash_and_restart()
    sleeper = back(broker, dial, version)
    assert sleeper.take().payload == b"before"
    assert b"after" in [message.payload for message in let_quiet(sleeper)]


@needs_root
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("percent", [97, 100])
def test_a_publisher_of_3_1_1_is_held_until_there_is_room(full_disk_broker, dial, percent, qos):
    broker, disk = full_disk_broker
    sleeper = back(broker, dial, V311)
    sleeper.subscribe("a", qos)
    sleeper.disconnect()
    publisher = back(broker, dial, V311, "publisher")
    disk.fill(percent)
    wait_until(lambda: is_refusing(broker), 10, "the notice that the disk is full")
    publisher.publish_unanswered("a", b"held", qos)
    wait_until(lambda: broker.counter("held_clients") == 1, 10, "a held client")
    with pytest.raises(Missing):
        publisher.ping()  # Nothing is read.
    disk.empty()
    publisher.expect_closed(20)
    publisher = back(broker, dial, V311, "publisher")
    publisher.publish("a", b"held", qos)
    broker.crash_and_restart()
    sleeper = back(broker, dial, V311)
    assert [message.payload for message in let_quiet(sleeper)] == [b"held"]


@needs_root
def test_retained_messages_and_new_sessions_are_refused_too(full_disk_broker, dial):
    broker, disk = full_disk_broker
    publisher = dial(broker, V5)
    publisher.connect("publisher")
    assert publisher.publish("state", b"1", 1, retain=True).code in TAKEN
    disk.fill(93)
    wait_until(lambda: is_refusing(broker), 10, "the notice that the disk is full")
    assert publisher.publish("state", b"2", 1, retain=True).code == QUOTA_EXCEEDED
    assert publisher.publish("state", b"", 1, retain=True).code in TAKEN  # Clearing frees.
    newcomer = dial(broker, V5)
    newcomer.connect("newcomer", expect_code=QUOTA_EXCEEDED, **keep(V5))
    live = dial(broker, V5)
    live.connect("live")
    live.subscribe("b", 1)
    assert publisher.publish("b", b"live", 1).code == 0  # Nothing to store.
    assert live.take().payload == b"live"


# ------------------------------------------------------------------ damage


def digest(directory):
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(directory.rglob("*")) if path.is_file()}


def flip(path, at=None):
    data = bytearray(path.read_bytes())
    at = len(data) // 2 if at is None else at
    for place in range(at, min(at + 16, len(data))):
        data[place] ^= 0xFF
    path.write_bytes(data)


def largest(directory, pattern):
    return max(directory.glob(pattern), key=lambda path: path.stat().st_size)


def fill_store(broker, join):
    client = join(broker, V5, "sleeper", **keep(V5))
    client.subscribe("a", 1)
    client.disconnect()
    publisher = join(broker, V5)
    for number in range(200):
        publisher.publish("a", str(number).encode().ljust(500, b"."), 1)
    publisher.close()


def damage(broker, join, what):
    """A store that is found damaged at its next start, by opening it or by reading it."""
    fill_store(broker, join)
    broker.kill9()
    store = broker.data / "store"
    if what == "table":
        broker.start()  # Moves the log into tables.
        broker.kill9()
        flip(largest(store, "*.sst"), at=200)
    elif what == "no manifest":
        broker.start()
        broker.kill9()
        for path in store.glob("MANIFEST-*"):
            path.unlink()
    else:
        flip(largest(store, "MANIFEST-*" if what == "manifest" else "*.log"))
    return store


def refused_start(broker):
    done = subprocess.run(broker._command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("what", ["manifest", "no manifest", "log", "table"])
def test_a_damaged_store_is_refused_and_left_alone(start_broker, join, what):
    broker = start_broker("")
    store = damage(broker, join, what)
    before = digest(store)
    code, said = refused_start(broker)
    assert code == 1, said
    assert "damaged" in said and "store_on_corrupt start_empty" in said, said
    assert "naru store restore" in said and "retained message" in said, said
    assert digest(store) == before
    assert not list(broker.data.glob("store.corrupt-*"))


@pytest.mark.parametrize("what", ["manifest", "no manifest", "table"])
def test_a_damaged_store_is_set_aside_where_told_to(start_broker, join, what):
    broker = start_broker("store_on_corrupt start_empty\n")
    node = broker.status()["node"]["id"]
    store = damage(broker, join, what)
    before = digest(store)
    broker.start()
    kept = list(broker.data.glob("store.corrupt-2*Z"))
    assert len(kept) == 1
    assert digest(kept[0]) == before
    status = broker.status()
    assert status["health"] == "red"
    assert status["node"]["id"] != node
    assert any(str(kept[0]) in problem for problem in status["problems"])
    assert not join(broker, V5, "sleeper", **keep(V5)).connack.session_present


# ------------------------------------------------------------------ time


class ShiftedServer(Server):
    """A narud whose wall clock says something else; its monotonic clock is right."""

    clock = None

    def _command(self):
        command = super()._command()
        if self.clock is None:
            return command
        # Not through the program faketime: it would stand between us and our signals.
        return ["env", "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1", f"FAKETIME={self.clock}", *command]


@pytest.fixture
def shifted_broker(servers):
    server = ShiftedServer("downtime_counts never\n")
    servers.append(server)
    yield server.start()
    server.close()


@pytest.mark.parametrize("clock", ["@2001-01-01 00:00:00", "+1y"])
def test_a_wrong_clock_at_the_start_expires_nothing(shifted_broker, join, dial, clock):
    broker = shifted_broker
    sleeper = join(broker, V5, "sleeper", **keep(V5))
    sleeper.subscribe("a", 1)
    sleeper.disconnect()
    publisher = join(broker, V5)
    expiring = {"message_expiry_interval": 3600}
    publisher.publish("a", b"kept", 1, properties=expiring)
    publisher.publish("state", b"kept", 1, retain=True, properties=expiring)
    publisher.disconnect()
    broker.terminate()
    broker.clock = clock
    broker.start()
    sleeper = back(broker, dial, V5)
    assert sleeper.connack.session_present
    message = sleeper.take()
    assert message.payload == b"kept"
    assert 3500 < message.property("message_expiry_interval") <= 3600
    sleeper.subscribe("state", 1)
    assert sleeper.take().payload == b"kept"
    broker.terminate()
    broker.clock = None
    broker.start()
    assert back(broker, dial, V5).connack.session_present
