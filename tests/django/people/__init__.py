"""The project's own user model, and its additions to Django's groups."""
