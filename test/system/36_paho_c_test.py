"""The C library of paho, in cars and devices, over each transport."""
from library_dialogues import Dialogues, client, doors, transport  # noqa: F401
from narud_server import build_directory
from raw_mqtt import V5
from spoken_client import SpokenClient

SCHEMES = {"tcp": "tcp", "tls": "ssl", "ws": "ws", "wss": "wss"}


def make(url, version, name, **options):
    return SpokenClient([str(build_directory() / "paho_c_client")], url, version, name, **options)


class TestPahoC(Dialogues):
    """With version 1.3.12, Debian's."""

    # Larger frames it does not put together again: behind TLS never, else where the network cuts
    # them in some places.
    largest = {"ws": 70_000, "wss": 70_000}

    def tells_session(self, _transport, version):
        return version != V5  # It keeps what that CONNACK says to itself.
