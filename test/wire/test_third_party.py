"""A provider nobody here wrote: LiteLLM's proxy, which answers with mock responses and lets in
only who shows its key, which is the one the gateway has to add.

It is large (some 700 MB), so it runs only where SLUICE_THIRD_PARTY=1 says that it may be installed
into build/third-party, or where that was done before.
"""
from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request

import openai
import pytest

import raw
from free_port import free_port
from gateway import CANARY, ROOT, Gateway, environment

LITELLM = "litellm[proxy]==1.106.2"
HOME = ROOT / "build/third-party"
HELLO = [{"role": "user", "content": "hello"}]
ANSWER = "An answer from a provider that we did not write."
PROXY_CONFIG = f"""
model_list:
  - model_name: mocked
    litellm_params:
      model: openai/mocked
      api_key: unused
      mock_response: "{ANSWER}"
  - model_name: limited
    litellm_params:
      model: openai/limited
      api_key: unused
      mock_response: "litellm.RateLimitError"
general_settings:
  master_key: {CANARY}
"""


@pytest.fixture(scope="module")
def litellm(tmp_path_factory):
    """The base URL of a running proxy."""
    program = HOME / "bin/litellm"
    if not program.exists():
        if os.environ.get("SLUICE_THIRD_PARTY") != "1":
            pytest.skip("LiteLLM is not installed; SLUICE_THIRD_PARTY=1 installs it")
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
        subprocess.run([str(HOME / "bin/pip"), "install", "--quiet", LITELLM], check=True)
    home = tmp_path_factory.mktemp("litellm")
    (home / "config.yaml").write_text(PROXY_CONFIG)
    port = free_port()
    with open(home / "log", "wb") as log:
        process = subprocess.Popen(
            [str(program), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)],
            cwd=home, stdout=log, stderr=log, env=environment(LITELLM_LOCAL_MODEL_COST_MAP="True"))
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=5)
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, \
                    (home / "log").read_text()[-4000:]
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def sdk(litellm, tmp_path_factory):
    models = {name: {"provider": "up", "upstream_model": name} for name in ("mocked", "limited")}
    gw = Gateway(tmp_path_factory.mktemp("gateway"), litellm, models=models).start()
    with openai.OpenAI(base_url=gw.base_url, api_key=raw.KEY, max_retries=0) as client:
        client.gateway = gw
        yield client
    gw.stop()


def test_whole_answer_of_another_provider(sdk):
    answer = sdk.chat.completions.create(model="mocked", messages=HELLO)
    assert answer.choices[0].message.content == ANSWER
    assert answer.usage.total_tokens > 0
    assert sdk.gateway.record_of(answer._request_id)["tokens_out"] == answer.usage.completion_tokens


def test_streamed_answer_of_another_provider(sdk):
    chunks = list(sdk.chat.completions.create(model="mocked", messages=HELLO, stream=True))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == ANSWER
    assert all(c.choices for c in chunks)


def test_usage_of_another_providers_stream_is_metered(sdk):
    chunks = list(sdk.chat.completions.create(model="mocked", messages=HELLO, stream=True,
                                              stream_options={"include_usage": True}))
    assert chunks[-1].usage.completion_tokens > 0
    before = sdk.gateway.metric("sluice_tokens_total")
    list(sdk.chat.completions.create(model="mocked", messages=HELLO, stream=True))
    deadline = time.monotonic() + 5
    while sdk.gateway.metric("sluice_tokens_total") == before:
        assert time.monotonic() < deadline, "no tokens were counted"
        time.sleep(0.02)


def test_error_of_another_provider_keeps_its_class(sdk):
    with pytest.raises(openai.RateLimitError):
        sdk.chat.completions.create(model="limited", messages=HELLO)
