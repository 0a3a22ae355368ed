"""Where clients connect: TCP of both families, unix sockets, TLS; all speak the same."""
from __future__ import annotations

import socket
import ssl

import pytest

import raw
from certificates import certificate_number
from free_port import free_port
from gateway import Gateway
from promises import assert_envelope, assert_whole
from upstream import until


def test_all_kinds_of_listeners_at_once(start, upstream, authority, tmp_path):
    pair = authority.issue("listener")
    port, v6, tls = free_port(), free_port("::1"), free_port()
    path = str(tmp_path / "api.sock")
    serves = ["api", "health", "metrics"]
    start(port=port, listeners=[
        {"name": "v4", "address": f"127.0.0.1:{port}", "serves": serves},
        {"name": "v6", "address": f"[::1]:{v6}", "serves": serves},
        {"name": "unix", "address": f"unix:{path}", "serves": serves},
        {"name": "tls", "address": f"127.0.0.1:{tls}", "serves": serves,
         "tls": {"cert": str(pair.cert), "key": str(pair.key)}}])
    context = authority.client_context()
    for address, options in [(("127.0.0.1", port), {}), (("::1", v6), {}), (path, {}),
                             (("127.0.0.1", tls), {"tls": context})]:
        with raw.Client(address, **options) as client:
            assert client.chat("good").status == 200, address
            assert_whole(client.stream("good").data())


def test_stale_unix_socket_is_replaced_and_removed_at_the_end(start, tmp_path):
    path = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    port = free_port()
    gw = start(port=port, listeners=[
        {"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api", "health"]},
        {"name": "unix", "address": f"unix:{path}", "serves": ["api"]}])
    with raw.Client(str(path)) as client:
        assert client.chat("good").status == 200
    gw.stop()
    assert not path.exists()


def test_listener_serves_only_what_it_is_told_to(start):
    port, ops = free_port(), free_port()
    gw = start(wait=False, port=ops, listeners=[
        {"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api"]},
        {"name": "ops", "address": f"127.0.0.1:{ops}", "serves": ["health", "metrics"]}])
    gw.wait_ready()
    assert gw.get("/metrics", key=None).status == 200
    assert_envelope(gw.chat("good"), 404)
    with raw.Client(("127.0.0.1", port)) as client:
        assert client.chat("good").status == 200
        assert client.ask(raw.request_bytes("GET", "/metrics")).status == 404


# TLS on the listener.

@pytest.fixture(scope="module")
def tls_gateway(upstream, authority, tmp_path_factory):
    port, tls = free_port(), free_port()
    pair = authority.issue("tls-listener")
    gw = Gateway(tmp_path_factory.mktemp("tls"), upstream.base_url, port=port, listeners=[
        {"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api", "health", "metrics"]},
        {"name": "tls", "address": f"127.0.0.1:{tls}", "serves": ["api"],
         "tls": {"cert": str(pair.cert), "key": str(pair.key)}}]).start()
    gw.tls_address = ("127.0.0.1", tls)
    yield gw
    gw.stop()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_may_speak_either_tls_version(tls_gateway, authority, version):
    context = authority.client_context(version, version)
    with raw.Client(tls_gateway.tls_address, tls=context) as client:
        assert client.sock.version() == version.name.replace("_", ".")
        assert client.chat("good").status == 200
        assert_whole(client.stream("good", "a " * 2000).data(), "You said: " + "a " * 2000)


def test_older_tls_is_refused(tls_gateway, authority):
    context = authority.client_context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        raw.Client(tls_gateway.tls_address, tls=context)


def test_alpn_is_http_1_1(tls_gateway, authority):
    context = authority.client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with raw.Client(tls_gateway.tls_address, tls=context) as client:
        assert client.sock.selected_alpn_protocol() == "http/1.1"


def test_clear_text_on_a_tls_port_is_closed(tls_gateway):
    with raw.Client(tls_gateway.tls_address) as client:
        client.send(raw.chat_bytes("good"))
        client.sock.settimeout(5)
        data = b""
        try:
            while more := client.sock.recv(4096):
                data += more
        except ConnectionError:
            pass
        assert b"200" not in data


def test_large_bodies_over_tls(tls_gateway, upstream, authority):
    with raw.Client(tls_gateway.tls_address, tls=authority.client_context()) as client:
        text = "y" * (2 << 20)
        answer = client.chat("good", text)
        assert answer.json["choices"][0]["message"]["content"] == "You said: " + text


def test_slow_handshake_is_cut_off(start, authority):
    port, tls = free_port(), free_port()
    pair = authority.issue("slow-handshake")
    gw = start(port=port, server={"header_timeout": "300ms"}, listeners=[
        {"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api", "health"]},
        {"name": "tls", "address": f"127.0.0.1:{tls}", "serves": ["api"],
         "tls": {"cert": str(pair.cert), "key": str(pair.key)}}])
    with raw.Client(("127.0.0.1", tls)) as client:
        client.send(b"\x16\x03\x01")
        assert client.is_closed(5)
    assert gw.chat("good").status == 200


def test_certificate_is_reloaded_without_a_restart(start, authority):
    port, tls = free_port(), free_port()
    old = authority.issue("rotated")
    gw = start(port=port, listeners=[
        {"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api", "health", "metrics"]},
        {"name": "tls", "address": f"127.0.0.1:{tls}", "serves": ["api"],
         "tls": {"cert": str(old.cert), "key": str(old.key)}}])

    def shown() -> int:
        with raw.Client(("127.0.0.1", tls), tls=authority.client_context()) as fresh:
            return certificate_number(fresh.sock.getpeercert(binary_form=True))

    with raw.Client(("127.0.0.1", tls), tls=authority.client_context()) as kept:
        assert kept.chat("good").status == 200
        assert shown() == old.number
        new = authority.issue("rotated")
        gw.reload()
        until(lambda: shown() == new.number, 5, "the new certificate")
        assert kept.chat("good").status == 200  # who was connected stays so
