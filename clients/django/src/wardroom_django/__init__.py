"""Authentication of Django and Django REST Framework by Wardroom."""

__version__ = "0.1.0"
