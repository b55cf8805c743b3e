"""The endpoint, twice: a real project has one kind of token, this one has both. Clients use both spellings."""

from django.urls import re_path

from office.views import KnoxMe, Me

urlpatterns = [
    re_path(r"^api/users/me/?$", Me.as_view()),
    re_path(r"^api/knox/me/?$", KnoxMe.as_view()),
]
