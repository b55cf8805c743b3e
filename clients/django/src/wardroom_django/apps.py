"""The app, which brings the command `wardroom_check`."""

from django.apps import AppConfig


class WardroomConfig(AppConfig):
    name = "wardroom_django"
    verbose_name = "Wardroom"
