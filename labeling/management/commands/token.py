from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling import accounts
from labeling.management.base import LoupeCommand
from labeling.models import User


class Command(LoupeCommand):
    help = "Make an API token for a person and print it, and nothing else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="command line", help="what the token is for")

    def handle(self, *args: Any, email: str, name: str, **options: Any) -> None:
        user = User.objects.filter(email__iexact=email.strip(), is_active=True).first()
        if user is None:
            raise CommandError(f"There is no account {email!r}.")
        self.stdout.write(accounts.issue_token(user, name, None))
