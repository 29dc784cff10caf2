"""memory_limit: new work is refused above it, and taken up again below.

Not for sanitizers, which keep freed memory to themselves.
"""
from narud_server import wait_until


def test_memory_sheds_new_work_and_takes_it_up_again(start_broker, join, dial):
    """Retained messages fill the memory; what is there goes on, and clearing makes room."""
    broker = start_broker("memory_limit 300M\n")
    publisher = join(broker)
    other = join(broker)  # Which sends little, and so does not wait.
    subscriber = join(broker)
    subscriber.subscribe("live", 0)
    payload = bytes(1_000_000)
    kept = 0
    while publisher.publish(f"fill/{kept}", payload, 1, retain=True).code != 0x97:
        kept += 1
        assert kept < 1000, "no limit"
    assert 100 < kept < 400
    assert any("memory_limit" in each for each in broker.status()["problems"])
    dial(broker).connect("late", 0x89)
    assert broker.counter("turned_away_memory") == 1
    other.publish("live", b"x")
    assert subscriber.take().payload == b"x"
    for number in range(kept):
        assert other.publish(f"fill/{number}", b"", 1, retain=True).code in (0, 0x10)
    wait_until(lambda: not broker.status()["problems"], 30, "room")
    assert other.publish("fill/0", payload, 1, retain=True).code in (0, 0x10)
    dial(broker).connect("late")


def test_an_idle_broker_takes_little_memory(start_broker, join):
    """What only the start needs of the program and its libraries does not stay."""
    broker = start_broker()
    wait_until(lambda: broker.memory_kib() < 15 * 1024, 10, "less than 15 MiB")
    client = join(broker)
    client.subscribe("a", 1)
    client.publish("a", b"here", 1)
    assert client.take().payload == b"here"
    assert broker.memory_kib() < 15 * 1024
