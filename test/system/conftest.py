"""Fixtures: a broker for a whole file, brokers of one's own, clients that are tidied away.

NARUD        the binary (default build/release/bin/narud); naru is looked for beside it
NARU_FRONT_HOP=encode, NARU_SHARDS=N    run every test again under these options
"""
import itertools

import pytest

import raw_mqtt
from mosquitto_tools import Tools
from narud_server import Server

numbers = itertools.count(1)

MARKS = {
    "core": "what fronts and lanes do together; runs again under other options and ASan",
    "threads": "where shards and the committer meet; runs again under TSan",
    "slow": "waits for time that has to pass; once is enough",
}


def pytest_configure(config):
    for name, meaning in MARKS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


@pytest.fixture(params=[raw_mqtt.V311, raw_mqtt.V5], ids=["v311", "v5"])
def version(request):
    return request.param


@pytest.fixture
def servers(request):
    """The brokers of this test, for the report of its failure."""
    request.node.naru_servers = []
    return request.node.naru_servers


@pytest.fixture(scope="module")
def file_broker(request):
    """One broker for a file. A file may say BROKER_SETTINGS and BROKER_SECTIONS."""
    server = Server(getattr(request.module, "BROKER_SETTINGS", ""),
                    getattr(request.module, "BROKER_SECTIONS", None))
    yield server
    server.close()


@pytest.fixture
def broker(file_broker, servers):
    """The file's broker, alive before and after each test."""
    servers.append(file_broker)
    if not file_broker.running():
        file_broker.start()
    yield file_broker
    file_broker.check_alive()


@pytest.fixture
def start_broker(servers):
    """Starts brokers of this test's own: start_broker(settings, sections)."""
    def start(settings="", sections=None, binary=None):
        server = Server(settings, sections, binary)
        servers.append(server)
        return server.start()

    own = servers
    yield start
    for server in own:
        server.close()


@pytest.fixture
def own_broker(start_broker):
    """A broker that this test may kill."""
    return start_broker()


@pytest.fixture
def unique():
    """A name nobody else uses: unique("car") -> car17. Tests that share a broker need it."""
    return lambda stem="t": f"{stem}{next(numbers)}"


@pytest.fixture
def dial():
    """Opens a raw connection to a broker: dial(broker, version)."""
    clients = []

    def open_connection(broker, version=raw_mqtt.V5):
        client = raw_mqtt.Client(broker.port, version)
        clients.append(client)
        return client

    yield open_connection
    for client in clients:
        client.close()


@pytest.fixture
def join(dial, unique):
    """A connected raw client: join(broker, version, client_id, clean=False, ...)."""
    def connected(broker, version=raw_mqtt.V5, client_id=None, **options):
        client = dial(broker, version)
        client.client_id = client_id or unique("client")
        client.connect(client.client_id, **options)
        return client

    return connected


@pytest.fixture
def tools():
    """mosquitto_pub and mosquitto_sub as a user types them."""
    running = Tools()
    yield running
    running.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for server in getattr(item, "naru_servers", []):
            report.sections.append((f"log of {server.directory}", server.log()))
