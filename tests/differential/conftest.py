"""What the tests share: the seed, the number of rounds, and the processes."""
import os

import pytest

import peers

SEED = int(os.environ.get("WEIR_SEED", "20261127"))
ROUNDS = int(os.environ.get("WEIR_ROUNDS") or 250)


def pytest_report_header(config):
    return "differential: WEIR_SEED=%d WEIR_ROUNDS=%d" % (SEED, ROUNDS)


def pytest_collection_modifyitems(items):
    """Formats with a form of their own for every kind have no wrappers."""
    items[:] = [item for item in items if "wrappers" not in item.name or item.callspec.params["peer"].wraps]


@pytest.fixture(scope="session")
def weir():
    process = peers.Weir()
    yield process
    process.close()


@pytest.fixture(scope="module", params=peers.PEERS, ids=lambda peer: peer.name)
def peer(request):
    return request.param


@pytest.fixture(scope="module")
def other(peer):
    """The peer's process."""
    try:
        process = peer.start()
    except peers.Missing as problem:
        pytest.skip("%s: %s" % (peer.name, problem))
    print(process.hello)
    yield process
    process.close()


@pytest.fixture
def seeds(request):
    """A seed for each round, others for each test."""
    base = SEED * 1000003 + sum(request.node.originalname.encode()) * 7919
    return [(base + i * 0x9e3779b97f4a7c15) % 2 ** 64 for i in range(ROUNDS)]
