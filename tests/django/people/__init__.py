"""A user model of the project's own, and what it keeps beside Django's groups."""
