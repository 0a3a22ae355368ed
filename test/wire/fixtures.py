"""What the tests share: one provider a module, gateways that are stopped and looked over."""
from __future__ import annotations

import pytest

from certificates import Authority
from gateway import Gateway
from redis_server import RedisServer
from upstream import Upstream


@pytest.fixture(scope="module")
def upstream():
    up = Upstream().start()
    yield up
    up.stop()
    mistakes = [e.failure for e in up.exchanges if e.failure is not None]
    assert not mistakes, f"scripts of the test bed failed: {mistakes!r}"


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    """One gateway for a whole module, on the plain configuration."""
    gw = Gateway(tmp_path_factory.mktemp("gateway"), upstream.base_url).start()
    yield gw
    gw.stop()


@pytest.fixture
def start(upstream, tmp_path):
    """start(**changes) is a gateway of this test alone; all are stopped and checked at its end."""
    started: list[Gateway] = []

    def make(upstream_url: str | None = "", wait: bool = True, **options) -> Gateway:
        url = upstream.base_url if upstream_url == "" else upstream_url
        gw = Gateway(tmp_path / f"gateway-{len(started)}", url, **options)
        started.append(gw)
        return gw.start(wait)

    yield make
    try:
        for gw in started:
            gw.stop()
    finally:
        for gw in started:
            gw.kill()


@pytest.fixture
def client(gateway):
    with gateway.client() as c:
        yield c


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"), "wire-test-ca")


@pytest.fixture
def redis(tmp_path):
    if not RedisServer.available():
        pytest.fail("redis-server is not installed; scripts/test installs it")
    server = RedisServer(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request, tmp_path):
    """The store's part of a configuration; the file is store.db."""
    if request.param == "redis":
        server = request.getfixturevalue("redis")
        return {"url": f"redis://127.0.0.1:{server.port}", "timeout": "2s"}  # a busy machine
    return {"url": "memory:" if request.param == "memory" else f"sqlite://{tmp_path}/store.db"}
