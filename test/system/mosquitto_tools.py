"""mosquitto_pub and mosquitto_sub as processes, found ready by what they say and not by a wait."""
import subprocess
import threading

PROTOCOLS = {4: "mqttv311", 5: "mqttv5"}
READY_SECONDS = 15.0
END_SECONDS = 30.0


class Subscriber:
    """mosquitto_sub -d: its debug lines tell when it is subscribed, the rest are messages."""

    def __init__(self, arguments):
        self.process = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", "-d"] + arguments,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.debug = []
        self.changed = threading.Condition()
        self.ended = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                own = line.startswith(("Client ", "Subscribed (")) or line.startswith("Connect")
                (self.debug if own else self.lines).append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _wait(self, condition, seconds, what):
        with self.changed:
            came = self.changed.wait_for(lambda: condition() or self.ended, seconds)
            assert came and condition(), f"{what}; said {self.debug}, got {self.lines}"

    def wait_subscribed(self):
        self._wait(lambda: any("Subscribed (mid" in line for line in self.debug), READY_SECONDS,
                   "mosquitto_sub was not subscribed")
        return self

    def wait_lines(self, count, seconds=READY_SECONDS):
        self._wait(lambda: len(self.lines) >= count, seconds, f"fewer than {count} lines")
        return self.lines[:count]

    def wait_end(self, seconds=END_SECONDS):
        """Its exit code and the messages it printed."""
        code = self.process.wait(seconds)
        self.reader.join(seconds)
        return code, self.lines

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(END_SECONDS)
        self.reader.join(END_SECONDS)
        self.process.stdout.close()


class Tools:
    def __init__(self):
        self.subscribers = []

    def _where(self, broker, version, options):
        return ["-h", "127.0.0.1", "-p", str(broker.port), "-V", PROTOCOLS[version], *options]

    def sub(self, broker, version, *options):
        subscriber = Subscriber(self._where(broker, version, options))
        self.subscribers.append(subscriber)
        return subscriber

    def pub(self, broker, version, *options, expect_code=0, stdin=None):
        """Runs to its end; returns what it said."""
        command = ["mosquitto_pub"] + self._where(broker, version, options)
        done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=END_SECONDS, check=False)
        assert (done.returncode == 0) == (expect_code == 0), f"{command}: {done}"
        return done.stdout

    def close(self):
        for subscriber in self.subscribers:
            subscriber.kill()
