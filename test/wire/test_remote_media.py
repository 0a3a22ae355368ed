"""Files by URL for providers that take data only: the gateway gets them, from the right places."""
from __future__ import annotations

import base64
import gzip
import json
import re
import threading
import time

import pytest

import provider_clouds
import provider_converse
import raw
from file_server import JPEG, MP4, PDF, PNG, FileServer
from token_endpoint import TokenEndpoint
from upstream import until

HERE = ["127.0.0.1/32"]


@pytest.fixture(scope="module")
def files():
    server = FileServer().start()
    yield server
    server.stop()
    mistakes = [e.failure for e in server.exchanges if e.failure is not None]
    assert not mistakes, mistakes


def providers(upstream) -> dict:
    def one(protocol: str) -> dict:
        return {"protocol": protocol, "base_url": upstream.base_url, "api_key": "sk-up"}
    bedrock = {"protocol": "bedrock", "base_url": upstream.base_url, "aws": {
        "region": provider_converse.REGION, "access_key": provider_converse.KEY_ID,
        "secret_key": provider_converse.SECRET}}
    return {"bedrock": bedrock, "gemini": one("gemini"), "messages": one("anthropic"),
            "chat": one("openai"), "responses": one("responses")}


def configure(start, upstream, fetch: dict, server: dict | None = None, **models):
    named = providers(upstream)
    known = {f"{name}/good": {"provider": name, "upstream_model":
                              "eu.good:0" if name == "bedrock" else "good"} for name in named}
    return start(None, providers=named, models=known | models,
                 server={"fetch": fetch} | (server or {}))


@pytest.fixture
def gateway(start, upstream):
    return configure(start, upstream, {"allow": HERE, "max_size": "1MB", "timeout": "1s"})


def image(url: str) -> dict:
    return {"type": "image_url", "image_url": {"url": url}}


def document(url: str) -> dict:
    return {"type": "file", "file": {"filename": "a.pdf", "file_data": url}}


def video(url: str) -> dict:
    return {"type": "video_url", "video_url": {"url": url}}


def chat(model: str, *parts: dict) -> bytes:
    return raw.request_bytes("POST", "/v1/chat/completions", json.dumps({
        "model": model, "messages": [{"role": "user", "content": [
            {"type": "text", "text": "look"}, *parts]}]}).encode())


def sent(upstream, answer) -> dict:
    assert answer.status == 200, answer.body
    return upstream.requests[-1].json


def refused(gw, upstream, *parts: dict, model: str = "bedrock/good", at: int = 1) -> str:
    """The message of a 400 that names the part; the provider has heard nothing."""
    before = len(upstream.requests)
    answer = gw.ask(chat(model, *parts))
    assert answer.status == 400, answer.body
    assert answer.error["type"] == "invalid_request_error"
    assert answer.error["param"] == f"messages[0].content[{at}]"
    assert answer.error["message"].startswith(f"messages[0].content[{at}]: ")
    assert len(upstream.requests) == before
    return answer.error["message"]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# What arrives.

def test_image_is_inlined_for_bedrock(gateway, upstream, files):
    body = sent(upstream, gateway.ask(chat("bedrock/good", image(files.put("/a.png", PNG)))))
    assert body["messages"][0]["content"][1] == {
        "image": {"format": "png", "source": {"bytes": b64(PNG)}}}


def test_image_is_inlined_for_gemini(gateway, upstream, files):
    body = sent(upstream, gateway.ask(chat("gemini/good", image(files.put("/b", JPEG, "image/jpeg")))))
    assert body["contents"][0]["parts"][1] == {
        "inlineData": {"mimeType": "image/jpeg", "data": b64(JPEG)}}


def test_document_is_inlined_for_bedrock_gemini_and_chat(gateway, upstream, files):
    url = files.put("/a.pdf", PDF, "application/pdf; charset=binary")
    body = sent(upstream, gateway.ask(chat("bedrock/good", document(url))))
    assert body["messages"][0]["content"][1]["document"]["source"] == {"bytes": b64(PDF)}
    body = sent(upstream, gateway.ask(chat("gemini/good", document(url))))
    assert body["contents"][0]["parts"][1]["inlineData"]["data"] == b64(PDF)
    answer = gateway.ask(raw.request_bytes("POST", "/v1/messages", json.dumps({
        "model": "chat/good", "max_tokens": 9, "messages": [{"role": "user", "content": [
            {"type": "document", "source": {"type": "url", "url": url}}]}]}).encode()))
    part = sent(upstream, answer)["messages"][0]["content"][0]
    assert part["file"]["file_data"] == "data:application/pdf;base64," + b64(PDF)


def test_url_goes_on_where_it_is_understood(gateway, upstream, files):
    url = files.url("/never")
    body = sent(upstream, gateway.ask(chat("messages/good", image(url), document(url))))
    assert [p["source"] for p in body["messages"][0]["content"][1:]] == \
        [{"type": "url", "url": url}] * 2
    body = sent(upstream, gateway.ask(chat("responses/good", image(url), document(url))))
    assert body["input"][0]["content"][1]["image_url"] == url
    assert body["input"][0]["content"][2]["file_url"] == url
    body = sent(upstream, gateway.ask(chat("gemini/good", image("gs://bucket/cat.png"))))
    assert body["contents"][0]["parts"][1] == {
        "fileData": {"mimeType": "image/png", "fileUri": "gs://bucket/cat.png"}}
    uploaded = "https://generativelanguage.googleapis.com/v1beta/files/abc"
    body = sent(upstream, gateway.ask(chat("gemini/good", document(uploaded))))
    assert body["contents"][0]["parts"][1] == {"fileData": {"fileUri": uploaded}}
    assert not files.got("/never")


def test_escaped_slashes_are_read(gateway, upstream, files):
    url = files.put("/escaped.png", PNG)
    body = json.dumps({"model": "bedrock/good", "messages": [{"role": "user", "content": [
        image(url), image("data:image/png;base64," + b64(PNG))]}]}).replace("/", "\\/")
    answer = gateway.ask(raw.request_bytes("POST", "/v1/chat/completions", body.encode()))
    content = sent(upstream, answer)["messages"][0]["content"]
    assert [c["image"]["source"]["bytes"] for c in content] == [b64(PNG)] * 2


def test_data_url_without_base64_is_percent_decoded(gateway, upstream):
    quoted = "".join(f"%{b:02x}" for b in PNG)
    body = sent(upstream, gateway.ask(chat("bedrock/good", image("data:image/png," + quoted))))
    assert body["messages"][0]["content"][1]["image"]["source"]["bytes"] == b64(PNG)


@pytest.mark.parametrize("part", [
    image("data:image/png;base64"), image("data:image/png,%zz"), image("data:,hello"),
    image("data:text/html;base64,QUJD"), image("data:image/png;base64,"), image("cat.png"),
    document("JVBERi0="), video("data:image/png;base64,QUJD"), video("data:video/avi;base64,QUJD")])
def test_bad_data_url_or_type_is_refused(gateway, upstream, part):
    refused(gateway, upstream, part)


def test_the_request_is_nobody_elses(gateway, upstream, files):
    url = files.put("/plain.png", PNG)
    request = chat("bedrock/good", image(url)).replace(
        b"\r\n\r\n", b"\r\nCookie: a=b\r\nReferer: http://x/\r\nX-Mine: 1\r\n\r\n", 1)
    assert gateway.ask(request).status == 200
    got = files.got("/plain.png")[-1]
    assert got.method == "GET" and got.body == b""
    headers = got.headers
    assert re.fullmatch(r"sluice/[0-9.]+", headers.pop("user-agent"))
    assert headers == {"host": f"127.0.0.1:{files.port}", "accept": "*/*",
                           "accept-encoding": "identity", "connection": "close"}


def test_the_same_url_is_fetched_once(gateway, upstream, files):
    url = files.put("/once.png", PNG)
    body = sent(upstream, gateway.ask(chat("bedrock/good", image(url), image(url + "#again"),
                                           image(url))))
    assert [c["image"]["source"]["bytes"] for c in body["messages"][0]["content"][1:]] == \
        [b64(PNG)] * 3
    assert len(files.got("/once.png")) == 2  # a fragment makes another URL


def test_another_attempt_uses_what_is_there(start, upstream, files):
    failing = upstream.play(lambda x: x.reply(503, b"{}"))
    gw = configure(start, upstream, {"allow": HERE}, first={
        "provider": "gemini", "upstream_model": failing},
        both={"alias": ["first", "bedrock/good"]})
    upstream.script_for = lambda r: upstream.scripts[failing] if failing in r.target else \
        type(upstream).script_for(upstream, r)
    try:
        url = files.put("/twice.png", PNG)
        before = len(upstream.requests)
        body = sent(upstream, gw.ask(chat("both", image(url))))
    finally:
        del upstream.script_for
    assert len(upstream.requests) == before + 2
    assert body["messages"][0]["content"][1]["image"]["source"]["bytes"] == b64(PNG)
    assert len(files.got("/twice.png")) == 1


def test_what_cannot_be_fetched_may_be_read_by_another_provider(start, upstream, files):
    gw = configure(start, upstream, {"allow": HERE}, both={
        "alias": ["bedrock/good", "messages/good"]})
    url = files.url("/missing.png")
    body = sent(upstream, gw.ask(chat("both", image(url))))
    assert body["messages"][0]["content"][1]["source"] == {"type": "url", "url": url}


def test_files_come_side_by_side_but_few_at_a_time(gateway, upstream, files):
    open_now, most = [0], [0]

    async def slow(x) -> None:
        open_now[0] += 1
        most[0] = max(most[0], open_now[0])
        await x.sleep(0.1)
        open_now[0] -= 1
        await x.reply(200, PNG, content_type="image/png")
    urls = [files.play(f"/slow-{i}.png", slow) for i in range(10)]
    began = time.monotonic()
    body = sent(upstream, gateway.ask(chat("bedrock/good", *map(image, urls))))
    assert len(body["messages"][0]["content"]) == 11
    assert most[0] == 4 and time.monotonic() - began < 0.9


def test_large_file_does_not_hold_others_up(start, upstream, files):
    gw = configure(start, upstream, {"allow": HERE})
    big = PNG + bytes(19 << 20)
    url = files.put("/big.png", big)
    asked = threading.Thread(target=lambda: sizes.append(
        len(sent(upstream, gw.ask(chat("bedrock/good", image(url)), timeout=60))
            ["messages"][0]["content"][1]["image"]["source"]["bytes"])))
    sizes: list[int] = []
    gw.metric("sluice_eventloop_lag_seconds")  # the longest turn since it was last asked for
    asked.start()
    while asked.is_alive():
        assert gw.ask(raw.request_bytes("GET", "/healthz")).status == 200
        time.sleep(0.002)
    asked.join()
    assert sizes == [len(b64(big))]
    assert gw.metric("sluice_eventloop_lag_seconds") < 0.25


@pytest.mark.parametrize("framing", ["chunked", "until close", "more than announced"])
def test_bodies_come_in_any_framing(gateway, upstream, files, framing):
    async def answer(x) -> None:
        if framing == "chunked":
            await x.stream_head(content_type="image/png")
            for byte in PNG:
                await x.chunk(bytes([byte]))
            await x.last_chunk()
            return
        counted = [("content-length", str(len(PNG)))] if framing != "until close" else []
        await x.head(200, ("content-type", "image/png"), *counted)
        await x.send(PNG + (b"and more" if counted else b""))
        x.close()
    url = files.play("/framed.png", answer)
    body = sent(upstream, gateway.ask(chat("bedrock/good", image(url))))
    assert body["messages"][0]["content"][1]["image"]["source"]["bytes"] == b64(PNG)


def test_redirects_are_followed(gateway, upstream, files):
    files.put("/r/end.png", PNG)
    files.redirect("/r/3", "end.png", 307)
    files.redirect("/r/2", "/r/x/../3", 301)
    url = files.redirect("/r/1", files.url("/r/2"), 308)
    body = sent(upstream, gateway.ask(chat("bedrock/good", image(url))))
    assert body["messages"][0]["content"][1]["image"]["source"]["bytes"] == b64(PNG)


def test_over_tls(start, upstream, authority):
    secure = FileServer(tls=authority.issue("files").server_context()).start()
    try:
        url = secure.put("/s.png", PNG)
        gw = configure(start, upstream, {"allow": HERE, "ca": str(authority.file)})
        body = sent(upstream, gw.ask(chat("bedrock/good", image(url))))
        assert body["messages"][0]["content"][1]["image"]["source"]["bytes"] == b64(PNG)
        strict = configure(start, upstream, {"allow": HERE})
        assert "could not be fetched: " in refused(strict, upstream, image(url))
        downgrade = secure.redirect("/down", "http://127.0.0.1:1/x.png")
        assert "https must not become http" in refused(gw, upstream, image(downgrade))
    finally:
        secure.stop()


@pytest.mark.parametrize("said", [None, "application/octet-stream", "image/jpeg", "IMAGE/PNG",
                                  "image/x-unheard-of"])
def test_bytes_tell_which_image_it_is(gateway, upstream, files, said):
    url = files.put("/typed", PNG, said)
    body = sent(upstream, gateway.ask(chat("bedrock/good", image(url))))
    assert body["messages"][0]["content"][1]["image"]["format"] == "png"


# What is refused.

async def endless(x) -> None:
    await x.stream_head(content_type="image/png")
    await x.chunk(PNG)
    while True:
        await x.chunk(bytes(64 << 10))


async def drip(x) -> None:
    await x.head(200, ("content-type", "image/png"), ("content-length", "1000"))
    for _ in range(200):
        await x.send(b"\x89")
        await x.sleep(0.05)


async def too_long(x) -> None:
    await x.head(200, ("content-type", "image/png"), ("content-length", "1000001"))
    await x.until_gone()


async def cut_off(x) -> None:
    await x.head(200, ("content-type", "image/png"), ("content-length", "1000"))
    await x.send(PNG)
    x.close()


async def bomb(x) -> None:
    await x.reply(200, gzip.compress(bytes(1 << 20)), ("content-encoding", "gzip"),
                  content_type="image/png")


async def garbage(x) -> None:
    await x.send(b"SSH-2.0-OpenSSH_9.9\r\n")
    x.close()


async def hang(x) -> None:
    await x.until_gone()


async def hang_up(x) -> None:
    x.reset()


MISBEHAVIOUR = {
    "endless": (endless, "it is larger than 1000000 bytes (server.fetch.max_size)"),
    "announced": (too_long, "it is larger than 1000000 bytes (server.fetch.max_size)"),
    "drip": (drip, "it did not come within 1.0 s (server.fetch.timeout)"),
    "hang": (hang, "it did not come within 1.0 s (server.fetch.timeout)"),
    "cut-off": (cut_off, "the connection closed before all of it came"),
    "bomb": (bomb, "it came compressed, which was not asked for"),
    "garbage": (garbage, ""),
    "hang-up": (hang_up, ""),
    "empty": (lambda x: x.reply(200, b"", content_type="image/png"), "it is empty"),
    "404": (lambda x: x.reply(404, PNG, content_type="image/png"),
            "it was answered with status 404"),
    "206": (lambda x: x.reply(206, PNG, content_type="image/png"),
            "it was answered with status 206"),
    "nowhere": (lambda x: x.reply(302, b""), "it redirects to nowhere"),
}


@pytest.mark.parametrize("how", MISBEHAVIOUR)
def test_server_that_misbehaves_is_a_400(gateway, upstream, files, how):
    script, problem = MISBEHAVIOUR[how]
    began = time.monotonic()
    said = refused(gateway, upstream, image(files.play(f"/bad/{how}", script)))
    assert "its URL could not be fetched: " + problem in said
    assert time.monotonic() - began < 3
    assert str(files.port) not in said
    until(lambda: not files.open_connections(), 5, "the connection is closed")


@pytest.mark.parametrize("data,said,problem", [
    (b"<html>no</html>", "image/png", "no PNG, JPEG, WebP or GIF image, by its first bytes"),
    (b"<html>no</html>", "text/html", "no image, by its Content-Type"),
    (PNG, "text/html", "no image, by its Content-Type"),
    (PDF, "image/png", "no PNG, JPEG, WebP or GIF image, by its first bytes"),
    (b"\x89PNG", "image/png", "no PNG, JPEG, WebP or GIF image, by its first bytes"),
])
def test_what_is_no_image_is_refused(gateway, upstream, files, data, said, problem):
    assert problem in refused(gateway, upstream, image(files.put("/odd", data, said)))


def test_what_is_no_pdf_is_refused(gateway, upstream, files):
    url = files.put("/odd.pdf", b"<html>sign in</html>", "application/pdf")
    assert "no PDF, by its first bytes" in refused(gateway, upstream, document(url))
    url = files.put("/page", b"<html>sign in</html>", "text/html")
    assert "neither a PDF nor plain text" in refused(gateway, upstream, document(url))


def test_redirects_do_not_lead_everywhere(gateway, upstream, files):
    loop = files.redirect("/loop", "/loop")
    assert "it redirects more than three times" in refused(gateway, upstream, image(loop))
    assert len(files.got("/loop")) == 4
    for to, problem in (
            ("http://127.0.0.2:1/x", "the address is not public"),
            ("http://169.254.169.254/latest/meta-data/", "the address is not public"),
            (f"http://[::ffff:127.0.0.3]:{files.port}/x", "the address is not public"),
            ("file:///etc/passwd", "it begins with neither https:// nor http://"),
            ("http://me:secret@127.0.0.1/x", "it holds a user name or a password")):
        said = refused(gateway, upstream, image(files.redirect("/away", to)))
        assert problem in said and "secret" not in said and "169.254" not in said


@pytest.mark.parametrize("host", [
    "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.1", "2130706433", "0x7f.0.0.1",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "169.254.169.254", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1", "[fd00::1]",
    "[fe80::1]", "224.0.0.1", "255.255.255.255", "192.0.2.1", "[2001:db8::1]"])
def test_addresses_that_are_not_public_are_not_connected_to(start, upstream, files, host):
    gw = configure(start, upstream, {"timeout": "3s"})
    before = len(files.connections)
    said = refused(gw, upstream, image(f"http://{host}:{files.port}/a.png"))
    assert "its URL could not be fetched: " in said
    if host[0].isdigit() and host.count(".") == 3 and "x" not in host or host[0] == "[":
        assert "the address is not public" in said
    assert len(files.connections) == before


def test_only_what_is_allowed_is_reached(gateway, upstream, files):
    assert "the address is not public" in refused(
        gateway, upstream, image(files.url("/a.png", "127.0.0.2")))


@pytest.mark.parametrize("url,problem", [
    ("ftp://127.0.0.1/x.png", "it begins with neither https:// nor http://"),
    ("file:///etc/passwd", "it begins with neither https:// nor http://"),
    ("gs://bucket/x.png", "it begins with neither https:// nor http://"),
    ("http://user:hunter2@127.0.0.1/x", "it holds a user name or a password"),
    ("http:///x", "it has no host name"),
    ("http://127.0.0.1:0/x", "its port is none"),
    ("http://127.0.0.1/\r\nX: y", "it holds a control character"),
    ("http://h/" + "x" * 9000, "begins with neither"),
])
def test_urls_that_mislead_are_refused(gateway, upstream, url, problem):
    said = refused(gateway, upstream, image(url))
    assert problem in said and "hunter2" not in said


def test_the_part_at_fault_is_named(gateway, upstream, files):
    good, bad = files.put("/good.png", PNG), files.url("/nothing")
    refused(gateway, upstream, image(good), image(bad), image(good), at=2)


def test_too_many_files_are_refused(gateway, upstream, files):
    urls = [files.put(f"/many/{i}.png", PNG) for i in range(21)]
    assert "names too many files by URL" in refused(gateway, upstream, *map(image, urls), at=21)
    body = sent(upstream, gateway.ask(chat("bedrock/good", *map(image, urls[:20]))))
    assert len(body["messages"][0]["content"]) == 21


def test_all_files_together_are_bounded(start, upstream, files):
    gw = configure(start, upstream, {"allow": HERE, "max_size": "30MiB"})
    urls = [files.put(f"/huge/{i}.png", PNG + bytes(24 << 20)) for i in range(3)]
    before = len(upstream.requests)
    answer = gw.ask(chat("bedrock/good", *map(image, urls)), timeout=60)
    assert answer.status == 400 and "larger than 64 MiB" in answer.error["message"]
    assert len(upstream.requests) == before


def test_a_file_that_is_shown_often_counts_as_often(start, upstream, files):
    gw = configure(start, upstream, {"allow": HERE})
    url = files.put("/often.png", PNG + bytes(10 << 20))
    before = len(upstream.requests)
    answer = gw.ask(chat("bedrock/good", *[image(url)] * 500), timeout=30)
    assert answer.status == 400 and answer.error["param"] == "messages[0].content[7]"
    assert "larger than 64 MiB" in answer.error["message"]
    assert len(upstream.requests) == before and len(files.got("/often.png")) == 1
    small = files.put("/small.png", PNG)
    assert "names too many files by URL" in refused(gw, upstream, *[image(small)] * 1001, at=1001)
    body = sent(upstream, gw.ask(chat("bedrock/good", *[image(small)] * 1000), timeout=30))
    assert len(body["messages"][0]["content"]) == 1001


def test_files_count_as_bodies_in_flight(start, upstream, files):
    gw = configure(start, upstream, {"allow": HERE}, server={"bodies_in_flight_max": "100KiB"})
    url = files.put("/heavy.png", PNG + bytes(200 << 10))
    answer = gw.ask(chat("bedrock/good", image(url)))
    assert answer.status == 503 and answer.headers["retry-after"] == "1"
    small = files.put("/light.png", PNG)
    for _ in range(3):  # nothing of it stays counted
        assert gw.ask(chat("bedrock/good", image(small))).status == 200


def test_switched_off_nothing_is_fetched(start, upstream, files):
    gw = configure(start, upstream, {"enabled": False, "allow": HERE})
    url = files.put("/off.png", PNG)
    before = len(upstream.requests)
    answer = gw.ask(chat("bedrock/good", image(url)))
    assert answer.status == 400 and answer.error["param"] == "messages[0].content[1]"
    assert len(upstream.requests) == before and not files.got("/off.png")


# Ends.

def test_client_that_leaves_ends_the_fetch(gateway, upstream, files):
    url = files.play("/gone.png", hang)
    with gateway.client() as c:
        c.send(chat("bedrock/good", image(url)))
        until(lambda: files.got("/gone.png"), 5, "the fetch began")
        began = time.monotonic()
    until(lambda: files.got("/gone.png")[0].connection.closed is not None, 5, "and ended")
    assert files.got("/gone.png")[0].connection.closed - began < 0.5


def test_client_may_leave_while_its_files_are_written(start, upstream, files):
    gw = configure(start, upstream, {"allow": HERE})
    url = files.put("/written.png", PNG + bytes(10 << 20))
    for delay in (0.0, 0.01, 0.02, 0.03, 0.05, 0.08):
        with gw.client() as c:
            fetched = len(files.got("/written.png"))
            c.send(chat("bedrock/good", image(url), image(url)))
            until(lambda: len(files.got("/written.png")) > fetched, 5, "the fetch began")
            time.sleep(delay)
    assert gw.ask(chat("bedrock/good", image(files.put("/after.png", PNG)))).status == 200


def test_drain_lets_a_fetch_finish(start, upstream, files):
    gw = configure(start, upstream, {"allow": HERE})

    async def slow(x) -> None:
        await x.sleep(0.5)
        await x.reply(200, PNG, content_type="image/png")
    url = files.play("/drain.png", slow)
    answers: list = []
    asking = threading.Thread(target=lambda: answers.append(
        gw.ask(chat("bedrock/good", image(url)))))
    asking.start()
    until(lambda: files.got("/drain.png"), 5, "the fetch began")
    gw.stop()
    asking.join()
    assert answers[0].status == 200


def test_drain_limit_ends_a_fetch(start, upstream, files):
    gw = configure(start, upstream, {"allow": HERE}, server={"drain": {"timeout": "300ms"}})
    url = files.play("/limit.png", hang)
    answers: list = []
    asking = threading.Thread(target=lambda: answers.append(
        gw.ask(chat("bedrock/good", image(url)))))
    asking.start()
    until(lambda: files.got("/limit.png"), 5, "the fetch began")
    gw.stop()
    asking.join()
    assert answers[0].status == 503


# Videos.

def test_video_goes_to_gemini(gateway, upstream, files):
    data = "data:video/mp4;base64," + b64(MP4)
    body = sent(upstream, gateway.ask(chat("gemini/good", video(data))))
    assert body["contents"][0]["parts"][1] == {
        "inlineData": {"mimeType": "video/mp4", "data": b64(MP4)}}
    url = files.put("/a.mp4", MP4, "video/mp4")
    body = sent(upstream, gateway.ask(chat("gemini/good", video(url))))
    assert body["contents"][0]["parts"][1] == {
        "inlineData": {"mimeType": "video/mp4", "data": b64(MP4)}}
    for youtube in ("https://www.youtube.com/watch?v=abc", "https://youtu.be/abc"):
        body = sent(upstream, gateway.ask(chat("gemini/good", video(youtube))))
        assert body["contents"][0]["parts"][1] == {"fileData": {"fileUri": youtube}}
    body = sent(upstream, gateway.ask(chat("gemini/good", video("gs://bucket/a.webm"))))
    assert body["contents"][0]["parts"][1] == {
        "fileData": {"mimeType": "video/webm", "fileUri": "gs://bucket/a.webm"}}


def test_video_that_is_none_is_refused(gateway, upstream, files):
    url = files.put("/odd.mp4", b"<html>", "text/html")
    assert "no MP4" in refused(gateway, upstream, video(url), model="gemini/good")


@pytest.mark.parametrize("model", ["bedrock/good", "messages/good", "responses/good"])
def test_video_is_refused_where_nobody_sees_it(gateway, upstream, files, model):
    before = len(upstream.requests)
    answer = gateway.ask(chat(model, video(files.put("/unseen.mp4", MP4, "video/mp4"))))
    assert answer.status == 400 and answer.error["param"] == "messages[0].content[1]"
    assert answer.error["message"] == "messages[0].content[1]: this model sees no videos"
    assert len(upstream.requests) == before and not files.got("/unseen.mp4")


def test_video_passes_untouched_to_chat(gateway, upstream):
    request = chat("chat/good", video("https://example.org/a.mp4"))
    assert gateway.ask(request).status == 200
    assert upstream.requests[-1].json["messages"][0]["content"][1] == \
        video("https://example.org/a.mp4")


# Vertex AI, which takes less.

@pytest.fixture
def vertex(start, upstream):
    tokens = TokenEndpoint().start()
    root = upstream.base_url.removesuffix("/v1") + provider_clouds.VERTEX_ROOT
    yield start(None, server={"fetch": {"allow": HERE}}, providers={
        "vertex": {"protocol": "vertex", "base_url": root,
                   "google": {"credentials": tokens.credentials()}}}, models={
        m: {"provider": "vertex", "upstream_model": m} for m in
        ("claude-good@20261101", "gemini-good")})
    tokens.stop()


def test_claude_on_vertex_gets_data(vertex, upstream, files):
    body = sent(upstream, vertex.ask(chat("claude-good@20261101",
                                          image(files.put("/v.png", PNG)))))
    assert body["messages"][0]["content"][1]["source"] == {
        "type": "base64", "media_type": "image/png", "data": b64(PNG)}


def test_gemini_on_vertex_sees_no_youtube(vertex, upstream, files):
    body = sent(upstream, vertex.ask(chat("gemini-good", video("gs://bucket/a.mov"))))
    assert body["contents"][0]["parts"][1] == {
        "fileData": {"mimeType": "video/quicktime", "fileUri": "gs://bucket/a.mov"}}
    answer = vertex.ask(chat("gemini-good", video("https://youtu.be/abc")))
    assert answer.status == 400 and answer.error["param"] == "messages[0].content[1]"
    body = sent(upstream, vertex.ask(chat("gemini-good", video(
        files.put("/v.mp4", MP4, "video/mp4")))))
    assert body["contents"][0]["parts"][1]["inlineData"]["data"] == b64(MP4)
