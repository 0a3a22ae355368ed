"""The client tests use the wire tests' provider and gateway."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "wire"))

import protocol_table  # noqa: E402
import provider_clouds  # noqa: E402
import provider_converse  # noqa: E402
import raw  # noqa: E402
from file_server import MP4, PDF, PNG, FileServer  # noqa: E402
from fixtures import start, upstream  # noqa: E402,F401
from gateway import Gateway  # noqa: E402
from misbehaviour import ERRORS  # noqa: E402
from token_endpoint import TokenEndpoint  # noqa: E402

LIMITED = "sk-wire-limited-to-two"


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    """One gateway for all SDK tests, with a key that may ask twice a minute."""
    gw = Gateway(tmp_path_factory.mktemp("gateway"), upstream.base_url, keys=[
        {"name": "dev", "secret": raw.KEY, "models": ["*"]},
        {"name": "limited", "secret": LIMITED, "models": ["*"], "limits": {"rpm": 2}}]).start()
    yield gw
    gw.stop()


PROFILE = "arn:aws:bedrock:eu-north-1:123456789012:application-inference-profile/good"
PROTOCOLS = {"chat": "openai", "messages": "anthropic", "responses": "responses",
             "gemini": "gemini", "bedrock": "bedrock"}

# Anthropic's protocol in Bedrock's framing is a door of its own to mangle.
DOORS = [*PROTOCOLS, "claude-on-bedrock"]

# The same protocols behind other doors: the provider's kind, and what it calls the model.
CLOUDS = {"claude-on-vertex": ("vertex", "claude-good@20261101"), "gemini-on-vertex": ("vertex", "good"),
          "llama-on-vertex": ("vertex", "meta/good"), "azure": ("azure", "good"),
          "claude-on-bedrock": ("bedrock", "eu.anthropic.claude-opus-4-6-good:0")}


def cloud_providers(upstream, tokens) -> dict:
    root = upstream.base_url.removesuffix("/v1")
    return {"vertex": {"base_url": root + provider_clouds.VERTEX_ROOT,
                       "google": {"credentials": tokens.credentials()}},
            "azure": {"base_url": root, "api_key": "sk-up",
                      "api_version": provider_clouds.AZURE_VERSION}}


@pytest.fixture(scope="module")
def tokens():
    endpoint = TokenEndpoint().start()
    yield endpoint
    endpoint.stop()


@pytest.fixture(scope="module")
def files():
    """What requests name by URL."""
    server = FileServer().start()
    server.put("/x.png", PNG, "image/png")
    server.put("/x.pdf", PDF, "application/pdf")
    server.put("/x.mp4", MP4, "video/mp4")
    yield server
    server.stop()


def protocol_configuration(upstream, tokens) -> dict:
    providers = {name: {"protocol": protocol, "base_url": upstream.base_url, "api_key": "sk-up"}
                 for name, protocol in PROTOCOLS.items()}
    providers["bedrock"] |= {"aws": {
        "region": provider_converse.REGION, "access_key": provider_converse.KEY_ID,
        "secret_key": provider_converse.SECRET}}
    del providers["bedrock"]["api_key"]
    models = {f"{name}/good": {"provider": name, "upstream_model": "good"} for name in PROTOCOLS}
    # An id as Bedrock has them, to be escaped, that says nothing of the model; and names of which
    # something is known.
    models["bedrock/good"] |= {"upstream_model": PROFILE, "facts": {"reasoning": True}}
    models["bedrock/known"] = {"provider": "bedrock", "upstream_model": "eu.amazon.nova-pro-v1:0"}
    models["messages/known"] = {"provider": "messages", "upstream_model": "claude-opus-4-6"}
    models["chat/gemini"] = {"provider": "chat", "upstream_model": "gemini-3-pro"}
    models["gemini/known"] = {"provider": "gemini", "upstream_model": "gemini-3-pro"}
    # Models that cannot be held to a schema.
    models["chat/old"] = {"provider": "chat", "upstream_model": "good", "facts": {"json_schema": False}}
    models["messages/old"] = {"provider": "messages", "upstream_model": "claude-sonnet-4-0"}
    models["bedrock/old"] = {"provider": "bedrock", "upstream_model": "amazon.nova-good:0"}
    models |= {f"{name}/good": {"provider": provider, "upstream_model": model}
               for name, (provider, model) in CLOUDS.items()}
    models |= {f"{name}/status-{code}": {"provider": name, "upstream_model": f"status-{code}"}
               for name in ("chat", "messages") for code in ERRORS}
    models["my-bot"] = {"alias": ["messages/good"]}
    providers["deepseek"] = {"base_url": upstream.base_url, "api_key": "sk-up"}  # a preset
    models["deepseek/good"] = {"provider": "deepseek", "upstream_model": "thinker"}
    return {"models": models, "providers": providers | cloud_providers(upstream, tokens),
            "server": {"fetch": {"allow": ["127.0.0.1"]}}}


@pytest.fixture(scope="module")
def protocols(upstream, tokens, tmp_path_factory):
    """A gateway whose models speak one protocol each: chat/good, messages/good, …, azure/good."""
    gw = Gateway(tmp_path_factory.mktemp("protocols"), upstream.base_url,
                 **protocol_configuration(upstream, tokens)).start()
    yield gw
    gw.stop()


@pytest.fixture(scope="module")
def otherwise(upstream, tokens, tmp_path_factory):
    """The same, with every choice of `translation` made the other way."""
    gw = Gateway(tmp_path_factory.mktemp("otherwise"), upstream.base_url,
                 translation=protocol_table.OTHER_WORDS,
                 **protocol_configuration(upstream, tokens)).start()
    yield gw
    gw.stop()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A gateway with no configuration but its address: the demo provider answers."""
    gw = Gateway.bare(tmp_path_factory.mktemp("demo"))
    yield gw
    gw.stop()
