"""MQTT.js, the client of browsers and Node.js, over each transport."""
import pathlib

from library_dialogues import Dialogues, client, doors, transport  # noqa: F401
from narud_server import ROOT
from spoken_client import SpokenClient

SCHEMES = {"tcp": "mqtt", "tls": "mqtts", "ws": "ws", "wss": "wss"}
SCRIPT = pathlib.Path(__file__).parent / "mqttjs" / "client.js"
MODULES = ROOT / "build" / "mqttjs"


def make(url, version, name, **options):
    assert (MODULES / "node_modules").is_dir(), \
        f"MQTT.js is not in {MODULES}: test/run.sh installs it (see test/README.md)"
    return SpokenClient(["node", str(SCRIPT), str(MODULES)], url, version, name, **options)


class TestMqttJs(Dialogues):
    pass
