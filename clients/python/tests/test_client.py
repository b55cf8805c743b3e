"""The client against servers that misbehave on purpose, and against a real one if WARDROOM_URL and WARDROOM_KEY name it."""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import socket
import threading
import time
import traceback
import unittest
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Optional

import wardroom_client as kit
from wardroom_client import Client

KEY = "wrd_0123456789012345678901234567890123456"


class Script:
    """A server that answers each request of each connection with the next piece of its script."""

    def __init__(self, *pieces: bytes, each_closes: bool = False) -> None:
        self.pieces, self.requests = list(pieces), []
        self.connections = 0
        self._each_closes = each_closes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            while self.pieces:
                request = self._read(connection)
                if request is None:
                    return
                self.requests.append(request)
                connection.sendall(self.pieces.pop(0))
                if self._each_closes:
                    return

    @staticmethod
    def _read(connection: socket.socket) -> Optional[bytes]:
        read = b""
        while b"\r\n\r\n" not in read:
            more = connection.recv(65536)
            if not more:
                return None
            read += more
        head, body = read.split(b"\r\n\r\n", 1)
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def close(self) -> None:
        self._listener.close()


def response(status: int, body: object = None, **headers: str) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


class Refusals(unittest.TestCase):
    def scripted(self, *pieces: bytes, **options: object) -> tuple[Client, Script, list[float]]:
        waits: list[float] = []
        server = Script(*pieces)
        self.addCleanup(server.close)
        client = Client(server.url, KEY, sleep=waits.append, **options)  # type: ignore[arg-type]
        self.addCleanup(client.close)
        return client, server, waits

    def test_every_status_has_its_error(self) -> None:
        kinds = {
            400: kit.BadRequest,
            401: kit.Unauthorized,
            403: kit.Forbidden,
            404: kit.NotFound,
            409: kit.Conflict,
            412: kit.PreconditionFailed,
            418: kit.ApiError,
            429: kit.Throttled,
            500: kit.ApiError,
            503: kit.Unavailable,
        }
        for status, kind in kinds.items():
            body = {"code": "some_code", "detail": "Why.", "status": status}
            client, _, _ = self.scripted(response(status, body, X_Request_Id="abc"))
            with self.assertRaises(kit.ApiError) as raised:
                client.users_retrieve(7)
            error = raised.exception
            self.assertIs(type(error), kind)
            self.assertEqual(
                (error.status, error.code, error.detail, error.request_id), (status, "some_code", "Why.", "abc")
            )
            again = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(again), str(again)), (kind, str(error)))

    def test_errors_of_fields_and_bodies_that_are_no_json(self) -> None:
        client, _, _ = self.scripted(
            response(400, {"code": "invalid", "errors": {"email": ["Enter a valid email address."]}}),
            b"HTTP/1.1 502 Bad\r\nContent-Length: 6\r\n\r\n<html>",
        )
        with self.assertRaises(kit.BadRequest) as raised:
            client.users_update(7, {"email": "x"})
        self.assertEqual(raised.exception.errors, {"email": ["Enter a valid email address."]})
        self.assertIn("email: Enter a valid", str(raised.exception))
        with self.assertRaises(kit.ApiError) as other:
            client.users_retrieve(7)
        self.assertEqual((other.exception.status, other.exception.code), (502, "error"))

    def test_only_safe_methods_are_repeated_and_only_when_it_is_said_when(self) -> None:
        for status in (429, 503):
            client, server, waits = self.scripted(
                response(status, Retry_After="2"), response(status, Retry_After="3"), response(200, {"id": 1})
            )
            self.assertEqual(client.users_retrieve(1)["id"], 1)
            self.assertEqual((waits, len(server.requests)), ([2.0, 3.0], 3))
            for refused in (response(status), response(status, Retry_After="31"), response(status, Retry_After="soon")):
                client, server, waits = self.scripted(refused)
                with self.assertRaises(kit.ApiError):
                    client.users_retrieve(1)
                self.assertEqual((waits, len(server.requests)), ([], 1))
            changes: list[Callable[[Client], object]] = [
                lambda client: client.users_update(1, {"first_name": "A"}),
                lambda client: client.users_create({"username": "a"}),
                lambda client: client.users_destroy(1),
                lambda client: client.users_sign_out(1),
            ]
            for change in changes:
                client, server, waits = self.scripted(response(status, Retry_After="1"))
                with self.assertRaises(kit.ApiError) as raised:
                    change(client)
                self.assertEqual((waits, len(server.requests)), ([], 1))
                self.assertEqual(raised.exception.retry_after, 1.0)
        client, server, waits = self.scripted(*[response(503, Retry_After="1")] * 5)
        with self.assertRaises(kit.Unavailable):
            client.users_retrieve(1)
        self.assertEqual((waits, len(server.requests)), ([1.0, 1.0], 3))

    def test_a_slow_response_ends_in_time_even_byte_by_byte(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        ended = threading.Event()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                try:
                    for byte in b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 10000:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.02)
                except OSError:
                    ended.set()

        threading.Thread(target=drip, daemon=True).start()
        client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", KEY, timeout=0.3)
        begun = time.monotonic()
        with self.assertRaises(kit.TimedOut):
            client.users_me_retrieve()
        self.assertLess(time.monotonic() - begun, 30)
        self.assertTrue(ended.wait(30), "the connection was kept")

    def test_a_kept_connection_that_was_closed_is_replaced(self) -> None:
        server = Script(response(200, {"id": 1}), response(200, {"id": 2}), each_closes=True)
        self.addCleanup(server.close)
        client = Client(server.url, KEY)
        self.addCleanup(client.close)
        self.assertEqual(client.users_retrieve(1)["id"], 1)
        self.assertEqual(client.users_retrieve(2)["id"], 2)
        self.assertEqual(server.connections, 2)

    def test_connections_are_kept(self) -> None:
        client, server, _ = self.scripted(*[response(200, {"id": 1})] * 5)
        for _ in range(5):
            client.users_retrieve(1)
        self.assertEqual(server.connections, 1)

    def test_a_change_is_never_sent_twice(self) -> None:
        client, server, _ = self.scripted(response(200, {"id": 1}), b"", response(200, {"id": 1}))
        client.users_retrieve(1)
        server.pieces[0] = b"HTTP/1.1 200"
        del server.pieces[1:]
        with self.assertRaises(kit.ConnectionFailed):
            client.users_update(1, {"first_name": "A"})
        self.assertEqual(len(server.requests), 2)

    def test_an_export_is_a_stream_and_a_cut_is_an_error(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        line = b'{"id": 1}\n'
        chunk = b"%x\r\n%s\r\n" % (len(line), line)
        client, server, _ = self.scripted(head + chunk * 3 + b"0\r\n\r\n", response(200, {"id": 1}))
        self.assertEqual([event["id"] for event in client.audit_export()], [1, 1, 1])
        client.users_retrieve(1)
        self.assertEqual(server.connections, 1)
        for cut in (chunk + b"a\r\n{", chunk + b'5\r\n{"id"\r\n0\r\n\r\n', chunk):
            client, server, _ = self.scripted(head + cut)
            seen = []
            with self.assertRaises(kit.ConnectionFailed):
                for event in client.audit_export():
                    seen.append(event)
            self.assertEqual(len(seen), 1)
        client, server, _ = self.scripted(head + chunk)
        with client.audit_export() as export:
            self.assertEqual(next(iter(export))["id"], 1)

    def test_pages_follow_the_cursor_and_not_the_host_of_the_link(self) -> None:
        client, server, _ = self.scripted(
            response(200, {"results": [{"id": 1}, {"id": 2}], "next": "https://elsewhere.example/api/users?cursor=a%2Bb"}),
            response(503, Retry_After="1"),
            response(200, {"results": [{"id": 3}], "next": None}),
        )
        self.assertEqual([user["id"] for user in client.users_iterate(search="a b", is_staff=True)], [1, 2, 3])
        targets = [request.split(b" ")[1] for request in server.requests]
        self.assertEqual(targets[0], b"/api/users?limit=500&search=a+b&is_staff=true&cursor=")
        self.assertEqual(targets[1:], [b"/api/users?limit=500&search=a+b&is_staff=true&cursor=a%2Bb"] * 2)

    def test_what_a_response_says_besides_its_body(self) -> None:
        client, server, _ = self.scripted(response(200, {"id": 1}, ETag='"5"', X_Request_Id="r"), response(200, {"id": 1}))
        user = client.users_retrieve(1)
        self.assertEqual((kit.info(user).etag, kit.info(user).request_id), ('"5"', "r"))
        client.users_update(1, {"first_name": "A"}, if_match=kit.info(user).etag)
        self.assertIn(b'If-Match: "5"\r\n', server.requests[1])
        with self.assertRaises(kit.ConfigurationError):
            client.users_update(1, {}, if_match='"5"\r\nX: y')
        with self.assertRaises(TypeError):
            kit.info({})

    def test_a_path_stays_one_segment(self) -> None:
        client, server, _ = self.scripted(response(204))
        client.users_destroy("7/../8?x")  # type: ignore[arg-type]
        self.assertTrue(server.requests[0].startswith(b"DELETE /api/users/7%2F..%2F8%3Fx HTTP/1.1\r\n"))


class Keys(unittest.TestCase):
    def test_the_url_has_to_be_https_or_local(self) -> None:
        for url in ("https://a.example", "https://a.example/wardroom/", "http://localhost:8000", "http://127.0.0.9", "http://[::1]:8000"):
            Client(url, KEY)
        Client("http://a.example", KEY, allow_http=True)
        for url in (
            "http://a.example",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "ftp://localhost",
            "a.example",
            "",
            "https://user:hunter2@a.example",
            "https://a.example?x=hunter2",
            "https://a.example#x",
            "https://a.example:port",
            "https://a.exa mple",
            "https://a.example/\r\nX: hunter2",
        ):
            with self.assertRaises(kit.ConfigurationError) as raised:
                Client(url, KEY)
            self.assertNotIn("hunter2", str(raised.exception))

    def test_keys_that_no_header_can_have(self) -> None:
        for key in ("", "a b", "a\nb", "schlüssel-hunter2", "hunter2\r\nX-Evil: 1"):
            with self.assertRaises(kit.ConfigurationError) as raised:
                Client("https://a.example", key)
            self.assertNotIn("hunter2", "".join(traceback.format_exception(type(raised.exception), raised.exception, None)))

    def test_the_key_is_in_no_text(self) -> None:
        """Not in representations, logs, messages, and not in a variable of any frame of an exception."""
        log = io.StringIO()
        handler = logging.StreamHandler(log)
        logger = logging.getLogger()
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        self.addCleanup(logger.removeHandler, handler)
        echo = response(400, {"detail": f"no {KEY}", "errors": {KEY: [KEY]}, "code": "invalid"})
        for piece in (echo, b"garbage\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", response(200)[:-2] + KEY.encode() + b"\r\n\r\n"):
            server = Script(piece, each_closes=True)
            self.addCleanup(server.close)
            client = Client(server.url, KEY, timeout=5)
            self.addCleanup(client.close)
            self.assertNotIn(KEY, repr(client) + str(vars(client)))
            with self.assertRaises(kit.WardroomError) as raised:
                client.users_me_retrieve()
            error: Optional[BaseException] = raised.exception
            self.assertIsNone(error.__context__)
            shown = traceback.TracebackException.from_exception(error, capture_locals=True)
            self.assertNotIn(KEY, "".join(shown.format()).replace(repr(piece), ""))
            self.assertNotIn(KEY, repr(raised.exception) + str(raised.exception.__dict__))
        closed = Client("http://127.0.0.1:9", KEY, timeout=5)
        with self.assertRaises(kit.ConnectionFailed) as refused:
            closed.users_me_retrieve()
        shown = traceback.TracebackException.from_exception(refused.exception, capture_locals=True)
        self.assertNotIn(KEY, "".join(shown.format()))
        self.assertNotIn(KEY, log.getvalue())
        self.assertIn("/api/users/me", log.getvalue())
        with self.assertRaises(TypeError):
            pickle.dumps(closed)


@unittest.skipUnless("WARDROOM_URL" in os.environ, "WARDROOM_URL names no server")
class RealServer(unittest.TestCase):
    def setUp(self) -> None:
        self.client = Client(os.environ["WARDROOM_URL"], os.environ["WARDROOM_KEY"])
        self.addCleanup(self.client.close)

    def test_a_user_from_beginning_to_end(self) -> None:
        client = self.client
        user = client.users_create({"username": "kit.python", "gender": "female", "groups": []})
        red = bytes.fromhex(
            "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
        )
        changed = client.users_update(user["id"], {"first_name": "Zoë"}, avatar=kit.File("ü \"x\".png", red, "image/png"))
        self.assertEqual(changed["first_name"], "Zoë")
        self.assertTrue(changed["avatar"])
        seen = client.users_retrieve(user["id"])
        again = client.users_update(user["id"], {"last_name": "Q"}, if_match=kit.info(seen).etag)
        self.assertEqual(again["full_name"], "Zoë Q")
        with self.assertRaises(kit.PreconditionFailed):
            client.users_update(user["id"], {"last_name": "R"}, if_match=kit.info(seen).etag)
        with self.assertRaises(kit.BadRequest) as raised:
            client.users_create({"username": "kit.python"})
        self.assertEqual(list(raised.exception.errors), ["username"])
        issued = client.users_tokens_create(user["id"], {"name": "kit"})
        with Client(os.environ["WARDROOM_URL"], issued["key"]) as theirs:
            with self.assertRaises(kit.Forbidden) as denied:
                theirs.users_me_retrieve()
            self.assertEqual(denied.exception.code, "permission_denied")
            self.assertIsNotNone(denied.exception.request_id)
            self.assertEqual([one["id"] for one in theirs.me_tokens_list()], [issued["id"]])
        client.users_tokens_revoke(user["id"], issued["id"])
        client.users_destroy(user["id"])
        with self.assertRaises(kit.NotFound):
            client.users_retrieve(user["id"])
        client.users_deleted_purge(user["id"])

    def test_pages_and_exports_have_every_row(self) -> None:
        made = self.client.users_bulk_create({"users": [{"username": f"page{number}"} for number in range(25)]})
        ids = sorted(user["id"] for user in made["users"])
        seen = [user["id"] for user in self.client.users_iterate(search="page", ordering="id", limit=4)]
        self.assertEqual(seen, ids)
        events = [event["id"] for event in self.client.audit_iterate(limit=7)]
        exported = [event["id"] for event in self.client.audit_export()]
        self.assertEqual(sorted(events), exported[: len(events)])
        self.assertEqual(len(set(events)), len(events))
        self.client.users_bulk_destroy({"users": ids})
        self.assertGreater(len(self.client.permissions_list()), 10)

    def test_threads_share_a_client(self) -> None:
        with ThreadPoolExecutor(16) as threads:
            names = list(threads.map(lambda _: self.client.users_me_retrieve()["username"], range(200)))
        self.assertEqual(len(set(names)), 1)

    def test_a_picture_of_a_user_without_one(self) -> None:
        picture = self.client.users_me_avatar()
        self.assertTrue((picture.svg or "").startswith("<svg"))


if __name__ == "__main__":
    unittest.main()
