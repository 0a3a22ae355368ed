"""Somebody's web server, from which the gateway gets the files that requests name by URL.

    files = FileServer().start()
    url = files.put("/cat.png", PNG, "image/png")   # well-behaved
    url = files.play("/x", my_script)               # or not at all
"""
from __future__ import annotations

from upstream import Request, Script, Upstream

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
JPEG = b"\xff\xd8\xff\xe0" + bytes(300)
PDF = b"%PDF-1.7\n" + bytes(range(200))
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(300)


def static(data: bytes, content_type: str | None, *headers: tuple[str, str]) -> Script:
    async def answer(x) -> None:
        named = [("content-type", content_type)] if content_type is not None else []
        await x.head(200, *named, ("content-length", str(len(data))), *headers)
        await x.send(data)
    return answer


def redirect(to: str, status: int = 302) -> Script:
    async def answer(x) -> None:
        await x.head(status, ("location", to), ("content-length", "0"), reason="Found")
    return answer


class FileServer(Upstream):
    """Files under paths; what is not there is a 404."""

    def __init__(self, **options):
        super().__init__(**options)
        self.scripts_of: dict[str, Script] = {}

    def url(self, path: str, host: str | None = None) -> str:
        root = self.base_url.removesuffix("/v1")
        return (root if host is None else root.replace(self.host, host)) + path

    def play(self, path: str, script: Script) -> str:
        self.scripts_of[path] = script
        return self.url(path)

    def put(self, path: str, data: bytes, content_type: str | None = "image/png",
            *headers: tuple[str, str]) -> str:
        return self.play(path, static(data, content_type, *headers))

    def redirect(self, path: str, to: str, status: int = 302) -> str:
        return self.play(path, redirect(to, status))

    def script_for(self, request: Request) -> Script:
        return self.scripts_of.get(request.target, not_there)

    def got(self, path: str) -> list[Request]:
        return [r for r in self.requests if r.target == path]


async def not_there(x) -> None:
    await x.reply(404, b"no such file", content_type="text/plain")
