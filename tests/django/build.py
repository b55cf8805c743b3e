"""Builds the project that the environment describes (see office/settings.py): migrates it, fills it, collects answers.

    build.py DIRECTORY                writes people.json and answers.json there
    build.py --fault NAME [NAME ...]  damages a built project, as real ones are damaged
"""

import os
import sys
from pathlib import Path

import django
from django.db.backends.signals import connection_created


def hurry(connection, **_):
    """The databases of tests need not survive a power cut."""
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA synchronous = OFF")


def main(arguments):
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "office.settings")
    django.setup()
    connection_created.connect(hurry)
    if arguments[0] == "--fault":
        from material.faults import spoil

        return spoil(arguments[1:])
    from django.core.management import call_command
    from material.answers import answers
    from material.fill import fill

    place = Path(arguments[0])
    call_command("migrate", verbosity=0)
    fill(place / "people.json")
    answers(place / "people.json", place / "answers.json")


if __name__ == "__main__":
    main(sys.argv[1:])
