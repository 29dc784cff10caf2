"""Commands: from HTTP to a device that may be asleep, and its answer back."""
import json
import threading
import time

import pytest

from raw_mqtt import V5, Kind, keep, let_quiet
from narud_server import let_pass, wait_until

pytestmark = pytest.mark.core

CAR = "car1"
FILTER = f"vehicles/{CAR}/commands/+"
WHOLE_LIFE = ["queued", "sent", "delivered", "succeeded"]


def send(broker, name="unlock", expect=201, device=CAR, **body):
    body = {"name": name, "expires_s": 60, **body}
    status, command = broker.api("POST", f"/v1/devices/{device}/commands", body)
    assert status == expect, f"{status} {command}"
    return command


def fetch(broker, command, query=""):
    return broker.get(f"/v1/devices/{command['device']}/commands/{command['id']}{query}")


def states(command):
    return [s["state"] for s in command["states"]]


def await_state(broker, command, state, seconds=10):
    wait_until(lambda: fetch(broker, command)["state"] == state, seconds,
               f"state {state} (is {states(fetch(broker, command))})")
    return fetch(broker, command)


def reply(client, command, state, result=None):
    body = {"state": state}
    if result is not None:
        body["result"] = result
    return client.publish(f"vehicles/{CAR}/commands/{command['id']}/reply", json.dumps(body), 1)


@pytest.fixture
def car(own_broker, join, version):
    """The device, awake, with a session that lasts."""
    client = join(own_broker, version, CAR, **keep(version))
    client.subscribe(FILTER, 1)
    return client


def wake(broker, dial, version):
    client = dial(broker, version)
    client.client_id = CAR
    client.connect(CAR, **keep(version))
    assert client.connack.session_present
    return client


def test_the_whole_life_of_a_command(own_broker, car):
    command = send(own_broker, "unlock", payload={"door": "driver"})
    assert (command["device"], command["name"], command["payload"]) == \
        (CAR, "unlock", {"door": "driver"})
    assert command["state"] in ("queued", "sent")
    message = car.expect(Kind.PUBLISH)
    assert message.topic == f"vehicles/{CAR}/commands/{command['id']}"
    assert message.qos == 1
    body = json.loads(message.payload)
    assert body["id"] == command["id"]
    assert (body["name"], body["payload"]) == ("unlock", {"door": "driver"})
    assert body["expires_at"] == command["expires_at"]
    await_state(own_broker, command, "sent")
    car.acknowledge(message)
    await_state(own_broker, command, "delivered")
    for state in "accepted", "running":
        reply(car, command, state)
        await_state(own_broker, command, state)
    reply(car, command, "succeeded", {"took_ms": 12})
    end = await_state(own_broker, command, "succeeded")
    assert end["result"] == {"took_ms": 12}
    assert states(end) == ["queued", "sent", "delivered", "accepted", "running", "succeeded"]
    assert end["version"] == 6
    times = [s["at"] for s in end["states"]]
    assert times == sorted(times)


def test_a_v5_device_gets_expiry_response_topic_and_correlation(own_broker, join):
    client = join(own_broker, V5, CAR, **keep(V5))
    client.subscribe(FILTER, 1)
    command = send(own_broker)
    message = client.take()
    assert message.property("message_expiry_interval") in (58, 59, 60)
    topic = message.property("response_topic")
    assert topic == f"vehicles/{CAR}/commands/{command['id']}/reply"
    correlation = message.property("correlation_data")
    assert correlation
    client.publish(topic, b'{"state":"succeeded"}', 1,
                   properties={"correlation_data": correlation})
    await_state(own_broker, command, "succeeded")


def shell_device(tools, broker, version):
    extra = ["-x", "600"] if version == V5 else []
    return tools.sub(broker, version, "-i", CAR, "-c", "-q", "1", "-t", FILTER, *extra, "-C", "1")


def test_a_device_in_a_shell(own_broker, tools, version):
    device = shell_device(tools, own_broker, version).wait_subscribed()
    command = send(own_broker)
    code, lines = device.wait_end()
    assert code == 0
    body = json.loads(lines[0])
    await_state(own_broker, command, "delivered")
    tools.pub(own_broker, version, "-i", CAR, "-q", "1", "-m", '{"state":"succeeded","result":1}',
              "-t", f"vehicles/{CAR}/commands/{body['id']}/reply")
    end = await_state(own_broker, command, "succeeded")
    assert states(end) == WHOLE_LIFE
    assert end["result"] == 1


def test_a_sleeping_device_gets_it_on_waking(own_broker, car, dial, version):
    car.disconnect()
    command = send(own_broker)
    assert states(fetch(own_broker, command)) == ["queued"]
    awake = wake(own_broker, dial, version)
    assert json.loads(awake.take().payload)["id"] == command["id"]
    reply(awake, command, "succeeded")
    assert states(await_state(own_broker, command, "succeeded")) == WHOLE_LIFE


def test_a_device_that_was_never_seen_gets_it_when_it_first_subscribes(own_broker, join, version):
    command = send(own_broker)
    client = join(own_broker, version, CAR, **keep(version))
    client.subscribe(FILTER, 1)
    assert json.loads(client.take().payload)["id"] == command["id"]
    reply(client, command, "succeeded")
    await_state(own_broker, command, "succeeded")


def test_a_clean_device_gets_it_when_it_subscribes(own_broker, join, version):
    client = join(own_broker, version, CAR)
    command = send(own_broker)
    client.subscribe(FILTER, 1)
    assert json.loads(client.take().payload)["id"] == command["id"]
    later = send(own_broker, "lock")
    assert json.loads(client.take().payload)["id"] == later["id"]
    reply(client, later, "succeeded")
    await_state(own_broker, later, "succeeded")


@pytest.mark.slow
def test_an_expired_command_never_arrives(own_broker, car, dial, version):
    car.disconnect()
    command = send(own_broker, expires_s=1)
    await_state(own_broker, command, "expired")
    fresh = send(own_broker, "fresh")
    got = let_quiet(wake(own_broker, dial, version))
    assert [json.loads(m.payload)["id"] for m in got] == [fresh["id"]]
    assert states(fetch(own_broker, command)) == ["queued", "expired"]


@pytest.mark.slow
def test_a_command_expires_while_the_broker_is_down(own_broker, car, dial, version):
    car.disconnect()
    command = send(own_broker, expires_s=1)
    own_broker.kill9()
    let_pass(1.5)
    own_broker.start()
    await_state(own_broker, command, "expired")
    assert let_quiet(wake(own_broker, dial, version)) == []


@pytest.mark.slow
def test_a_late_answer_does_not_undo_an_end(own_broker, car):
    command = send(own_broker, expires_s=1)
    car.take()
    ended = await_state(own_broker, command, "expired")
    reply(car, command, "succeeded")
    let_quiet(car)
    assert states(fetch(own_broker, command)) == states(ended)


def test_the_same_idempotency_key_is_the_same_command(own_broker, car):
    command = send(own_broker, id="order-17")
    again = send(own_broker, id="order-17", expect=200)
    assert again["id"] == command["id"]
    assert car.take().topic.endswith(f"/{command['id']}")
    reply(car, command, "succeeded")
    await_state(own_broker, command, "succeeded")
    own_broker.crash_and_restart()
    assert send(own_broker, id="order-17", expect=200)["state"] == "succeeded"
    listed = own_broker.get(f"/v1/devices/{CAR}/commands")["commands"]
    assert [c["id"] for c in listed] == [command["id"]]


def test_cancel_before_delivery(own_broker, car, dial, version):
    car.disconnect()
    command = send(own_broker)
    status, cancelled = own_broker.api("DELETE", f"/v1/devices/{CAR}/commands/{command['id']}")
    assert (status, cancelled["state"]) == (200, "cancelled")
    assert let_quiet(wake(own_broker, dial, version)) == []


def test_an_ended_command_cannot_be_cancelled(own_broker, car):
    command = send(own_broker)
    car.take()
    reply(car, command, "failed", "door open")
    await_state(own_broker, command, "failed")
    status, answer = own_broker.api("DELETE", f"/v1/devices/{CAR}/commands/{command['id']}")
    assert status == 409
    assert answer["error"]
    assert fetch(own_broker, command)["result"] == "door open"


@pytest.mark.parametrize("state", ["succeeded", "failed", "rejected"])
def test_every_end_a_device_may_report(own_broker, car, state):
    command = send(own_broker)
    car.take()
    reply(car, command, state)
    await_state(own_broker, command, state)


def test_another_client_may_not_answer(own_broker, join, car, version):
    command = send(own_broker)
    car.take()
    stranger = join(own_broker, version, "car2")
    answer = reply(stranger, command, "succeeded")
    assert answer.code >= 0x80 or version != V5
    let_quiet(car)
    assert fetch(own_broker, command)["state"] == "delivered"
    reply(car, command, "succeeded")
    await_state(own_broker, command, "succeeded")


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_clients_may_not_publish_commands(own_broker, join, car, version, qos):
    """Not even the device itself: what comes on a command topic is the broker's word."""
    for client in join(own_broker, version, "stranger"), car:
        try:
            answer = client.publish(f"vehicles/{CAR}/commands/fake", b'{"name":"unlock"}', qos)
            assert answer is None or version != V5 or answer.code == 0x87
        except AssertionError as closed:
            assert "closed" in str(closed)
    fresh = join(own_broker, version, CAR, **keep(version))
    assert let_quiet(fresh) == []


@pytest.mark.parametrize("answer", [b"no json", b"{}", b'{"state":"dancing"}', b'{"state":"sent"}',
                                    b'{"state":7}', b"\xff", b""], ids=repr)
def test_an_answer_without_sense_changes_nothing(own_broker, car, answer):
    command = send(own_broker)
    car.take()
    await_state(own_broker, command, "delivered")
    car.publish(f"vehicles/{CAR}/commands/{command['id']}/reply", answer, 1)
    car.publish(f"vehicles/{CAR}/commands/unknown/reply", b'{"state":"succeeded"}', 1)
    let_quiet(car)
    assert fetch(own_broker, command)["state"] == "delivered"


def test_kill9_between_all_states(own_broker, car, dial, version):
    car.disconnect()
    command = send(own_broker)
    own_broker.crash_and_restart()
    assert states(fetch(own_broker, command)) == ["queued"]
    device = wake(own_broker, dial, version)
    message = device.expect(Kind.PUBLISH)
    await_state(own_broker, command, "sent")
    own_broker.crash_and_restart()
    device = wake(own_broker, dial, version)
    again = device.await_kind(Kind.PUBLISH)
    assert (again.topic, again.packet_id) == (message.topic, message.packet_id)
    device.acknowledge(again)
    await_state(own_broker, command, "delivered")
    own_broker.crash_and_restart()
    assert fetch(own_broker, command)["state"] == "delivered"
    device = wake(own_broker, dial, version)
    reply(device, command, "running")
    await_state(own_broker, command, "running")
    own_broker.crash_and_restart()
    device = wake(own_broker, dial, version)
    reply(device, command, "succeeded", [1, 2])
    own_broker.crash_and_restart()
    end = fetch(own_broker, command)
    assert end["state"] == "succeeded"
    assert end["result"] == [1, 2]
    assert [s for s in states(end) if s not in WHOLE_LIFE + ["running"]] == []
    assert let_quiet(wake(own_broker, dial, version)) == []


def test_waiting_for_the_result_in_the_request(own_broker, car):
    command = send(own_broker)
    car.take()
    version = await_state(own_broker, command, "delivered")["version"]
    answer = {}

    def wait():
        begin = time.monotonic()
        answer["command"] = fetch(own_broker, command, f"?wait=20&version={version}")
        answer["seconds"] = time.monotonic() - begin

    thread = threading.Thread(target=wait)
    thread.start()
    reply(car, command, "succeeded")
    thread.join(30)
    assert answer["command"]["state"] == "succeeded"
    assert answer["seconds"] < 5


def test_commands_of_a_device_are_listed_newest_last(own_broker, join):
    names = ["a", "b", "c"]
    for name in names:
        send(own_broker, name)
        let_pass(0.002)  # Their order is that of milliseconds.
    send(own_broker, "other", device="car2")
    listed = own_broker.get(f"/v1/devices/{CAR}/commands")["commands"]
    assert [c["name"] for c in listed] == names
    own_broker.crash_and_restart()
    listed = own_broker.get(f"/v1/devices/{CAR}/commands")["commands"]
    assert [c["name"] for c in listed] == names
    assert own_broker.status()["commands"]["open"] == 4


def test_commands_arrive_in_order(own_broker, car, dial, version):
    car.disconnect()
    sent = [send(own_broker, f"step{n}")["id"] for n in range(10)]
    device = wake(own_broker, dial, version)
    assert [json.loads(device.take().payload)["id"] for _ in range(10)] == sent


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": 5}, {"name": "x", "expires_s": -1},
                                  {"name": "x", "expires_s": "soon"}], ids=str)
def test_a_bad_command_is_refused(own_broker, body):
    status, answer = own_broker.api("POST", f"/v1/devices/{CAR}/commands", body)
    assert status == 400
    assert answer["error"]


def test_unknown_commands_are_404(own_broker):
    for method in "GET", "DELETE":
        status, answer = own_broker.api(method, f"/v1/devices/{CAR}/commands/none")
        assert status == 404
        assert answer["error"]
