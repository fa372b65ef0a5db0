"""Pages: parse, authorise, call the domain, render."""

from django.http import HttpRequest

from labeling.models import User


class SignedIn(HttpRequest):
    """A request that got past the sign-in; only public views see others."""

    user: User
