"""`manage.py wardroom_hand_over`: says that rows of Django's users are those of the users of Wardroom with their ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import is_password_usable
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from wardroom_django import users


class Command(BaseCommand):
    help = (
        "Hands rows of Django's users over to the users of Wardroom with the same ids. Their passwords and sessions in Django end, "
        "and from then on Wardroom decides about their rights. Look at wardroom_check first: it lists rows with another name."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="the usernames of the rows")
        parser.add_argument("--all", action="store_true", help="all rows, except those of --keep")
        parser.add_argument("--keep", action="append", default=[], metavar="NAME", help="a row that stays Django's own; repeat it for more")
        parser.add_argument("--dry-run", action="store_true", help="prints the counts and changes nothing")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        names, keep = options["names"], options["keep"]
        if bool(names) == options["all"]:
            raise CommandError("Give either usernames or --all.")
        if names and keep:
            raise CommandError("--keep goes with --all: with usernames, only these rows are handed over.")
        if not users.has_passwords():
            raise CommandError("The user model has no column for passwords, so no row can be marked. Use MODE light.")
        model = get_user_model()
        field = model.USERNAME_FIELD
        with transaction.atomic():  # pyright: ignore[reportGeneralTypeIssues]
            rows = model._default_manager.order_by("pk")
            known = set(rows.filter(**{f"{field}__in": [*names, *keep]}).values_list(field, flat=True))
            missing = [repr(name) for name in dict.fromkeys([*names, *keep]) if name not in known]
            if missing:
                raise CommandError(f"No row has the username {', '.join(missing)}. Nothing has changed.")
            wanted = rows.filter(**{f"{field}__in": names}) if names else rows.exclude(**{f"{field}__in": keep})
            counts = self.hand_over(wanted, options["dry_run"])
        self.report(*counts, keep, options["dry_run"])

    @staticmethod
    def hand_over(rows: Any, dry_run: bool) -> tuple[int, int, int]:
        """How many rows were handed over, how many of these had a password, and how many were Wardroom's before."""
        model = get_user_model()
        done = passwords = before = 0
        for row in list(rows.only("pk", "password")):
            if users.is_wardrooms(row):
                before += 1
                continue
            done += 1
            passwords += bool(row.password) and is_password_usable(row.password)
            if not dry_run:
                model._default_manager.filter(pk=row.pk).update(password=users.mark())
        return done, passwords, before

    def report(self, done: int, passwords: int, before: int, keep: Iterable[str], dry_run: bool) -> None:
        would = "would be handed over" if dry_run else "handed over"
        self.stdout.write(f"{would}: {done}, of which {passwords} {'have' if dry_run else 'had'} a password in Django")
        self.stdout.write(f"Wardroom's before: {before}")
        kept = sorted(set(keep))
        self.stdout.write(f"kept for Django: {', '.join(kept) or 'none'}")
        if dry_run:
            self.stdout.write("Nothing has changed (--dry-run).")
