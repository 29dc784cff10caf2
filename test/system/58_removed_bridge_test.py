"""What a bridge leaves behind when its section is taken out, and sessions that an operator ends."""
import json
import subprocess

import pytest

from narud_server import naru_binary, wait_until
from raw_mqtt import V5, Will, keep, reconnect


def bridge(remote):
    return (f"connection up\naddress 127.0.0.1:{remote.port}\nrestart_timeout 1\n"
            "remote_clientid house7\ntopic up/# out 1\n")


def wait_connected(broker):
    wait_until(lambda: [each["connected"] for each in broker.status()["bridges"]] == [True], 20.0,
               "the bridge")


def naru(broker, *arguments, code=0):
    done = subprocess.run([naru_binary(), "--socket", broker.api_socket, *arguments], text=True,
                          check=False, timeout=60, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == code, done
    return done.stdout + done.stderr


def end_session(broker, client_id):
    return broker.api("DELETE", f"/v1/clients/{client_id}/session")


def left_behind(broker):
    return [(each["client_id"], each["state"], each["queued"])
            for each in broker.status()["bridges"]]


def test_the_session_of_a_removed_bridge_is_listed_until_it_is_ended(start_broker, join):
    there = start_broker()
    here = start_broker(sections=bridge(there))
    wait_connected(here)
    status, answer = end_session(here, "local.house7")
    assert (status, "connection section" in answer["error"]) == (409, True)
    assert "connection section" in naru(here, "clients", "forget", "local.house7", code=1)
    here.sections = ""
    here.restart()
    assert left_behind(here) == [("local.house7", "removed", 0)]
    join(here, V5).publish("up/a", b"for nobody", 1)
    here.crash_and_restart()
    assert left_behind(here) == [("local.house7", "removed", 1)]
    assert "removed" in naru(here, "status")
    assert "1 queued" in naru(here, "clients", "forget", "local.house7")
    assert left_behind(here) == []
    assert here.session("local.house7") is None
    assert "no session" in naru(here, "clients", "forget", "local.house7", code=1)
    here.crash_and_restart()
    assert left_behind(here) == []
    assert here.status()["sessions"] == 0
    here.sections = bridge(there)
    here.restart()
    wait_connected(here)
    reader = join(there, V5)
    reader.subscribe("up/#", 1)
    join(here, V5).publish("up/b", b"anew", 1)
    assert reader.take().payload == b"anew"


def test_a_bridge_with_another_client_id_leaves_the_first_one(start_broker):
    there = start_broker()
    here = start_broker(sections=bridge(there))
    wait_connected(here)
    here.sections = bridge(there).replace("house7", "house8")
    here.restart()
    wait_until(lambda: [("local.house7", "removed", 0)] == left_behind(here)[1:], 20.0, "both")
    assert end_session(here, "local.house8")[0] == 409
    assert end_session(here, "local.house7")[0] == 200
    found = json.loads(naru(here, "--json", "status"))["bridges"]
    assert [each["client_id"] for each in found] == ["local.house8"]


def test_the_session_of_a_client_that_is_away_can_be_ended(broker, join, dial, unique):
    name, topic = unique("c"), unique()
    client = join(broker, V5, name, **keep(V5))
    client.subscribe(topic, 1)
    status, answer = end_session(broker, name)
    assert (status, "connected" in answer["error"]) == (409, True)
    client.disconnect()
    wait_until(lambda: broker.is_disconnected(name), what="its end")
    publisher = join(broker, V5)
    publisher.publish(topic, b"waits", 1)
    assert end_session(broker, name) == (200, {"client_id": name, "ended": True, "queued": 1})
    assert publisher.publish(topic, b"for nobody", 1).code == 0x10
    assert end_session(broker, name)[0] == 404
    assert not reconnect(broker, dial, V5, name).connack.session_present


def test_the_will_of_an_ended_session_is_published(broker, join, unique):
    """[MQTT-3.1.2-8]: a session that ends does not wait for the will's delay."""
    name, topic = unique("c"), unique()
    watcher = join(broker, V5)
    watcher.subscribe(topic, 1)
    will = Will(topic, b"gone", 1, properties={"will_delay_interval": 600})
    join(broker, V5, name, will=will, **keep(V5)).close()
    wait_until(lambda: broker.is_disconnected(name), what="its end")
    assert end_session(broker, name)[0] == 200
    assert watcher.take().payload == b"gone"


@pytest.mark.core
def test_a_client_without_a_session_has_none_to_end(broker, join, unique):
    name = unique("c")
    join(broker, V5, name)
    status, answer = end_session(broker, name)
    assert (status, "no session" in answer["error"]) == (404, True)
