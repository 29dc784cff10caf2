"""Client libraries of other languages as processes that speak one line at a time.

mqttjs/client.js and paho_c_client.cpp understand the same words:

    connect url=ws://127.0.0.1:1884/mqtt version=5 id=car clean=0 expiry=600 user=a password=b
            keepalive=30 ca=FILE will_topic=t will_payload=HEX will_qos=1 will_retain=1
    subscribe topic=a/# qos=1 [subscription_id=7]        unsubscribe topic=a/#
    publish topic=a qos=1 retain=0 payload=HEX [content_type= response_topic= correlation=HEX
            expiry= user=KEY:VALUE...]
    disconnect

and say `connected session=0|1`, `refused code=N`, `subscribed code=N`, `unsubscribed`,
`published`, `disconnected`, `lost`, and `message` with the fields of publish.
"""
import collections
import subprocess
import threading

WAIT = 20


class Words(list):
    """(name, value) pairs; a name may come twice."""

    def all(self, name):
        return [value for key, value in self if key == name]

    def get(self, name, default=None):
        return (self.all(name) or [default])[0]

    @property
    def payload(self):
        return bytes.fromhex(self.get("payload"))

    @property
    def qos(self):
        return int(self.get("qos"))

    @property
    def retain(self):
        return self.get("retain") == "1"


class SpokenClient:
    def __init__(self, command, url, version, name, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.where = {"url": url, "version": version, "id": name}
        self.options = options
        self.said = collections.deque()
        self.messages = collections.deque()
        self.changed = threading.Condition()
        self.errors = []
        self.readers = [threading.Thread(target=self._read, daemon=True),
                        threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self.readers:
            reader.start()

    def _read(self):
        for line in self.process.stdout:
            word, *fields = line.rstrip("\n").split(" ")
            words = Words(tuple(field.split("=", 1)) for field in fields)
            with self.changed:
                (self.messages if word == "message" else self.said).append(
                    words if word == "message" else (word, words))
                self.changed.notify_all()
        with self.changed:
            self.said.append(("ended", Words()))
            self.changed.notify_all()

    def _read_errors(self):
        self.errors += self.process.stderr

    def running(self):
        return self.process.poll() is None

    def say(self, word, fields=()):
        pairs = fields.items() if isinstance(fields, dict) else fields
        self.process.stdin.write(" ".join([word, *(f"{k}={v}" for k, v in pairs)]) + "\n")
        self.process.stdin.flush()

    def hear(self, word):
        """The next thing said, which has to be this word."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.said, WAIT), f"no {word}: {self.errors}"
            heard, fields = self.said.popleft()
        assert heard == word, f"{heard} {fields} in place of {word}: {self.errors}"
        return fields

    def ask(self, expect="connected"):
        self.say("connect", {**self.where, **self.options})
        return self.hear(expect)

    def connect(self):
        """True where the broker had the session."""
        return self.ask().get("session") == "1"

    def subscribe(self, topic, qos=0, **more):
        self.say("subscribe", {"topic": topic, "qos": qos, **more})
        return int(self.hear("subscribed").get("code"))

    def unsubscribe(self, topic):
        self.say("unsubscribe", {"topic": topic})
        self.hear("unsubscribed")

    def publish(self, topic, payload=b"", qos=0, retain=0, properties=()):
        self.say("publish", [("topic", topic), ("qos", qos), ("retain", retain),
                             ("payload", payload.hex()), *properties])
        self.hear("published")

    def take(self):
        with self.changed:
            assert self.changed.wait_for(lambda: self.messages, WAIT), \
                f"no message; said {list(self.said)}, {self.errors}"
            return self.messages.popleft()

    def disconnect(self):
        self.say("disconnect")
        self.hear("disconnected")
        self.close()

    def close(self):
        """The network goes without a word."""
        self.process.kill()
        self.process.wait(WAIT)
        for reader in self.readers:
            reader.join(WAIT)
        for pipe in self.process.stdin, self.process.stdout, self.process.stderr:
            pipe.close()
