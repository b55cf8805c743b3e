"""Creates the database of the small service: this many staff users, each with the benchmark's token."""

import datetime
import sys

import app  # noqa: F401
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from rest_framework.authtoken.models import Token

call_command("migrate", verbosity=0)
groups = [Group.objects.create(name=f"group{number}") for number in (1, 2, 3)]
joined = datetime.datetime(2024, 3, 15, 9, 30, tzinfo=datetime.timezone.utc)
keys = [line.strip() for line in sys.stdin]
users = [
    User(id=number, username=f"user{number}", email=f"user{number}@example.com", first_name="Ann", last_name="Lee",
         is_staff=True, password="!", date_joined=joined)
    for number in range(1, len(keys) + 1)
]
User.objects.bulk_create(users, batch_size=1000)
Through = User.groups.through
Through.objects.bulk_create(
    [Through(user_id=user.id, group_id=group.id) for user in users for group in groups], batch_size=1000)
Token.objects.bulk_create([Token(key=key, user_id=number) for number, key in enumerate(keys, 1)], batch_size=1000)
