"""naru config, naru rule, naru store dump and naru clients explain."""
import json
import subprocess

import pytest

from raw_mqtt import V311
from narud_server import naru_binary, narud_binary, wait_until


def naru(*arguments, code=0, stdin=""):
    done = subprocess.run([naru_binary(), *map(str, arguments)], input=stdin, text=True,
                          check=False, timeout=60, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    assert done.returncode == code, f"{arguments}: {done}"
    return done.stdout if code in (0, 1) or done.stdout else done.stderr


@pytest.fixture
def config(tmp_path):
    def write(text):
        file = tmp_path / "naru.conf"
        file.write_text(text)
        return file

    return write


RULES = """
listener 1883 127.0.0.1
allow_anonymous true
stream reports
retention 24h

rule reports
from report/+
to reports
key ${device_no}
"""

# ----------------------------------------------------------------------- check


def test_a_good_configuration(config):
    assert naru("config", "check", config(RULES)) == ""
    told = json.loads(naru("--json", "config", "check", config(RULES)))
    assert (told["good"], told["problems"]) == (True, [])


def test_a_notice_is_no_error(config):
    file = config(RULES + "retry_interval 10\n")
    kind, where, line, what = naru("config", "check", file).rstrip("\n").split("\t")
    assert (kind, where, line) == ("notice", str(file), "11")
    assert "retry_interval" in what


def test_all_that_is_wrong_is_named_with_its_line(config):
    file = config("listener 1883\nnonsense 1\nmax_inflight_messages many\nallow_anonymous true\n"
                  "rule r\nto nowhere\n")
    told = [line.split("\t") for line in naru("config", "check", file, code=2).splitlines()]
    assert {"2", "3", "5"} <= {line for _, _, line, _ in told}
    assert {kind for kind, _, _, _ in told} == {"error"}
    problems = json.loads(naru("--json", "config", "check", file, code=2))["problems"]
    assert len(problems) == len(told)
    assert all(problem["text"] and problem["line"] for problem in problems)


def test_the_files_it_names_are_read(config, tmp_path):
    passwords, rights = tmp_path / "passwd", tmp_path / "acl"
    passwords.write_text("car1:plain\n")
    rights.write_text("topic nonsense a/b c\nuser\n")
    file = config(f"listener 1883\npassword_file {passwords}\nacl_file {rights}\n"
                  f"listener 8883\ncertfile {tmp_path}/no.crt\nkeyfile {tmp_path}/no.key\n")
    told = json.loads(naru("--json", "config", "check", file, code=2))["problems"]
    assert {str(passwords), str(rights), str(file)} <= {problem["file"] for problem in told}
    assert all(problem["kind"] == "error" for problem in told)
    assert [problem["line"] for problem in told if problem["file"] == str(passwords)] == [1]


def test_files_that_cannot_be_read_are_named_with_the_line_that_wants_them(config, tmp_path):
    none = tmp_path / "none"
    file = config(f"listener 1883\npassword_file {none}\nacl_file {none}\n"
                  f"jwt_secret_file {tmp_path}\njwt_key_file /proc/self/mem\n")
    told = json.loads(naru("--json", "config", "check", file, code=2))["problems"]
    assert {(each["file"], each["line"]) for each in told} == {(str(file), n) for n in range(2, 6)}
    for each in told:
        key = file.read_text().splitlines()[each["line"] - 1]
        assert each["kind"] == "error" and each["text"].startswith(f"{key}: ")
        assert each["text"].endswith("; it must be a file that narud may read")


def test_narud_and_naru_find_the_same(config):
    file = config("listener 1883\nallow_anonymous true\nnonsense 1\nrule r\nto nowhere\n")
    theirs = subprocess.run([narud_binary(), "--check", "-c", str(file)], text=True, check=False,
                            timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert theirs.returncode == 2
    ours = json.loads(naru("--json", "config", "check", file, code=2))["problems"]
    assert [f"{p['file']}:{p['line']}: {p['kind']}: {p['text']}" for p in ours] \
        == theirs.stdout.splitlines()


def test_a_file_that_is_not_there(tmp_path):
    assert "missing.conf" in naru("config", "check", tmp_path / "missing.conf", code=2)


# ------------------------------------------------------------------------ dump


def test_dump_has_what_is_set_and_every_default(config):
    file = config("max_keepalive 600\n" + RULES)
    rows = [line.split("\t") for line in naru("config", "dump", file).splitlines()]
    values = {(section, key): value for section, key, value in rows}
    assert values["global", "max_keepalive"] == "600"
    assert values["global", "max_packet_size"] == "2M"
    assert values["global", "password_file"] == "-"
    assert values["listener 1883 127.0.0.1", "max_connections"] == "-1"
    assert values["stream reports", "retention"] == "1d"
    assert values["rule reports", "from"] == "report/+"

    told = json.loads(naru("--json", "config", "dump", file))
    assert told["global"]["max_keepalive"] == 600
    assert told["global"]["per_listener_settings"] is False
    assert told["global"]["password_file"] is None
    assert told["listeners"][0]["name"] == "1883 127.0.0.1"
    assert told["rules"] == [{"name": "reports", "from": ["report/+"], "to": "reports",
                              "key": "${device_no}"}]


def test_dump_of_settings_per_listener(config):
    file = config("per_listener_settings true\nlistener 1883 127.0.0.1\nallow_anonymous true\n")
    told = json.loads(naru("--json", "config", "dump", file))
    assert "allow_anonymous" not in told["global"]
    assert told["listeners"][0]["allow_anonymous"] is True


def test_dump_of_a_wrong_file_names_its_errors(config):
    assert "nonsense" in naru("config", "dump", config("nonsense 1\n"), code=2)


def test_reference_explains_every_option_of_a_dump(config):
    page = naru("config", "reference")
    keys = {line.split("\t")[1] for line in naru("config", "dump", config(RULES)).splitlines()}
    assert keys and [key for key in keys if f"| `{key}` |" not in page] == []
    assert json.loads(naru("--json", "config", "reference"))["markdown"] == page


# ------------------------------------------------------------------------ rule


def test_a_rule_takes_a_message(config):
    trial = "rule", "test", "-c", config(RULES), "-t", "report/7"
    assert naru(*trial, "-m", '{"device_no": "A7"}') == "reports\treport/+\treports\tA7\t-\n"
    assert naru(*trial, stdin='{"device_no": 12}') == "reports\treport/+\treports\t12\t-\n"
    verdict, = json.loads(naru("--json", *trial, "-m", '{"device_no": "A7"}'))
    assert verdict == {"rule": "reports", "matched": True, "filter": "report/+",
                       "stream": "reports", "key": "A7", "dead_letter": None, "reason": None}


def test_a_payload_from_a_file_and_a_client(config, tmp_path):
    payload = tmp_path / "payload.json"
    payload.write_text('{"device_no": "A8"}')
    file = config(RULES + "\nrule sender\nfrom report/+\nto reports\nkey ${client_id}\n")
    lines = naru("rule", "test", "-c", file, "-t", "report/7", "-f", payload, "-i",
                 "car1").splitlines()
    assert [line.split("\t")[3] for line in lines] == ["A8", "car1"]


def test_a_dead_letter_and_a_message_that_nobody_takes_end_with_1(config):
    trial = "rule", "test", "-c", config(RULES), "-t"
    assert "not_json" in naru(*trial, "report/7", "-m", "nonsense", code=1)
    assert "key_missing: device_no" in naru(*trial, "report/7", "-m", "{}", code=1)
    assert "no filter matches" in naru(*trial, "news", "-m", "{}", code=1)


def test_wrong_arguments_of_a_trial(config):
    assert "no wildcards" in naru("rule", "test", "-c", config(RULES), "-t", "a/#", "-m", "",
                                  code=2)
    assert "no rule" in naru("rule", "test", "-c", config("listener 1883\n"), "-t", "a", "-m", "",
                             code=2)
    assert "nonsense" in naru("rule", "test", "-c", config("nonsense 1\n"), "-t", "a", "-m", "",
                              code=2)


def test_a_trial_says_what_the_broker_does(start_broker, join):
    broker = start_broker("listener auto 127.0.0.1\nallow_anonymous true",
                          sections=RULES.split("\n", 3)[3])
    car = join(broker, client_id="car1")
    for payload in '{"device_no": "A7"}', "{}":
        car.publish("report/7", payload.encode(), 1)
        stream = "reports" if "A7" in payload else "dead-letter"
        record = broker.records(stream)[-1]
        verdict, = json.loads(naru("--json", "rule", "test", "-c", broker.config_file, "-t",
                                   "report/7", "-m", payload, code=0 if "A7" in payload else 1))
        assert verdict["stream"] == stream
        if stream == "reports":
            assert record["key"] == verdict["key"]


# ------------------------------------------------------------------ store dump


def test_a_store_shows_its_rows(own_broker, join):
    keeper = join(own_broker, V311, "keeper", clean=False)
    keeper.subscribe("a/+", 1)
    keeper.close()
    wait_until(lambda: own_broker.is_disconnected("keeper"), what="the disconnect")
    sender = join(own_broker, client_id="sender")
    sender.publish("a/1", b"hello", 1)
    sender.publish("a/2", b"kept", 1, retain=True)
    sender.publish("vehicles/sender/telemetry", b'{"n":1}', 1)
    data = "--data", own_broker.data
    assert own_broker.terminate() == 0

    rows = [json.loads(line) for line in naru("--json", "store", "dump", *data).splitlines()]
    by_kind = {row["kind"]: row for row in rows}
    assert by_kind["session"]["client_id"] == "keeper"
    assert by_kind["filter"]["filter"] == "a/+"
    assert by_kind["record"]["message"]["payload"] == '{"n":1}'
    assert by_kind["retained"]["topic"] == "a/2"
    queued = [place for row in rows if row["kind"] == "entry" for part in row["parts"]
              for place in part["places"]]
    assert {place["client_id"] for place in queued} == {"keeper"}
    assert not [row for row in rows if "unreadable" in row]

    lines = naru("store", "dump", *data, "--client", "keeper").splitlines()
    assert {line.split("\t")[3] for line in lines} <= {"keeper", "-"} and len(lines) >= 3
    lane = str(by_kind["session"]["lane"])
    only = naru("store", "dump", *data, "--lane", lane, "--family", "session").splitlines()
    assert {line.split("\t")[1] for line in only} == {"session", "filter"}
    assert len(naru("store", "dump", *data, "--limit", 2).splitlines()) == 2
    assert "there are journal" in naru("store", "dump", *data, "--family", "x", code=2)
    own_broker.start()


def test_a_store_in_use_or_missing_is_said(own_broker, tmp_path):
    done = subprocess.run([naru_binary(), "store", "dump", "--data", own_broker.data], text=True,
                          check=False, timeout=60, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
    assert done.returncode == 1 and "in use" in done.stderr
    done = subprocess.run([naru_binary(), "store", "dump", "--data", tmp_path], text=True,
                          check=False, timeout=60, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
    assert done.returncode == 1 and "no store" in done.stderr


# --------------------------------------------------------------- clients explain


def test_explain_says_how_it_stands_with_a_client(own_broker, join):
    ask = "--socket", own_broker.api_socket, "clients", "explain"
    client = join(own_broker, V311, "car1", clean=False)
    client.subscribe("a", 1)
    assert "connected from" in naru(*ask, "car1")
    client.close()
    wait_until(lambda: own_broker.is_disconnected("car1"), what="the disconnect")
    join(own_broker).publish("a", b"x", 1)
    told = naru(*ask, "car1")
    assert "It is away" in told and "1 messages wait" in told
    unknown = json.loads(naru("--json", *ask, "nobody", code=1))
    assert unknown["known"] is False and len(unknown["explanation"]) == 2
