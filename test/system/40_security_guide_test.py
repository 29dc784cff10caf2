"""deploy/guide/security.md: its commands run, its configurations are good, its options exist."""
import re
import subprocess

import pytest

from narud_server import ROOT, naru_binary, narud_binary

GUIDE = (ROOT / "deploy" / "guide" / "security.md").read_text()
COMMANDS = ("echo ", "openssl ", "naru ")


def blocks():
    """The indented blocks, as lists of lines."""
    found = re.findall(r"(?:^    \S.*\n(?:^    .*\n|^\n(?=    ))*)", GUIDE, re.MULTILINE)
    return [[line[4:] for line in block.rstrip().splitlines()] for block in found]


@pytest.fixture
def etc(tmp_path):
    """What /etc/naru is after the commands of the guide, in their order."""
    for block in blocks():
        for line in block:
            if not line.startswith(COMMANDS):
                continue
            line = line.replace("/etc/naru", str(tmp_path))
            line = re.sub(r"\bnaru (?=passwd)", naru_binary() + " ", line)
            subprocess.run(line, shell=True, check=True, timeout=60, stdout=subprocess.PIPE)
    (tmp_path / "acl").write_text("\n".join(re.findall(r"^```\n(.*?)^```", GUIDE, re.M | re.S)))
    return tmp_path


def test_each_configuration_is_good(etc):
    configurations = [block for block in blocks() if not block[0].startswith(COMMANDS)]
    assert len(configurations) >= 2
    for number, block in enumerate(configurations):
        file = etc / f"{number}.conf"
        file.write_text("\n".join(block).replace("/etc/naru", str(etc)) + "\n")
        done = subprocess.run([narud_binary(), "-c", str(file), "--check"], text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, (block, done.stdout)


def test_each_option_exists(etc):
    file = etc / "empty.conf"
    file.write_text("per_listener_settings true\nlistener auto\n")
    done = subprocess.run([narud_binary(), "-c", str(file), "--dump"], text=True, timeout=60,
                          stdout=subprocess.PIPE, check=True)
    named = set(re.findall(r"`((?:jwt|auth_http|acl_http)_\w+)`", GUIDE))
    assert named
    for option in named | {"password_file", "require_certificate"}:
        assert re.search(rf"^#? ?{option}\b", done.stdout, re.MULTILINE), option
