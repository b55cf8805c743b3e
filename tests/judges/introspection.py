"""Programs of other people introspect keys. Usage: introspection.py WARDROOM

Apache with mod_oauth2 and a Django service with authlib use the files of docs/introspection, and a revoked key is refused
by the next request through each of them. A token that may only read gets in for reading alone, and one that is limited to
networks only from inside. gitleaks uses docs/leaked-keys: it finds every key, and with the checksum
nothing else.
"""

import http.server
import json
import os
import pathlib
import random
import re
import shutil
import socket
import string
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from demo import Demo
from ports import free_port

DOCS = pathlib.Path("docs")
FAULTS = []
MODULES = ["mpm_event", "authn_core", "authz_core", "headers", "lua", "proxy", "proxy_http", "oauth2"]
PREAMBLE = """
ServerName localhost
ServerRoot {place}
DefaultRuntimeDir {place}
PidFile {place}/pid
ErrorLog {place}/error.log
LogLevel error
Mutex sem
Listen 127.0.0.1:{port}
"""


def expected(good, said):
    if not good:
        FAULTS.append(said)


def call(url, key=None, scheme="Token", data=None, method=None, headers=None):
    """Status, body and headers of an answer."""
    headers = dict(headers or {})
    if key:
        headers["Authorization"] = f"{scheme} {key}"
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


class Accounts:
    """What the judges need of the demo."""

    def __init__(self, demo):
        self.demo = demo
        reader = self.user("reports", is_staff=True, permissions=["user_read", "introspection_read"])
        self.service, _ = self.token(reader)

    def send(self, path, body=None, method="POST"):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        status, text, _ = call(self.demo.site + path, self.demo.key, data=data, method=method, headers=headers)
        assert status < 300, f"{path}: {status} {text}"
        return json.loads(text) if text else None

    def user(self, name, is_staff, permissions=()):
        known = self.send("/api/users/permissions", method="GET")
        ids = [one["id"] for one in known if one["name"] in permissions]
        assert len(ids) == len(permissions), known
        return self.send("/api/users", {"username": name, "is_staff": is_staff, "permissions": ids})["id"]

    def token(self, user, name="judged", **narrowing):
        made = self.send(f"/api/users/{user}/tokens", {"name": name, **narrowing})
        return made["key"] if "key" in made else made["token"], made["id"]

    def revoke(self, token):
        self.send(f"/api/users/tokens/{token}", method="DELETE")


class Application(http.server.BaseHTTPRequestHandler):
    """Answers with the headers that it received."""

    def do_GET(self):
        body = json.dumps(dict(self.headers)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_):
        pass


class Apache:
    """Apache with the file of the documents."""

    def __init__(self, place, site, key, application):
        self.port = free_port()
        modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in MODULES)
        text = (DOCS / "introspection/apache.conf").read_text()
        text = text.replace("https://accounts.example.com", site).replace("INTROSPECTION_KEY", key)
        text = text.replace("http://127.0.0.1:9000", application)
        # Apache runs as another user, who may not read this directory.
        refusing = pathlib.Path(place, "look-alikes.lua")
        shutil.copy(DOCS / "introspection/look-alikes.lua", refusing)
        refusing.chmod(0o644)
        assert "/etc/apache2/look-alikes.lua" in text
        text = text.replace("/etc/apache2/look-alikes.lua", str(refusing))
        account = "User nobody\nGroup nogroup\n" if os.geteuid() == 0 else ""
        settings = pathlib.Path(place, "apache.conf")
        settings.write_text(PREAMBLE.format(place=place, port=self.port) + account + modules + text)
        program = shutil.which("apache2") or "/usr/sbin/apache2"
        self.process = subprocess.Popen([program, "-f", settings, "-D", "FOREGROUND"], stderr=subprocess.DEVNULL)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        sys.exit(f"Apache does not listen: {pathlib.Path(place, 'error.log').read_text()}")

    def get(self, path, key=None, scheme="Token", headers=None, method="GET"):
        return call(f"http://127.0.0.1:{self.port}{path}", key, scheme, headers=headers, method=method)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def judge_apache(accounts, place):
    application = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=application.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{application.server_port}"
    apache = Apache(place, accounts.demo.site, accounts.service, address)
    try:
        for path, scheme, staff in [("/reports", "Token", True), ("/files", "Bearer", False)]:
            user = accounts.user(f"apache-{scheme}".lower(), is_staff=staff)
            key, token = accounts.token(user)
            forged = {"Remote-username": "root", "Remote-user_id": "1", "Remote-is_admin": "true"}
            status, body, _ = apache.get(path, key, scheme, forged)
            expected(status == 200, f"mod_oauth2 {scheme}: {status} {body}")
            seen = {name.lower(): value for name, value in json.loads(body).items()} if status == 200 else {}
            expected(seen.get("remote-username") == f"apache-{scheme}".lower(), f"mod_oauth2 {scheme}: {seen}")
            expected(seen.get("remote-user_id") == str(user), f"mod_oauth2 {scheme}: {seen}")
            expected(seen.get("remote-is_admin") == "false", f"mod_oauth2 {scheme}: a forged header: {seen}")
            for sign in "_.!#$%&'*+^`|~":
                for name in [f"Remote{sign}username", f"REMOTE{sign}USER{sign}ID"]:
                    # A header of the same kind before or behind it, with or without a value, does not hide it.
                    for more in [{}, {"Remote_z": ""}, {"Remote_z": "z"}]:
                        for forged in [{name: "root", **more}, {**more, name: "root"}]:
                            status, _, _ = apache.get(path, key, scheme, forged)
                            expected(status in (400, 401, 403), f"mod_oauth2 {scheme}: {forged}: {status}")
            expected(key not in body, f"mod_oauth2 {scheme}: the application received the key: {seen}")
            for bad, wrong in [(None, scheme), ("nonsense", scheme), (key, {"Token": "Bearer", "Bearer": "Token"}[scheme])]:
                status, _, _ = apache.get(path, bad, wrong)
                expected(status == 401, f"mod_oauth2 {scheme}: {wrong} {bad}: {status}")
            reading, _ = accounts.token(user, read_only=True)
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE"]:
                safe = method in ("GET", "HEAD")
                status, _, _ = apache.get(path, reading, scheme, method=method)
                expected((status == 200) == safe and status in (200, 401, 403), f"mod_oauth2 {scheme}: {method} for reading: {status}")
                status, _, _ = apache.get(path, key, scheme, method=method)
                expected(status == 200, f"mod_oauth2 {scheme}: {method}: {status}")
            # The module does not know where the client is, so such a token gets in from nowhere.
            for networks in [["192.0.2.0/24"], ["127.0.0.0/8"]]:
                inside, _ = accounts.token(user, allowed_networks=networks)
                forged = {"X-Forwarded-For": "192.0.2.7"}
                status, _, _ = apache.get(path, inside, scheme, forged)
                expected(status == 401, f"mod_oauth2 {scheme}: a token for {networks}: {status}")
            accounts.revoke(token)
            status, _, _ = apache.get(path, key, scheme)
            expected(status == 401, f"mod_oauth2 {scheme}: a revoked key: {status}")
        rich = accounts.user("apache-rich", is_staff=True, permissions=["user_read"])
        for scopes in [None, ["user_read"], ["me_read", "me_write", "user_read"]]:
            key, _ = accounts.token(rich, scopes=scopes)
            for path, scheme in [("/reports", "Token"), ("/files", "Bearer")]:
                status, _, _ = apache.get(path, key, scheme)
                good = status == 200 if scopes is None else status in (401, 403)
                expected(good, f"mod_oauth2 {scheme}: a token with the scopes {scopes}: {status}")
        plain, _ = accounts.token(accounts.user("apache-plain", is_staff=False))
        expected(apache.get("/reports", plain)[0] in (401, 403), "mod_oauth2: a plain user among staff")
    finally:
        apache.stop()
        application.shutdown()


def judge_authlib(accounts):
    from django.conf import settings
    from django.http import JsonResponse
    from django.test import RequestFactory

    settings.configure(ALLOWED_HOSTS=["*"], DATABASES={}, SECRET_KEY="x", LOGGING_CONFIG=None)
    os.environ.update(ACCOUNTS=accounts.demo.site, INTROSPECTION_KEY=accounts.service)
    sys.path.insert(0, str(DOCS / "introspection"))
    from resource_protector import require_token

    @require_token()
    def view(request):
        return JsonResponse(dict(request.oauth_token))

    @require_token(["user_read"])
    def scoped(request):
        return JsonResponse({})

    def ask(view, authorization, method="GET", address="127.0.0.1"):
        headers = {"HTTP_AUTHORIZATION": authorization} if authorization else {}
        request = RequestFactory().generic(method, "/", REMOTE_ADDR=address, **headers)
        answer = view(request)
        return answer.status_code, json.loads(answer.content)

    user = accounts.user("authlib", is_staff=False)
    key, token = accounts.token(user)
    for scheme in ["Bearer", "Token"]:
        status, seen = ask(view, f"{scheme} {key}")
        expected((status, seen.get("username"), seen.get("sub")) == (200, "authlib", str(user)), f"authlib: {status} {seen}")
        for bad in [None, scheme, f"{scheme} nonsense", f"Basic {key}"]:
            expected(ask(view, bad)[0] == 401, f"authlib: {bad}")
    expected(ask(scoped, f"Bearer {key}")[0] == 403, "authlib: a token without scopes has none for authlib")
    admin = accounts.user("authlib-admin", is_staff=True, permissions=["user_read"])
    for scopes, status in [(["user_read"], 200), (["me_read", "user_read"], 200), (["me_read"], 403)]:
        narrow, _ = accounts.token(admin, scopes=scopes)
        for scheme in ["Bearer", "Token"]:
            expected(ask(view, f"{scheme} {narrow}")[0] == 403, f"authlib: a token with the scopes {scopes} where none is named")
            expected(ask(scoped, f"{scheme} {narrow}")[0] == status, f"authlib: a token with the scopes {scopes}")
    reading, _ = accounts.token(user, read_only=True)
    inside, _ = accounts.token(user, allowed_networks=["192.0.2.0/24", "2001:db8::/32"])
    for scheme in ["Bearer", "Token"]:
        for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]:
            safe = method in ("GET", "HEAD", "OPTIONS")
            status, _ = ask(view, f"{scheme} {reading}", method)
            expected(status == (200 if safe else 403), f"authlib: {method} with a token for reading: {status}")
            expected(ask(view, f"{scheme} {key}", method)[0] == 200, f"authlib: {method}")
        for address, status in [("192.0.2.7", 200), ("2001:db8::7", 200), ("192.0.3.7", 401), ("127.0.0.1", 401)]:
            found, _ = ask(view, f"{scheme} {inside}", address=address)
            expected(found == status, f"authlib: a token with networks from {address}: {found}")
    accounts.revoke(token)
    status, seen = ask(view, f"Bearer {key}")
    expected(status == 401, f"authlib: a revoked key: {status} {seen}")


def look_alikes(count, keys):
    """Texts that look like keys: of another form, and of the form with a wrong checksum."""
    chance = random.Random(1234)
    letters = string.digits + string.ascii_letters

    def text(length):
        return "".join(chance.choice(letters) for _ in range(length))

    made, wrong_form = [], 0
    for number in range(count):
        kind, key = number % 8, keys[number % len(keys)]
        at = chance.randrange(4, 40)
        other = chance.choice([letter for letter in letters if letter != key[at]])
        made.append(
            [
                lambda: f"wrd_{text(35)}",
                lambda: f"wrd_{text(37)}",
                lambda: f"WRD_{text(36)}",
                lambda: f"wrd-{text(36)}",
                lambda: f"awrd_{text(36)}",
                lambda: f"wrd_{text(20)}-{text(15)}",
                lambda: f"wrd_{text(36)}",
                lambda: key[:at] + other + key[at + 1 :],
            ][kind]()
        )
        wrong_form += kind < 6
    return made, wrong_form


def judge_gitleaks(accounts, place, tools):
    user = accounts.user("leaky", is_staff=False)
    keys = [accounts.token(user, f"key {number}")[0] for number in range(50)]
    made, wrong_form = look_alikes(10_000, keys)
    repository = pathlib.Path(place, "repository")
    repository.mkdir()
    (repository / "settings.py").write_text("".join(f'KEY_{number} = "{key}"\n' for number, key in enumerate(keys)))
    # gitleaks reads large files in pieces, and misses what lies across two of them.
    for first in range(0, len(made), 1000):
        lines = "".join(f"key: {text}\n" for text in made[first : first + 1000])
        (repository / f"look_alikes_{first}.txt").write_text(lines)
    report = pathlib.Path(place, "found.json")
    command = [tools / "gitleaks", "dir", "--config", DOCS / "leaked-keys/gitleaks.toml", "--no-banner", "--exit-code", "0"]
    subprocess.run([*command, "--report-format", "json", "--report-path", report, repository], check=True, capture_output=True)
    found = {one["Secret"] for one in json.loads(report.read_text())}
    expected(found >= set(keys), f"gitleaks missed {len(set(keys) - found)} keys")
    form = re.compile(r"wrd_[0-9A-Za-z]{36}")
    alike = [text for text in made if form.fullmatch(text)]
    expected(found == set(keys) | set(alike), f"gitleaks: {found ^ (set(keys) | set(alike))}")
    expected(len(alike) == len(made) - wrong_form, f"{len(alike)} of {len(made)} have the form of a key")
    verify = [sys.executable, DOCS / "leaked-keys/verify.py"]
    real = subprocess.run(verify, input=report.read_text(), text=True, check=True, capture_output=True).stdout.split()
    expected(set(real) == set(keys) and len(real) == len(keys), f"the checksum leaves {len(real)} of {len(keys)} keys")
    body = json.dumps({"tokens": real}).encode()
    headers = {"Content-Type": "application/json"}
    status, text, _ = call(f"{accounts.demo.site}/api/users/auth/leaked", data=body, headers=headers)
    expected((status, text) == (202, ""), f"leaked: {status} {text}")
    asked = urllib.parse.urlencode({"token": keys[0]}).encode()
    _, text, _ = call(f"{accounts.demo.site}/api/auth/introspect", accounts.service, data=asked)
    expected(text == '{"active":false}', f"a reported key: {text}")


def main():
    tools = pathlib.Path(sys.executable).parent
    with Demo(sys.argv[1]) as demo, tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        accounts = Accounts(demo)
        judge_apache(accounts, place)
        judge_authlib(accounts)
        judge_gitleaks(accounts, place, tools)
    if FAULTS:
        sys.exit("\n".join(FAULTS))


main()
