"""What is around the operations: the key, retries, errors, pages, streams, files."""

from __future__ import annotations

import email.utils
import ipaddress
import json
import logging
import secrets
import ssl
import time
from typing import Any, Callable, Generic, Iterator, Mapping, NamedTuple, Optional, TypeVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from .errors import BY_STATUS, ApiError, ConfigurationError, ConnectionFailed, Incomplete
from .secret import Secret
from .transport import Exchange, Pool, guarded
from .version import VERSION

logger = logging.getLogger("wardroom_client")
SAFE = ("GET", "HEAD", "OPTIONS")
#: Rows per page of an iterator. A page may have up to 1,000.
PAGE = 500
T = TypeVar("T")


class File(NamedTuple):
    """A file to upload."""

    name: str
    content: bytes
    content_type: str = "application/octet-stream"


class Picture(NamedTuple):
    """A picture: where it is, or the drawing of the initials of a user who has none."""

    url: Optional[str]
    svg: Optional[str]


class Info(NamedTuple):
    """What a response says besides its body."""

    status: int
    etag: Optional[str]
    request_id: Optional[str]
    token_expires_at: Optional[str]


class _Record(dict[str, Any]):
    info: Info


class _Rows(list[Any]):
    info: Info


def info(body: object) -> Info:
    """What the response said besides this body: its `etag` is what `if_match` wants."""
    found = getattr(body, "info", None)
    if not isinstance(found, Info):
        raise TypeError("This is not the body of a response.")
    return found


def segment(value: object) -> str:
    """A value as one segment of a path."""
    return quote(str(value), safe="")


class Stream(Generic[T]):
    """The lines of an export, one at a time. Use it in a `with`, or read it to its end."""

    def __init__(self, exchange: Exchange, timeout: float) -> None:
        self._exchange: Optional[Exchange] = exchange
        self._timeout = timeout

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._exchange is None:
            raise StopIteration
        line = self._exchange.read_line(self._timeout)
        if not line:
            self._exchange = None
            raise StopIteration
        if not line.endswith(b"\n"):
            self._exchange = None
            raise Incomplete("the export ended in the middle of a line")
        made: T = parsed(line)
        return made

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Ends the export early."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close()


def parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        failure = Incomplete("the response is not JSON")
    raise failure


class Surface:
    """The base of the client. `Operations` adds the methods."""

    def __init__(
        self,
        url: str,
        key: Optional[str] = None,
        *,
        timeout: float = 10.0,
        retries: int = 2,
        longest_wait: float = 30.0,
        allow_http: bool = False,
        tls: Optional[ssl.SSLContext] = None,
        connections: int = 16,
        keyword: str = "Token",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Makes a client.

        `timeout` is for each attempt, in seconds. `retries` is how often a request that only reads is sent again after a 429
        or a 503 with `Retry-After`, if that is at most `longest_wait` seconds. `tls` may have certificates of your own.
        """
        host, port, self._prefix, secure = checked_url(url, allow_http)
        self._shown = f"{'https' if secure else 'http'}://{host}:{port}{self._prefix}"
        self._key = Secret(key) if key is not None else None
        self._timeout, self._retries, self._longest_wait = timeout, retries, longest_wait
        self._keyword, self._sleep = keyword, sleep
        context = (tls or ssl.create_default_context()) if secure else None
        self._pool = Pool(host, port, context, connections)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._shown}>"

    def __enter__(self: T) -> T:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the kept connections."""
        self._pool.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Optional[Mapping[str, Any]] = None,
        body: Optional[object] = None,
        form: Optional[Mapping[str, str]] = None,
        avatar: Optional[File] = None,
        if_match: Optional[str] = None,
        repeatable: bool = False,
    ) -> Exchange:
        """Sends a request and returns a response that is no error. `repeatable` says of a POST that it changes nothing."""
        target = self._prefix + path
        pairs = [(name, _query_value(value)) for name, value in (query or {}).items() if value is not None]
        if pairs:
            target += "?" + urlencode(pairs)
        headers, data = _encoded(body, form, avatar)
        if if_match is not None:
            if not all(" " <= letter <= "~" for letter in if_match):
                raise ConfigurationError("if_match is not the etag of a response.")
            headers.append(("If-Match", if_match))
        if data is None and method not in (*SAFE, "DELETE"):
            data = b""
        if data is not None:
            headers.append(("Content-Length", str(len(data))))
        return self._attempts(method, target, path, headers, data, repeatable)

    def _attempts(
        self, method: str, target: str, path: str, headers: list[tuple[str, str]], data: Optional[bytes], repeatable: bool
    ) -> Exchange:
        safe = method in SAFE
        left = self._retries if safe else 0
        while True:
            begun = time.monotonic()
            exchange = self._pool.exchange(
                method, target, self._headers(headers), data, begun + self._timeout, safe or repeatable
            )
            taken = time.monotonic() - begun
            request_id = exchange.header("x-request-id")
            logger.debug("%s %s: %d in %.3f s, request %s", method, path, exchange.status, taken, request_id)
            if exchange.status < 400:
                return exchange
            error = self._error(exchange)
            wait = error.retry_after
            if left == 0 or error.status not in (429, 503) or wait is None or wait > self._longest_wait:
                raise error
            left -= 1
            self._sleep(wait)

    def _headers(self, headers: list[tuple[str, str]]) -> list[tuple[str, Callable[[], str]]]:
        accept = "application/problem+json, application/json, application/x-ndjson, image/svg+xml"
        all_of = [("Accept", accept), ("User-Agent", f"wardroom-client/{VERSION} (Python)"), *headers]
        made: list[tuple[str, Callable[[], str]]] = [(name, _constant(value)) for name, value in all_of]
        key, keyword = self._key, self._keyword
        if key is not None:
            # Revealed where it is written, so that no variable on the way has it.
            made.append(("Authorization", lambda: f"{keyword} {key.reveal()}"))
        return made

    def _error(self, exchange: Exchange) -> ApiError:
        said: dict[str, Any] = {}
        try:
            found = parsed(exchange.read(1 << 20))
            said = found if isinstance(found, dict) else {"errors": {"items": found}}
        except ConnectionFailed:
            exchange.close()
        said = json.loads(self._key.hide(json.dumps(said))) if self._key is not None else said
        errors = said.get("errors")
        return BY_STATUS.get(exchange.status, ApiError)(
            exchange.status,
            code=str(said.get("code") or "error"),
            detail=str(said.get("detail") or ""),
            errors=errors if isinstance(errors, dict) else None,
            request_id=exchange.header("x-request-id"),
            retry_after=seconds(exchange.header("retry-after")),
        )

    def _call(self, method: str, path: str, **parts: Any) -> Any:
        exchange = self.request(method, path, **parts)
        body = exchange.read(64 << 20)
        if exchange.status in (202, 204):
            return None
        made = parsed(body)
        about = Info(
            exchange.status,
            exchange.header("etag"),
            exchange.header("x-request-id"),
            exchange.header("x-token-expires-at"),
        )
        wrapped: Any = _Record(made) if isinstance(made, dict) else _Rows(made) if isinstance(made, list) else made
        if isinstance(wrapped, (_Record, _Rows)):
            wrapped.info = about
        return wrapped

    def _stream(self, method: str, path: str, **parts: Any) -> Stream[Any]:
        return Stream(self.request(method, path, **parts), self._timeout)

    def _picture(self, method: str, path: str, **parts: Any) -> Picture:
        exchange = self.request(method, path, **parts)
        body = exchange.read(1 << 20)
        if exchange.status == 200:
            return Picture(None, body.decode("utf-8", "replace"))
        return Picture(exchange.header("location"), None)

    def _pages(self, pager: str, path: str, *, query: Mapping[str, Any], **parts: Any) -> Iterator[Any]:
        """All rows of all pages. A page only reads, so one that was throttled is read again."""
        asked = {"limit": PAGE, **{name: value for name, value in query.items() if value is not None}}
        position = "" if pager == "cursor" else None
        while True:
            page = self._call("GET", path, query={**asked, pager: position}, **parts)
            yield from page["results"]
            link = page["next"]
            if link is None:
                return
            # Only the position is taken from the link: its host may be another, behind a proxy.
            position = parse_qs(urlsplit(link).query)[pager][0]


def _constant(value: str) -> Callable[[], str]:
    return lambda: value


def _query_value(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _encoded(
    body: Optional[object], form: Optional[Mapping[str, str]], avatar: Optional[File]
) -> tuple[list[tuple[str, str]], Optional[bytes]]:
    if avatar is not None:
        return _multipart(body, avatar)
    if form is not None:
        return [("Content-Type", "application/x-www-form-urlencoded")], urlencode(form).encode("ascii")
    if body is not None:
        return [("Content-Type", "application/json")], json.dumps(body).encode("ascii")
    return [], None


def _multipart(body: Any, avatar: File) -> tuple[list[tuple[str, str]], bytes]:
    boundary = secrets.token_hex(16)
    parts: list[bytes] = []
    for name, value in (body or {}).items():
        for one in value if isinstance(value, list) else [value]:
            said = "" if one is None else _query_value(one)
            parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{said}\r\n'.encode())
    name = quote(avatar.name, safe="!#$&+^`{}|~ ()-_.") or "file"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="avatar"; filename="{name}"\r\n'
    kind = "".join(letter for letter in avatar.content_type if " " < letter <= "~")
    parts.append(f"{head}Content-Type: {kind}\r\n\r\n".encode() + avatar.content + b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode())
    return [("Content-Type", f"multipart/form-data; boundary={boundary}")], b"".join(parts)


def seconds(value: Optional[str]) -> Optional[float]:
    """What Retry-After says: seconds, or a date."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def checked_url(url: str, allow_http: bool) -> tuple[str, int, str, bool]:
    """Host, port, path and whether it is https. Without TLS, only this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if host is None or parts.scheme not in ("http", "https") or not all("!" <= letter <= "~" for letter in url):
        raise ConfigurationError("The URL has to be like https://accounts.example.com.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError("The URL has a user, a password, a query or a fragment: leave it out.")
    secure = parts.scheme == "https"
    if not (secure or allow_http or is_loopback(host)):
        raise ConfigurationError(f"Without https, everyone on the way to {host} reads the key: use https, or allow_http=True.")
    return host, port or (443 if secure else 80), parts.path.rstrip("/"), secure


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


__all__ = ["File", "Info", "Picture", "Stream", "Surface", "guarded", "info", "segment"]
