import getpass
import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.core.validators import validate_email

from labeling.management.base import LoupeCommand
from labeling.models import Event, User


class Command(LoupeCommand):
    help = "Make an account."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="", help="what others see")
        parser.add_argument("--admin", action="store_true", help="a site admin: manager of every project")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )

    def handle(
        self, *args: Any, email: str, name: str, admin: bool, password_stdin: bool, **options: Any
    ) -> None:
        email = email.strip().lower()
        try:
            validate_email(email)
        except ValidationError:
            raise CommandError(f"{email!r} is not an e-mail address.") from None
        if User.objects.filter(email__iexact=email).exists():
            raise CommandError(f"{email} has an account already.")
        password = sys.stdin.readline().rstrip("\n") if password_stdin else getpass.getpass("Password: ")
        if not password:
            raise CommandError("The password is empty.")
        user = User(email=email, name=name, is_superuser=admin)
        try:
            validate_password(password, user)
        except ValidationError as problem:
            self.stderr.write(self.style.WARNING(f"A weak password: {' '.join(problem.messages)}"))
        user.set_password(password)
        user.save()
        Event.record("account", None, email=email, admin=admin)
        self.stdout.write(f"{email} can sign in{' as site admin' if admin else ''}.")
