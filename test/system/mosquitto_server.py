"""A real mosquitto in a directory of its own, on a port that was free."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from narud_server import wait_until

BINARY = "/usr/sbin/mosquitto"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Mosquitto:
    """sections: lines behind the listener, such as a `connection`."""

    def __init__(self, sections="", persistent=True):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="naru-mosquitto-"))
        self.port = free_port()
        self.database = self.directory / "mosquitto.db"
        self.config_file = self.directory / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true"]
        if persistent:
            lines += ["persistence true", f"persistence_location {self.directory}/"]
        if os.getuid() == 0:
            lines.append("user root")  # It may write to its directory.
        self.config_file.write_text("\n".join(lines + [sections]) + "\n")
        self.process = None

    def start(self):
        log = open(self.directory / "mosquitto.log", "ab")
        with log:
            self.process = subprocess.Popen([BINARY, "-c", str(self.config_file)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, 20.0, "mosquitto's listener")
        return self

    def _answers(self):
        assert self.process.poll() is None, self.log()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except ConnectionRefusedError:
            return False
        return True

    def save(self):
        """Writes mosquitto.db now."""
        before = self.database.stat().st_mtime_ns if self.database.exists() else 0
        self.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: self.database.exists() and
                   self.database.stat().st_mtime_ns != before, 10.0, "mosquitto.db")
        return self.database

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def log(self):
        return (self.directory / "mosquitto.log").read_text(errors="replace")

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
