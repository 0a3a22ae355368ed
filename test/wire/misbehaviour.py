"""Everything a provider has been seen doing wrong, or right but rarely: one script each.

Plain scripts take the `Exchange`; functions that return a script take what varies. `SCRIPTS` names
those that clients in other languages reach by model name.
"""
from __future__ import annotations

import gzip
import zlib

import provider
from provider import DONE, chat_chunk, chat_events, compact, event


async def send_events(x, events, separator: bytes | None = None) -> None:
    for each in events:
        await x.chunk(each)


def body_of(x) -> dict:
    return x.request.json


# Before the head.

async def reset_before_head(x):
    x.reset()


async def close_before_head(x):
    x.close()


async def silent(x):
    await x.until_gone()


async def garbage(x):
    await x.send(b"\x16\x03\x01\x02\x00 this is not HTTP \x00\xff\r\n\r\n")
    x.close()


async def half_a_head(x):
    await x.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/js")
    x.close()


def reset_after_requests(count: int):
    """A keep-alive connection that answers `count` requests and dies when the next arrives."""
    async def script(x):
        if x.request.number_on_connection < count:
            await provider.behave(x)
        else:
            x.reset()
    return script


def close_after_requests(count: int):
    async def script(x):
        if x.request.number_on_connection < count:
            await provider.behave(x)
        else:
            x.close()
    return script


def raw(data: bytes, close: bool = True):
    """Exactly these bytes, then the end of the connection (or keep it)."""
    async def script(x):
        await x.send(data)
        if close:
            x.close()
    return script


# After the head.

async def reset_after_head(x):
    await x.stream_head()
    await x.sleep(0.02)
    x.reset()


async def head_then_silence(x):
    await x.stream_head()
    await x.until_gone()


async def whole_head_then_silence(x):
    await x.head(200, ("content-type", "application/json"), ("content-length", "100"))
    await x.until_gone()


async def whole_truncated(x):
    """A counted body that ends early."""
    body = compact(provider.chat_completion(body_of(x)))
    await x.head(200, ("content-type", "application/json"), ("content-length", str(len(body))))
    await x.send(body[:len(body) // 2])
    await x.sleep(0.02)
    x.close()


async def whole_reset_midway(x):
    body = compact(provider.chat_completion(body_of(x)))
    await x.head(200, ("content-type", "application/json"), ("content-length", str(len(body))))
    await x.send(body[:len(body) // 2])
    await x.sleep(0.02)
    x.reset()


async def extra_bytes_after_body(x):
    body = compact(provider.chat_completion(body_of(x)))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    await x.send(head % len(body) + body + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nEVIL")


async def body_until_close(x):
    await x.head(200, ("content-type", "application/json"))
    await x.send(compact(provider.chat_completion(body_of(x))))
    x.close()


async def stream_until_close(x):
    """HTTP/1.0's way of streaming: no framing, the end of the connection is the end."""
    await x.send(b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    for each in chat_events(body_of(x)):
        await x.send(each)
    x.close()


async def informational_first(x):
    await x.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    await x.send(b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n")
    await provider.behave(x)


async def redirect(x):
    elsewhere = x.upstream.base_url + "/elsewhere"
    await x.reply(307, b"", ("location", elsewhere))


def compressed(coding: str, streamed: bool = False):
    """A provider that compresses although nobody asked."""
    async def script(x):
        def pack(data: bytes) -> bytes:
            return gzip.compress(data) if coding == "gzip" else zlib.compress(data)
        if not streamed:
            body = pack(compact(provider.chat_completion(body_of(x))))
            await x.reply(200, body, ("content-encoding", coding))
            return
        await x.stream_head(("content-encoding", coding))
        deflate = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
        for each in chat_events(body_of(x)):
            await x.chunk(deflate.compress(each) + deflate.flush(zlib.Z_SYNC_FLUSH))
        await x.chunk(deflate.flush())
        await x.last_chunk()
    return script


async def html_error(x):
    page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx\x01\x02</body></html>"
    await x.reply(502, page, content_type="text/html")


async def html_success(x):
    await x.reply(200, b"<html><body>Welcome to the captive portal</body></html>",
                  content_type="text/html")


ERRORS = {
    400: ("This model's maximum context length is 8192 tokens.", "invalid_request_error",
          "messages", "context_length_exceeded"),
    401: ("Incorrect API key provided.", "invalid_request_error", None, "invalid_api_key"),
    403: ("Project does not have access.", "permission_error", None, None),
    404: ("The model does not exist.", "invalid_request_error", "model", "model_not_found"),
    409: ("Conflict with another request.", "invalid_request_error", None, None),
    422: ("Input should be a valid list.", "invalid_request_error", "messages", None),
    429: ("Rate limit reached, try again in 1s.", "rate_limit_error", None, "rate_limit_exceeded"),
    500: ("The server had an error.", "server_error", None, None),
    502: ("Bad gateway.", "server_error", None, None),
    503: ("The engine is overloaded.", "server_error", None, "server_is_overloaded"),
    504: ("Gateway timeout.", "server_error", None, None),
    529: ("Overloaded.", "overloaded_error", None, None),
}


def status(code: int, *headers: tuple[str, str]):
    """OpenAI's own error body for a status."""
    async def script(x):
        message, kind, param, word = ERRORS[code]
        extra = (("retry-after", "1"),) if code in (429, 503) and not headers else headers
        await x.reply(code, provider.error(message, kind, param, word), *extra)
    return script


def status_then_good(code: int, failures: int = 1):
    """Fails `failures` times, then behaves: for SDK retries. Counts by the prompt's text."""
    seen: dict[str, int] = {}

    async def script(x):
        key = provider.last_user_text(body_of(x))
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= failures:
            await status(code, ("retry-after", "1"), ("retry-after-ms", "20"))(x)
        else:
            await provider.behave(x)
    return script


# In the middle of a stream.

def events_then(count: int, then: str):
    """`count` good events, then one way of going wrong (a key of AFTER)."""
    async def script(x):
        await x.stream_head()
        for number, each in enumerate(chat_events(body_of(x))):
            if number == count:
                break
            await x.chunk(each)
        await x.sleep(0.02)
        await AFTER[then](x)
    return script


async def _reset(x):
    x.reset()


async def _close(x):
    x.close()


async def _mid_event(x):
    await x.chunk(b'data: {"id":"chatcmpl-wire","object":"chat.comp')
    await x.sleep(0.02)
    x.close()


async def _mid_event_clean(x):
    """The framing ends well, the event inside does not."""
    await x.chunk(b'data: {"id":"chatcmpl-wire","object":"chat.comp')
    await x.last_chunk()


async def _mid_chunk(x):
    await x.send(b"100\r\ndata: {\"id\"")
    await x.sleep(0.02)
    x.close()


async def _stall(x):
    await x.until_gone()


async def _bad_chunk_size(x):
    await x.send(b"zz\r\nnonsense\r\n")
    await x.until_gone()


async def _overlong_chunk_size(x):
    await x.send(b"fffffffffffffffff\r\n")
    await x.until_gone()


async def _negative_chunk_size(x):
    await x.send(b"-5\r\nhello\r\n")
    await x.until_gone()


async def _chunk_without_end(x):
    await x.send(b"5\r\nhelloXX5\r\nworld\r\n0\r\n\r\n")
    await x.until_gone()


async def _garbage(x):
    await x.send(b"\x00\x01\x02 garbage where a chunk size should be\r\n")
    await x.until_gone()


async def _ends_without_finish(x):
    """A clean end of the framing without finish_reason and without [DONE]."""
    await x.last_chunk()


async def _error_event(x):
    await x.chunk(event({"error": {"message": "The server had an error while streaming.",
                                   "type": "server_error", "param": None, "code": None}}))
    await x.last_chunk()


AFTER = {"reset": _reset, "close": _close, "mid event": _mid_event,
         "mid event, framing complete": _mid_event_clean, "mid chunk": _mid_chunk,
         "stall": _stall, "bad chunk size": _bad_chunk_size,
         "overlong chunk size": _overlong_chunk_size, "negative chunk size": _negative_chunk_size,
         "chunk without its line end": _chunk_without_end, "garbage": _garbage,
         "no finish and no [DONE]": _ends_without_finish, "error event": _error_event}


# Streams that are right, but not as most providers write them.

def spelled(rewrite):
    """The ordinary stream with each event rewritten by a function of its bytes."""
    async def script(x):
        await x.stream_head()
        for each in chat_events(body_of(x)):
            await x.chunk(rewrite(each))
        await x.last_chunk()
    return script


crlf = spelled(lambda e: e.replace(b"\n", b"\r\n"))
lone_cr = spelled(lambda e: e.replace(b"\n", b"\r"))
commented = spelled(lambda e: b": PROVIDER PROCESSING\n\n" + e)
no_space = spelled(lambda e: e.replace(b"data: ", b"data:", 1))
named = spelled(lambda e: b"event: message\nid: 7\nretry: 1000\n" + e)
multi_data = spelled(lambda e: e.replace(b',"object"', b',\ndata: "object"', 1))
no_done = spelled(lambda e: b"" if e == DONE else e)


async def byte_order_mark(x):
    await x.stream_head()
    await x.chunk(b"\xef\xbb\xbf")
    await send_events(x, chat_events(body_of(x)))
    await x.last_chunk()


async def byte_by_byte(x):
    """Every byte its own write, framing included."""
    parts = [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
             b"transfer-encoding: chunked\r\n\r\n"]
    for each in chat_events(body_of(x)):
        parts.append(b"%x\r\n%s\r\n" % (len(each), each))
    for byte in b"".join(parts) + b"0\r\n\r\n":
        await x.send(bytes([byte]))
        await x.sleep(0)


async def one_write(x):
    """Head, all events and the end in a single write."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(e), e) for e in chat_events(body_of(x)))
    await x.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                 b"transfer-encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n")


async def chunk_extensions_and_trailers(x):
    await x.head(200, ("content-type", "text/event-stream"), ("transfer-encoding", "chunked"),
                 ("trailer", "x-checksum"))
    for each in chat_events(body_of(x)):
        await x.send(b"%X;name=value;other=\"quo;ted\"\r\n%s\r\n" % (len(each), each))
    await x.send(b"0\r\nx-checksum: 1234\r\n\r\n")


async def usage_on_finish_chunk(x):
    """Mistral's and DeepSeek's way: no chunk of its own for the usage."""
    body = body_of(x)
    await x.stream_head()
    await x.chunk(event(chat_chunk(body, {"role": "assistant", "content": "Hi"})))
    await x.chunk(event(chat_chunk(body, {}, "stop") | {"usage": provider.usage(body, 7)}))
    await x.chunk(DONE)
    await x.last_chunk()


async def no_usage(x):
    """Ignores include_usage altogether."""
    await x.stream_head()
    await send_events(x, chat_events(body_of(x) | {"stream_options": None}))
    await x.last_chunk()


def huge_event(size: int):
    """One event much larger than any buffer."""
    async def script(x):
        body = body_of(x)
        await x.stream_head()
        await x.chunk(event(chat_chunk(body, {"role": "assistant", "content": "a" * size})))
        await x.chunk(event(chat_chunk(body, {}, "stop")))
        await x.chunk(DONE)
        await x.last_chunk()
    return script


def drip(count: int, pause: float):
    """`count` events with a pause before each."""
    async def script(x):
        body = body_of(x)
        await x.stream_head()
        await x.chunk(event(chat_chunk(body, {"role": "assistant", "content": ""})))
        for number in range(count):
            await x.sleep(pause)
            await x.chunk(event(chat_chunk(body, {"content": f"{number} "})))
        await x.chunk(event(chat_chunk(body, {}, "stop")))
        if provider.wants_usage(body):
            await x.chunk(event(provider.usage_chunk(body, count)))
        await x.chunk(DONE)
        await x.last_chunk()
    return script


def endless(size: int = 4096):
    """Events as fast as the reader takes them, until it goes away."""
    async def script(x):
        body = body_of(x)
        await x.stream_head()
        await x.chunk(event(chat_chunk(body, {"role": "assistant", "content": ""})))
        each = event(chat_chunk(body, {"content": "e" * size}))
        while True:
            await x.chunk(each)
    return script


def stepped(gate, count: int):
    """One event each time the test opens the gate; then the end."""
    async def script(x):
        body = body_of(x)
        await gate.wait()
        await x.stream_head()
        await x.chunk(event(chat_chunk(body, {"role": "assistant", "content": ""})))
        for number in range(count):
            await gate.wait()
            await x.chunk(event(chat_chunk(body, {"content": f"{number} "})))
        await x.chunk(event(chat_chunk(body, {}, "stop")))
        await x.chunk(DONE)
        await x.last_chunk()
    return script


async def echo(x):
    """Answers with what it received, as the assistant's text."""
    body = body_of(x)
    heard = {"target": x.request.target, "headers": x.request.headers, "body": body}
    answer = provider.chat_completion(body)
    answer["choices"][0]["message"]["content"] = compact(heard).decode()
    await x.reply(200, compact(answer))


SCRIPTS = {
    "good": provider.behave,
    "echo": echo,
    "silent": silent,
    "head-then-silence": head_then_silence,
    "garbage": garbage,
    "reset-before-head": reset_before_head,
    "reset-mid-stream": events_then(3, "reset"),
    "error-mid-stream": events_then(3, "error event"),
    "no-finish": events_then(3, "no finish and no [DONE]"),
    "drip": drip(40, 0.05),
    "endless": endless(),
    "html": html_error,
    "usage-on-finish": usage_on_finish_chunk,
    "flaky-429": status_then_good(429),
    "flaky-500": status_then_good(500, 2),
    "flaky-503": status_then_good(503),
} | {f"status-{code}": status(code) for code in ERRORS}
