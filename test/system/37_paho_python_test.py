"""The paho client of Python over each transport, in the dialogues of the other libraries."""
import threading
import urllib.parse

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from library_dialogues import Dialogues, client, doors, transport  # noqa: F401
from narud_server import wait_until
from raw_mqtt import V5
from spoken_client import WAIT, Words

SCHEMES = {"tcp": "tcp", "tls": "ssl", "ws": "ws", "wss": "wss"}
NAMES = {"content_type": "ContentType", "response_topic": "ResponseTopic",
         "correlation": "CorrelationData", "expiry": "MessageExpiryInterval"}


class InProcess:
    """What SpokenClient is for other languages, without a process."""

    def __init__(self, url, version, name, **options):
        self.url = urllib.parse.urlsplit(url)
        self.version = version
        self.options = options
        self.messages, self.said = [], []
        self.open = True
        clean = options.get("clean", 1) == 1
        more = {} if version == V5 else {"clean_session": clean}
        self.paho = paho.Client(
            name, protocol=paho.MQTTv5 if version == V5 else paho.MQTTv311,
            transport="websockets" if self.url.scheme.startswith("ws") else "tcp", **more)
        self.paho.ws_set_options(path=self.url.path or "/")
        self.paho.username_pw_set(options["user"], options["password"])
        if "ca" in options:
            self.paho.tls_set(ca_certs=options["ca"])
        if "will_topic" in options:
            self.paho.will_set(options["will_topic"], bytes.fromhex(options["will_payload"]),
                               options["will_qos"])
        self.paho.on_connect = self._on_connect
        self.paho.on_subscribe = lambda _c, _d, _m, codes, *_: self.said.append(("subscribed",
                                                                                 codes[0]))
        self.paho.on_unsubscribe = lambda *_: self.said.append(("unsubscribed", 0))
        self.paho.on_disconnect = lambda *_: (self.paho.disconnect(),
                                              self.said.append(("lost", 0)))
        self.paho.on_message = lambda _c, _d, message: self.messages.append(self._words(message))

    def _on_connect(self, _client, _data, flags, code, _properties=None):
        number = getattr(code, "value", code)
        self.said.append(("refused" if number else "connected",
                          number or flags["session present"]))

    @staticmethod
    def _words(message):
        words = Words([("topic", message.topic), ("qos", message.qos),
                       ("retain", str(int(message.retain))), ("payload", message.payload.hex())])
        found = getattr(message, "properties", None)
        for word, attribute in NAMES.items():
            value = getattr(found, attribute, None)
            if value is not None:
                words.append((word, value.hex() if isinstance(value, bytes) else str(value)))
        words += [("subscription_id", str(n))
                  for n in getattr(found, "SubscriptionIdentifier", [])]
        words += [("user", ":".join(pair)) for pair in getattr(found, "UserProperty", [])]
        return words

    def running(self):
        return self.open

    def hear(self, word):
        wait_until(lambda: self.said, WAIT, word)
        heard, value = self.said.pop(0)
        assert heard == word, f"{heard} {value} in place of {word}"
        return value

    def ask(self, expect="connected"):
        options = {}
        if self.version == V5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = self.options.get("expiry", 0)
            options = {"clean_start": self.options.get("clean", 1) == 1, "properties": properties}
        self.paho.connect(self.url.hostname, self.url.port,
                          keepalive=self.options.get("keepalive", 30), **options)
        self.paho.loop_start()
        value = self.hear(expect)
        return Words([("code", value), ("session", str(value))])

    def connect(self):
        return self.ask().get("session") == "1"

    def subscribe(self, topic, qos=0, subscription_id=None):
        properties = None
        if subscription_id:
            properties = Properties(PacketTypes.SUBSCRIBE)
            properties.SubscriptionIdentifier = subscription_id
        self.paho.subscribe(topic, qos, properties=properties)
        code = self.hear("subscribed")
        return getattr(code, "value", code)

    def unsubscribe(self, topic):
        self.paho.unsubscribe(topic)
        self.hear("unsubscribed")

    def publish(self, topic, payload=b"", qos=0, retain=0, properties=()):
        made = Properties(PacketTypes.PUBLISH) if self.version == V5 else None
        for word, value in properties:
            if word == "user":
                made.UserProperty = [tuple(value.split(":"))]
            else:
                setattr(made, NAMES[word], bytes.fromhex(value) if word == "correlation" else value)
        info = self.paho.publish(topic, payload, qos, bool(retain), made)
        info.wait_for_publish(WAIT)
        assert info.is_published()

    def take(self):
        wait_until(lambda: self.messages, WAIT, "a message")
        return self.messages.pop(0)

    def disconnect(self):
        self.paho.disconnect()
        self.paho.loop_stop()
        self.open = False

    def close(self):
        """The network goes without a word."""
        self.open = False
        closing = threading.Thread(target=self.paho.loop_stop)
        closing.start()
        closing.join(WAIT)
        if self.paho.socket():
            self.paho.socket().close()


make = InProcess


class TestPahoPython(Dialogues):
    pass
