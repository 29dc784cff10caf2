"""Rules and streams: what PUBACK said is in the stream, in order, without gaps, per key."""
import base64
import json
import threading
import time

import pytest

from raw_mqtt import V5, publish_packet
from narud_server import wait_until

pytestmark = [pytest.mark.core, pytest.mark.threads]

RULES = """
stream telemetry
retention 48h
stream reports
retention 48h
stream few
keys_max 2

rule telemetry
from vehicles/+/telemetry
to telemetry
key ${topic[1]}

rule report
from report/+
to reports
key ${device_no}

rule nested
from nested/+
to reports
key ${car.id}/${topic[1]}/${client_id}

rule few
from few/+
to few
key ${topic[1]}
"""


@pytest.fixture
def rules_broker(start_broker):
    return start_broker("", RULES)


def payloads(records):
    return [r["payload"] for r in records]


@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_acknowledged_is_in_the_stream_after_a_crash(own_broker, join, version, qos):
    publisher = join(own_broker, version, "car1")
    for number in range(50):
        publisher.publish("vehicles/car1/telemetry", json.dumps({"n": number}), qos)
    own_broker.crash_and_restart()
    records = own_broker.records("telemetry")
    assert [json.loads(r["payload"])["n"] for r in records] == list(range(50))
    assert [r["sequence"] for r in records] == list(range(1, 51))
    assert {r["key"] for r in records} == {"car1"}
    assert {r["topic"] for r in records} == {"vehicles/car1/telemetry"}
    assert {r["client_id"] for r in records} == {"car1"}
    assert {r["stream"] for r in records} == {"telemetry"}


def test_kill9_in_the_middle_of_a_stream_loses_no_acknowledged_record(own_broker, join, version):
    publisher = join(own_broker, version, "car1")
    for number in range(200):
        publisher.publish_unanswered("vehicles/car1/telemetry", str(number), 1)
    acknowledged = 0
    while acknowledged < 100:
        publisher.receive()
        acknowledged += 1
    own_broker.crash_and_restart()
    records = own_broker.records("telemetry")
    assert len(records) >= acknowledged
    assert payloads(records) == [str(n) for n in range(len(records))]
    join(own_broker, version, "car1").publish("vehicles/car1/telemetry", b"next", 1)
    records = own_broker.records("telemetry")
    assert [r["sequence"] for r in records] == list(range(1, len(records) + 1))


def test_a_record_carries_the_device_s_stamps(own_broker, join, version):
    epochs = []
    begin = time.time() * 1000
    for _ in range(3):
        car = join(own_broker, version, "car1")
        for number in range(3):
            car.publish("vehicles/car1/telemetry", str(number), 1)
        car.disconnect()
    records = own_broker.records("telemetry")
    epochs = [r["epoch"] for r in records]
    assert epochs == sorted(epochs)
    assert len(set(epochs)) == 3
    for at in range(0, 9, 3):
        numbers = [r["publish"] for r in records[at:at + 3]]
        assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert all(begin - 2000 <= r["received_at"] <= time.time() * 1000 + 2000 for r in records)


def test_keys_have_their_own_sequences(own_broker, join, version):
    publishers = {name: join(own_broker, version, name) for name in ("a", "b", "c", "d")}

    def drive(name, client):
        for number in range(25):
            client.publish(f"vehicles/{name}/telemetry", str(number), 1)

    threads = [threading.Thread(target=drive, args=pair) for pair in publishers.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = own_broker.records("telemetry")
    for name in publishers:
        mine = [r for r in records if r["key"] == name]
        assert [r["sequence"] for r in mine] == list(range(1, 26))
        assert payloads(mine) == [str(n) for n in range(25)]
        assert len({r["lane"] for r in mine}) == 1
        offsets = [r["offset"] for r in mine]
        assert offsets == sorted(set(offsets))


def test_qos0_that_a_rule_matches_is_stored_too(own_broker, join, version):
    publisher = join(own_broker, version, "car1")
    for number in range(20):
        publisher.publish("vehicles/car1/telemetry", str(number), 0)
    wait_until(lambda: len(own_broker.records("telemetry")) == 20, what="20 records")


def test_subscribers_get_the_message_beside_the_stream(own_broker, join, version):
    subscriber = join(own_broker, version)
    subscriber.subscribe("vehicles/+/telemetry", 1)
    join(own_broker, version, "car1").publish("vehicles/car1/telemetry", b"both", 1)
    assert subscriber.take().payload == b"both"
    assert payloads(own_broker.records("telemetry")) == ["both"]


def test_what_no_rule_matches_is_in_no_stream(own_broker, join, version):
    publisher = join(own_broker, version, "car1")
    for topic in "vehicles/car1", "vehicles/car1/telemetry/x", "other/car1/telemetry":
        publisher.publish(topic, b"x", 1)
    assert own_broker.records("telemetry") == []


def test_a_key_from_a_json_field(rules_broker, join, version):
    publisher = join(rules_broker, version, "gateway")
    for device in "D-1", "D-2", "D-1":
        publisher.publish("report/x", json.dumps({"v": 1, "device_no": device}), 1)
    publisher.publish("report/x", json.dumps({"device_no": 77}), 1)
    records = rules_broker.records("reports")
    found = sorted((r["key"], r["sequence"]) for r in records)
    assert found == [("77", 1), ("D-1", 1), ("D-1", 2), ("D-2", 1)]


def test_a_key_of_several_parts(rules_broker, join, version):
    publisher = join(rules_broker, version, "gw")
    publisher.publish("nested/north", json.dumps({"car": {"id": "k9"}}), 1)
    assert [r["key"] for r in rules_broker.records("reports")] == ["k9/north/gw"]


@pytest.mark.parametrize("payload", [b'{"other":1}', b"no json", b"", b'{"device_no":{}}',
                                     b'{"device_no":null}', b"\xff\xfe"], ids=repr)
def test_what_cannot_be_keyed_is_a_dead_letter_with_its_reason(rules_broker, join, version,
                                                               payload):
    join(rules_broker, version, "gateway").publish("report/x", payload, 1)
    assert rules_broker.records("reports") == []
    rules_broker.crash_and_restart()
    letters = rules_broker.records("dead-letter")
    assert len(letters) == 1
    letter = letters[0]
    assert (letter["topic"], letter["client_id"]) == ("report/x", "gateway")
    assert letter["note"] == ("key_missing" if payload.startswith(b"{") else "not_json")
    assert "report" in letter["note_text"]


def test_beyond_keys_max_a_new_key_is_a_dead_letter(rules_broker, join, version):
    publisher = join(rules_broker, version, "gateway")
    for leaf in "a", "b", "a", "b":
        publisher.publish(f"few/{leaf}", b"x", 1)
    for number in range(300):
        publisher.publish(f"few/new{number}", b"x", 1)
    letters = rules_broker.records("dead-letter")
    assert letters
    assert {letter["note"] for letter in letters} == {"too_many_keys"}
    assert len(rules_broker.records("few")) + len(letters) == 304


def test_payloads_that_are_no_text_come_as_base64(own_broker, join, version):
    data = bytes(range(256))
    join(own_broker, version, "car1").publish("vehicles/car1/telemetry", data, 1)
    record = own_broker.records("telemetry")[0]
    assert base64.b64decode(record["payload_base64"]) == data


# ------------------------------------------------------------------- reading


def fill(broker, join, count, name="car1"):
    publisher = join(broker, V5, name)
    for start in range(0, count, 100):
        for number in range(start, min(start + 100, count)):
            publisher.publish_unanswered(f"vehicles/{name}/telemetry", str(number), 1)
        for _ in range(start, min(start + 100, count)):
            publisher.receive()
    publisher.disconnect()


def test_paging_by_cursor_sees_each_record_once(own_broker, join):
    fill(own_broker, join, 60, "a")
    fill(own_broker, join, 60, "b")
    seen, cursor = [], "earliest"
    for _ in range(50):
        page = own_broker.get(f"/v1/streams/telemetry/records?from={cursor}&limit=7")
        assert len(page["records"]) <= 7
        seen += [(r["key"], r["sequence"]) for r in page["records"]]
        cursor = page["cursor"]
        if not page["more"]:
            break
    assert sorted(seen) == sorted((k, n) for k in "ab" for n in range(1, 61))
    for key in "ab":
        assert [n for k, n in seen if k == key] == list(range(1, 61))


def test_a_cursor_survives_a_crash(own_broker, join):
    fill(own_broker, join, 10)
    page = own_broker.get("/v1/streams/telemetry/records?from=earliest&limit=4")
    own_broker.crash_and_restart()
    rest = own_broker.records("telemetry", f"limit=1000&from={page['cursor']}")
    assert payloads(page["records"] + rest) == [str(n) for n in range(10)]


def test_latest_sees_only_what_comes_and_a_long_poll_answers_at_once(own_broker, join):
    fill(own_broker, join, 5)
    page = own_broker.get("/v1/streams/telemetry/records?from=latest")
    assert page["records"] == []
    answer = {}

    def poll():
        begin = time.monotonic()
        answer["page"] = own_broker.get(
            f"/v1/streams/telemetry/records?wait=20&from={page['cursor']}")
        answer["seconds"] = time.monotonic() - begin

    thread = threading.Thread(target=poll)
    thread.start()
    join(own_broker, V5, "car2").publish("vehicles/car2/telemetry", b"new", 1)
    thread.join(30)
    assert payloads(answer["page"]["records"]) == ["new"]
    assert answer["seconds"] < 5


def test_a_long_poll_ends_empty_after_its_wait(own_broker):
    begin = time.monotonic()
    page = own_broker.get("/v1/streams/telemetry/records?from=latest&wait=1")
    assert page["records"] == []
    assert 0.9 <= time.monotonic() - begin <= 4


def test_reading_from_a_time(own_broker, join):
    fill(own_broker, join, 5, "early")
    last = max(r["received_at"] for r in own_broker.records("telemetry"))
    wait_until(lambda: time.time() * 1000 > last + 50)
    middle = int(time.time() * 1000)
    fill(own_broker, join, 5, "late")
    records = own_broker.records("telemetry", f"limit=1000&from={middle}")
    late = [r for r in records if r["key"] == "late"]
    assert payloads(late) == [str(n) for n in range(5)]
    assert all(r["received_at"] >= middle - 60000 for r in records)
    future = int(time.time() * 1000) + 3600 * 1000
    assert own_broker.records("telemetry", f"limit=1000&from={future}") == []


def test_a_consumer_goes_on_where_it_committed(own_broker, join):
    fill(own_broker, join, 10)
    page = own_broker.get("/v1/streams/telemetry/records?consumer=etl&limit=6")
    assert payloads(page["records"]) == [str(n) for n in range(6)]
    again = own_broker.get("/v1/streams/telemetry/records?consumer=etl&limit=6")
    assert payloads(again["records"]) == payloads(page["records"])
    status, _ = own_broker.api("PUT", "/v1/streams/telemetry/consumers/etl",
                               {"cursor": page["cursor"]})
    assert status == 200
    own_broker.crash_and_restart()
    assert own_broker.get("/v1/streams/telemetry/consumers")["consumers"][0]["lag"] == 4
    rest = own_broker.get("/v1/streams/telemetry/records?consumer=etl&limit=1000")
    assert payloads(rest["records"]) == [str(n) for n in range(6, 10)]
    other = own_broker.get("/v1/streams/telemetry/records?consumer=other&limit=1000")
    assert len(other["records"]) == 10


def test_streams_are_listed_and_counted(own_broker, join):
    fill(own_broker, join, 7, "a")
    fill(own_broker, join, 5, "b")
    streams = {s["name"]: s for s in own_broker.get("/v1/streams")["streams"]}
    telemetry = streams["telemetry"]
    assert (telemetry["records"], telemetry["keys"]) == (12, 2)
    assert telemetry["bytes"] > 0
    assert telemetry["retention_s"] == 48 * 3600
    own_broker.crash_and_restart()
    telemetry = {s["name"]: s for s in own_broker.status()["streams"]}["telemetry"]
    assert (telemetry["records"], telemetry["keys"]) == (12, 2)


@pytest.mark.parametrize("path,code", [
    ("/v1/streams/nowhere/records", 404),
    ("/v1/streams/telemetry/records?from=rubbish!", 400),
    ("/v1/streams/telemetry/records?limit=rubbish", 400),
    ("/v1/nothing", 404),
])
def test_bad_requests_say_what_is_wrong(own_broker, path, code):
    status, answer = own_broker.api("GET", path)
    assert status == code
    assert answer["error"]


def test_a_qos2_telemetry_resent_is_one_record(own_broker, join, dial, version):
    options = {"clean": False,
               "properties": {"session_expiry_interval": 600} if version == V5 else ()}
    publisher = join(own_broker, version, "car1", **options)
    publisher.send(publish_packet("vehicles/car1/telemetry", b"once", 2, 5, version))
    publisher.receive()
    own_broker.crash_and_restart()
    again = dial(own_broker, version)
    again.connect("car1", **options)
    again.last_id = 4
    again.send(publish_packet("vehicles/car1/telemetry", b"once", 2, 5, version, dup=True))
    again.receive()
    again.send(b"\x62\x02\x00\x05")
    again.receive()
    assert payloads(own_broker.records("telemetry")) == ["once"]
