"""Real Django projects, with the code of the documents in the files that its first lines name."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

from server import Server, run

sys.path.append(str(Path(__file__).resolve().parents[1]))
from ports import free_port  # noqa: E402

SIGN_IN = """
from django.contrib.auth import authenticate
import sys
print("signed in" if authenticate(username={0!r}, password={1!r}) else "refused")
"""


class Project:
    """A project that `django-admin startproject` has made."""

    def __init__(self, python: Path, folder: Path, name: str, environment: dict[str, str]) -> None:
        self.python, self.folder, self.name, self.environment = python, folder, name, environment
        folder.mkdir()
        run([python, "-m", "django", "startproject", name, folder], env=environment)
        self.append("settings.py", 'ALLOWED_HOSTS = ["*"]\nDEBUG = False\n')

    def append(self, file: str, text: str) -> None:
        target = self.folder / self.name / file
        target.write_text((target.read_text() if target.exists() else "") + "\n" + text)

    def manage(self, *arguments: str, input: str | None = None, fails: bool = False) -> str:
        return run([self.python, "manage.py", *arguments], input=input, fails=fails, cwd=self.folder, env=self.environment)

    def shell(self, code: str) -> str:
        """Runs code as a reader does who pastes it into `manage.py shell`."""
        return self.manage("shell", "--verbosity", "0", "-c", code)

    @contextmanager
    def serve(self) -> Iterator[str]:
        port = free_port()
        gunicorn = self.python.parent / "gunicorn"
        command = [gunicorn, "--bind", f"127.0.0.1:{port}", "--threads", "4", "--log-level", "warning", f"{self.name}.wsgi"]
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stderr=subprocess.PIPE, text=True)
        try:
            self.wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    @staticmethod
    def wait_for(port: int, process: subprocess.Popen[str]) -> None:
        while True:
            if process.poll() is not None:
                raise SystemExit(f"gunicorn ended: {process.stderr.read() if process.stderr else ''}")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)


def ask(url: str, key: str | None, body: Any = None, method: str | None = None, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if key is not None:
        request.add_header("Authorization", f"Token {key}")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            status, text = response.status, response.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text.decode()


def same(found: object, wanted: object, about: str) -> None:
    if found != wanted:
        raise SystemExit(f"{about}: {found!r} and not {wanted!r}")


def code_of(document: Path) -> dict[str, str]:
    """The blocks of Python of a document, by the file that the first line names."""
    from run import blocks

    found: dict[str, str] = {}
    for line, text in blocks(document, "python"):
        first = text.splitlines()[0]
        if not first.startswith("# ") or not first.endswith(".py"):
            raise SystemExit(f"{document.name}:{line}: the first line does not name a file")
        found[first[2:]] = text
    return found


def judge_the_recipe(python: Path, document: Path, folder: Path) -> None:
    """Django's own middleware behind forward authentication: the user of the header, decoded, and nobody without one."""
    from run import blocks

    [(_, recipe)] = blocks(document, "python")
    project = Project(python, folder / "recipe", "recipe", dict(os.environ))
    project.append("people.py", recipe)
    middleware, backend = "recipe.people.WardroomMiddleware", "recipe.people.WardroomBackend"
    project.append("settings.py", f'MIDDLEWARE.append("{middleware}")\nAUTHENTICATION_BACKENDS = ["{backend}"]\n')
    project.append(
        "urls.py",
        "from django.http import HttpResponse\n"
        'urlpatterns.append(path("who", lambda request: HttpResponse(request.user.get_username() or "nobody")))\n',
    )
    project.manage("migrate", "--verbosity", "0")
    with project.serve() as url:
        for headers, who in (({}, "nobody"), ({"Remote_User": "ann"}, "ann"), ({"Remote_User": "%D8%B2%D9%87%D8%B1%D8%A7"}, "زهرا")):
            same(ask(f"{url}/who", None, **headers), (200, who), "the recipe of Django")


def judge_the_readme(python: Path, server: Server, readme: Path, folder: Path) -> None:
    code = code_of(readme)
    environment = server.environment()
    service = service_key(server, "shop")
    environment["WARDROOM_KEY"] = service
    project = Project(python, folder / "shop", "shop", environment)
    for name in ("settings.py", "urls.py"):
        project.append(name, code.pop(f"shop/{name}"))
    project.manage("migrate", "--verbosity", "0")
    found = project.manage("wardroom_check")
    same("error" in found or "warning" in found, False, found)
    with project.serve() as url:
        same(ask(f"{url}/greeting", None)[0], 401, "without a token")
        wanted = {"user": "shop", "token": "judge", "may_read_users": True}
        same(ask(f"{url}/greeting", service), (200, wanted), "the example of the README")
        narrow = server.issue("shop", "--scope", "user_read")
        same(ask(f"{url}/greeting", narrow)[0], 403, "a token with scopes")
        # The threads of one process share the connections: each answer belongs to its request.
        server.command("user", "add", "till")
        keys = {"shop": service, "till": server.issue("till"), "nobody": "wrd_nobody", "narrow": narrow}
        wanted_of = {"shop": (200, "shop"), "till": (200, "till"), "nobody": (401, None), "narrow": (403, None)}
        with ThreadPoolExecutor(8) as threads:
            asked = [(name, threads.submit(ask, f"{url}/greeting", keys[name])) for name in [*keys] * 50]
            for name, answer in asked:
                status, body = answer.result()
                same((status, body.get("user")), wanted_of[name], "many at once")
    project.append("settings.py", code.pop("mirror/settings.py") + 'WARDROOM["ACCEPT_SCOPES"] = True\n')
    with project.serve() as url:
        same(ask(f"{url}/greeting", narrow), (200, wanted), "a token with scopes, where they are accepted")
        same(ask(f"{url}/greeting", service), (200, wanted), "the same with mirrored rows")
    project.append("settings.py", code.pop("forwarded/settings.py") + 'WARDROOM["ACCEPT_SCOPES"] = False\n')
    project.append("urls.py", FORWARDED_VIEW)
    identity = {"Remote_User": "ann", "Remote_User_Id": "77", "Remote_Staff": "true", "Remote_Admin": "false", "Remote_Scopes": "*"}
    with project.serve() as url:
        same(ask(f"{url}/who", None, **identity), (200, {"user": "ann"}), "behind the proxy")
        same(ask(f"{url}/who", None)[0], 401, "behind the proxy, without its headers")
        same(ask(f"{url}/who", None, **{**identity, "Remote_Scopes": "me_read"})[0], 403, "behind the proxy, a token with scopes")
        same(ask(f"{url}/who", None, **{**identity, "Remote_Scopes": ""})[0], 403, "behind a proxy that does not pass on the scopes")
    project.append("settings.py", 'WARDROOM["PROXIES"] = ["192.0.2.1"]\n')
    with project.serve() as url:
        same(ask(f"{url}/who", None, **identity)[0], 403, "past the proxy")
    same(code, {}, "code that was not run")


FORWARDED_VIEW = """
@api_view(["GET"])
@permission_classes([IsAuthenticated])
def who(request):
    return Response({"user": request.user.username})


urlpatterns += [path("who", who)]
"""


def service_key(server: Server, name: str) -> str:
    server.command("user", "add", name, "--staff", "--permission", "1222", "--permission", "1282")
    return server.issue(name)


BEFORE = """
INSTALLED_APPS += ["rest_framework", "rest_framework.authtoken"]
REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"]}
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
]
"""
URLS = """
from backoffice.views import Notes
urlpatterns += [path("notes", Notes.as_view())]
"""
PEOPLE = """
from django.contrib.auth.models import Group, User
from rest_framework.authtoken.models import Token
group = Group.objects.create(name="Office")
for name in ("old", "admin", "emergency"):
    user = User.objects.create_user(name, password="an old password", is_staff=True, is_superuser=name != "old")
    user.groups.add(group)
    print(name, Token.objects.create(user=user).key)
"""


def judge_the_move(python: Path, wardroom: Path, document: Path, folder: Path) -> None:
    """A project before the switch, after it, and back again."""
    from run import blocks

    code = code_of(document)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WARDROOM_")}
    project = Project(python, folder / "backoffice", "backoffice", environment)
    project.append("settings.py", BEFORE)
    project.append("views.py", code.pop("backoffice/views.py"))
    project.append("urls.py", URLS)
    project.manage("migrate", "--verbosity", "0")
    keys = dict(line.split() for line in project.shell(PEOPLE).splitlines())
    with project.serve() as url:
        same(ask(f"{url}/notes", keys["old"], {"note": "a"}), (201, {"notes": 1}), "before the switch")

    data = folder / "data"
    run([wardroom, "init", "--data-dir", data], env=environment)
    run([wardroom, "import", "django", "--from", folder / "backoffice" / "db.sqlite3", "--data-dir", data], env=environment)
    with Server(wardroom, data, is_new=False) as server:
        key_file = folder / "wardroom.key"
        key_file.write_text(service_key(server, "backoffice") + "\n")
        key_file.chmod(0o600)
        settings = code.pop("backoffice/settings.py")
        for written, real in (("http://127.0.0.1:8000", server.url), ("/etc/backoffice/wardroom.key", str(key_file))):
            same(settings.count(written), 1, written)
            settings = settings.replace(written, real)
        before = (project.folder / "backoffice" / "settings.py").read_text()
        project.append("settings.py", settings)
        found = project.manage("wardroom_check")
        same("error" in found, False, found)
        same("3 users can sign in to Django" in found, True, found)
        same("3 rows are Django's own" in found, True, found)
        hand_over = [line for _, text in blocks(document, "text") for line in text.splitlines() if "wardroom_hand_over" in line]
        after_the_switch(project, server, keys, code, [line.split()[1:] for line in hand_over])
        server.command("export", "--output", str(project.folder / "back.jsonl"))

    (project.folder / "backoffice" / "settings.py").write_text(before)
    project.shell(code.pop("carry_back.py"))
    project.shell(code.pop("revoke_tokens.py"))
    back_again(project, keys)
    same(code, {}, "code that was not run")


def after_the_switch(project: Project, server: Server, keys: dict[str, str], code: dict[str, str], hand_over: list[list[str]]) -> None:
    server.command("user", "add", "new", "--email", "new@example.com", "--password-stdin", input="nine lanterns above the harbour\n")
    server.command("user", "add", "unseen", "--first-name", "Zoë")
    key = server.issue("new")
    with project.serve() as url:
        [dry_run, for_all] = hand_over
        same("would be handed over: 2, of which 2 have a password" in project.manage(*dry_run), True, "the hand-over without changes")
        same(ask(f"{url}/notes", keys["old"], {"note": "b"})[0], 403, "a row that was not handed over")
        # Why the document hands the rows over.
        server.command("user", "disable", "old")
        same(sign_in(project, "old", "an old password"), "signed in", "a disabled user, in Django's own admin")
        server.command("user", "enable", "old")
        same("handed over: 2, of which 2 had a password" in project.manage(*for_all), True, "the hand-over")
        for name in ("old", "admin"):
            same(sign_in(project, name, "an old password"), "refused", "an old password")
        same(sign_in(project, "emergency", "an old password"), "signed in", "the account that was kept")
        same(ask(f"{url}/notes", keys["emergency"], {"note": "b"})[0], 403, "the account that was kept, with a token")
        found = project.manage("wardroom_check")
        same("1 users can sign in to Django" in found and "1 row is Django's own" in found, True, found)
        same(ask(f"{url}/notes", keys["old"], {"note": "b"}), (201, {"notes": 2}), "an old token, and an old row")
        same(ask(f"{url}/notes", key, {"note": "c"}), (201, {"notes": 1}), "someone who is new, with a reference to the row")
        same(ask(f"{url}/notes", "0" * 40, {"note": "c"})[0], 401, "a token that is not valid")
        server.command("user", "disable", "old")
        same(ask(f"{url}/notes", keys["old"], {"note": "d"})[0], 401, "a disabled user, at the next request")
        mirror = code.pop("mirror_users.py")
        for _ in range(2):
            project.shell(mirror)
        rows = project.shell("from django.contrib.auth.models import User\nfor u in User.objects.order_by('pk'): print(u.username, u.is_active)")
        wanted = ["old False", "admin True", "emergency True", "backoffice True", "new True", "unseen True"]
        same(sorted(rows.splitlines()), sorted(wanted), "everyone has a row")
        same(project.shell(mirror).strip(), "3 is Django's own: emergency here, emergency in Wardroom", "the row that was kept")
        server.command("user", "sign-out", "admin")
        server.command("user", "enable", "old")


def back_again(project: Project, keys: dict[str, str]) -> None:
    same(sign_in(project, "new", "nine lanterns above the harbour"), "signed in", "someone who is new, back in Django")
    same(sign_in(project, "admin", "an old password"), "signed in", "an old password, which came back")
    with project.serve() as url:
        same(ask(f"{url}/notes", keys["old"], {"note": "e"}), (201, {"notes": 3}), "an old token, back in Django")
        same(ask(f"{url}/notes", keys["admin"], {"note": "e"})[0], 401, "a token that was revoked in Wardroom")
    groups = project.shell("from django.contrib.auth.models import User\nprint(*User.objects.get(username='old').groups.values_list('name', flat=True))")
    same(groups.strip(), "Office", "the groups")


def sign_in(project: Project, name: str, password: str) -> str:
    return project.shell(SIGN_IN.format(name, password)).strip()
