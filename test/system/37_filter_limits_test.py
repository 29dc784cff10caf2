"""How many filters a client may have, whether its session lasts or not."""
import pytest

from raw_mqtt import V5

MOST = 10_000  # limits::filters_per_session
PACKET = 1000


@pytest.mark.parametrize("lasting", [False, True], ids=["clean", "lasting"])
def test_a_session_has_a_bounded_number_of_filters(own_broker, dial, version, lasting):
    client = dial(own_broker, version)
    keep = {"properties": [("session_expiry_interval", 600)]} if lasting and version == V5 else {}
    client.connect("many", clean=not lasting, **keep)
    full = 0x97 if version == V5 else 0x80
    for first in range(0, MOST - 1, PACKET):
        last = min(first + PACKET, MOST - 1)
        codes = client.subscribe_many([(f"f/{n}", 1) for n in range(first, last)])
        assert set(codes) == {1}
    # One has room; the one that is there already needs none.
    assert client.subscribe_many([("new/1", 1), ("$share/g/x", 1), ("new/2", 1)])[::2] == [1, full]
    assert client.subscribe("new/3", 1) == full
    assert own_broker.status()["subscriptions"] == MOST
    client.unsubscribe("f/0")
    assert client.subscribe("new/3", 1) == 1
    if lasting:
        assert client.subscribe("f/7", 0) == 0
        assert own_broker.crash_and_restart().status()["subscriptions"] == MOST
