"""A typical back office before a move: Django, Django REST Framework, two kinds of tokens."""
