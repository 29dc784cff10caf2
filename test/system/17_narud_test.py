"""narud itself: its options, its configuration, and the ends it may come to."""
import socket
import subprocess

import pytest

from raw_mqtt import V5, Client
from narud_server import narud_binary, wait_until


def narud(*arguments, code=0):
    done = subprocess.run([narud_binary(), *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, check=False)
    assert done.returncode == code, done
    return done.stdout


def test_help_and_version():
    assert "--port-file" in narud("--help")
    assert "narud" in narud("--version")


def config(tmp_path, text):
    file = tmp_path / "narud.conf"
    file.write_text(text)
    return file


def test_check_accepts_a_good_configuration(tmp_path):
    narud("--check", "-c", config(tmp_path, "listener 1883 127.0.0.1\nallow_anonymous true\n"))


def test_check_names_all_errors_with_their_lines(tmp_path):
    text = "listener 1883 127.0.0.1\nnonsense 1\nmax_inflight_messages many\nrule r\nto nowhere\n"
    said = narud("--check", "-c", config(tmp_path, text), code=2)
    for expected in "2", "nonsense", "3", "max_inflight_messages", "nowhere":
        assert expected in said


@pytest.mark.parametrize("line", ["plugin /x.so", "psk_file /x", "plugin_opt_a b"])
def test_a_protective_option_we_lack_refuses_the_start(tmp_path, line):
    said = narud("-c", config(tmp_path, f"{line}\nlistener auto 127.0.0.1\n"), "--data",
                 tmp_path, code=2)
    assert line.split()[0] in said


def test_the_process_id_stands_in_its_file_while_it_runs(start_broker, tmp_path):
    path = tmp_path / "narud.pid"
    broker = start_broker(f"pid_file {path}", sections="")
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"), what="the pid file")
    assert int(path.read_text()) == broker.process.pid
    assert broker.terminate() == 0
    assert not path.exists()


def test_a_pid_file_that_cannot_be_written_ends_the_start_with_its_line(tmp_path):
    text = f"listener auto 127.0.0.1\nallow_anonymous true\npid_file {tmp_path}/none/narud.pid\n"
    said = narud("-c", config(tmp_path, text), "--data", tmp_path / "data", code=1)
    assert (f"{tmp_path}/narud.conf:3: error: pid_file {tmp_path}/none/narud.pid: "
            "No such file or directory; ") in said


def test_the_control_socket_follows_the_data_directory(tmp_path):
    text = f"persistence_location {tmp_path}/old/\n"
    said = narud("--dump", "-c", config(tmp_path, text), "--data", tmp_path / "new")
    assert f"persistence_location {tmp_path}/new\n" in said
    assert f"api_socket {tmp_path}/new/naru.sock\n" in said


def test_the_log_file_has_each_line_at_once(start_broker, tmp_path):
    """Also where the last that happened was no warning."""
    log = tmp_path / "narud.log"
    start_broker(f"log_dest file {log}", sections="")
    wait_until(lambda: log.exists() and " started version=" in log.read_text(), what="the line")


def test_a_data_directory_has_one_narud(own_broker):
    done = subprocess.run([narud_binary(), "--data", str(own_broker.data), "--listen", "auto"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert done.returncode not in (0, -11, -6), done
    Client(own_broker.port, V5).connect("")


def test_a_port_in_use_is_said_and_not_shared(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run([narud_binary(), "--data", str(tmp_path), "--listen", str(port)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert done.returncode not in (0, -11, -6), done
    assert str(port) in done.stdout


def test_two_naruds_do_not_share_a_port(own_broker, tmp_path):
    done = subprocess.run([narud_binary(), "--data", str(tmp_path), "--listen",
                           str(own_broker.port)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, check=False)
    assert done.returncode not in (0, -11, -6), done


def test_a_configuration_of_mosquitto_works(start_broker, join, version):
    broker = start_broker("# as Debian ships it\npersistence true\nlog_dest stderr\n"
                          "allow_anonymous true\nautosave_interval 60\nlistener auto 127.0.0.1\n",
                          sections="")
    client = join(broker, version)
    client.subscribe("a", 1)
    client.publish("a", b"x", 1)
    assert client.take().payload == b"x"
