"""Sends the project a request with every key there is, and writes its exact answers to a file.

Nothing goes over a network: Django answers in this process.
"""

import json
from pathlib import Path

from django.db import transaction
from django.test import Client

HOST = "www.example.com"
DRF, KNOX = "/api/users/me", "/api/knox/me"


def questions(people):
    """The key's owner (None if it belongs to no user), the kind of token, method, path, and the header's value."""
    for person in people:
        if person["drf_key"]:
            yield person["id"], "drf", "GET", DRF, f"Token {person['drf_key']}"
        for token in person["knox"]:
            yield person["id"], "knox", "GET", KNOX, f"Token {token['key']}"
    alex = next(person for person in people if person["username"] == "alex_thompson")
    for kind, path, key in ("drf", DRF, alex["drf_key"]), ("knox", KNOX, alex["knox"][0]["key"]):
        yield alex["id"], kind, "GET", f"{path}/", f"Token {key}"
        yield alex["id"], kind, "GET", path, f"  tOkEn \t {key} "
        yield alex["id"], kind, "HEAD", path, f"Token {key}"
        yield alex["id"], kind, "POST", path, f"Token {key}"
        for value in None, "", "Token", f"Token {key} {key}", f"Bearer {key}", f"Token {key[:-1]}", "Token nobody's":
            yield None, kind, "GET", path, value


def ask(client, question):
    owner, kind, method, path, authorization = question
    headers = {"HTTP_HOST": HOST}
    if authorization is not None:
        headers["HTTP_AUTHORIZATION"] = authorization
    # Knox deletes expired tokens when it finds them: all changes by these requests are rolled back.
    with transaction.atomic():
        response = client.generic(method, path, **headers)
        transaction.set_rollback(True)
    return {
        "owner": owner,
        "kind": kind,
        "method": method,
        "path": path,
        "authorization": authorization,
        "status": response.status_code,
        "headers": [[name.lower(), value] for name, value in response.items()],
        "body": response.content.decode(),
    }


def answers(material, report):
    """Reads the people from `material` and writes `report`, both JSON files."""
    people = json.loads(Path(material).read_text(encoding="utf-8"))["people"]
    client = Client(raise_request_exception=False)
    found = [ask(client, question) for question in questions(people)]
    Path(report).write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
