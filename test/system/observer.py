"""A polite client in a process of its own: how long the broker lets it wait while others misbehave.

As a program: PORT. It publishes to itself at QoS 1 and pings, again and again, until its input ends
and a little longer, and then prints its round trips in seconds as JSON.
"""
import json
import pathlib
import select
import subprocess
import sys
import time

import raw_mqtt


class Observer:
    """with Observer(port) as observer: ...; afterwards observer.trips has each round trip."""

    def __init__(self, port):
        self.port = port
        self.trips = []

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, __file__, str(self.port)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        cwd=pathlib.Path(__file__).parent)
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, kind, *_):
        said, _ = self.process.communicate(timeout=60)
        assert kind is not None or self.process.returncode == 0, "the observer was not served"
        self.trips = sorted(json.loads(said or "[]"))

    def worst(self):
        return self.trips[-1]

    def percentile(self, share):
        return self.trips[min(len(self.trips) - 1, int(len(self.trips) * share))]


def main():
    client = raw_mqtt.Client(int(sys.argv[1]))
    client.connect("observer")
    client.subscribe("observer", 1)
    print("ready", flush=True)
    trips = []
    more = 10  # Round trips once its input has ended.
    while more > 0:
        more -= len(select.select([sys.stdin], [], [], 0.005)[0])
        begun = time.monotonic()
        client.publish("observer", b"x" * 200, 1)
        client.take()
        client.ping()
        trips.append(time.monotonic() - begun)
    print(json.dumps(trips))


if __name__ == "__main__":
    main()
