"""The Debian package: built, looked at by lintian, and its whole life on a machine."""
import gzip
import re
import subprocess

import pytest

from narud_server import ROOT, naru_binary, narud_binary


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The .deb of the release build; that lintian finds nothing is part of making it."""
    done = subprocess.run([ROOT / "deploy" / "deb" / "build.sh", "--lint",
                           tmp_path_factory.mktemp("deb")], text=True, timeout=170, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()[-1]


def fields(package):
    said = subprocess.run(["dpkg-deb", "-f", package], text=True, timeout=30, check=True,
                          stdout=subprocess.PIPE).stdout
    return dict(re.findall(r"^(\S+): (.*)$", said, re.MULTILINE))


def test_it_names_what_it_needs(package):
    control = fields(package)
    version = re.search(r"naru VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    assert control["Version"] == f"{version}-1"
    for needed in "adduser", "librocksdb", "libssl3", "libcurl4":
        assert needed in control["Depends"]


def test_its_changelog_has_the_version_on_top(package):
    version = fields(package)["Version"]
    said = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], timeout=30, check=True,
                          stdout=subprocess.PIPE).stdout
    member = subprocess.run(["tar", "-xO", "./usr/share/doc/naru/changelog.Debian.gz"],
                            input=said, timeout=30, check=True, stdout=subprocess.PIPE).stdout
    assert gzip.decompress(member).decode().startswith(f"naru ({version}) ")


def test_links_of_its_texts_lead_to_what_it_has(package, tmp_path):
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], timeout=60, check=True)
    texts = sorted((tmp_path / "usr/share/doc/naru").rglob("*.md"))
    assert {"README.md", "from-mosquitto.md", "service.md"} <= {each.name for each in texts}
    dead = []
    for text in texts:
        for link in re.findall(r"\]\(([^)#:\s]+)[)#]", text.read_text()):
            place = tmp_path / link[1:] if link.startswith("/") else text.parent / link
            if not place.exists():
                dead.append(f"{text.name}: {link}")
    assert not dead


def test_it_installs_upgrades_leaves_and_is_purged(package, tmp_path):
    done = subprocess.run(["bash", ROOT / "test" / "system" / "package_life.sh", package,
                           tmp_path], text=True, timeout=150, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines[-1] == "done", done.stdout
    assert not [line for line in lines if line.startswith("not ok")], done.stdout
    assert sum(line.startswith("ok ") for line in lines) > 30


# ------------------------------------------------------------------ manual pages


def manual(name):
    return (ROOT / "deploy" / "man" / name).read_text().replace("\\-", "-")


def help_of(binary):
    return subprocess.run([binary, "--help"], text=True, timeout=30, check=True,
                          stdout=subprocess.PIPE).stdout


def test_the_manual_of_narud_has_every_option():
    page = manual("narud.8")
    options = set(re.findall(r"--[a-z-]+", help_of(narud_binary()).split("Options:")[1]))
    assert options and [each for each in options if each not in page] == []


def test_the_manual_of_naru_has_every_command():
    commands = re.findall(r"^  ([a-z-]+) ", help_of(naru_binary()).split("Subcommands:")[1],
                          re.MULTILINE)
    listed = re.findall(r"^\.TP\n\.B ([a-z-]+)$", manual("naru.1"), re.MULTILINE)
    assert commands and listed == commands
