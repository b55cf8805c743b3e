"""Programs of other people receive messages. Usage: messages.py WARDROOM

aiosmtpd receives mails, over STARTTLS and over TLS, with a password. The library standardwebhooks verifies signed messages, and
refuses them when they were changed. With postfix on the machine, and as root, a real mail server delivers into a file.
"""

import base64
import email
import email.policy
import http.server
import json
import os
import pathlib
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from ports import free_port

FAULTS = []
TO = "ada@example.org"


def expected(good, said):
    if not good:
        FAULTS.append(said)


def clean():
    return {name: value for name, value in os.environ.items() if not name.startswith("WARDROOM_")}


def secret_file(place, name, text):
    path = place / name
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return str(path)


class Server:
    """A running `wardroom serve` with its settings, which its commands get, too."""

    def __init__(self, program, place, *settings):
        self.command = [program, "--data-dir", str(place / "data")]
        self.settings = list(settings)
        if not (place / "data").exists():
            self.run("init")
        arguments = [program, "serve", "--data-dir", str(place / "data"), "--listen", "127.0.0.1:0", *settings]
        self.log = place / f"log-{secrets.token_hex(4)}"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(arguments, stderr=log, env=clean())

    def run(self, *arguments):
        ran = subprocess.run([*self.command, *arguments], capture_output=True, text=True, env=clean())
        assert ran.returncode == 0, f"{arguments}: {ran.stderr}"
        return ran.stdout

    def send(self, channel, to):
        queued = json.loads(self.run("outbox", "test", channel, to, "--json", *self.settings))
        return queued["id"]

    def wait(self, message, *states):
        """The message when it is in one of these states."""
        for _ in range(1200):
            shown = json.loads(self.run("outbox", "show", message, "--json"))
            if shown["state"] in states or shown["error"] in states:
                return shown
            time.sleep(0.1)
        sys.exit(f"{message} is never {states}: {shown}\n{self.log.read_text()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait() == 0, "the server did not stop properly"


def certificate(place, name):
    """A certificate for localhost, and its key."""
    made = [place / f"{name}.pem", place / f"{name}.key"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext",
         "basicConstraints=critical,CA:FALSE", "-out", made[0], "-keyout", made[1]],
        check=True, capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*made)
    return context, str(made[0])


class Mailbox:
    """Keeps what arrives. It refuses some addresses."""

    def __init__(self):
        self.mails = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("unknown"):
            return "550 5.1.1 no such person"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((session, envelope, mail))
        return "250 queued"


def authenticator(server, session, envelope, mechanism, data):
    # Not handled: aiosmtpd itself answers with 535.
    return AuthResult(success=(data.login, data.password) == (b"accounts", b"correct horse"), handled=False)


def judge_aiosmtpd(program, place):
    context, ca = certificate(place, "mail")
    _, other_ca = certificate(place, "other")
    key = secret_file(place, "key", base64.b64encode(secrets.token_bytes(32)).decode())
    password = secret_file(place, "password", "correct horse")
    wrong = secret_file(place, "wrong", "battery staple")
    for security, options in [
        ("starttls", {"tls_context": context, "require_starttls": True}),
        ("tls", {"ssl_context": context}),
    ]:
        mailbox = Mailbox()
        server = Controller(mailbox, hostname="localhost", port=free_port(), authenticator=authenticator,
                            auth_required=True, auth_require_tls=security == "starttls", **options)
        server.start()
        settings = ["--secrets-key-file", key, "--mail-provider", "smtp", "--mail-from", "Zoë <accounts@example.com>",
                    "--smtp-host", "localhost", "--smtp-port", str(server.port), "--smtp-security", security,
                    "--smtp-user", "accounts", "--messages-service", "Überblick"]
        good = [*settings, "--smtp-ca-file", ca, "--smtp-password-file", password]
        with Server(program, place, *good) as wardroom:
            message = wardroom.send("mail", TO)
            wardroom.wait(message, "sent")
            refused = wardroom.wait(wardroom.send("mail", "unknown@example.org"), "failed")
            expected("code 550" in refused["error"], f"{security}: {refused}")
        expected(len(mailbox.mails) == 1, f"{security}: {len(mailbox.mails)} mails")
        session, envelope, mail = mailbox.mails[0]
        expected(session.ssl or security == "tls", f"{security}: clear text")
        expected(envelope.mail_from == "accounts@example.com" and envelope.rcpt_tos == [TO], f"{security}: envelope")
        expected(mail["From"] == "Zoë <accounts@example.com>" and mail["To"] == TO, f"{security}: {mail['From']}")
        expected(mail["Subject"] == "A test message of Überblick", f"{security}: {mail['Subject']}")
        expected(mail["Message-ID"] == f"<{message}@example.com>", f"{security}: {mail['Message-ID']}")
        expected(mail["Auto-Submitted"] == "auto-generated", f"{security}: not Auto-Submitted")
        expected(mail.get_content_type() == "text/plain", f"{security}: {mail.get_content_type()}")
        expected(mail.get_content().strip() == "This is a test message of Überblick.", f"{security}: {mail.get_content()!r}")
        expected(mail["Date"].datetime.year > 2020, f"{security}: {mail['Date']}")
        expected(not mail.defects, f"{security}: {mail.defects}")
        for changed, why in [
            (["--smtp-ca-file", other_ca, "--smtp-password-file", password], "certificate was not accepted"),
            (["--smtp-ca-file", ca, "--smtp-password-file", wrong], "code 535"),
        ]:
            with Server(program, place, *settings, *changed) as wardroom:
                message = wardroom.send("mail", TO)
                for _ in range(600):
                    shown = json.loads(wardroom.run("outbox", "show", message, "--json"))
                    if shown["error"]:
                        break
                    time.sleep(0.1)
                expected(why in (shown["error"] or ""), f"{security}: {shown}")
                wardroom.run("outbox", "drop", message)
        expected(len(mailbox.mails) == 1, f"{security}: a mail came by a connection that is not good")
        server.stop()
    # A server that does not offer TLS gets nothing.
    mailbox = Mailbox()
    server = Controller(mailbox, hostname="localhost", port=free_port())
    server.start()
    settings = ["--secrets-key-file", key, "--mail-provider", "smtp", "--mail-from", "accounts@example.com",
                "--smtp-host", "localhost", "--smtp-port", str(server.port), "--smtp-ca-file", ca]
    with Server(program, place, *settings) as wardroom:
        message = wardroom.send("mail", TO)
        for _ in range(600):
            shown = json.loads(wardroom.run("outbox", "show", message, "--json"))
            if shown["error"]:
                break
            time.sleep(0.1)
        expected("nothing is sent in clear text" in (shown["error"] or ""), f"no STARTTLS: {shown}")
        wardroom.run("outbox", "drop", message)
    expected(not mailbox.mails, "a mail was sent in clear text")
    server.stop()
    return key


def judge_standardwebhooks(program, place, key):
    received = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((dict(self.headers.items()), body))
            # The first answer is a failure, so that the same message comes twice.
            self.send_response(500 if len(received) == 1 else 204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    old, new = ("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
    secret = secret_file(place, "webhook", f"{old}\n{new}")
    settings = ["--secrets-key-file", key, "--sms-provider", "webhook", "--message-webhook-secret-file", secret,
                "--message-webhook-url", f"http://127.0.0.1:{server.server_port}/", "--outbound-networks", "127.0.0.1"]
    with Server(program, place, *settings) as wardroom:
        message = wardroom.send("sms", "+989121234567")
        wardroom.wait(message, "sent")
    expected(len(received) == 2, f"{len(received)} requests")
    for headers, body in received:
        headers = {name.lower(): value for name, value in headers.items()}
        expected(headers["webhook-id"] == message, headers["webhook-id"])
        for one in (old, new):
            event = Webhook(one).verify(body, headers)
            expected(event["type"] == "notice.requested" and event["data"]["to"] == "+989121234567", str(event))
        for changed, other in [(body + b" ", headers), (body, {**headers, "webhook-id": "msg_other"})]:
            try:
                Webhook(old).verify(changed, other)
                FAULTS.append("a changed message was verified")
            except WebhookVerificationError:
                pass
    server.shutdown()


POSTFIX = """
compatibility_level = 3.6
queue_directory = {place}/spool
data_directory = {place}/lib
mail_owner = postfix
setgid_group = postdrop
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.com
mydestination =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = example.org
virtual_mailbox_base = {place}/mail
virtual_mailbox_maps = inline:{{ {{ ada@example.org = ada }} }}
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
maillog_file = {place}/postfix.log
maillog_file_prefixes = {place}
smtpd_tls_cert_file = {place}/mail.pem
smtpd_tls_key_file = {place}/mail.key
smtpd_tls_security_level = encrypt
smtpd_peername_lookup = no
alias_maps =
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
"""


def judge_postfix(program, place, key):
    import pwd

    _, ca = certificate(place, "mail")
    owner, port = pwd.getpwnam("postfix"), free_port()
    (place / "etc").mkdir()
    for folder, mode in [("spool", 0o755), ("lib", 0o700), ("mail", 0o700)]:
        (place / folder).mkdir(mode=mode)
    for folder in ("lib", "mail"):
        os.chown(place / folder, owner.pw_uid, owner.pw_gid)
    # Postfix runs with accounts of its own.
    for folder in [place, *place.parents]:
        if str(folder).startswith(tempfile.gettempdir()) and folder != pathlib.Path(tempfile.gettempdir()):
            folder.chmod(0o755)
    (place / "etc/main.cf").write_text(POSTFIX.format(place=place, uid=owner.pw_uid, gid=owner.pw_gid))
    (place / "etc/master.cf").write_text(MASTER.format(port=port))
    command = ["postfix", "-c", str(place / "etc")]
    started = subprocess.run([*command, "start"], capture_output=True, text=True)
    assert started.returncode == 0, f"{started.stderr} {(place / 'postfix.log').read_text()}"
    try:
        settings = ["--secrets-key-file", key, "--mail-provider", "smtp", "--mail-from", "accounts@example.com",
                    "--smtp-host", "localhost", "--smtp-port", str(port), "--smtp-ca-file", ca]
        with Server(program, place, *settings) as wardroom:
            message = wardroom.send("mail", TO)
            wardroom.wait(message, "sent")
            refused = wardroom.wait(wardroom.send("mail", "eve@example.org"), "failed")
            expected("code 550" in refused["error"], f"postfix: {refused}")
        for _ in range(300):
            delivered = (place / "mail/ada").read_text() if (place / "mail/ada").exists() else ""
            if message in delivered:
                break
            time.sleep(0.1)
        expected(f"Message-ID: <{message}@example.com>" in delivered, f"postfix did not deliver: {delivered}")
        expected("This is a test message of Wardroom." in delivered, delivered)
    finally:
        subprocess.run([*command, "stop"], capture_output=True)


def main():
    [program] = sys.argv[1:]
    program = str(pathlib.Path(program).resolve())
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        key = judge_aiosmtpd(program, place)
        judge_standardwebhooks(program, place, key)
        if shutil.which("postfix", path=os.environ["PATH"] + ":/usr/sbin") and os.geteuid() == 0:
            os.environ["PATH"] += ":/usr/sbin"
            judge_postfix(program, place, key)
        else:
            print("messages: postfix is not tried without root", file=sys.stderr)
    if FAULTS:
        sys.exit("messages: " + "\n".join(FAULTS))


main()
