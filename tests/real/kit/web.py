"""HTTP as a scraper speaks it: one request, its answer, and how long it took."""

import gzip
import http.client
import socket
import time
import zlib
from dataclasses import dataclass

import zstandard

# What `/metrics` may take at most, however its cloud is.
SCRAPE_SECONDS = 1.0


@dataclass(frozen=True)
class Answer:
    """An answer with its body as it was before compression."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(port: int, path: str, timeout: float = 10.0, **headers: str) -> Answer:
    """One request on a connection of its own. `accept_encoding="gzip"` is the header `Accept-Encoding: gzip`."""
    since = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    known = {name.lower(): value for name, value in response.getheaders()}
    seconds = time.monotonic() - since
    return Answer(response.status, known, decompressed(body, known.get("content-encoding")), seconds)


def answers(port: int, path: str, status: int = 200) -> bool:
    """Whether this status comes; a server that is not there yet answers nothing."""
    try:
        return get(port, path, timeout=2.0).status == status
    except (OSError, http.client.HTTPException):
        return False


def decompressed(body: bytes, encoding: str | None) -> bytes:
    """The body behind a `Content-Encoding`; a cut-off one is an error."""
    match encoding:
        case None | "identity":
            return body
        case "gzip":
            return gzip.decompress(body)
        case "deflate":
            return zlib.decompress(body)
        case "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    raise ValueError(f"an encoding that nobody asked for: {encoding}")
