"""HTTP/1.1 with kept connections, for many threads, where every wait ends at a deadline. It knows no operation."""

from __future__ import annotations

import http.client
import io
import os
import select
import socket
import ssl
import threading
import time
from collections import deque
from typing import Any, Callable, Optional, Sequence, TypeVar

from .errors import ConnectionFailed, Incomplete, TimedOut, WardroomError

T = TypeVar("T")
#: A connection that was idle for longer is not used again.
IDLE_SECONDS = 20.0


class _TimedSocket:
    """A socket of which every operation ends at the deadline, however slowly the bytes arrive."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self.deadline = 0.0
        self._readers = 0
        self._closed = False

    def arm(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        self.raw.settimeout(left)

    def sendall(self, data: Any) -> None:
        self.arm()
        self.raw.sendall(data)

    def makefile(self, _mode: str, *_rest: Any) -> io.BufferedReader:
        self._readers += 1
        return io.BufferedReader(_Reader(self))

    def reader_closed(self) -> None:
        self._readers -= 1
        self._close_when_unused()

    def close(self) -> None:
        self._closed = True
        self._close_when_unused()

    def _close_when_unused(self) -> None:
        if self._closed and self._readers <= 0:
            self.raw.close()


class _Reader(io.RawIOBase):
    def __init__(self, owner: _TimedSocket) -> None:
        super().__init__()
        self._owner = owner

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._owner.arm()
        return self._owner.raw.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._owner.reader_closed()


class Connection(http.client.HTTPConnection):
    """A connection of a pool."""

    def __init__(self, host: str, port: int, tls: Optional[ssl.SSLContext]) -> None:
        super().__init__(host, port)
        self._tls = tls
        self._timed: Optional[_TimedSocket] = None
        self.idle_since = 0.0

    def connect_by(self, deadline: float) -> None:
        raw = _connected(self.host, self.port, deadline)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.settimeout(max(deadline - time.monotonic(), 0.001))
            if self._tls is not None:
                raw = self._tls.wrap_socket(raw, server_hostname=self.host)
        except BaseException:
            raw.close()
            raise
        self._timed = _TimedSocket(raw)
        self.sock = self._timed

    def connect(self) -> None:
        raise ConnectionError("the connection was closed")

    def set_deadline(self, deadline: float) -> None:
        if self._timed is not None:
            self._timed.deadline = deadline

    def is_usable(self) -> bool:
        """Whether an idle connection is still open, and without a byte that no request asked for."""
        if self._timed is None or self.sock is None or time.monotonic() - self.idle_since > IDLE_SECONDS:
            return False
        return not _is_readable(self._timed.raw)


def _connected(host: str, port: int, deadline: float) -> socket.socket:
    failure: OSError = OSError("the host has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        raw = socket.socket(family, kind, protocol)
        try:
            raw.settimeout(left)
            raw.connect(address)
            return raw
        except OSError as error:
            raw.close()
            failure = error
    raise failure


def _is_readable(raw: socket.socket) -> bool:
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(raw, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([raw], [], [], 0)[0])
    except (OSError, ValueError):
        return True


class Exchange:
    """A response whose body has not been read. It has to be closed, or read to its end."""

    def __init__(self, response: http.client.HTTPResponse, connection: Connection, pool: Pool) -> None:
        self._response, self._connection, self._pool = response, connection, pool
        self.status = response.status
        self._buffer = b""

    def header(self, name: str) -> Optional[str]:
        return self._response.getheader(name)

    def _piece(self) -> bytes:
        """The next bytes, or none at the end. `http.client` by itself passes over some ends that come too early."""
        piece = guarded(lambda: self._response.read1(65536))
        if not piece and self._response.length:
            self.close()
            raise Incomplete("the response ended before its end")
        return piece

    def read(self, limit: int) -> bytes:
        """The whole body."""
        body = bytearray()
        while len(body) <= limit:
            piece = self._piece()
            if not piece:
                self.finish()
                return bytes(body)
            body += piece
        self.close()
        raise Incomplete(f"the response is larger than {limit} bytes")

    def read_line(self, timeout: float) -> bytes:
        """The next line, or nothing at the end of the response."""
        while True:
            line, end, rest = self._buffer.partition(b"\n")
            if end:
                self._buffer = rest
                return line + end
            self._connection.set_deadline(time.monotonic() + timeout)
            piece = self._piece()
            if not piece:
                self._buffer = b""
                self.finish()
                return line
            self._buffer += piece

    def finish(self) -> None:
        """After the last byte: the connection can be used again."""
        reusable = not self._response.will_close
        self._response.close()
        if reusable:
            self._pool.put(self._connection)
        else:
            self._connection.close()

    def close(self) -> None:
        self._response.close()
        self._connection.close()


class Pool:
    """Connections to one server, kept for the next request. Threads share it."""

    def __init__(self, host: str, port: int, tls: Optional[ssl.SSLContext], size: int) -> None:
        self._host, self._port, self._tls, self._size = host, port, tls, size
        self._idle: deque[Connection] = deque()
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._closed = False

    def _take(self) -> Optional[Connection]:
        while True:
            with self._lock:
                if self._process != os.getpid():
                    # The connections are those of the parent process.
                    self._idle.clear()
                    self._process = os.getpid()
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if connection.is_usable():
                return connection
            connection.close()

    def put(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        with self._lock:
            if not self._closed and self._process == os.getpid():
                self._idle.append(connection)
                connection = self._idle.popleft() if len(self._idle) > self._size else connection
                if connection in self._idle:
                    return
        connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, deque()
        for connection in idle:
            connection.close()

    def exchange(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, Callable[[], str]]],
        body: Optional[bytes],
        deadline: float,
        repeatable: bool,
    ) -> Exchange:
        """Sends a request and reads the head of the response. A kept connection that turns out to be closed is replaced,
        if the request may be sent twice."""
        while True:
            connection = self._take()
            kept = connection is not None
            try:
                return guarded(lambda: self._send(connection, method, target, headers, body, deadline))
            except TimedOut:
                raise
            except ConnectionFailed:
                if not (kept and repeatable):
                    raise

    def _send(
        self,
        connection: Optional[Connection],
        method: str,
        target: str,
        headers: Sequence[tuple[str, Callable[[], str]]],
        body: Optional[bytes],
        deadline: float,
    ) -> Exchange:
        if connection is None:
            connection = Connection(self._host, self._port, self._tls)
            connection.connect_by(deadline)
        try:
            connection.set_deadline(deadline)
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value())
            connection.endheaders(body)
            response = connection.getresponse()
        except BaseException:
            connection.close()
            raise
        return Exchange(response, connection, self)


def guarded(work: Callable[[], T]) -> T:
    """Runs it, and raises errors of this package. The original errors are dropped: their frames have the head of the request
    in them, and so the key."""
    failure: WardroomError
    try:
        return work()
    except WardroomError:
        raise
    except (TimeoutError, socket.timeout):  # one class since Python 3.10
        failure = TimedOut("the response did not arrive in time")
    except http.client.IncompleteRead:
        failure = Incomplete("the response ended before its end")
    except ssl.SSLError as error:
        failure = ConnectionFailed(f"TLS failed: {error.reason or type(error).__name__}")
    except (OSError, http.client.HTTPException) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno and error.errno > 0 else ""
        failure = ConnectionFailed(reason or f"no response: {type(error).__name__}")
    raise failure
