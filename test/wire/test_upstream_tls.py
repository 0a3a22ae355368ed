"""TLS towards the provider: both versions, resumed, refused when a certificate is not right."""
from __future__ import annotations

import re
import ssl

import pytest

import provider
from certificates import Authority
from promises import assert_envelope, assert_in_band_error, assert_whole
from upstream import Upstream, until


@pytest.fixture
def own_upstream():
    up = Upstream().start()
    yield up
    up.stop()


def tls_provider(authority, pair, **versions) -> tuple[Upstream, list]:
    context = pair.server_context(**versions)
    names: list = []
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    return Upstream(tls=context).start(), names


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_provider_may_speak_either_tls_version(start, authority, version):
    up, names = tls_provider(authority, authority.issue("good"), minimum=version, maximum=version)
    try:
        gw = start(up.base_url.replace("127.0.0.1", "localhost"),
                   providers={"up": {"tls": {"ca": str(authority.file)}}})
        assert gw.chat("good").status == 200
        with gw.client() as client:
            assert_whole(client.stream("good", "b " * 2000).data(), "You said: " + "b " * 2000)
        assert up.connections[-1].tls_version == version.name.replace("_", ".")
        assert names[0] == "localhost"  # SNI
    finally:
        up.stop()


def test_tls_session_is_resumed(start, authority):
    up, _ = tls_provider(authority, authority.issue("resumed"))
    try:
        gw = start(up.base_url.replace("127.0.0.1", "localhost"),
                   providers={"up": {"tls": {"ca": str(authority.file)}}})
        for _ in range(3):
            assert gw.chat("good").status == 200
            up.drop_idle()
            until(lambda: not up.open_connections(), what="the close")
        assert [c.tls_resumed for c in up.connections][1:] == [True, True]
    finally:
        up.stop()


@pytest.mark.parametrize("flaw", ["unknown authority", "expired", "wrong name"])
def test_wrong_certificate_is_refused_and_named(start, authority, tmp_path, flaw):
    pair = {"unknown authority": lambda: Authority(tmp_path, "other-ca").issue("unknown"),
            "expired": lambda: authority.issue("expired", expired=True),
            "wrong name": lambda: authority.issue("wrong", names=("other.example",))}[flaw]()
    up, _ = tls_provider(authority, pair)
    try:
        gw = start(up.base_url.replace("127.0.0.1", "localhost"),
                   providers={"up": {"tls": {"ca": str(authority.file)}}})
        for stream in (False, True):
            error = assert_envelope(gw.chat("good", stream=stream), 502, "upstream_error")
            assert re.search(r"certificate|TLS", error["message"]), error
        assert up.requests == []  # not a byte of ours, least of all the credential
    finally:
        up.stop()


def test_system_authorities_do_not_know_ours(start, authority):
    up, _ = tls_provider(authority, authority.issue("system"))
    try:
        gw = start(up.base_url.replace("127.0.0.1", "localhost"))
        assert_envelope(gw.chat("good"), 502, "upstream_error")
        assert up.requests == []
    finally:
        up.stop()


def test_old_tls_of_a_provider_is_refused(start, authority):
    up, _ = tls_provider(authority, authority.issue("old"), minimum=ssl.TLSVersion.TLSv1,
                         maximum=ssl.TLSVersion.TLSv1_1)
    try:
        gw = start(up.base_url.replace("127.0.0.1", "localhost"),
                   providers={"up": {"tls": {"ca": str(authority.file)}}})
        assert_envelope(gw.chat("good"), 502, "upstream_error")
    finally:
        up.stop()


def test_clear_text_where_tls_was_expected_is_a_502(start, own_upstream, authority):
    """The provider waits for the end of a request line that never comes."""
    gw = start(own_upstream.base_url.replace("http:", "https:"), providers={"up": {
        "tls": {"ca": str(authority.file)}, "timeouts": {"connect": "500ms"}}})
    assert "TLS" in assert_envelope(gw.chat("good"), (502, 504))["message"]


def test_tls_connection_cut_without_goodbye_is_an_error_where_close_ends_the_body(start, authority):
    """Until-close bodies over TLS end with close_notify or are truncated (an attacker can cut)."""
    async def cut(x):
        await x.head(200, ("content-type", "text/event-stream"), ("connection", "close"))
        for number, each in enumerate(provider.chat_events(x.request.json)):
            if number == 2:
                break
            await x.send(each)
        await x.sleep(0.05)
        x.reset()
    up, _ = tls_provider(authority, authority.issue("cut"))
    try:
        gw = start(up.base_url.replace("127.0.0.1", "localhost"),
                   providers={"up": {"tls": {"ca": str(authority.file)}}})
        model = up.play(cut)
        with gw.client() as client:
            assert_in_band_error(client.stream(model).data())
    finally:
        up.stop()
