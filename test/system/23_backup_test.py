"""naru store: a backup under load has what was acknowledged before it, and restores."""
import json
import os
import pathlib
import shutil
import subprocess
import threading

import pytest

from raw_mqtt import V5
from narud_server import naru_binary, wait_until

PATIENCE = 60
KEEP = {"clean": False, "properties": {"session_expiry_interval": 3600}}


def naru(*arguments, code=0):
    done = naru_said(*arguments, code=code)
    return done.stdout if code == 0 else done.stdout + done.stderr


class Load:
    """mosquitto_pub that sends numbers with QoS 1 until it is stopped; counts PUBACKs."""

    def __init__(self, broker, topic):
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", "mosquitto_pub", "-d", "-l", "-q", "1", "-i", "load", "-t", topic,
             "-h", "127.0.0.1", "-p", str(broker.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.acknowledged = 0  # mosquitto_pub publishes in order, and so are they acknowledged.
        self.going = True
        self.writer = threading.Thread(target=self._write, daemon=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.writer.start()
        self.reader.start()

    def _write(self):
        number = 0
        try:
            while self.going and number < 60000:
                number += 1
                self.process.stdin.write(f"{number}\n")
                self.process.stdin.flush()
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def _read(self):
        for line in self.process.stdout:
            if "received PUBACK" in line:
                self.acknowledged += 1

    def stop(self):
        self.going = False
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.writer.join(PATIENCE)
        self.reader.join(PATIENCE)


@pytest.fixture
def backup(tmp_path):
    return tmp_path / "backup"


def naru_said(*arguments, code=0):
    done = subprocess.run([naru_binary(), *map(str, arguments)], text=True, check=False,
                          timeout=PATIENCE, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == code, done
    return done


def fill(broker, join, messages=300):
    """A queue of messages that do not compress, and a retained one."""
    sleeper = join(broker, V5, "sleeper", **KEEP)
    sleeper.subscribe("a", 1)
    sleeper.disconnect()
    publisher = join(broker, V5)
    for number in range(messages):
        publisher.publish("a", str(number).encode().ljust(8) + os.urandom(600), 1)
    publisher.publish("state", b"kept", 1, retain=True)
    publisher.close()


def largest_table(directory):
    return max(directory.glob("*.sst"), key=lambda path: path.stat().st_size)


def take(broker, directory, code=0):
    return naru("--socket", broker.api_socket, "store", "backup", directory, code=code)


def test_a_backup_under_load_has_all_that_was_acknowledged(start_broker, join, backup):
    broker = start_broker()
    sleeper = join(broker, V5, "sleeper", **KEEP)
    sleeper.subscribe("load", 1)
    sleeper.disconnect()
    load = Load(broker, "load")
    try:
        wait_until(lambda: load.acknowledged > 300, what="some load")
        before = load.acknowledged
        take(broker, backup)
        wait_until(lambda: load.acknowledged > before + 100, what="load behind the backup")
    finally:
        load.stop()
    restored = start_broker()
    restored.terminate()
    shutil.rmtree(restored.data)
    naru("store", "restore", backup, "--data", restored.data)
    restored.start()
    assert restored.session("sleeper")["queued"] >= before
    sleeper = join(restored, V5, "sleeper", **KEEP)
    numbers = [int(sleeper.take().payload) for _ in range(before)]
    assert numbers == list(range(1, before + 1))


def test_a_backup_is_whole_or_not_there(own_broker, backup):
    take(own_broker, backup)
    manifest = json.loads((backup / "backup.json").read_text())
    names = {file["name"] for file in manifest["files"]}
    assert names == {path.name for path in (backup / "store").iterdir()}
    assert "exists" in take(own_broker, backup, code=1)
    assert take(own_broker, backup / "no" / "parent", code=1)
    assert list(backup.parent.iterdir()) == [backup]
    status, answer = own_broker.api("POST", "/v1/store/backup", {"directory": "relative"})
    assert (status, "absolute" in answer["error"]) == (400, True)


def test_a_backup_that_does_not_get_its_name_leaves_nothing(own_broker, backup):
    backup.symlink_to(backup.parent / "nowhere")  # Nothing is there, and yet no directory may be.
    assert "irectory" in take(own_broker, backup, code=1)
    assert list(backup.parent.iterdir()) == [backup]
    backup.unlink()
    take(own_broker, backup)


def test_restore_refuses_what_it_must(own_broker, backup, tmp_path):
    take(own_broker, backup)
    target = tmp_path / "data"
    target.mkdir()
    (target / "mine").write_text("keep")
    assert "not empty" in naru("store", "restore", backup, "--data", target, code=1)
    assert [path.name for path in target.iterdir()] == ["mine"]
    target = tmp_path / "fresh"
    assert "no backup" in naru("store", "restore", tmp_path / "nowhere", "--data", target, code=1)
    manifest = json.loads((backup / "backup.json").read_text())
    newer = dict(manifest, format=manifest["format"] + 1)
    (backup / "backup.json").write_text(json.dumps(newer))
    assert "that release" in naru("store", "restore", backup, "--data", target, code=1)
    (backup / "backup.json").write_text(json.dumps(manifest))
    (backup / "store" / manifest["files"][0]["name"]).unlink()
    assert "not whole" in naru("store", "restore", backup, "--data", target, code=1)
    assert not (target / "store").exists()


def overwrite(path):
    data = bytearray(path.read_bytes())
    data[200:300] = bytes(100)
    path.write_bytes(data)


def test_restore_refuses_a_damaged_file(own_broker, join, backup, tmp_path):
    fill(own_broker, join)
    take(own_broker, backup)
    target = tmp_path / "data"
    overwrite(largest_table(backup / "store"))
    said = naru("store", "restore", backup, "--data", target, code=1)
    assert "checksum" in said and largest_table(backup / "store").name in said, said
    assert not list(target.iterdir())


def test_a_backup_without_checksums_is_restored_and_said_to_be_unchecked(
        own_broker, join, backup, tmp_path):
    fill(own_broker, join)
    take(own_broker, backup)
    whole = naru_said("store", "restore", backup, "--data", tmp_path / "whole")
    assert "checksum" not in whole.stderr
    manifest = json.loads((backup / "backup.json").read_text())
    for file in manifest["files"]:
        del file["crc32c"]
    (backup / "backup.json").write_text(json.dumps(manifest))
    older = naru_said("store", "restore", backup, "--data", tmp_path / "older")
    assert "no checksums" in older.stderr and "naru store check" in older.stderr
    naru("store", "check", "--data", tmp_path / "older")


def test_a_backup_logs_no_warning(own_broker, backup):
    take(own_broker, backup)
    assert "File Deletions" not in own_broker.log()


def test_stat_tells_what_is_there(own_broker, join):
    join(own_broker, V5, "sleeper", **KEEP).subscribe("a", 1)
    join(own_broker, V5).publish("a", b"x", 1)
    told = json.loads(naru("--json", "--socket", own_broker.api_socket, "store", "stat"))
    families = {family["name"]: family for family in told["families"]}
    assert families["session"]["rows"] >= 2
    assert families["journal"]["bytes"] > 0
    assert 1 <= told["journal"]["first"] <= told["journal"]["last"]
    assert told["format"] == 1
    assert told["starts"] == 1


def test_check_reads_every_row_of_a_store_at_rest(own_broker, join, tmp_path):
    join(own_broker, V5, "sleeper", **KEEP).subscribe("a", 1)
    join(own_broker, V5).publish("a", b"x", 1, retain=True)
    join(own_broker, V5, "car1").publish("vehicles/car1/telemetry", b"{}", 1)
    assert "in use" in naru("store", "check", "--data", own_broker.data, code=1)
    own_broker.terminate()
    found = json.loads(naru("--json", "store", "check", "--data", own_broker.data))
    assert found["sessions"] == 1
    assert found["queued"] == 1
    assert found["retained"] == 1
    assert found["stream_records"] == 1
    assert found["unreadable"] == found["missing"] == 0
    assert "no store" in naru("store", "check", "--data", tmp_path, code=1)
    assert not pathlib.Path(tmp_path / "store").exists()


def test_check_and_dump_go_on_behind_damage(own_broker, join):
    fill(own_broker, join)
    own_broker.restart()  # Moves the log into tables.
    own_broker.terminate()
    store = own_broker.data / "store"
    overwrite(largest_table(store))
    before = {path: path.read_bytes() for path in store.iterdir()}
    said = naru_said("--json", "store", "check", "--data", own_broker.data, code=1)
    found = json.loads(said.stdout)
    assert found["damaged"] == 1 and found["unreadable"] == 0
    assert found["sessions"] == found["retained"] == 1
    assert found["rows"] > 250
    assert 250 < found["journal_entries"] < 301
    assert "family journal" in said.stderr and "checksum" in said.stderr, said.stderr
    said = naru_said("--json", "store", "dump", "--data", own_broker.data, code=1)
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert {row["family"] for row in rows} >= {"journal", "session", "retained", "meta"}
    assert len([row for row in rows if row["family"] == "journal"]) == found["journal_entries"]
    assert "family journal" in said.stderr, said.stderr
    assert {path: path.read_bytes() for path in store.iterdir()} == before
