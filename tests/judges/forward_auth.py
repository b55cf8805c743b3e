"""The configurations of docs/forward-auth with real proxies. Usage: forward_auth.py WARDROOM PROGRAMS

Each proxy stands between attempts to be taken for someone else and a small application. What the application has received
decides, not what the proxy says. The table that is printed is the one in docs/forward-auth/README.md, which is compared.
"""

import base64
import concurrent.futures
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from ports import free_port

DOCS = pathlib.Path("docs/forward-auth")
WARDROOM, APPLICATION, PROXY, INSIDE = "127.0.0.1:8000", "127.0.0.1:9000", "127.0.0.1:8080", "127.0.0.1:8081"
IDENTITY = {"remote-user": "ann", "remote-user-id": None, "remote-groups": "", "remote-group-names": "", "remote-email": "",
            "remote-name": "Ann%20Lee", "remote-staff": "true", "remote-admin": "false", "remote-scopes": "*"}
# The rule of the documents, and the one that is used, in which a permission is named.
RULE, NARROWER = "/api/auth/forward/staff", "/api/auth/forward/staff,permission=1222"
SCOPES = "me_read,user_read"
# Clients have an address that no proxy has: Wardroom trusts 127.0.0.1.
CLIENT = "127.0.0.2"
NAMES = ["User", "User-Id", "Groups", "Group-Names", "Email", "Name", "Staff", "Admin", "Scopes"]
OTHERS = re.compile(r"x-auth-request-|x-forwarded-(user|groups|email|preferred)")
# What names may have besides letters and digits. Applications take each of them for a hyphen, or some.
SIGNS = "_.!#$%&'*+^`|~"
FAULTS = []


def receive(connection):
    """Reads one request: its first line, its headers as they came, its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
    known = {name.lower(): value for name, value in headers}
    if known.get("transfer-encoding", "").lower() == "chunked":
        while not body.endswith(b"0\r\n\r\n"):
            body += connection.recv(65536)
        plain = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            plain, body = plain + body[:int(size, 16)], body[int(size, 16) + 2:]
        body = plain
    else:
        while len(body) < int(known.get("content-length", 0)):
            body += connection.recv(65536)
    return first, headers, body


class Server:
    """Answers each request on an address with `answer`, and records what it received."""

    def __init__(self, port, answer):
        self.answer, self.received = answer, []
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError, ValueError), connection:
            request = receive(connection)
            if request is None:
                return
            self.received.append(request)
            if self.answer is None:
                # It never answers: reads until the other side gives up.
                while connection.recv(4096):
                    pass
                return
            connection.sendall(self.answer)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def answer(status, *lines, body=""):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *lines]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


class Wardroom:
    """The real server, with its people."""

    def __init__(self, program, place, port):
        self.program, self.data, self.port = program, place / "data", port
        self.run("init")
        self.run("user", "add", "ann", "--staff", "--first-name", "Ann", "--last-name", "Lee", "--permission", "1222")
        self.run("user", "add", "bob")
        self.run("user", "add", "ada", "--admin")
        self.keys = {name: self.issue(name) for name in ["ann", "bob", "ada"]}
        narrow = {"scopes": ["--scope", SCOPES], "other": ["--scope", "me_read,group_read"], "reader": ["--read-only"],
                  "near": ["--network", CLIENT], "far": ["--network", "192.0.2.0/24"]}
        self.keys |= {name: self.issue("ann", *flags) for name, flags in narrow.items()}
        self.start()

    def run(self, *arguments):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WARDROOM_")}
        command = [self.program, *arguments, "--data-dir", self.data]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=clean).stdout

    def issue(self, name, *flags):
        return re.search(r"wrd_\w{36}", self.run("token", "issue", name, "--name", "judge", *flags))[0]

    def revoke(self, name):
        self.run("token", "revoke", "--all-of", name)

    def start(self):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WARDROOM_")}
        command = [self.program, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.data, "--log-level", "error"]
        self.process = subprocess.Popen(command, env=clean, stderr=subprocess.DEVNULL)
        wait_for(self.port, self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def wait_for(port, process):
    for _ in range(1500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        assert process.poll() is None, f"{process.args[0]} ended"
        time.sleep(0.02)
    sys.exit(f"{process.args[0]} does not listen")


def send(port, text):
    """Sends bytes and returns the status of the first response; 0 without one."""
    data = text if isinstance(text, bytes) else text.encode("latin-1")
    said = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(CLIENT, 0)) as one:
        one.sendall(data)
        while True:
            more = one.recv(65536)
            if not more:
                break
            said += more
    found = re.match(rb"HTTP/1\.[01] (\d+)", said.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"", 1))
    return int(found[1]) if found else 0


def request(*lines, method="GET", target="/page", body=b"", host="app.example.com"):
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def attempts(keys):
    """What is tried: a name, the bytes, and who the application may see: `ann`, ann with a narrow token (`scopes`), nobody (`-`), or
    ann or nobody (`ann-`)."""
    key = lambda name: f"Authorization: Token {keys[name]}"
    ann, bob = f"Authorization: Token {keys['ann']}", f"Authorization: Token {keys['bob']}"
    basic = base64.b64encode(f"x:{keys['ann']}".encode()).decode()
    spoofed = [f"Remote-{name}: ada" for name in NAMES]
    under = [f"Remote_{name.replace('-', '_')}: ada" for name in NAMES]
    mixed = ["Remote_User-Id: 1", "Remote-User_Id: 1", "Remote-Group_Names: admins", "Remote_Group-Names: admins"]
    others = [f"X-Auth-Request-{name}: ada" for name in [*NAMES, "Preferred-Username"]]
    others += [f"X-Forwarded-{name}: ada" for name in ["User", "Groups", "Email", "Preferred-Username"]]
    names = [line.split(":")[0] for line in spoofed + others]
    others_under = [f"{name.replace('-', '_')}: ada" for name in names if name.startswith("X")]
    others_mixed = [f"{name.replace('-', '_', 1)}: ada" for name in names] + [f"{'_'.join(name.rsplit('-', 1))}: ada" for name in names]
    signs = [f"{name.replace('-', sign)}: ada" for sign in SIGNS for name in ["Remote-User", "Remote-Groups", "X-Auth-Request-User", "X-Forwarded-User"]]
    body = b'{"a": 1}'
    chunked = f"POST /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{ann}\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n".encode()
    second = request("Remote-User: ada", target="/hidden")
    return [
        ("a good key: `Token`", request(ann), "ann"),
        ("a good key: `Bearer`", request(ann.replace("Token", "bearer")), "ann"),
        ("a good key: `Basic`, as the password", request(f"Authorization: Basic {basic}"), "ann"),
        ("a good key, `POST` with a body", request(ann, method="POST", body=body), "ann"),
        ("a good key, a body in chunks", chunked + body + b"\r\n0\r\n\r\n", "ann"),
        ("no key", request(), "-"),
        ("an unknown key", request(f"Authorization: Token {'f' * 40}"), "-"),
        ("the key of a user who does not meet the rule", request(bob), "-"),
        ("a key with scopes, the permission of the rule among them", request(key("scopes"), *spoofed), "scopes"),
        ("a key with other scopes, `Remote-*`", request(key("other"), *spoofed), "-"),
        ("a key that can only read", request(key("reader")), "-"),
        ("a key from its network", request(key("near")), "ann"),
        ("a key from outside its network, `X-Forwarded-For` from inside", request(key("far"), "X-Forwarded-For: 192.0.2.7", "X-Real-IP: 192.0.2.7", "Forwarded: for=192.0.2.7"), "-"),
        ("a key from outside its network, `X-Forwarded-For: 127.0.0.1`", request(key("far"), "X-Forwarded-For: 192.0.2.7, 127.0.0.1"), "-"),
        ("no key, `Remote-*`", request(*spoofed), "-"),
        ("a good key, `Remote-*`", request(ann, *spoofed), "ann"),
        ("a good key, `Remote-*` twice, in capitals", request(ann, *[line.upper() for line in spoofed + spoofed]), "ann"),
        ("a good key, `Remote_*`", request(ann, *under), "ann"),
        ("a good key, `REMOTE_*`", request(ann, *[line.upper() for line in under]), "ann"),
        ("a good key, names with `-` and `_`", request(ann, *mixed), "ann"),
        ("a good key, `X-Auth-Request-*`, `X-Forwarded-User`", request(ann, *others), "ann"),
        ("no key, `X-Auth-Request-*`, `X-Forwarded-User`", request(*others), "-"),
        ("a good key, `X_Auth_Request_*`, `X_Forwarded_User`", request(ann, *others_under), "ann"),
        ("a good key, `X_Forwarded-User`, `X-Forwarded_User`", request(ann, *others_mixed), "ann"),
        ("a good key, `Remote.User`, and other signs for `-`", request(ann, *signs), "ann-"),
        ("a good key, `Connection: Remote-User`", request(ann, f"Connection: {', '.join(f'Remote-{name}' for name in NAMES)}"), "ann-"),
        ("a good key, `Connection: Authorization`", request(ann, "Connection: Authorization"), "ann-"),
        ("the same key twice", request(ann, ann), "-"),
        ("a good key, then another", request(ann, bob), "-"),
        ("another key, then a good one", request(bob, ann), "-"),
        ("two keys in one header", request(f"{ann}, Token {keys['ada']}"), "-"),
        ("the key in the query", request(target=f"/page?token={keys['ann']}&authorization=Token%20{keys['ann']}"), "-"),
        ("the key in other headers", request(f"Cookie: token={keys['ann']}", f"X-Api-Key: {keys['ann']}", f"Proxy-{ann}"), "-"),
        ("no key, `X-Original-URL`, `X-Rewrite-URL`", request("X-Original-URL: /api/auth/forward/active", "X-Rewrite-URL: /public"), "-"),
        ("another user's key, `X-Original-URL` with another rule", request(bob, "X-Original-URL: /api/auth/forward/active"), "-"),
        ("another user's key, `X-Forwarded-Uri`, `-Method`, `-Host`", request(bob, "X-Forwarded-Uri: /api/auth/forward/active", "X-Forwarded-Method: OPTIONS", "X-Forwarded-Host: evil.example"), "-"),
        ("no key, `X-Forwarded-For: 127.0.0.1`", request("X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1"), "-"),
        ("no key, `X-HTTP-Method-Override`", request("X-HTTP-Method-Override: OPTIONS", method="POST"), "-"),
        ("another user's key, another rule in the query", request(bob, target="/page?rule=active&/api/auth/forward/active"), "-"),
        ("another user's key, another rule as the path", request(bob, target="/api/auth/forward/active"), "-"),
        ("another user's key, `/../active`", request(bob, target="/../active"), "-"),
        ("another user's key, `/%2e%2e/active`", request(bob, target="/%2e%2e/active"), "-"),
        ("another user's key, `/..%2factive`", request(bob, target="/..%2factive"), "-"),
        ("another user's key, `/..;/active`", request(bob, target="/..;/active"), "-"),
        ("another user's key, `//active//`", request(bob, target="//active//"), "-"),
        ("another user's key, `/%00`, `/%0d%0a`", request(bob, target="/%00%0d%0aRemote-User:%20ada"), "-"),
        ("another user's key, an absolute target", request(bob, target="http://127.0.0.1/api/auth/forward/active"), "-"),
        ("another user's key, another `Host`", request(bob, host="evil.example"), "-"),
        ("no key, `OPTIONS`, as a preflight", request("Origin: https://app.example.com", "Access-Control-Request-Method: GET", method="OPTIONS"), "-"),
        ("no key, `HEAD`", request(method="HEAD"), "-"),
        ("no key, `PUT` with a body", request(method="PUT", body=body), "-"),
        ("no key, a method that no one knows", request(method="NONSENSE"), "-"),
        ("no key, a WebSocket", request("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==").replace(b"Connection: close", b"Connection: Upgrade"), "-"),
        ("no key, `Expect: 100-continue`", request("Expect: 100-continue", method="POST", body=body), "-"),
        ("no key, `Accept: text/html`", request("Accept: text/html"), "-"),
        ("a second request in the body, no key", request(method="POST", body=second), "-"),
        ("a second request behind one without a key", request().replace(b"Connection: close\r\n", b"") + second, "-"),
        ("`Content-Length` and `Transfer-Encoding`", chunked.replace(b"Transfer-Encoding", b"Content-Length: 4\r\nTransfer-Encoding") + body + b"\r\n0\r\n\r\n" + second, "ann-"),
        ("`Remote-User` in a folded line", request(f"{ann}\r\nX-A: b\r\n Remote-User: ada"), "ann-"),
        ("a blank before the colon: `Remote-User :`", request(ann, "Remote-User : ada"), "ann-"),
    ]


# What happens when Wardroom is away or is not Wardroom: each answers in its place; None never answers.
IMPOSTORS = [
    ("Wardroom does not answer", None, "-"),
    ("a redirect in its place", answer("302 Found", "Location: /sign-in"), "-"),
    ("404: the rule is mistyped", answer("404 Not Found"), "-"),
    ("429", answer("429 Too Many Requests", "Retry-After: 1"), "-"),
    ("500", answer("500 Internal Server Error"), "-"),
    ("503", answer("503 Service Unavailable"), "-"),
    ("200 without identity headers", answer("200 OK"), "none-"),
]


def seen(received, user_id, scopes):
    """Who the application takes the client for; anything that is forged is a fault."""
    # With scopes, nobody is staff.
    identity = IDENTITY | {"remote-scopes": scopes, "remote-staff": "true" if scopes == "*" else "false"}
    faults = []
    found = "-"
    for first, headers, _ in received:
        # As frameworks read names: without case, with any sign for `-`.
        named = [(re.sub("[^a-z0-9]", "-", name.lower()), value) for name, value in headers]
        own = {name: value for name, value in named if name.startswith("remote-")}
        found = own.get("remote-user", "none")
        for name, value in named:
            if name.startswith("remote-"):
                right = str(user_id) if name == "remote-user-id" else identity.get(name)
                if value != right:
                    faults.append(f"{name}: {value}")
                if [other for other, _ in named].count(name) > 1:
                    faults.append(f"{name} twice")
            if name == "authorization" or OTHERS.match(name):
                faults.append(f"{name}: {value}")
        if "/hidden" in first:
            faults.append("the hidden request")
        filled = {name for name, right in identity.items() if right != ""}
        if found == "ann" and not filled <= own.keys():
            faults.append(f"missing: {filled - own.keys()}")
    return found, faults


class Proxy:
    """A proxy with its configuration of the documents, on free ports."""

    def __init__(self, name, command, place, wardroom, change=lambda text: text):
        self.name, self.place = name, place / name
        self.application = Server(free_port(), answer("200 OK", body="application"))
        backend = self.application.socket.getsockname()[1]
        ports = {WARDROOM: wardroom, APPLICATION: backend, PROXY: free_port(), INSIDE: free_port()}
        self.place.mkdir(parents=True)
        for path in DOCS.iterdir():
            text = change(path.read_text())
            for known, port in ports.items():
                text = text.replace(known, f"127.0.0.1:{port}")
            text = text.replace(RULE, NARROWER)
            text = text.replace("pid /run/nginx.pid;", "pid nginx.pid; daemon off; error_log error.log;")
            text = text.replace("http://:8080", f"http://:{ports[PROXY]}")
            if name == "envoy":
                # Envoy has address and port in two fields.
                for known, port in ports.items():
                    text = text.replace(f"port_value: {known.split(':')[1]} ", f"port_value: {port} ")
            (self.place / path.name).write_text(text)
        self.port = ports[PROXY]
        self.log = open(self.place / "log", "w")
        home = {"HOME": str(self.place), "XDG_DATA_HOME": str(self.place), "XDG_CONFIG_HOME": str(self.place), "PATH": os.environ["PATH"]}
        self.process = subprocess.Popen(command, cwd=self.place, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env=home)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def commands(programs):
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    haproxy = shutil.which("haproxy") or "/usr/sbin/haproxy"
    return {
        "nginx": [nginx, "-e", "error.log", "-p", ".", "-c", "nginx.conf"],
        "caddy": [programs / "caddy", "run", "--config", "Caddyfile"],
        "traefik": [programs / "traefik", "--configFile=traefik.yml"],
        "envoy": [programs / "envoy", "-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "warn"],
        "haproxy": [haproxy, "-db", "-f", "haproxy.cfg"],
    }


def ready(proxy, wardroom):
    """Waits until a good request arrives at the application."""
    wait_for(proxy.port, proxy.process)
    for _ in range(500):
        if send(proxy.port, request(f"Authorization: Token {wardroom.keys['ann']}")) == 200:
            return
        time.sleep(0.02)
    sys.exit(f"{proxy.name} does not let a good request through: {(proxy.place / 'log').read_text()[-2000:]}")


def attempt(proxies, name, data, wanted, user_id):
    """Tries one thing with every proxy at the same time; a row of the table."""
    for proxy in proxies:
        proxy.application.received.clear()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        statuses = list(pool.map(lambda proxy: send(proxy.port, data), proxies))
    cells = []
    for proxy, status in zip(proxies, statuses):
        found, faults = seen(proxy.application.received, user_id, SCOPES if wanted == "scopes" else "*")
        good = {"ann": found == "ann", "scopes": found == "ann", "-": found == "-", "ann-": found in ("ann", "-", "none"), "none": found == "none", "none-": found in ("none", "-")}[wanted]
        refused = found == "-"
        if not good or faults or (refused and 200 <= status < 300) or (wanted in ("ann", "scopes") and status != 200):
            FAULTS.append(f"{proxy.name}: {name}: {found} instead of {wanted}, status {status}, {faults}")
        who = {"-": str(status) if status else "closed", "none": "no identity"}.get(found, found)
        cells.append(who)
    return f"| {name} | " + " | ".join(cells) + " |"


def lets_preflights_pass(name):
    """What docs/forward-auth/README.md says under "Preflights", for the configuration of a proxy."""

    def nginx(text):
        begin = text.index("        location / {")
        end = text.index("        location = /_wardroom")
        location = text[begin:end]
        own = re.sub(r" +auth_request.*\n", "", location.replace("location /", "location @preflight"))
        own = re.sub(r"\$wardroom_\w+", '""', own)
        asked = "error_page 418 = @preflight;\nif ($request_method = OPTIONS) { return 418; }\n"
        return text[:begin] + location.replace("{", "{\n" + asked, 1) + own + text[end:]

    def caddy(text):
        return text.replace("forward_auth 127.0.0.1:8000", "@asked not method OPTIONS\n\t\tforward_auth @asked 127.0.0.1:8000")

    def traefik(text):
        first, rest = text.split("    application:\n", 1)
        router = first + "    application:\n" + rest
        second = rest[:rest.index("    wardroom:\n")].replace("PathPrefix(`/`)", "PathPrefix(`/`) && Method(`OPTIONS`)")
        return router.replace("  routers:\n", "  routers:\n    preflights:\n" + second.replace(" wardroom,", ""), 1)

    def envoy(text):
        route = """                        - match: { prefix: /, headers: [{ name: ":method", string_match: { exact: OPTIONS } }] }
                          route: { cluster: application }
                          typed_per_filter_config:
                            envoy.filters.http.ext_authz:
                              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                              disabled: true
"""
        return text.replace("                        - match: { prefix: / }\n", route + "                        - match: { prefix: / }\n")

    def haproxy(text):
        return text.replace(f"127.0.0.1:8000{RULE}\n", f"127.0.0.1:8000{RULE} unless METH_OPTIONS\n")

    own = {"nginx": ("nginx.conf", nginx), "caddy": ("Caddyfile", caddy), "traefik": ("traefik-dynamic.yml", traefik),
           "envoy": ("envoy.yaml", envoy), "haproxy": ("haproxy.cfg", haproxy)}
    file, change = own[name]
    plain = (DOCS / file).read_text()
    assert change(plain) != plain, name
    return lambda text: change(text) if text == plain else text


def preflights(proxies, wardroom, user_id):
    """Preflights pass without a key and without an identity, and nothing else does."""
    ann, bob = (f"Authorization: Token {wardroom.keys[name]}" for name in ("ann", "bob"))
    spoofed = [f"Remote{sign}{name}: ada" for sign in "-_" for name in NAMES] + ["X-Forwarded-User: ada", "X-Auth-Request-User: ada"]
    asks = ["Origin: https://app.example.com", "Access-Control-Request-Method: GET"]
    for name, data, wanted in [
        ("a preflight", request(*asks, method="OPTIONS"), "none"),
        ("a preflight, `Remote-*`", request(*asks, *spoofed, method="OPTIONS"), "none"),
        ("a preflight with another user's key, `Remote-*`", request(bob, *asks, *spoofed, method="OPTIONS"), "none"),
        ("`GET` as a preflight", request(*asks, *spoofed), "-"),
        ("`options`", request(*asks, *spoofed, method="options"), "-"),
        ("`POST`, `X-HTTP-Method-Override: OPTIONS`", request(*asks, "X-HTTP-Method-Override: OPTIONS", method="POST", body=b"{}"), "-"),
        ("a good key, `Remote-*`", request(ann, *spoofed), "ann"),
    ]:
        attempt(proxies, f"with preflights: {name}", data, wanted, user_id)


def bodies_arrive(proxies, keys):
    for proxy in proxies:
        proxy.application.received.clear()
        body = bytes(range(256)) * 100
        send(proxy.port, request(f"Authorization: Token {keys['ann']}", method="POST", body=body))
        if [received for *_, received in proxy.application.received] != [body]:
            FAULTS.append(f"{proxy.name}: the body does not arrive whole")


def main():
    program, programs = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        place = pathlib.Path(scratch)
        wardroom = Wardroom(program, place, free_port())
        user_id = re.search(r'"id": ?(\d+)', wardroom.run("user", "show", "ann", "--json"))[1]
        proxies, more, rows = [], [], []
        try:
            for name, command in commands(programs).items():
                proxies.append(Proxy(name, command, place, wardroom.port))
            for proxy in proxies:
                ready(proxy, wardroom)
            for name, data, wanted in attempts(wardroom.keys):
                rows.append(attempt(proxies, name, data, wanted, user_id))
            bodies_arrive(proxies, wardroom.keys)
            for name, command in commands(programs).items():
                more.append(Proxy(name, command, place / "preflights", wardroom.port, lets_preflights_pass(name)))
            for proxy in more:
                ready(proxy, wardroom)
            preflights(more, wardroom, user_id)
            wardroom.revoke("ann")
            good = request(f"Authorization: Token {wardroom.keys['ann']}", *[f"Remote-{name}: ada" for name in NAMES])
            rows.append(attempt(proxies, "a good key, revoked a moment ago", good, "-", user_id))
            good = request(f"Authorization: Token {wardroom.issue('ann')}", *[f"Remote-{name}: ada" for name in NAMES])
            rows.append(attempt(proxies, "a new key, `Remote-*`", good, "ann", user_id))
            wardroom.stop()
            rows.append(attempt(proxies, "a good key, Wardroom is down", good, "-", user_id))
            for name, reply, wanted in IMPOSTORS:
                impostor = Server(wardroom.port, reply)
                rows.append(attempt(proxies, name, good, wanted, user_id))
                impostor.close()
        finally:
            wardroom.process.kill()
            for proxy in [*proxies, *more]:
                proxy.stop()
    table = "\n".join(["| attempt | " + " | ".join(proxy.name for proxy in proxies) + " |", "|---|" + "---|" * len(proxies), *rows])
    print(table)
    print(f"{len(rows)} attempts with each of {len(proxies)} proxies, {len(FAULTS)} faults")
    if FAULTS:
        sys.exit("\n".join(FAULTS))
    if table not in (DOCS / "README.md").read_text():
        sys.exit("the table of docs/forward-auth/README.md is another one: replace it with the one above")


main()
