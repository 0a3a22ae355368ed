"""Pictures and sound with the official OpenAI SDK for Python, at /v1 and where the path fixes the model."""
from __future__ import annotations

import base64
import io

import openai
import pytest

import raw
from gateway import Gateway
from provider_media import PICTURE, SOUND

BOT_KEY = "sk-client-my-bot-only"


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    gw = Gateway(tmp_path_factory.mktemp("media"), upstream.base_url, models={
        "lab/everything": {"provider": "up", "upstream_model": "good"},
        "my-bot": {"alias": ["lab/everything"]}}, keys=[
        {"name": "dev", "secret": raw.KEY},
        {"name": "bot", "secret": BOT_KEY, "scope": "pipeline", "pipeline": "my-bot"}]).start()
    yield gw
    gw.stop()


@pytest.fixture(params=["workspace", "pipeline"])
def sdk(request, gateway):
    """The second one as somebody has it who was given a base URL and a key for one pipeline."""
    base, key = (gateway.base_url, raw.KEY) if request.param == "workspace" else \
        (f"{gateway.base_url}/my-bot", BOT_KEY)
    with openai.OpenAI(base_url=base, api_key=key, max_retries=0) as client:
        yield client


MODEL = "my-bot"  # SDKs always send one


def file(size: int = 1000) -> tuple:
    return ("speech, nø.mp3", io.BytesIO(bytes(size)), "audio/mpeg")


def test_picture(sdk):
    answer = sdk.images.generate(model=MODEL, prompt="a bird", n=2)
    assert [base64.b64decode(d.b64_json) for d in answer.data] == [PICTURE] * 2
    assert answer.usage.total_tokens == 18 and answer.provider == "up"


def test_streamed_picture(sdk):
    events = list(sdk.images.generate(model=MODEL, prompt="a bird", stream=True, partial_images=1))
    assert [e.type for e in events] == ["image_generation.partial_image", "image_generation.completed"]
    assert base64.b64decode(events[-1].b64_json) == PICTURE


def test_speech_whole(sdk):
    answer = sdk.audio.speech.create(model=MODEL, input="hello", voice="alloy")
    assert answer.content == SOUND and answer.response.headers["content-type"] == "audio/mpeg"


def test_speech_as_it_comes(sdk):
    with sdk.audio.speech.with_streaming_response.create(
            model=MODEL, input="hello", voice="alloy", response_format="wav") as answer:
        assert answer.headers["content-type"] == "audio/wav"
        pieces = list(answer.iter_bytes(1024))
    assert b"".join(pieces) == SOUND and len(pieces) == 16


def test_transcription(sdk):
    answer = sdk.audio.transcriptions.create(model=MODEL, file=file(), language="no")
    assert answer.text == "1000 bytes in no" and answer.usage.total_tokens == 18
    large = sdk.audio.transcriptions.create(model=MODEL, file=file(3 << 20))
    assert large.text == f"{3 << 20} bytes in some language"


def test_transcription_as_text_and_in_detail(sdk):
    text = sdk.audio.transcriptions.create(model=MODEL, file=file(), response_format="srt")
    assert text.startswith("1\n00:00:00,000") and "1000 bytes" in text
    verbose = sdk.audio.transcriptions.create(
        model=MODEL, file=file(), response_format="verbose_json",
        timestamp_granularities=["word", "segment"])
    assert verbose.duration == 1.5 and verbose.text.startswith("1000 bytes")


def test_streamed_transcription(sdk):
    events = list(sdk.audio.transcriptions.create(model=MODEL, file=file(), stream=True))
    assert [e.type for e in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert events[-1].text == "".join(e.delta for e in events[:-1])


@pytest.mark.filterwarnings("ignore:deprecated")
def test_translation(sdk):
    assert sdk.audio.translations.create(model=MODEL, file=file()).text.startswith("1000 bytes")


def test_models(sdk):
    assert "my-bot" in [m.id for m in sdk.models.list()]


def test_errors_are_the_sdks_own(sdk, gateway):
    with pytest.raises((openai.NotFoundError, openai.PermissionDeniedError)):
        sdk.audio.transcriptions.create(model="no-such-model", file=file())
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.audio.speech.create(model=MODEL, input=openai.omit, voice="alloy")
    assert caught.value.param == "input"
    with openai.OpenAI(base_url=gateway.base_url, api_key=BOT_KEY, max_retries=0) as bot:
        assert [m.id for m in bot.models.list()] == ["my-bot"]
        with pytest.raises(openai.PermissionDeniedError) as refused:
            bot.images.generate(model="lab/nothing", prompt="x")
        assert refused.value.type == "key_scope"
