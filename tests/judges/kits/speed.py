"""Measures a view of a Django project before and after its authentication is Wardroom's, in turns of one run.

    target/judges/venv/bin/python tests/judges/kits/speed.py target/release/wardroom target/judges/kits/django-5.2/bin/python

gunicorn with one process and four threads, Django's SQLite database, eight clients, all on this machine. Only the ratio says
something: it compares Django REST Framework's look-up of a key and its user with an introspection over a kept connection.
"""

from __future__ import annotations

import http.client
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from project import Project
from server import Server

SETTINGS = """
import os

INSTALLED_APPS += ["rest_framework", "rest_framework.authtoken", "wardroom_django"]
WARDROOM = {"URL": os.environ["WARDROOM_URL"], "KEY": os.environ["WARDROOM_KEY"], "TIMEOUT": 30}
"""
URLS = """
from rest_framework.authentication import TokenAuthentication
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from wardroom_django.authentication import WardroomAuthentication


def view(kind):
    @api_view(["GET"])
    @authentication_classes([kind])
    @permission_classes([IsAuthenticated])
    def who(request):
        return Response({"id": request.user.pk})

    return who


urlpatterns += [path("before", view(TokenAuthentication)), path("after", view(WardroomAuthentication))]
"""
TOKEN = """
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token
Token.objects.create(key={0!r}, user=User.objects.create(pk=1, username="root"))
"""


def rate(url: str, path: str, key: str, seconds: float, clients: int = 8) -> float:
    """Requests per second."""
    counts: list[int] = []
    end = time.monotonic() + seconds

    def ask() -> None:
        done = 0
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        while time.monotonic() < end:
            connection.request("GET", path, headers={"Authorization": f"Token {key}"})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise SystemExit(f"{path}: {response.status}")
            done += 1
        counts.append(done)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) != clients:
        raise SystemExit("a client failed")
    return sum(counts) / seconds


def main() -> None:
    wardroom, python = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).absolute()
    with tempfile.TemporaryDirectory() as folder, Server(wardroom, Path(folder) / "data") as server:
        environment = {**os.environ, **server.environment()}
        project = Project(python, Path(folder) / "shop", "shop", environment)
        project.append("settings.py", SETTINGS)
        project.append("urls.py", URLS)
        project.manage("migrate", "--verbosity", "0")
        project.shell(TOKEN.format(server.key))
        with project.serve() as url:
            for path in ("/before", "/after"):
                rate(url, path, server.key, 1)
            turns = [(rate(url, "/before", server.key, 3), rate(url, "/after", server.key, 3)) for _ in range(5)]
    before, after = (statistics.median(turn[index] for turn in turns) for index in (0, 1))
    ratios = sorted(after / before for before, after in turns)
    print(f"before {before:.0f}/s, after {after:.0f}/s, ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
