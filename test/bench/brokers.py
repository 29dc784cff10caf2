"""Starts the brokers that compare.py measures, each pinned to the first processor."""
import contextlib
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("NARU_BIN", ROOT / "build" / "release" / "bin"))
sys.path.insert(0, str(ROOT / "test" / "system"))
from certificates import Authority  # pylint: disable=wrong-import-position

CONNECT = bytes.fromhex("10110004 4d515454 04020000 00056669 727374".replace(" ", ""))
START_SECONDS = 20
SPARE_FILES = 200  # What a broker has open besides connections.


def raise_open_files(connections):
    """Children inherit the limit; ends with the remedy when it is too low."""
    need = connections + SPARE_FILES
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < need:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (need, need))
            return
        sys.exit(f"{connections} connections need {need} open files, and the limit is {hard}: "
                 f"raise it, as root with 'ulimit -Hn {need}'")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def first_connack(port, process, began):
    """Seconds from `began` until a client got its CONNACK."""
    while time.monotonic() < began + START_SECONDS:
        if process.poll() is not None:
            sys.exit(f"a broker ended at once: {process.args}")
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(CONNECT)
                if client.recv(4)[:1] == b"\x20":
                    return time.monotonic() - began
        except ConnectionError:
            continue
    sys.exit(f"nothing answers on {port}: {process.args}")


def wait_for_port(port, process):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"a broker ended at once: {process.args}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            continue
    sys.exit(f"nothing listens on {port}: {process.args}")


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


class Brokers:
    """Knows how each is started; `directory` has their files, and is on the disk that counts."""

    def __init__(self, directory, relay_source, narud):
        self.directory = pathlib.Path(directory)
        self.narud = narud
        self.relay = None
        self.authority = None
        if relay_source:
            self.relay = self.directory / "relay"
            subprocess.run(["g++", "-O2", "-std=c++20", relay_source, "-o", self.relay],
                           check=True)

    def certificate(self):
        """Lines for a TLS listener, and arguments of naru bench to trust it."""
        if self.authority is None:
            self.authority = Authority(self.directory / "ca")
            self.authority.issue("broker", "localhost", alternative="DNS:localhost")
        base = self.authority.directory / "broker"
        return ([f"certfile {base}.crt", f"keyfile {base}.key"],
                ["-h", "localhost", "--cafile", self.authority.crt])

    def _command(self, broker, port, row):
        if broker == "relay":
            return [self.relay, str(port), row.relay_mode]
        path = self.directory / f"{broker}.conf"
        lines = [f"listener {port} 127.0.0.1"]
        if row.tls:
            lines += self.certificate()[0]
        lines.append("allow_anonymous true")
        if broker == "mosquitto":
            lines += ["set_tcp_nodelay true", "max_queued_messages 0", "max_inflight_messages 0",
                      "persistence false"]
            program = [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", path]
        else:
            data = self.directory / "data"
            shutil.rmtree(data, ignore_errors=True)
            lines += ["shards 1", *row.narud_lines]
            program = [self.narud, "-c", path, "--data", data]
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        return program

    def can(self, broker, row):
        if broker == "relay":
            return bool(self.relay and row.relay_mode)
        return broker == "narud" or bool(shutil.which("mosquitto", path="/usr/sbin:/usr/bin"))

    @contextlib.contextmanager
    def running(self, broker, row):
        """Gives the port, the process, and when it was started."""
        port = free_port()
        command = ["taskset", "-c", "0", *self._command(broker, port, row)]
        with open(self.directory / f"{broker}.log", "w", encoding="utf-8") as log:
            began = time.monotonic()
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield port, process, began
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
