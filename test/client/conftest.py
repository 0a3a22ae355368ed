"""The client tests use the wire tests' provider and gateway."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "wire"))

import provider_converse  # noqa: E402
import raw  # noqa: E402
from fixtures import upstream  # noqa: E402,F401
from gateway import Gateway  # noqa: E402

LIMITED = "sk-wire-limited-to-two"


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    """One gateway for all SDK tests, with a key that may ask twice a minute."""
    gw = Gateway(tmp_path_factory.mktemp("gateway"), upstream.base_url, keys=[
        {"name": "dev", "secret": raw.KEY, "models": ["*"]},
        {"name": "limited", "secret": LIMITED, "models": ["*"], "limits": {"rpm": 2}}]).start()
    yield gw
    gw.stop()


PROTOCOLS = {"chat": "openai", "messages": "anthropic", "responses": "responses",
             "gemini": "gemini", "bedrock": "bedrock"}


@pytest.fixture(scope="module")
def protocols(upstream, tmp_path_factory):
    """A gateway whose models speak one protocol each: chat/good, messages/good, …, bedrock/good."""
    providers = {name: {"protocol": protocol, "base_url": upstream.base_url, "api_key": "sk-up"}
                 for name, protocol in PROTOCOLS.items()}
    providers["bedrock"] |= {"aws": {
        "region": provider_converse.REGION, "access_key": provider_converse.KEY_ID,
        "secret_key": provider_converse.SECRET}}
    del providers["bedrock"]["api_key"]
    names = {"bedrock": "good:0"}  # an id as Bedrock has them, to be escaped in the path
    gw = Gateway(tmp_path_factory.mktemp("protocols"), upstream.base_url, providers=providers,
                 models={"my-bot": {"alias": ["messages/good"]}} | {f"{name}/good": {"provider": name,
                                          "upstream_model": names.get(name, "good")}
                         for name in providers}).start()
    yield gw
    gw.stop()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A gateway with no configuration but its address: the demo provider answers."""
    gw = Gateway.bare(tmp_path_factory.mktemp("demo"))
    yield gw
    gw.stop()
