"""A real narud in a directory of its own, and the waiting that goes with it.

A Server can be ended in every way (SIGTERM, kill -9) and started again on the same data. Its
port is the one the system gave, read from the port file; its log stays for the report.
"""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 40.0  # A sanitizer build on a busy machine; a plain one takes a blink.
STOP_SECONDS = 30.0

DEFAULT_SECTIONS = """
stream telemetry
retention 48h

rule telemetry
from vehicles/+/telemetry
to telemetry
key ${topic[1]}
"""


def build_directory():
    return pathlib.Path(os.environ.get("NARU_BIN", ROOT / "build" / "release" / "bin"))


def narud_binary():
    return os.environ.get("NARUD", str(build_directory() / "narud"))


def naru_binary():
    return os.environ.get("NARU", str(pathlib.Path(narud_binary()).parent / "naru"))


def wait_until(condition, deadline=10.0, what="the condition"):
    """Polls until condition() is true and returns its value; the only waiting there is."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {deadline} s")
        time.sleep(0.01)


def let_pass(seconds):
    """For time that is part of the protocol: an expiry, a keep-alive, a delay."""
    time.sleep(seconds)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("naru", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Server:
    """settings: lines for the top of the configuration; sections: its streams and rules (None:
    the ones narud has by itself)."""

    def __init__(self, settings="", sections=None, binary=None):
        self.binary = binary or narud_binary()
        # Unix socket paths are short by law, so not below pytest's own long directory names.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="naru-system-"))
        self.data = self.directory / "data"
        self.data.mkdir()
        self.api_socket = str(self.directory / "api.sock")
        self.port_file = self.directory / "ports"
        self.log_file = self.directory / "narud.log"
        self.config_file = self.directory / "narud.conf"
        self.settings = settings
        self.sections = sections
        self.process = None
        self.port = None
        self.listeners = []  # (address, port) in the order of the configuration.
        self.expected_to_run = False

    # ------------------------------------------------------------- life cycle

    def _environment_settings(self):
        lines = []
        if os.environ.get("NARU_FRONT_HOP"):
            lines.append("front_hop " + os.environ["NARU_FRONT_HOP"])
        if os.environ.get("NARU_SHARDS") and "shards " not in self.settings:
            lines.append("shards " + os.environ["NARU_SHARDS"])
        return lines

    def _command(self):
        command = [self.binary, "--data", str(self.data), "--port-file", str(self.port_file),
                   "--api-socket", self.api_socket]
        extra = self._environment_settings()
        if not (self.settings or self.sections is not None or extra):
            return command + ["--listen", "auto"]
        lines = extra + [self.settings]
        if "allow_anonymous" not in self.settings:
            lines.append("allow_anonymous true")
        if "listener " not in self.settings:
            lines.append("listener auto 127.0.0.1")
        lines.append(DEFAULT_SECTIONS if self.sections is None else self.sections)
        self.config_file.write_text("\n".join(lines) + "\n")
        return command + ["-c", str(self.config_file)]

    def start(self):
        assert not self.running(), "already running"
        self.port_file.unlink(missing_ok=True)
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=self.directory,
                                            start_new_session=True)
        self.expected_to_run = True
        wait_until(self._has_ports, START_SECONDS, "the port file")
        lines = [line.split("\t") for line in self.port_file.read_text().splitlines()]
        self.listeners = [(address, int(port)) for address, port in lines]
        self.port = self.listeners[0][1]
        return self

    def _has_ports(self):
        code = self.process.poll()
        assert code is None, f"narud ended with {code} at its start:\n{self.log()}"
        return self.port_file.exists()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def send_signal(self, number):
        assert self.running(), f"narud is not running:\n{self.log()}"
        self.process.send_signal(number)

    def kill9(self):
        self.expected_to_run = False
        self._kill_group()
        self.process.wait(STOP_SECONDS)

    def terminate(self):
        """SIGTERM; returns the exit code, which a clean end makes 0."""
        self.expected_to_run = False
        self.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_SECONDS)
            raise AssertionError(f"narud ignored SIGTERM:\n{self.log()}") from None

    def restart(self):
        code = self.terminate()
        assert code == 0, f"narud ended with {code} on SIGTERM:\n{self.log()}"
        return self.start()

    def crash_and_restart(self):
        self.kill9()
        return self.start()

    def check_alive(self):
        if self.expected_to_run and not self.running():
            self.expected_to_run = False
            raise AssertionError(f"narud ended with {self.process.returncode}:\n{self.log()}")

    def close(self):
        """The end of a test: a broker that crashed or cannot end cleanly fails it."""
        try:
            self.check_alive()
            if self.running():
                code = self.terminate()
                assert code == 0, f"narud ended with {code} on SIGTERM:\n{self.log()}"
        finally:
            self._kill_group()
            shutil.rmtree(self.directory, ignore_errors=True)

    def _kill_group(self):
        """Nothing stays behind, whatever stood between this test and narud."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def log(self, limit=20000):
        if not self.log_file.exists():
            return ""
        return self.log_file.read_text(errors="replace")[-limit:]

    # ---------------------------------------------------------------- control

    def api(self, method, path, body=None, timeout=70):
        """One request to the control socket; returns (status, what the JSON says)."""
        connection = UnixConnection(self.api_socket, timeout)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            data = json.dumps(body) if body is not None else None
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            content = response.read()
            return response.status, json.loads(content) if content else None
        finally:
            connection.close()

    def get(self, path):
        status, answer = self.api("GET", path)
        assert status == 200, f"GET {path}: {status} {answer}"
        return answer

    def status(self):
        return self.get("/v1/status")

    def counter(self, name):
        return self.status()["counters"][name]

    def session(self, client_id):
        """What the broker knows of a client, or None."""
        status, answer = self.api("GET", f"/v1/clients/{client_id}")
        assert status in (200, 404), f"{status} {answer}"
        return answer if status == 200 else None

    def is_disconnected(self, client_id):
        known = self.session(client_id)
        return known is None or not known["connected"]

    def records(self, stream, query="from=earliest&limit=1000"):
        """Every record from that position on, however many answers it takes."""
        page = self.get(f"/v1/streams/{stream}/records?{query}")
        records = page["records"]
        while page["more"]:
            page = self.get(f"/v1/streams/{stream}/records?limit=1000&from={page['cursor']}")
            records += page["records"]
        return records

    # -------------------------------------------------------------- resources

    def memory_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        lines = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(lines[0].split()[1])

    def cpu_seconds(self):
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))
