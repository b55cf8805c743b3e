"""Pages of other origins in a real browser: what CORS lets their scripts do. Usage: cors.py WARDROOM

Three pages ask for the same things: one of a named origin, one of an origin that is not named, and one whose origin is
`null` (a sandboxed frame). django-cors-headers, with the same origins, is asked the same: what it allows, Wardroom allows.
"""

import http.server
import subprocess
import sys
import threading

from playwright.sync_api import sync_playwright

from demo import Demo, chromium

BODY = "application/json"
# Method, path, more headers, body. The paths exist in the demo; the reference answers every path.
REQUESTS = [
    ("GET", "/api/users/me", {}, None),
    ("GET", "/api/users?limit=2", {}, None),
    ("GET", "/api/users/42", {"X-Request-Id": "from-a-page"}, None),
    ("GET", "/api/users/me", {"X-Requested-With": "XMLHttpRequest", "X-CSRFToken": "x"}, None),
    ("HEAD", "/api/users/me", {}, None),
    # A redirect to a file, which any page may read, but which a page that sends the key may only ask for if it is named.
    ("GET", "/api/users/me/avatar?size=64", {}, None),
    ("POST", "/api/users/groups", {}, '{"name":"made by a page"}'),
    ("PATCH", "/api/users/42", {}, '{"first_name":"Alexandra"}'),
    ("PATCH", "/api/users/42", {"If-Match": "*"}, '{"first_name":"Alex"}'),
    ("PUT", "/api/users/groups/3", {}, '{"name":"Billing"}'),
    ("PUT", "/api/users/groups/3", {"If-Match": "*"}, '{"name":"Billing"}'),
    ("OPTIONS", "/api/users/me", {}, None),
    ("DELETE", "/api/users/groups/7", {}, None),
    ("DELETE", "/api/users/groups/1", {"If-Match": "*"}, None),
    ("GET", "/api/users/me", {"X-Unknown": "x"}, None),
]
SCRIPT = """async ([site, key, method, path, more, body]) => {
    const headers = {Authorization: `Token ${key}`, ...more};
    if (body) headers["Content-Type"] = "application/json";
    try {
        const answer = await fetch(site + path, {method, headers, body});
        const names = ["ETag", "X-Request-Id", "Retry-After", "Location", "Allow"];
        const read = names.filter(name => answer.headers.get(name) !== null);
        return {status: answer.status, read, text: await answer.text()};
    } catch (error) {
        return {refused: String(error)};
    }
}"""
FAULTS = []


def expected(good, said):
    if not good:
        FAULTS.append(said)


class Quiet(http.server.BaseHTTPRequestHandler):
    """An empty page."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>a page</title>")

    def log_message(self, *_):
        pass


def page_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Reference:
    """django-cors-headers in front of a view that answers everything, with the same origins."""

    def __init__(self, origins):
        command = [sys.executable, __file__.replace("cors.py", "cors_reference.py"), *origins]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.site = self.process.stdout.readline().strip()
        assert self.site.startswith("http://"), "the reference did not start"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def frames(browser, named, unnamed):
    """One frame of each origin."""
    own, other, outer = (browser.new_context().new_page() for _ in range(3))
    own.goto(named)
    other.goto(unnamed)
    outer.goto(named)
    outer.evaluate("""() => new Promise(done => {
        const frame = document.createElement("iframe");
        frame.sandbox = "allow-scripts";
        frame.srcdoc = "<!doctype html><title>a frame</title>";
        frame.onload = done;
        document.body.append(frame);
    })""")
    sandboxed = outer.frames[1]
    assert sandboxed.evaluate("self.origin") == "null"
    return {"named": own, "unnamed": other, "null": sandboxed}


def ask_everything(frame, site, key):
    return [frame.evaluate(SCRIPT, [site, key, *request]) for request in REQUESTS]


def judge(program, browser, named, unnamed):
    asked = frames(browser, named, unnamed)
    with Demo(program, "--cors-allowed-origins", named) as demo, Reference([named]) as reference:
        # The pages that must not change anything come first: what they ask for still has to work afterwards.
        for which in ["unnamed", "null", "named"]:
            ours = ask_everything(asked[which], demo.site, demo.key)
            theirs = ask_everything(asked[which], reference.site, demo.key)
            for request, our, their in zip(REQUESTS, ours, theirs):
                said = f"{which}: {request[0]} {request[1]} {request[2]}: {our}"
                print(said.split(", 'text'")[0], flush=True)
                unknown = "X-Unknown" in request[2]
                if which == "named" and not unknown:
                    expected(our.get("status", 500) < 300, said)
                    is_file = "/avatar" in request[1]
                    expected(is_file or "X-Request-Id" in our.get("read", []), f"{said}: its headers cannot be read")
                    expected(request[0] == "HEAD" or request[0] == "DELETE" or our.get("text"), f"{said}: no text")
                else:
                    expected("refused" in our, said)
                # A page may set If-Match and X-Request-Id here, which the reference does not know.
                expected("refused" not in our or "refused" in their, f"{said}: django-cors-headers allows it")
        refused = asked["named"].evaluate(SCRIPT, [demo.site, "wrong", "GET", "/api/users/me", {}, None])
        expected(refused.get("status") == 401, f"a refusal can be read: {refused}")
    with Demo(program) as demo:
        for which, frame in asked.items():
            outcomes = ask_everything(frame, demo.site, demo.key)
            expected(all("refused" in outcome for outcome in outcomes), f"without the setting: {which}: {outcomes}")
    with Demo(program, "--cors-allowed-origins", "*") as demo:
        for which, frame in asked.items():
            outcome = frame.evaluate(SCRIPT, [demo.site, demo.key, *REQUESTS[0]])
            expected(outcome.get("status") == 200, f"with *: {which}: {outcome}")


def main():
    one, two = page_server(), page_server()
    named, unnamed = (f"http://127.0.0.1:{server.server_port}" for server in [one, two])
    with sync_playwright() as player:
        # Without a sandbox of its own, because judges also run as root. It opens only our pages.
        browser = player.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        judge(sys.argv[1], browser, named, unnamed)
        browser.close()
    for fault in FAULTS:
        print(f"FAULT {fault}", file=sys.stderr)
    if FAULTS:
        sys.exit(1)
    print(f"{len(REQUESTS)} requests of three pages")


main()
