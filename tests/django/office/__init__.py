"""A back office as teams have it before they move: Django, Django REST Framework, two kinds of tokens."""
