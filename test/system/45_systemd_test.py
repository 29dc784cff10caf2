"""narud as a service: what it tells systemd, and when it tells nothing any more."""
import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import pytest

from raw_mqtt import V311
from narud_server import ROOT, let_pass, naru_binary, narud_binary, wait_until

UNIT = ROOT / "deploy" / "systemd" / "naru.service"


class Systemd:
    """The end of $NOTIFY_SOCKET that reads. before: what is asked at each datagram's arrival."""

    def __init__(self, address, before=lambda: None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.told = []  # (lines of one datagram as a dictionary, what `before` said)
        self.before = before
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            text = self.socket.recv(4096).decode()
            if text == "end":
                return
            lines = dict(line.split("=", 1) for line in text.splitlines())
            self.told.append((lines, self.before()))

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"end", self.socket.getsockname())
        self.reader.join()
        self.socket.close()

    def count(self, key):
        return sum(key in lines for lines, _ in self.told)

    def keys(self):
        """READY, RELOADING and STOPPING in the order in which they were told."""
        return [key for lines, _ in self.told for key in lines
                if key in ("READY", "RELOADING", "STOPPING")]

    def last(self, key):
        return [lines[key] for lines, _ in self.told if key in lines][-1]


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    if request.param == "abstract":
        path = f"@naru-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    listener = Systemd(path.replace("@", "\0", 1) if path[0] == "@" else path)
    yield listener
    listener.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_open(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_ready_comes_when_it_listens_and_stopping_before_the_end(systemd, start_broker):
    port = free_port()
    systemd.before = lambda: is_open(port)
    broker = start_broker(f"listener {port} 127.0.0.1\nallow_anonymous true")
    wait_until(lambda: "READY" in systemd.keys(), what="READY")
    assert ({"STATUS": "reading the store"}, False) in systemd.told
    ready = [open_then for lines, open_then in systemd.told if "READY" in lines]
    assert ready == [True]
    assert f"listening on 127.0.0.1:{port}" in systemd.last("STATUS")
    assert broker.terminate() == 0
    assert systemd.keys() == ["READY", "STOPPING"]
    assert systemd.count("WATCHDOG") == 0  # Nobody has asked for it.


@pytest.mark.parametrize("how", ["SIGHUP", "naru"])
def test_a_reload_is_told_with_its_time(systemd, start_broker, how):
    broker = start_broker("listener auto 127.0.0.1\nallow_anonymous true")
    wait_until(lambda: systemd.keys() == ["READY"], what="READY")
    if how == "SIGHUP":
        broker.send_signal(signal.SIGHUP)
    else:
        subprocess.run([naru_binary(), "--socket", broker.api_socket, "config", "reload"],
                       check=True, timeout=30, stdout=subprocess.DEVNULL)
    wait_until(lambda: systemd.keys() == ["READY", "RELOADING", "READY"], what="the reload")
    begun = [lines for lines, _ in systemd.told if "RELOADING" in lines][0]
    assert int(begun["MONOTONIC_USEC"]) > 0


def test_a_start_that_fails_is_never_ready(systemd, own_broker):
    """The data directory has a narud already."""
    wait_until(lambda: systemd.keys() == ["READY"], what="READY of the first")
    done = subprocess.run([narud_binary(), "--data", str(own_broker.data), "--listen", "auto"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert done.returncode == 1, done
    assert systemd.keys() == ["READY"]
    assert systemd.last("STATUS").startswith("cannot start: ")


# ------------------------------------------------------------------- watchdog

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000


class Stopped:
    """One thread of a process that stands still while all others run."""

    def __init__(self, process, name):
        tasks = pathlib.Path(f"/proc/{process.pid}/task")
        self.thread = next(int(task.name) for task in tasks.iterdir()
                           if (task / "comm").read_text().strip() == name)
        self.libc = ctypes.CDLL(None, use_errno=True)

    def _ptrace(self, request):
        done = self.libc.ptrace(ctypes.c_long(request), ctypes.c_long(self.thread), None, None)
        assert done == 0, os.strerror(ctypes.get_errno())

    def __enter__(self):
        self._ptrace(PTRACE_SEIZE)
        self._ptrace(PTRACE_INTERRUPT)
        os.waitpid(self.thread, WALL)
        return self

    def __exit__(self, *_):
        self._ptrace(PTRACE_DETACH)


@pytest.fixture
def watched(systemd, start_broker, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "800000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    return start_broker("listener auto 127.0.0.1\nallow_anonymous true\nshards 2", sections="")


def falls_silent(systemd):
    """Whether there comes a time of several intervals without a sign of life."""
    before = systemd.count("WATCHDOG")
    let_pass(1.2)
    return systemd.count("WATCHDOG") == before


def expect_signs_of_life(systemd):
    before = systemd.count("WATCHDOG")
    wait_until(lambda: systemd.count("WATCHDOG") >= before + 3, what="three signs of life")


@pytest.mark.parametrize("systemd", ["path"], indirect=True)
@pytest.mark.parametrize("thread", ["naru-shard-0", "naru-shard-1"])
def test_a_shard_that_hangs_ends_the_signs_of_life(systemd, watched, thread):
    expect_signs_of_life(systemd)
    with Stopped(watched.process, thread):
        wait_until(lambda: falls_silent(systemd), what="silence")
        assert "does not answer" in systemd.last("STATUS")
        assert "no_progress" in watched.log()
    expect_signs_of_life(systemd)
    assert systemd.last("STATUS").startswith("listening on")


@pytest.mark.parametrize("systemd", ["path"], indirect=True)
def test_a_commit_that_hangs_ends_the_signs_of_life(systemd, watched, join):
    keeper = join(watched, V311, clean=False)
    keeper.subscribe("a", 1)
    with Stopped(watched.process, "naru-commit"):
        keeper.publish_unanswered("a", b"x")
        wait_until(lambda: falls_silent(systemd), what="silence")
        assert "waited for the disk" in systemd.last("STATUS")
    expect_signs_of_life(systemd)


@pytest.mark.parametrize("systemd", ["path"], indirect=True)
def test_a_process_that_hangs_gives_no_sign_of_life(systemd, watched):
    expect_signs_of_life(systemd)
    watched.send_signal(signal.SIGSTOP)
    wait_until(lambda: falls_silent(systemd), what="silence")
    watched.send_signal(signal.SIGCONT)
    expect_signs_of_life(systemd)


@pytest.mark.parametrize("systemd", ["path"], indirect=True)
def test_a_watchdog_of_another_process_is_not_ours(systemd, start_broker, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    start_broker()
    wait_until(lambda: systemd.keys() == ["READY"], what="READY")
    assert falls_silent(systemd)
    assert systemd.count("WATCHDOG") == 0


# ------------------------------------------------------------------------ log

DATED = re.compile(r"^\d{4}-\d\d-\d\dT", re.MULTILINE)


def journal_of(monkeypatch, server):
    """The log file stands for the journal: systemd names it by device and inode."""
    server.log_file.touch()
    facts = server.log_file.stat()
    monkeypatch.setenv("JOURNAL_STREAM", f"{facts.st_dev}:{facts.st_ino}")


def test_the_journal_gets_priorities_and_no_dates(own_broker, monkeypatch):
    assert own_broker.terminate() == 0
    assert DATED.search(own_broker.log())
    journal_of(monkeypatch, own_broker)
    before = len(own_broker.log())
    own_broker.start()
    assert own_broker.terminate() == 0
    journal = own_broker.log()[before:]
    assert not DATED.search(journal)
    assert all(re.match(r"<[3-7]>[a-z_]+( |$)", line) for line in journal.splitlines()), journal
    assert "<5>started version=" in journal


def test_a_stderr_that_is_no_journal_any_more_is_dated(own_broker, monkeypatch):
    assert own_broker.terminate() == 0
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    before = len(own_broker.log())
    own_broker.start()
    assert all(DATED.match(line) for line in own_broker.log()[before:].splitlines())


def test_a_file_beside_the_journal_is_dated(start_broker, monkeypatch, tmp_path):
    log = tmp_path / "naru.log"
    broker = start_broker(f"listener auto 127.0.0.1\nallow_anonymous true\nlog_dest stderr\n"
                          f"log_dest file {log}", sections="")
    assert broker.terminate() == 0
    journal_of(monkeypatch, broker)
    before = len(broker.log())
    broker.start()
    assert broker.terminate() == 0
    assert "<5>started" in broker.log()[before:]
    lines = log.read_text().splitlines()
    assert lines and all(DATED.match(line) and "<" not in line[:40] for line in lines)


# ----------------------------------------------------------------------- unit

def test_systemd_finds_no_fault_with_the_unit(tmp_path):
    text = UNIT.read_text()
    for name, real in ("/usr/bin/narud", narud_binary()), ("/usr/bin/naru", naru_binary()):
        text = re.sub(f"=({name}) ", f"={os.path.realpath(real)} ", text)
    unit = tmp_path / "naru.service"
    unit.write_text(re.sub("^Documentation=.*\n", "", text, flags=re.MULTILINE))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], text=True, timeout=60,
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = [line for line in done.stdout.splitlines() if "naru" in line]
    assert (done.returncode, said) == (0, []), done.stdout


def test_the_unit_exposes_little(tmp_path):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=25",
                           "--no-pager", str(UNIT)], text=True, timeout=60, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
