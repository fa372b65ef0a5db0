"""People and their API tokens."""

import hashlib
import secrets
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling import languages


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by e-mail. `is_superuser` makes a site admin."""

    class Theme(models.TextChoices):
        SYSTEM = "system", _("As the system")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    theme = models.CharField(max_length=6, choices=Theme.choices, default=Theme.SYSTEM)
    language = models.CharField(max_length=12, choices=languages.choices, blank=True)  # else the browser's
    page_size = models.PositiveSmallIntegerField(default=9)
    keys = models.JSONField(
        default=dict, help_text="combinations by the shortcut's id, where they are changed"
    )
    single_keys = models.BooleanField(default=True, help_text="whether keys without Ctrl or Alt do something")
    vendor = models.ForeignKey(
        "labeling.Team", null=True, on_delete=models.PROTECT, related_name="accounts",
        help_text="whose account it is: it opens only what that team was given",
    )  # fmt: skip
    temporary_until = models.DateTimeField(
        null=True, help_text="its password is a temporary one: nothing opens before it is changed"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_once"),
            models.CheckConstraint(condition=models.Q(page_size__in=(1, 4, 6, 9)), name="user_page_size"),
            models.CheckConstraint(
                condition=models.Q(vendor=None) | models.Q(is_superuser=False),
                name="user_of_a_vendor_is_no_admin",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def label(self) -> str:
        """What others see: the name, else the part of the address before the @."""
        return self.name or self.email.split("@")[0]


class ApiToken(models.Model):
    """A secret for scripts; only its SHA-256 is kept.

    It opens what its owner may see and do, or less: one project, a part of it, for some time.
    """

    class Scope(models.TextChoices):
        ALL = "all", _("everything that you may do")
        REVIEW = "review", _("labeling and reviewing")
        LABEL = "label", _("labeling")
        READ = "read", _("reading only")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80, default="token")
    digest = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=6, choices=Scope.choices, default=Scope.ALL)
    project = models.ForeignKey(
        "labeling.Project", null=True, on_delete=models.CASCADE, related_name="tokens",
        help_text="the only one that it opens",
    )  # fmt: skip
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    owner: str  # as whoever looks may name them, see accounts.tokens_of

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @staticmethod
    def digest_of(secret: str) -> str:
        return hashlib.sha256(secret.encode()).hexdigest()

    @classmethod
    def issue(cls, user: User, name: str = "token", **limits: Any) -> str:
        """Make a token and return its secret, which is shown this once."""
        secret = f"loupe_{secrets.token_urlsafe(32)}"
        cls.objects.create(user=user, name=name, digest=cls.digest_of(secret), **limits)
        return secret
