"""The package against a server that misbehaves on purpose, and against a real one if WARDROOM_URL and WARDROOM_KEY name it."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import datetime
import io
import json
import logging
import os
import pickle
import shlex
import socket
import threading
import time
import traceback
import unittest
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Optional
from unittest import mock
from urllib.parse import parse_qs

import django
import project
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate, get_user, get_user_model, login
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, connections, models, transaction
from django.db.models.signals import post_save, pre_save
from django.http import HttpRequest
from django.test import override_settings
from rest_framework.authtoken.models import Token
from wardroom_client import Client

from wardroom_django import service, users
from wardroom_django.identity import identity
from wardroom_django.middleware import forwarded

User = get_user_model()
ACTIVE: dict[str, Any] = {
    "active": True,
    "sub": "7",
    "username": "joan",
    "token_type": "Token",
    "iat": 1_756_728_000,
    "jti": "70",
    "client_id": "laptop",
    "user_id": 7,
    "email": "joan@example.com",
    "groups": [1, 3],
    "permissions": [1222, 10001],
    "is_staff": True,
    "is_admin": False,
    "has_scopes": False,
}
#: A token with scopes, as Wardroom describes it.
NARROW: dict[str, Any] = {**ACTIVE, "is_staff": False, "has_scopes": True, "scope": "user_read", "permissions": [1222]}
Answer = tuple[int, dict[str, str], bytes]


def said(**changed: Any) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps({**ACTIVE, **changed}).encode()


class Fake:
    """A server in place of Wardroom. Its answer to a key is what `answer` returns."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self.keys: list[str] = []
        self.clients: list[Optional[str]] = []
        self.connections: set[Any] = set()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_POST(self) -> None:
                fake.connections.add(self.client_address)
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = parse_qs(body)
                key = form["token"][0]
                fake.keys.append(key)
                fake.clients.append(form.get("client_address", [None])[0])
                status, headers, data = answer(key)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


handler = WSGIHandler()


def ask(path: str, authorization: Optional[str] = None, method: str = "GET", **environ: str) -> tuple[int, dict[str, str], Any]:
    """A request as a WSGI server passes it on: bytes of headers are Latin-1."""
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "CONTENT_LENGTH": "0",
        **environ,
    }
    if authorization is not None:
        made["HTTP_AUTHORIZATION"] = authorization
    seen: list[Any] = []
    body = b"".join(handler(made, lambda status, headers, *_more: seen.extend([status, headers])))
    connections.close_all()
    headers = {name.lower(): value for name, value in seen[1]}
    return int(seen[0].split()[0]), headers, json.loads(body) if body.startswith((b"{", b"[")) else body


def configured(**changed: Any) -> Any:
    return override_settings(WARDROOM={"URL": project.URL, "KEY": project.KEY, **changed})


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        call_command("migrate", verbosity=0, run_syncdb=True)

    def setUp(self) -> None:
        User.objects.all().delete()
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)

    def fake(self, answer: Callable[[str], Answer], **settings: Any) -> Fake:
        fake = Fake(answer)
        self.addCleanup(fake.close)
        self.configure(URL=fake.url, **settings)
        return fake

    def configure(self, **settings: Any) -> None:
        changed = configured(**settings)
        changed.enable()
        self.addCleanup(changed.disable)


class Failures(Case):
    """Wardroom away, slow or broken is a 503, also where anonymous requests are welcome."""

    def assert_unavailable(self) -> None:
        for path in ("/open", "/new", "/staff"):
            status, headers, body = ask(path, "Token abc")
            self.assertEqual((status, headers["retry-after"]), (503, "1"))
            self.assertEqual(body, {"detail": "Service temporarily unavailable, try again later."})

    def test_errors_of_the_server(self) -> None:
        for status in (301, 302, 400, 401, 403, 404, 405, 409, 429, 500, 502, 503, 504):
            self.fake(lambda _key, status=status: (status, {"Location": "/", "Retry-After": "1"}, b'{"detail": "x"}'))
            self.assert_unavailable()

    def test_responses_that_are_none(self) -> None:
        bodies = [b"", b"[]", b"{}", b"null", b"true", b'{"active": "false"}', b'{"active": 1}', b'{"active": null}', b"<html>", b"\xff"]
        bodies += [json.dumps({**ACTIVE, name: wrong}).encode() for name, wrong in (
            ("user_id", "7"), ("user_id", True), ("user_id", None), ("username", None), ("is_staff", "true"), ("is_admin", 1),
            ("groups", None), ("groups", ["1"]), ("permissions", "1222"), ("jti", 1), ("exp", "soon"), ("scope", []),
            ("has_scopes", None), ("has_scopes", 1), ("has_scopes", True), ("scope", "user_read"), ("read_only", "false"), ("allowed_networks", "10.0.0.0/8"), ("allowed_networks", ["everywhere"]), ("iat", 1.5),
        )]
        bodies += [json.dumps({name: value for name, value in ACTIVE.items() if name != left_out}).encode() for left_out in (
            "user_id", "username", "is_staff", "is_admin", "groups", "permissions", "has_scopes", "jti")]
        for body in bodies:
            self.fake(lambda _key, body=body: (200, {}, body))
            self.assert_unavailable()

    def test_no_server(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.configure(URL=url)
        self.assert_unavailable()

    def test_a_slow_server(self) -> None:
        release = threading.Event()
        self.addCleanup(release.set)
        fake = self.fake(lambda _key: (release.wait(60), said())[1], TIMEOUT=0.2)
        self.assert_unavailable()
        self.assertEqual(len(fake.keys), 3)

    def test_a_request_without_a_key_asks_nobody(self) -> None:
        fake = self.fake(lambda _key: said())
        self.assertEqual(ask("/new")[0], 401)
        self.assertEqual(ask("/new", "Bearer abc")[0], 401)
        self.assertEqual(ask("/new", "Token a b")[0], 401)
        self.assertEqual(fake.keys, [])

    def test_the_key_is_in_no_log_and_no_exception(self) -> None:
        logging.disable(logging.NOTSET)
        log = io.StringIO()
        stream = logging.StreamHandler(log)
        root = logging.getLogger()
        root.addHandler(stream)
        root.setLevel(logging.DEBUG)
        self.addCleanup(root.removeHandler, stream)
        key = "f4e75eab6e0f663a972d145478d6fc4b81762070"
        for answer in ((500, {}, key.encode()), (401, {}, b"{}"), (200, {}, b"["), (200, {}, json.dumps({"active": key}).encode())):
            self.fake(lambda _key, answer=answer: answer)
            self.assertEqual(ask("/new", f"Token {key}")[0], 503)
            with self.assertRaises(service.Away) as raised:
                service.introspect(key)
            self.assertIsNone(raised.exception.__context__)
            shown = traceback.TracebackException.from_exception(raised.exception)
            self.assertNotIn(key, "".join(shown.format()))
        self.assertIn("could not be asked", log.getvalue())
        self.assertNotIn(key, log.getvalue())
        self.assertNotIn(project.KEY, log.getvalue())


class Freshness(Case):
    def test_nothing_is_kept_by_default(self) -> None:
        state = {"active": True}
        fake = self.fake(lambda _key: said() if state["active"] else (200, {}, b'{"active": false}'))
        self.assertEqual(ask("/new", "Token abc")[0], 200)
        state["active"] = False
        status, headers, body = ask("/new", "Token abc")
        self.assertEqual((status, body, headers["www-authenticate"]), (401, {"detail": "Invalid token."}, "Token"))
        self.assertEqual(len(fake.keys), 2)
        self.assertEqual(len(fake.connections), 1, "the connection is not kept")

    def test_what_the_setting_allows_to_keep(self) -> None:
        now = [1000.0]
        state = {"active": True}
        fake = self.fake(lambda key: said(exp=1 if key == "old" else None) if state["active"] else (500, {}, b""), CACHE_SECONDS=5)
        clock, service.clock = service.clock, lambda: now[0]
        try:
            service.whose("abc")
            service.whose("old")
            state["active"] = False
            self.assertEqual(service.whose("abc").username, "joan")  # type: ignore[union-attr]
            with self.assertRaises(service.Away):
                service.whose("old")
            with self.assertRaises(service.Away):
                service.whose("other")
            now[0] += 5
            with self.assertRaises(service.Away):
                service.whose("abc")
        finally:
            service.clock = clock
        self.assertEqual(fake.keys, ["abc", "old", "old", "other", "abc"])
        for wrong in (31, -1, "5", True):
            self.configure(CACHE_SECONDS=wrong)
            with self.assertRaises(ImproperlyConfigured):
                service.whose("abc")


class People(Case):
    def test_the_light_user(self) -> None:
        self.fake(lambda key: said(is_staff=key != "plain", is_admin=key == "admin", permissions=[] if key == "plain" else [1222]))
        self.assertEqual(ask("/new", "Token plain")[2], {"id": 7, "username": "joan", "token": "laptop", "kind": "WardroomUser"})
        self.assertEqual([ask("/staff", f"Token {key}")[0] for key in ("plain", "staff", "admin")], [403, 200, 200])
        self.assertEqual([ask("/readers", f"Token {key}")[0] for key in ("plain", "staff", "admin")], [403, 200, 200])
        from wardroom_django.users import WardroomUser

        joan = WardroomUser(identity(ACTIVE))  # type: ignore[arg-type]
        self.assertTrue(joan.is_authenticated and joan.is_active and joan.is_staff and not joan.is_anonymous)
        self.assertFalse(joan.is_superuser)
        self.assertEqual((joan.pk, joan.groups, str(joan)), (7, (1, 3), "joan"))
        granted = {permission: joan.has_perm(permission) for permission in ("1222", 1222, 10001, "1223", "", "auth.view_user", "١٢٢٢", None)}
        self.assertEqual([permission for permission, held in granted.items() if held], ["1222", 1222, 10001])
        self.assertTrue(joan.has_perms(["1222", "10001"]) and not joan.has_perms(["1222", "1223"]))
        admin = WardroomUser(identity({**ACTIVE, "is_admin": True}))  # type: ignore[arg-type]
        self.assertTrue(admin.has_perm("anything") and admin.has_module_perms("auth") and admin == joan)
        self.assertEqual(User.objects.count(), 0)

    def test_a_mirrored_row(self) -> None:
        self.fake(lambda _key: said(is_admin=state["admin"], username=state["name"]), MODE="mirror")
        state: dict[str, Any] = {"admin": False, "name": "joan"}
        self.assertEqual(ask("/new", "Token abc")[2], {"id": 7, "username": "joan", "token": "laptop", "kind": "User"})
        row = User.objects.get()
        self.assertEqual((row.pk, row.username, row.email, row.is_staff, row.is_superuser), (7, "joan", "joan@example.com", True, False))
        self.assertFalse(row.has_usable_password())
        state.update(admin=True, name="joanna")
        self.assertEqual(ask("/new", "Token abc")[0], 200)
        row.refresh_from_db()
        self.assertEqual((row.username, row.is_superuser), ("joanna", True))
        self.assertEqual(row.password[: len(users.MARK)], "!wardroom-")
        # A row that someone has disabled is not disabled any more.
        User.objects.update(is_active=False)
        self.assertEqual(ask("/readers", "Token abc")[0], 200)
        row.refresh_from_db()
        self.assertTrue(row.is_active)
        # With a password, the row is Django's again.
        row.set_password("new")
        row.save()
        self.assertEqual(ask("/new", "Token abc")[0], 403)
        # Also if that happens while the request is handled, or the row comes to be in between.
        row.password = users.mark()
        with self.assertRaises(users.AnotherAccount):
            users.updated(row, identity({**ACTIVE, "email": "new@example.com"}))
        with self.assertRaises(users.AnotherAccount):
            users.created(identity(ACTIVE))
        row.refresh_from_db()
        self.assertTrue(row.check_password("new") and row.email == "joan@example.com")

    def test_an_unchanged_row_is_not_written(self) -> None:
        self.fake(lambda _key: said(email=None), MODE="mirror")
        User.objects.create(pk=7, username="joan", password=users.mark(), is_staff=True)
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as queries:
            row = users.user(identity({**ACTIVE, "email": None}))
        self.assertEqual(row.pk, 7)
        self.assertEqual([query["sql"].split()[0] for query in queries.captured_queries], ["SELECT"])

    def test_a_narrow_token_changes_no_flags_and_gets_no_rights_of_the_row(self) -> None:
        self.fake(lambda _key: said(**{**NARROW, "scope": "user_read orders_read"}), MODE="mirror", ACCEPT_SCOPES=True)
        from django.contrib.auth.models import Permission
        from django.contrib.contenttypes.models import ContentType

        row = User.objects.create(pk=7, username="joan", password=users.mark(), is_staff=True, is_superuser=True)
        self.assertEqual(ask("/staff", "Token abc")[0], 403)
        self.assertEqual(ask("/readers", "Token abc")[0], 200)
        row.refresh_from_db()
        self.assertTrue(row.is_staff and row.is_superuser)
        kind = ContentType.objects.get_for_model(User)
        row.user_permissions.add(Permission.objects.get_or_create(codename="view_user", content_type=kind, defaults={"name": "x"})[0])
        from wardroom_django.users import mirrored

        whole = mirrored(identity({**ACTIVE}))
        narrow = mirrored(identity(NARROW))
        # Neither when it is read again, nor asked in the asynchronous way, nor for a part of the admin.
        for _ in range(2):
            self.assertEqual((narrow.is_staff, narrow.is_superuser), (False, False))
            self.assertEqual((narrow.has_perm("1222"), narrow.has_perm("auth.view_user"), narrow.has_module_perms("auth")), (True, False, False))
            if hasattr(narrow, "ahas_perm"):
                asked = [async_to_sync(narrow.ahas_perm)(one) for one in ("1222", "auth.view_user")]
                self.assertEqual([*asked, async_to_sync(narrow.ahas_module_perms)("auth")], [True, False, False])
            if hasattr(narrow, "aget_all_permissions"):
                self.assertEqual(async_to_sync(narrow.aget_all_permissions)(), {"1222"})
                self.assertEqual(async_to_sync(narrow.aget_user_permissions)(), set())
            self.assertEqual(narrow.get_all_permissions(), {"1222"})
            self.assertEqual((narrow.get_user_permissions(), narrow.get_group_permissions()), (set(), set()))
            narrow.refresh_from_db()
        # What an application saves of the object of a request does not keep its rights, in either direction.
        for kept in (True, False):
            User.objects.filter(pk=7).update(is_staff=kept, is_superuser=kept)
            narrow.first_name, narrow.is_staff, narrow.is_superuser = f"Joan {kept}", not kept, not kept
            for fields in (None, ["first_name", "is_staff", "is_superuser"]):
                narrow.save(update_fields=fields)
            row.refresh_from_db()
            self.assertEqual((row.first_name, row.is_staff, row.is_superuser), (f"Joan {kept}", kept, kept))
            self.assertEqual((narrow.is_staff, narrow.is_superuser), (False, False))
        whole.first_name = "Joan"
        whole.save()
        row.refresh_from_db()
        self.assertEqual((row.first_name, row.is_staff, row.is_superuser), ("Joan", True, False))
        self.assertTrue(whole.has_perm("auth.view_user") and whole.has_perm("10001"))
        self.assertEqual(whole.get_all_permissions(), {"1222", "10001", "auth.view_user"})
        self.assertTrue(narrow.has_perm("1222") and not narrow.has_perm("10001") and not narrow.has_perm("auth.view_user"))
        # Django's backend has nothing to add, wherever it is listed.
        own = "django.contrib.auth.backends.ModelBackend"
        for backends in ([own], [own, "wardroom_django.users.WardroomPermissions"]):
            with override_settings(AUTHENTICATION_BACKENDS=backends):
                narrow = mirrored(identity(NARROW))
                self.assertEqual((narrow.has_perm("auth.view_user"), narrow.has_module_perms("auth")), (False, False))
                self.assertEqual(narrow.get_all_permissions() - {"1222"}, set())

    def test_whatever_is_saved_an_object_of_a_narrow_token_never_has_the_flags_of_its_row(self) -> None:
        self.configure(MODE="mirror", ACCEPT_SCOPES=True)
        User.objects.create(pk=7, username="joan", password=users.mark(), is_staff=True, is_superuser=True)
        User.objects.create(pk=8, username="taken")
        narrow = users.mirrored(identity(NARROW))
        seen: list[Any] = []

        def listen(instance: Any, **_more: Any) -> None:
            seen.append((instance.is_staff, instance.is_superuser))
            if instance.first_name == "refused":
                raise ValueError("a receiver that refuses")

        def fails(kind: Any, **changed: Any) -> None:
            for name, value in changed.items():
                setattr(narrow, name, value)
            with self.assertRaises(kind), transaction.atomic():
                narrow.save()
            narrow.username, narrow.first_name = "joan", ""

        def refresh_fails() -> None:
            with self.assertRaises(User.DoesNotExist):
                narrow.refresh_from_db(from_queryset=User.objects.none())

        def again() -> None:
            narrow.is_staff = narrow.is_superuser = True
            narrow.save()

        def asynchronous() -> None:
            async_to_sync(narrow.arefresh_from_db)()
            async_to_sync(narrow.asave)()

        def deferred() -> None:
            del narrow.is_superuser
            narrow.refresh_from_db(fields=["is_superuser"])

        for listened in (pre_save, post_save):
            listened.connect(listen, sender=User)
            self.addCleanup(listened.disconnect, listen, sender=User)
        ways: list[Callable[[], Any]] = [
            lambda: fails(IntegrityError, username="taken"),
            lambda: fails(ValueError, first_name="refused"),
            lambda: User.objects.bulk_update([narrow], ["first_name", "email"]),
            narrow.refresh_from_db,
            narrow.save,
            lambda: narrow.save(update_fields=["is_staff", "is_superuser"]),
            lambda: narrow.save_base(),
            again,
            asynchronous,
            deferred,
        ]
        if django.VERSION >= (5, 1):
            ways.append(refresh_fails)
        for number, way in enumerate(ways):
            way()
            self.assertEqual((narrow.is_staff, narrow.is_superuser, vars(narrow).get("is_superuser", False)), (False, False, False), number)
            for copied in (copy.copy(narrow), copy.deepcopy(narrow), pickle.loads(pickle.dumps(narrow))):
                self.assertEqual((copied.is_staff, copied.is_superuser), (False, False), number)
            self.assertEqual(User.objects.values_list("is_staff", "is_superuser").get(pk=7), (True, True), number)
        self.assertEqual(set(seen), {(False, False)})
        # Other objects are what they were: fields that can be deferred, set and saved.
        row = User.objects.defer("is_staff", "is_superuser").get(pk=7)
        self.assertEqual((row.get_deferred_fields(), row.is_staff, row.is_superuser), ({"is_staff", "is_superuser"}, True, True))
        row.is_staff = False
        pre_save.disconnect(listen, sender=User), post_save.disconnect(listen, sender=User)
        row.save()
        self.assertEqual(User.objects.values_list("is_staff", "is_superuser").get(pk=7), (False, True))
        self.assertIs(User(is_superuser=True).is_superuser, True)

    def test_a_row_that_is_not_marked_is_never_handed_over(self) -> None:
        """Whatever its name, its rights and its password are, and whoever asks."""
        self.fake(lambda key: said(**(NARROW if key == "narrow" else {"is_admin": key == "admin"})), MODE="mirror", ACCEPT_SCOPES=True)
        self.addCleanup(logging.disable, logging.CRITICAL)
        logging.disable(logging.NOTSET)
        passwords = (make_password("an old password"), make_password(None), "", "!", "!wardroom", "wardroom-", "!Wardroom-x", " !wardroom-x")
        kinds: list[tuple[str, dict[str, bool]]] = [
            ("joan", {"is_superuser": True}), ("joan", {}), ("joan~7", {"is_staff": True}), ("emergency", {"is_active": False}),
        ]  # fmt: skip
        for password in passwords:
            for name, rights in kinds:
                User.objects.all().delete()
                User.objects.create(pk=7, username=name, password=password, email="own@example.com", **rights)
                before = User.objects.values().get()
                for key in ("abc", "narrow", "admin"):
                    with self.assertLogs("wardroom_django", "WARNING") as logs:
                        status, _, body = ask("/open", f"Token {key}")
                    self.assertEqual((status, body), (403, {"detail": "Another account of this service has the id of this user."}))
                    wanted = f"ERROR:wardroom_django:user 7 is 'joan' in Wardroom, and the row with this id is '{name}' and Django's own"
                    self.assertEqual((len(logs.output), logs.output[0][: len(wanted)]), (1, wanted))
                    self.assertIn(f"manage.py wardroom_hand_over {shlex.quote(name)}. ", logs.output[0])
                self.assertEqual(User.objects.values().get(), before)
        # Someone decides that both are one person.
        hand_over(name)
        with self.assertLogs("wardroom_django", "WARNING") as logs:
            self.assertEqual(ask("/new", "Token abc")[2]["username"], "joan")
        self.assertIn("the row of user 7 was 'emergency' and is 'joan' now", logs.output[0])
        with self.assertNoLogs("wardroom_django") if hasattr(self, "assertNoLogs") else contextlib.nullcontext():
            self.assertEqual(ask("/new", "Token abc")[2]["username"], "joan")

    def test_the_name_that_a_user_chooses_opens_no_row(self) -> None:
        names = ["ann"]
        self.fake(lambda _key: said(user_id=57, username=names[-1], is_staff=False, is_admin=False, permissions=[]), MODE="mirror")
        own = User.objects.create_user("localroot", password="an old password", pk=57, is_staff=True, is_superuser=True)
        for name in ("ann", "localroot", "localroot~57"):
            names.append(name)
            self.assertEqual(ask("/staff", "Token abc")[0], 403)
        found = User.objects.get()
        self.assertEqual((found.username, found.password, found.is_superuser), ("localroot", own.password, True))

    def test_a_user_model_with_properties_in_place_of_flags(self) -> None:
        class Person:
            rank = 1

            @property
            def is_staff(self) -> bool:
                return self.rank > 0

            is_superuser = True
            _meta = mock.Mock(concrete_fields=[])

        people = [Person(), Person()]
        for _ in range(2):
            for row, facts in zip(people, (ACTIVE, NARROW)):
                row.wardroom = identity({**facts, "is_staff": False})  # type: ignore[attr-defined]
                users.shown(row, row.wardroom)  # type: ignore[attr-defined]
            self.assertEqual([(row.is_staff, row.is_superuser) for row in people], [(True, False), (False, False)])
        self.assertEqual((Person().is_staff, Person().is_superuser), (True, True))

    def test_a_user_model_without_passwords(self) -> None:
        self.fake(lambda _key: said(permissions=[1222, 1282]), MODE="mirror")

        class Bare(AbstractBaseUser):
            password = None
            name = models.CharField(max_length=150, unique=True)
            USERNAME_FIELD = "name"

            class Meta:
                app_label = "wardroom_django"

        with connection.schema_editor() as editor:
            editor.create_model(Bare)
        with override_settings(AUTH_USER_MODEL="wardroom_django.Bare"):
            Bare.objects.create(pk=8, name="joan")
            for key in ("abc", "narrow"):
                self.assertEqual(ask("/open", f"Token {key}")[0], 403)
            self.assertEqual(list(Bare.objects.values_list("pk", "name")), [(8, "joan")])
            lines, failed = check()
            self.assertIn("error: the user model has no column for passwords", "\n".join(lines))
            self.assertTrue(failed)
            with self.assertRaisesRegex(CommandError, "no column for passwords"):
                hand_over("--all")

    def test_a_username_that_another_row_has(self) -> None:
        self.fake(lambda _key: said(), MODE="mirror")
        other = User.objects.create(pk=8, username="joan", is_superuser=True)
        for _ in range(2):
            self.assertEqual(ask("/new", "Token abc")[2]["username"], "joan~7")
        other.refresh_from_db()
        self.assertEqual((other.username, other.is_superuser), ("joan", True))
        other.delete()
        self.assertEqual(ask("/new", "Token abc")[2]["username"], "joan")

    def test_many_first_requests_at_once(self) -> None:
        self.fake(lambda _key: said(), MODE="mirror", TIMEOUT=60)
        barrier = threading.Barrier(8)

        def first(_number: int) -> int:
            barrier.wait()
            return ask("/new", "Token abc")[0]

        with ThreadPoolExecutor(8) as threads:
            self.assertEqual(list(threads.map(first, range(8))), [200] * 8)
        self.assertEqual(User.objects.count(), 1)


class NarrowTokens(Case):
    def test_read_only(self) -> None:
        self.fake(lambda _key: said(read_only=True))
        self.assertEqual([ask("/new", "Token abc", method)[0] for method in ("GET", "HEAD", "OPTIONS", "POST")], [200, 200, 200, 403])
        self.assertEqual([ask("/open", "Token abc", method)[0] for method in ("POST", "PUT", "DELETE")], [403, 403, 403])

    def test_the_address_of_the_client_is_sent(self) -> None:
        fake = self.fake(lambda _key: said(), PROXIES=["10.0.0.0/8", "unix"])
        for peer, forwarded in (("192.0.2.9", "8.8.8.8"), ("10.1.1.1", "8.8.8.8, 192.0.2.1, 10.2.2.2"), ("::ffff:192.0.2.1", ""), ("10.1.1.1", ""), ("", "")):
            self.assertEqual(ask("/new", "Token abc", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)[0], 200)
        self.assertEqual(fake.clients, ["192.0.2.9", "192.0.2.1", "192.0.2.1", None, None])
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda number: ask("/new", f"Token {number}", REMOTE_ADDR=f"192.0.2.{number}"), range(200)))
        sent = dict(zip(fake.keys[5:], fake.clients[5:]))
        self.assertEqual(sent, {str(number): f"192.0.2.{number}" for number in range(200)})

    def test_a_token_with_scopes_is_refused_unless_the_project_says_otherwise(self) -> None:
        for mode in ("light", "mirror"):
            for cache in (0, 30):
                fake = self.fake(lambda key: said(**{**NARROW, "scope": "" if key == "none" else "me_read user_read"}), MODE=mode, CACHE_SECONDS=cache)
                for path in ("/new", "/open", "/staff", "/readers", "/new"):
                    for key in ("abc", "none"):
                        status, headers, body = ask(path, f"Token {key}")
                        self.assertEqual((status, body), (403, {"detail": "This service does not accept tokens with scopes."}))
                        self.assertNotIn("www-authenticate", headers)
                self.assertEqual(len(fake.keys), 2 if cache else 10)
        self.assertEqual(User.objects.count(), 0)

    def test_a_token_with_scopes_that_is_accepted_has_no_flags(self) -> None:
        # Not even if a server says so.
        self.fake(lambda _key: said(**{**NARROW, "is_staff": True, "is_admin": True}), ACCEPT_SCOPES=True)
        self.assertEqual([ask(path, "Token abc")[0] for path in ("/new", "/open", "/readers", "/staff")], [200, 200, 200, 403])
        self.fake(lambda _key: said(**{**NARROW, "scope": "", "permissions": []}), ACCEPT_SCOPES=True)
        self.assertEqual([ask(path, "Token abc")[0] for path in ("/new", "/readers", "/staff")], [200, 403, 403])

    def test_networks(self) -> None:
        self.fake(lambda _key: said(allowed_networks=["192.0.2.0/24", "2001:db8::/32"]), PROXIES=["10.0.0.0/8", "unix"])

        def status(peer: str, forwarded: str = "") -> int:
            return ask("/new", "Token abc", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)[0]

        allowed = [("192.0.2.9", ""), ("192.0.2.9", "8.8.8.8"), ("2001:db8::1", ""), ("::ffff:192.0.2.1", ""), ("10.1.1.1", "192.0.2.1"),
                   ("10.1.1.1", "8.8.8.8, 192.0.2.1, 10.2.2.2"), ("", "192.0.2.1")]
        refused = [("192.0.3.9", ""), ("8.8.8.8", "192.0.2.1"), ("10.1.1.1", "192.0.2.1, 8.8.8.8"), ("10.1.1.1", ""), ("10.1.1.1", "192.0.2.1, x"),
                   ("x", "192.0.2.1"), ("", "")]
        self.assertEqual([status(*one) for one in allowed], [200] * len(allowed))
        self.assertEqual([status(*one) for one in refused], [401] * len(refused))
        self.fake(lambda _key: said(allowed_networks=[]))
        self.assertEqual(status("192.0.2.9"), 401)
        # The network of the proxies themselves is not that of their clients.
        self.fake(lambda _key: said(allowed_networks=["10.0.0.0/8"]), PROXIES=["10.1.0.0/16"])
        unknown = ["", " , ", "x", "10.1.2.2", "10.1.2.2, 10.1.3.3", "10.9.9.9, x"]
        self.assertEqual([status("10.1.1.1", forwarded) for forwarded in unknown], [401] * len(unknown))
        self.assertEqual([status("10.1.1.1", "10.9.9.9"), status("10.9.9.9")], [200, 200])


class Load(Case):
    def test_threads_never_swap_users(self) -> None:
        fake = self.fake(lambda key: said(user_id=int(key), username=f"user{key}"), TIMEOUT=60)
        with ThreadPoolExecutor(16) as threads:
            bodies = list(threads.map(lambda number: ask("/new", f"Token {number}")[2], range(1, 401)))
        self.assertEqual([(body["id"], body["username"]) for body in bodies], [(number, f"user{number}") for number in range(1, 401)])
        self.assertLessEqual(len(fake.connections), 16)

    def test_asgi(self) -> None:
        self.fake(lambda key: said(user_id=int(key), username=f"user{key}"), TIMEOUT=60)
        application = ASGIHandler()

        async def one(number: int) -> Any:
            sent: list[Any] = []
            headers = [(b"authorization", f"Token {number}".encode()), (b"host", b"testserver")]
            scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/new", "raw_path": b"/new",
                     "query_string": b"", "headers": headers, "client": ("192.0.2.1", 1), "server": ("testserver", 80), "scheme": "http"}
            more: asyncio.Queue[Any] = asyncio.Queue()
            await more.put({"type": "http.request", "body": b"", "more_body": False})

            async def send(message: Any) -> None:
                sent.append(message)

            await application(scope, more.get, send)
            return json.loads(b"".join(message.get("body", b"") for message in sent))["id"]

        async def all_of() -> list[int]:
            return await asyncio.gather(*(one(number) for number in range(1, 101)))

        self.assertEqual(asyncio.run(all_of()), list(range(1, 101)))


HEADERS = {
    "HTTP_REMOTE_USER": "Zo%C3%AB%2025%25",
    "HTTP_REMOTE_USER_ID": "7",
    "HTTP_REMOTE_GROUPS": "1,3",
    "HTTP_REMOTE_GROUP_NAMES": "A,B",
    "HTTP_REMOTE_EMAIL": "zoe@example.com",
    "HTTP_REMOTE_NAME": "Zo%C3%AB",
    "HTTP_REMOTE_STAFF": "true",
    "HTTP_REMOTE_ADMIN": "false",
    "HTTP_REMOTE_SCOPES": "*",
}


class Forwarded(Case):
    def setUp(self) -> None:
        super().setUp()
        self.configure(PROXIES=["127.0.0.1", "10.0.0.0/8", "2001:db8::/64"])
        with override_settings(MIDDLEWARE=["wardroom_django.middleware.RemoteUserMiddleware"]):
            self.handler = WSGIHandler()

    def ask(self, peer: str = "127.0.0.1", **headers: Optional[str]) -> tuple[int, dict[str, str], Any]:
        global handler
        kept, handler = handler, self.handler
        try:
            return ask("/forwarded", REMOTE_ADDR=peer, **{name: value for name, value in headers.items() if value is not None})
        finally:
            handler = kept

    def test_peers(self) -> None:
        for peer in ("127.0.0.1", "10.255.0.1", "2001:db8::5", "::ffff:10.0.0.1"):
            self.assertEqual(self.ask(peer, **HEADERS)[0], 200, peer)
        for peer in ("127.0.0.2", "11.0.0.1", "2001:db8:0:1::5", "", "unix", "localhost", "10.0.0.1, 127.0.0.1"):
            self.assertEqual(self.ask(peer, **HEADERS)[0], 403, peer)
            self.assertEqual(self.ask(peer)[0], 403, peer)
        # What the client says about itself does not count.
        self.assertEqual(self.ask("11.0.0.1", HTTP_X_FORWARDED_FOR="127.0.0.1", HTTP_X_REAL_IP="127.0.0.1", **HEADERS)[0], 403)
        self.configure(PROXIES=["unix"])
        self.assertEqual((self.ask("", **HEADERS)[0], self.ask("127.0.0.1", **HEADERS)[0]), (200, 403))

    def test_headers(self) -> None:
        self.assertEqual(self.ask(**HEADERS)[2], {"id": 7, "username": "Zoë 25%", "token": None, "kind": "WardroomUser"})
        self.assertEqual(self.ask()[0], 401)
        self.assertEqual(self.ask(HTTP_REMOTE_USER="", HTTP_REMOTE_USER_ID="")[0], 401)
        wrong: list[dict[str, Any]] = [
            {"HTTP_REMOTE_USER_ID": None},
            {"HTTP_REMOTE_USER": None},
            {"HTTP_REMOTE_USER_ID": "7,1"},
            {"HTTP_REMOTE_USER_ID": "7, 7"},
            {"HTTP_REMOTE_USER_ID": "0"},
            {"HTTP_REMOTE_USER_ID": "-7"},
            {"HTTP_REMOTE_USER_ID": "٧"},
            {"HTTP_REMOTE_USER_ID": "root"},
            {"HTTP_REMOTE_USER_ID": "9" * 20},
            {"HTTP_REMOTE_STAFF": "true,true"},
            {"HTTP_REMOTE_STAFF": None},
            {"HTTP_REMOTE_ADMIN": "1"},
            {"HTTP_REMOTE_ADMIN": ""},
            {"HTTP_REMOTE_GROUPS": "1,admins"},
            {"HTTP_REMOTE_USER": "Zo%EB"},
            {"HTTP_REMOTE_SCOPES": None},
            {"HTTP_REMOTE_SCOPES": ""},
            {"HTTP_REMOTE_SCOPES": " "},
            {"HTTP_REMOTE_SCOPES": "all"},
            {"HTTP_REMOTE_SCOPES": "*,*"},
            {"HTTP_REMOTE_SCOPES": "* me_read"},
            {"HTTP_REMOTE_SCOPES": "%2A"},
            {"HTTP_REMOTE_SCOPES": "me_read,"},
            {"HTTP_REMOTE_SCOPES": "Me read"},
            {"HTTP_REMOTE_SCOPES": "010001"},
        ]
        for changed in wrong:
            self.assertEqual(self.ask(**{**HEADERS, **changed})[0], 403, changed)
        absent = dict.fromkeys(["HTTP_REMOTE_GROUPS", "HTTP_REMOTE_EMAIL"])
        self.assertEqual(self.ask(**{**HEADERS, **absent})[0], 200)

    def test_a_token_with_scopes_is_refused_unless_the_project_says_otherwise(self) -> None:
        for scopes in ("me_read", "me_read,10001", "me_read 10001", "me_read%2010001"):
            narrow = {**HEADERS, "HTTP_REMOTE_STAFF": "false", "HTTP_REMOTE_SCOPES": scopes}
            self.configure(PROXIES=["127.0.0.1"])
            status, _, body = self.ask(**narrow)
            self.assertEqual((status, body), (403, b"This service does not accept tokens with scopes.\n"))
            self.configure(PROXIES=["127.0.0.1"], ACCEPT_SCOPES=True)
            self.assertEqual(self.ask(**narrow)[0], 200)
            meta = {**narrow, "HTTP_REMOTE_STAFF": "true", "HTTP_REMOTE_ADMIN": "true"}
            known = forwarded(meta)
            assert known is not None
            self.assertEqual((known.is_staff, known.is_admin, known.scopes), (False, False, frozenset(scopes.replace("%20", " ").replace(",", " ").split())))

    def test_a_local_account_with_the_id_of_a_user_is_not_handed_over(self) -> None:
        self.configure(PROXIES=["127.0.0.1"], MODE="mirror")
        User.objects.create_superuser("emergency", password="an old password", pk=7)
        status, _, body = self.ask(**HEADERS)
        self.assertEqual((status, body), (403, b"Another account of this service has the id of this user.\n"))
        self.assertEqual(User.objects.get().username, "emergency")
        User.objects.all().delete()
        User.objects.create_user("Zoë 25%", pk=7)
        self.assertEqual(self.ask(**HEADERS)[0], 403)
        hand_over("Zoë 25%")
        self.assertEqual(self.ask(**HEADERS)[2]["kind"], "User")

    def test_mirror(self) -> None:
        self.configure(PROXIES=["127.0.0.1"], MODE="mirror")
        self.assertEqual(self.ask(**HEADERS)[2]["kind"], "User")
        self.assertEqual(User.objects.get(pk=7).username, "Zoë 25%")

    def test_rights_of_a_narrow_token_are_never_kept(self) -> None:
        self.configure(PROXIES=["127.0.0.1"], MODE="mirror", ACCEPT_SCOPES=True)
        narrow = {**HEADERS, "HTTP_REMOTE_STAFF": "false", "HTTP_REMOTE_SCOPES": "me_read,10001"}
        flags = lambda: User.objects.values_list("username", "is_staff", "is_superuser").get(pk=7)  # noqa: E731
        # A row that a narrow token creates has no rights, whatever the token has.
        self.assertEqual(self.ask(**{**narrow, "HTTP_REMOTE_STAFF": "true"})[0], 200)
        self.assertEqual(flags(), ("Zoë 25%", False, False))
        for whole, kept in (({"HTTP_REMOTE_ADMIN": "true"}, True), ({}, False)):
            self.assertEqual(self.ask(**{**HEADERS, **whole})[0], 200)
            self.assertEqual(flags(), ("Zoë 25%", True, kept))
            # An admin with a narrow token is no admin here, and stays one elsewhere.
            self.assertEqual(self.ask(**{**narrow, "HTTP_REMOTE_USER": "zoe", "HTTP_REMOTE_ADMIN": "true"})[0], 200)
            self.assertEqual(flags(), ("zoe", True, kept))

    def test_no_proxy_is_no_middleware(self) -> None:
        for proxies in ([], "127.0.0.1", ["localhost"], ["10.0.0.1/8"]):
            self.configure(PROXIES=proxies)
            with self.assertRaises(ImproperlyConfigured):
                from wardroom_django.middleware import RemoteUserMiddleware

                RemoteUserMiddleware(lambda _request: None)


class Settings(Case):
    def test_what_is_wrong_is_named(self) -> None:
        wrong: list[tuple[Any, str]] = [
            (None, "WARDROOM is missing"),
            ({}, "WARDROOM['URL'] is missing"),
            ({"URL": "https://a.example"}, "KEY or KEY_FILE"),
            ({"URL": "https://a.example", "KEY": "k", "KEY_FILE": "/k"}, "either KEY or KEY_FILE"),
            ({"URL": "https://a.example", "KEY": "k", "MOED": "mirror"}, "unknown names: MOED"),
            ({"URL": "https://a.example", "KEY": "k", "MODE": "copy"}, "WARDROOM['MODE']"),
            ({"URL": "https://a.example", "KEY": "k", "TIMEOUT": 0}, "WARDROOM['TIMEOUT']"),
            ({"URL": "https://a.example", "KEY": "k", "ACCEPT_SCOPES": "no"}, "WARDROOM['ACCEPT_SCOPES']"),
            ({"URL": "http://a.example", "KEY": "k"}, "https"),
            ({"URL": "https://a.example", "KEY_FILE": "/none"}, "WARDROOM['KEY_FILE'] cannot be read"),
            ({"URL": "https://a.example", "KEY": "hunter2 \n"}, "key cannot be used"),
        ]
        for setting, message in wrong:
            with override_settings(WARDROOM=setting), self.assertRaises(ImproperlyConfigured) as raised:
                service.client()
            self.assertIn(message, str(raised.exception))
            self.assertNotIn("hunter2", str(raised.exception))


def check() -> tuple[list[str], bool]:
    out = io.StringIO()
    try:
        call_command("wardroom_check", stdout=out)
        failed = False
    except CommandError:
        failed = True
    return out.getvalue().splitlines(), failed


def hand_over(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("wardroom_hand_over", *arguments, stdout=out)
    return out.getvalue().splitlines()


class HandOver(Case):
    def setUp(self) -> None:
        super().setUp()
        for pk, (name, password) in enumerate((("ann", "old"), ("emergency", "old"), ("sso", None), ("new", "old")), 1):
            User.objects.create_user(name, password=password, pk=pk, is_staff=True)
        User.objects.filter(username="new").update(password=users.mark())

    def passwords(self) -> dict[str, str]:
        return dict(User.objects.values_list("username", "password"))

    def marked(self) -> list[str]:
        return [row.username for row in User.objects.order_by("pk") if users.is_wardrooms(row)]

    def test_everyone(self) -> None:
        before = self.passwords()
        wanted = ["would be handed over: 2, of which 1 have a password in Django", "Wardroom's before: 1", "kept for Django: emergency"]
        self.assertEqual(hand_over("--all", "--keep", "emergency", "--dry-run"), [*wanted, "Nothing has changed (--dry-run)."])
        self.assertEqual(self.passwords(), before)
        wanted[0] = "handed over: 2, of which 1 had a password in Django"
        self.assertEqual(hand_over("--all", "--keep", "emergency"), wanted)
        self.assertEqual(self.marked(), ["ann", "sso", "new"])
        after = self.passwords()
        self.assertEqual((after["emergency"], after["new"], len(set(after.values()))), (before["emergency"], before["new"], 4))
        self.assertEqual(hand_over("--all")[0], "handed over: 1, of which 1 had a password in Django")
        self.assertEqual(hand_over("--all"), ["handed over: 0, of which 0 had a password in Django", "Wardroom's before: 4", "kept for Django: none"])
        self.assertEqual(User.objects.filter(is_staff=True).count(), 4)

    def test_some(self) -> None:
        self.assertEqual(hand_over("ann", "new", "ann")[:2], ["handed over: 1, of which 1 had a password in Django", "Wardroom's before: 1"])
        self.assertEqual(self.marked(), ["ann", "new"])

    def test_what_is_wrong_changes_nothing(self) -> None:
        before = self.passwords()
        for arguments, text in (
            ((), "Give either usernames or --all."),
            (("ann", "--all"), "Give either usernames or --all."),
            (("ann", "--keep", "emergency"), "--keep goes with --all"),
            (("ann", "anne", "Ann"), "No row has the username 'anne', 'Ann'. Nothing has changed."),
            (("--all", "--keep", "emergncy"), "No row has the username 'emergncy'. Nothing has changed."),
            (("--keep", "emergency"), "Give either usernames or --all."),
        ):
            with self.assertRaises(CommandError) as raised:
                hand_over(*arguments)
            self.assertIn(text, str(raised.exception))
            self.assertEqual(self.passwords(), before)

    def test_passwords_and_sessions_end(self) -> None:
        def opens(session: Any) -> bool:
            request = HttpRequest()
            request.session = session
            return bool(get_user(request).is_authenticated)

        def sign_in(row: Any) -> Any:
            request = HttpRequest()
            request.session = SessionStore()
            login(request, row, backend="django.contrib.auth.backends.ModelBackend")
            return request.session

        row = User.objects.get(username="ann")
        session = sign_in(row)
        self.assertTrue(opens(session))
        self.assertIsNotNone(authenticate(username="ann", password="old"))
        hand_over("ann")
        row.refresh_from_db()
        self.assertFalse(opens(session) or row.has_usable_password() or row.check_password("old"))
        for guess in ("old", "", row.password, row.password[1:], "wardroom-"):
            self.assertIsNone(authenticate(username="ann", password=guess))
        # A session from when the row was Wardroom's ends with that, and does not come back.
        between = sign_in(row)
        row.set_password("new")
        row.save()
        self.assertFalse(opens(between))
        hand_over("ann")
        self.assertFalse(opens(between) or opens(session))


class Check(Case):
    def findings(self, kind: str) -> str:
        return "\n".join(line for line in check()[0] if line.startswith(kind))

    def test_servers_that_are_none(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.configure(URL=url)
        self.assertTrue(check()[1])
        self.assertIn("does not answer", self.findings("error"))
        for answer, text in (
            ((401, {}, b'{"detail": "Invalid token."}'), "is not valid (Invalid token.)"),
            ((403, {}, b"{}"), "lacks the permission 1282"),
            ((404, {}, b"{}"), "names another server"),
            ((200, {}, b"<html>"), "not as Wardroom does"),
            (said(permissions=[1282]), "lacks the permission 1222"),
        ):
            self.fake(lambda _key, answer=answer: answer)
            self.assertTrue(check()[1])
            self.assertIn(text, self.findings("error"))

    def test_what_a_project_forgets(self) -> None:
        soon = int(time.time()) + 86400
        self.fake(lambda _key: said(permissions=[1222, 1282], exp=soon), MODE="mirror", CACHE_SECONDS=10, PROXIES=["10.0.0.0/8"])
        User.objects.create_user("old", password="an old password")
        lines, failed = check()
        self.assertFalse(failed, lines)
        self.assertIn("expires at", self.findings("warning"))
        self.assertIn("1 users can sign in to Django with a password that Django has, also after Wardroom has disabled them: old.", self.findings("warning"))
        self.assertIn("1 row is Django's own: a user of Wardroom who has or gets such an id is refused: ", self.findings("warning"))
        self.assertNotIn("ACCEPT_SCOPES", "\n".join(lines))
        User.objects.bulk_create(User(username=f"old {number}", password="x") for number in range(30))
        self.assertIn("31 users can sign in to Django", self.findings("warning"))
        self.assertIn("old 18, and 11 more.", self.findings("warning"))
        self.assertIn("31 rows are Django's own: ", self.findings("warning"))
        self.assertIn("'old 8', and 21 more. Hand over", self.findings("warning"))
        hand_over("--all")
        self.assertNotIn("Django's own", "\n".join(check()[0]))
        User.objects.update(password="x")
        self.assertIn("10 seconds more", self.findings("note"))
        own = "rest_framework.authentication.TokenAuthentication"
        with override_settings(REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [own]}):
            self.assertIn("lacks 'wardroom_django", self.findings("error"))
            self.assertIn("still listed", self.findings("error"))
        with override_settings(
            MIDDLEWARE=["wardroom_django.middleware.RemoteUserMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
            AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"],
        ):
            self.assertIn("Swap them", self.findings("error"))
            self.assertIn("very large network", self.findings("warning"))
            self.assertIn("ForwardedAuthentication", self.findings("warning"))
            self.assertIn("has_perm knows no codes", self.findings("warning"))
        with override_settings(WARDROOM={}):
            self.assertEqual(check(), (["error: WARDROOM['URL'] is missing, such as https://accounts.example.com."], True))


@unittest.skipUnless("WARDROOM_URL" in os.environ, "WARDROOM_URL names no server")
class RealServer(Case):
    """Tokens of a real Wardroom, replayed against Django REST Framework's own class with the same keys."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.admin = Client(project.URL, project.KEY)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.admin.close()

    def person(self, name: str, **fields: Any) -> tuple[int, str]:
        made = self.admin.users_create({"username": name, **fields})  # type: ignore[typeddict-item]
        self.addCleanup(self.admin.users_deleted_purge, made["id"])
        self.addCleanup(self.admin.users_destroy, made["id"])
        return made["id"], self.admin.users_tokens_create(made["id"], {"name": "kit"})["key"]

    def test_headers_as_django_rest_framework_reads_them(self) -> None:
        staff, plain = self.person("kit.staff", is_staff=True), self.person("kit.plain")
        for (pk, key), name in ((staff, "kit.staff"), (plain, "kit.plain")):
            Token.objects.create(key=key, user=User.objects.create(pk=pk, username=name))
        ended, _ = self.person("kit.ended")
        keys = [staff[1], plain[1]]
        cases: list[Optional[str]] = [None, "", " ", "Token", "token", "TOKEN", "Token ", " Token", "Bearer", "Basic", "Basic a:b", "Digest x=y", "Toke"]
        for key in keys:
            cases += [
                f"Token {key}", f"token {key}", f"TOKEN {key}", f"tOkEn {key}", f"Token  {key}", f"Token\t{key}", f" Token {key}", f"Token {key} ",
                f"Token {key}\t", f"Bearer {key}", f"Basic {key}", key, f"Token{key}", f"Token:{key}", f"Token: {key}", f"Token={key}",
                f"Token {key} {key}", f"Token {key} x", f"Token {key},{key}", f"Token {key}, Token {key}", f"Token {key},Token {key}",
                f"Token \"{key}\"", f"Token '{key}'", f"Token <{key}>", f"Token {key}\x00", f"Token \x00{key}", f"Token {key}\xa0", f"Token {key}\u00a0x",
                f"Token {key[:-1]}", f"Token {key}a", f"Token {key.upper()}", f"Token {key.lower()}", f"Token {key[::-1]}",
                f"Token {key}".encode().decode("latin-1") + "\u3000".encode().decode("latin-1"), f"Token {key}\xff", f"Token \xff\xfe", f"Tok\xe9n {key}",
                f"Token %{key}", f"Token {key}%20", f"Token {key}\x0b", f"Token {key}\x0c", f"Token\x0b{key}", f"Token\x1f{key}", f"Token {key}\x85",
            ]  # fmt: skip
        cases += ["Token " + "a" * 5000, "Token " + "0" * 40, "Token " + "wrd_" + "0" * 36, "Token " + "ü".encode().decode("latin-1") * 10]
        self.assertGreaterEqual(len(cases), 60)
        seen = set()
        for case in cases:
            old, new = ask("/old", case), ask("/new", case)
            answers = [(status, headers.get("www-authenticate"), headers["content-type"], body.get("detail"), body.get("id")) for status, headers, body in (old, new)]
            self.assertEqual(answers[0], answers[1], repr(case))
            seen.add(answers[0][:1] + answers[0][3:4])
        self.assertEqual(len(seen), 6, seen)
        # The one difference: a key of a user who is not active is like any other that is not valid. RFC 7662 wants that.
        self.admin.users_update(staff[0], {"is_active": False})
        User.objects.filter(pk=staff[0]).update(is_active=False)
        self.assertEqual(ask("/old", f"Token {staff[1]}")[2], {"detail": "User inactive or deleted."})
        status, headers, body = ask("/new", f"Token {staff[1]}")
        self.assertEqual((status, headers["www-authenticate"], body), (401, "Token", {"detail": "Invalid token."}))
        del ended

    def test_a_revoked_token_is_refused_by_the_next_request(self) -> None:
        pk, key = self.person("kit.revoked")
        self.assertEqual(ask("/new", f"Token {key}")[2]["id"], pk)
        self.admin.users_sign_out(pk)
        self.assertEqual(ask("/new", f"Token {key}")[0], 401)

    def test_what_a_real_token_says(self) -> None:
        reader = next(one["id"] for one in self.admin.permissions_list() if one["code"] == 1222)
        pk, key = self.person("kit.facts", is_staff=True, permissions=[reader], email="kit@example.com")
        known = service.whose(key)
        assert known is not None and known.token is not None
        self.assertEqual((known.user_id, known.username, known.email), (pk, "kit.facts", "kit@example.com"))
        self.assertEqual((known.is_staff, known.is_admin, known.permissions, known.groups), (True, False, frozenset({1222}), ()))
        self.assertEqual((known.token.name, known.token.scopes, known.token.read_only, known.token.expires_at), ("kit", None, False, None))
        assert known.token.issued_at is not None
        self.assertLess(abs(known.token.issued_at - datetime.datetime.now(datetime.timezone.utc)), datetime.timedelta(hours=1))
        self.assertEqual(ask("/readers", f"Token {key}")[0], 200)
        self.assertNotIn(key, repr(known))

    def test_narrow_tokens_of_a_real_server(self) -> None:
        pk, _ = self.person("kit.narrow", is_staff=True)
        made = self.admin.users_tokens_create(pk, {"name": "reading", "read_only": True})
        key = f"Token {made['key']}"
        self.assertEqual([ask("/new", key, method)[0] for method in ("GET", "POST")], [200, 403])
        made = self.admin.users_tokens_create(pk, {"name": "inside", "allowed_networks": ["192.0.2.0/24"]})
        key = f"Token {made['key']}"
        self.assertEqual([ask("/new", key, REMOTE_ADDR=peer)[0] for peer in ("192.0.2.7", "192.0.3.7", "")], [200, 401, 401])
        self.assertIsNone(service.whose(made["key"]))
        self.assertIsNotNone(service.whose(made["key"], "192.0.2.7"))

    def test_tokens_with_scopes_of_a_real_server(self) -> None:
        codes = {one["code"]: one["id"] for one in self.admin.permissions_list()}
        for rights in ({"is_admin": True}, {"is_staff": True, "permissions": [codes[1222]]}):
            pk, _ = self.person(f"kit.scoped.{len(rights)}", **rights)
            for scopes in (["user_read"], ["me_read", "user_read"], ["me_read", "me_write"]):
                key = self.admin.users_tokens_create(pk, {"name": "scoped", "scopes": scopes})["key"]
                for mode in ("light", "mirror"):
                    self.configure(MODE=mode)
                    refused = {"detail": "This service does not accept tokens with scopes."}
                    self.assertEqual([ask(path, f"Token {key}")[::2] for path in ("/new", "/open", "/staff")], [(403, refused)] * 3)
                    self.configure(MODE=mode, ACCEPT_SCOPES=True)
                    readers = 200 if "user_read" in scopes else 403
                    self.assertEqual([ask(path, f"Token {key}")[0] for path in ("/new", "/open", "/staff", "/readers")], [200, 200, 403, readers])
            self.assertEqual(User.objects.values_list("is_staff", "is_superuser").get(pk=pk), (False, False))

    def test_rows_of_django_with_the_ids_of_users(self) -> None:
        people = [self.person(f"kit.row.{number}", is_staff=True) for number in range(4)]
        ids = [pk for pk, _ in people]
        names = ("kit.row.0", "renamed", "emergency", "sso")
        for pk, name, rights in zip(ids, names, ({}, {}, {"is_superuser": True}, {"is_staff": True})):
            password = None if name == "sso" else "an old password"
            User.objects.create_user(name, password=password, pk=pk, **rights)
        self.configure(MODE="mirror")
        self.assertEqual([ask("/new", f"Token {key}")[0] for _, key in people], [403] * 4)
        lines, failed = check()
        self.assertFalse(failed, lines)
        own, others = (next(line for line in lines if text in line) for text in ("Django's own: ", "Do not hand them over"))
        self.assertIn(f"4 rows are Django's own: a user of Wardroom who has or gets such an id is refused: {ids[0]} 'kit.row.0', {ids[1]} 'renamed', ", own)
        there = ", ".join(f"{ids[number]} is '{names[number]}' here and 'kit.row.{number}' in Wardroom" for number in (1, 2, 3))
        self.assertIn(f"know: {there}.", others)
        hand_over("--all", "--keep", "emergency")
        self.assertEqual([ask("/new", f"Token {key}")[0] for _, key in people], [200, 200, 403, 200])
        lines, failed = check()
        self.assertIn(f"1 row is Django's own: a user of Wardroom who has or gets such an id is refused: {ids[2]} 'emergency'.", "\n".join(lines))
        # The name that someone has chosen opens nothing.
        with Client(project.URL, people[2][1]) as client:
            client.users_me_update({"username": "emergency"})
        self.assertEqual(ask("/new", f"Token {people[2][1]}")[0], 403)
        self.configure(MODE="light")
        self.assertNotIn("Django's own", "\n".join(check()[0]))

    def test_the_key_of_the_service(self) -> None:
        lines, failed = check()
        self.assertFalse(failed, lines)
        codes = {one["code"]: one["id"] for one in self.admin.permissions_list()}
        pk, key = self.person("kit.service", is_staff=True, permissions=[codes[1282]])
        self.configure(KEY=key)
        self.assertIn("lacks the permission 1222", "\n".join(check()[0]))
        self.admin.users_update(pk, {"permissions": [codes[1282], codes[1222]]})
        lines, failed = check()
        self.assertFalse(failed, lines)
        self.assertIn("ok: the key of this service belongs to kit.service and has the permissions that it needs.", lines)
        self.admin.users_update(pk, {"permissions": [codes[1222]]})
        self.assertIn("lacks the permission 1282", "\n".join(check()[0]))
        self.assertEqual(ask("/open", "Token abc")[0], 503)
        self.admin.users_sign_out(pk)
        self.assertIn("is not valid", "\n".join(check()[0]))


if __name__ == "__main__":
    unittest.main()
