"""Settings, read from the environment once; every variable is described in README.md."""

import contextlib
import os
import secrets
from datetime import timedelta
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django.conf.locale import LANG_INFO

from deploy import catalogs

BASE_DIR = Path(__file__).resolve().parent.parent


def env_bool(name: str, default: bool) -> bool:
    """Read a switch strictly: what is neither on nor off ends the program with a sentence."""
    value = os.environ.get(name)
    if value is None:
        return default
    switches = {"true": True, "1": True, "yes": True, "on": True}
    switches |= {"false": False, "0": False, "no": False, "off": False}
    if value.lower() not in switches:
        raise SystemExit(f"{name} must be True or False, not {value!r}.")
    return switches[value.lower()]


def env_list(name: str) -> list[str]:
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


def kept_secret(path: Path) -> str:
    """Return the installation's secret key, made once and readable by its owner only."""
    try:
        return path.read_text()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(50))
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)  # atomic: of two first starts, one wins and both read the same key
        fresh.unlink()
        return path.read_text()


def database(url: str) -> dict[str, object]:
    """Translate a postgresql:// URL, also one with a socket directory as ?host=."""
    parts = urlsplit(url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/") or "loupe",
        "USER": unquote(parts.username or "postgres"),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": query,
    }


MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}  # plain, STARTTLS, TLS from the start


def mail_server(url: str) -> SplitResult:
    """Read the address of a mail server strictly."""
    parts = urlsplit(url)
    if url and (parts.scheme not in MAIL_PORTS or not parts.hostname):
        raise SystemExit("LOUPE_MAIL must be like smtp+tls://user:password@host:587.")
    return parts


LOUPE_HOME = Path(os.environ.get("LOUPE_HOME", BASE_DIR / "var")).resolve()
LOUPE_PORT = int(os.environ.get("LOUPE_PORT", "8000"))
LOUPE_URL = os.environ.get("LOUPE_URL", f"http://localhost:{LOUPE_PORT}").rstrip("/")

DEBUG = env_bool("LOUPE_DEBUG", False)
SECRET_KEY = os.environ.get("LOUPE_SECRET_KEY") or kept_secret(LOUPE_HOME / "secret_key")
ALLOWED_HOSTS = env_list("LOUPE_HOSTS") or ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = env_list("LOUPE_ORIGINS")
HTTPS = env_bool("LOUPE_HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^healthz/$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "axes",
    "csp",
    "django_htmx",
    "django_q",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "labeling",
    "clustering",
    "mlassist",
    "deploy",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "labeling.signing.SignedImagesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "labeling.languages.LanguageMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "labeling.first_password.FirstPasswordMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "labeling.idempotency.KeepReplies",
]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "style-src": ["'self'"],
        "script-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    },
}

ROOT_URLCONF = "deploy.urls"
WSGI_APPLICATION = "deploy.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# `manage.py` starts the embedded server and sets DATABASE_URL before Django loads.
DATABASES = {"default": database(os.environ.get("DATABASE_URL", "postgresql:///loupe"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "labeling.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "projects"
LOGOUT_REDIRECT_URL = "sign-in"
SESSION_COOKIE_AGE = 14 * 86_400

# Guessing passwords: so many wrong ones for an address from one place, then a pause. Somewhere else its
# owner still signs in, so nobody can lock others out.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "labeling.views.accounts.locked_out"
AXES_USERNAME_FORM_FIELD = "username"
AXES_USERNAME_CALLABLE = "labeling.accounts.attempted"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# English is what the sources are written in; every other language is a catalog under locale/.
LANGUAGE_CODE = "en"
LANGUAGES = [
    (code, str(LANG_INFO[code]["name_local"])) for code in ("en", *catalogs.sources(BASE_DIR / "locale"))
]
LOCALE_PATHS = [catalogs.compiled(BASE_DIR / "locale", LOUPE_HOME / "locale")]
TIME_ZONE = "UTC"
USE_TZ = True

# Without a mail server, letters are kept as files, so that nothing is lost and links are not logged.
MAIL_SERVER = mail_server(os.environ.get("LOUPE_MAIL", ""))
SENDS_MAIL = bool(MAIL_SERVER.hostname)
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if SENDS_MAIL else 'filebased'}.EmailBackend"
EMAIL_FILE_PATH = LOUPE_HOME / "mail"
EMAIL_HOST = MAIL_SERVER.hostname or ""
EMAIL_PORT = MAIL_SERVER.port or MAIL_PORTS.get(MAIL_SERVER.scheme, 0)
EMAIL_HOST_USER = unquote(MAIL_SERVER.username or "")
EMAIL_HOST_PASSWORD = unquote(MAIL_SERVER.password or "")
EMAIL_USE_TLS = MAIL_SERVER.scheme == "smtp+tls"
EMAIL_USE_SSL = MAIL_SERVER.scheme == "smtps"
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = os.environ.get("LOUPE_MAIL_FROM", "Loupe <loupe@localhost>")

# Whether webhooks may lead into the network that this server is in.
LOUPE_WEBHOOKS_PRIVATE = env_bool("LOUPE_WEBHOOKS_PRIVATE", False)
# Whether images may be read from addresses and endpoints in that network.
LOUPE_SOURCES_PRIVATE = env_bool("LOUPE_SOURCES_PRIVATE", False)

STATIC_URL = "static/"
STATIC_ROOT = LOUPE_HOME / "static"
STATIC_BUILT = env_bool("LOUPE_STATIC_BUILT", False)  # set by `manage.py web`
MEDIA_ROOT = LOUPE_HOME / "media"
LOUPE_WEIGHTS_DIR = Path(os.environ.get("LOUPE_WEIGHTS_DIR", LOUPE_HOME / "weights")).resolve()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "deploy.static.Storage"
        if STATIC_BUILT
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not STATIC_BUILT
FILE_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 << 20  # a page full of outlines with thousands of points
DATA_UPLOAD_MAX_NUMBER_FILES = 2_000

# Requests that a token may make in a minute; 0 for no limit.
LOUPE_API_RATE = int(os.environ.get("LOUPE_API_RATE", "6000"))
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "labeling.api.authentication.TokenAuthentication",
        "labeling.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "labeling.api.limits.TokenScope",
        "labeling.api.limits.OnlyOnce",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["labeling.api.limits.TokenRate"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "labeling.api.parsers.JSONParser",
        "labeling.api.parsers.MultiPartParser",
    ],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 100,
    "DEFAULT_SCHEMA_CLASS": "labeling.api.schema.Schema",
    "EXCEPTION_HANDLER": "labeling.api.errors.handle",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Loupe",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    # Operations are listed by what they are about.
    "SCHEMA_PATH_PREFIX": r"/api/(projects/[^/]+/(?=.))?",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "labeling.api.schema.complete",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Seconds until a job of a dead worker is taken up again, and until a silent cluster is restarted.
LOUPE_JOB_LEASE = float(os.environ.get("LOUPE_JOB_LEASE", "30"))
LOUPE_CLUSTER_SILENCE = float(os.environ.get("LOUPE_CLUSTER_SILENCE", "60"))

# Job rows are the truth; these queues only carry nudges. `retry` exceeds the longest time that a
# message can wait plus its own timeout, else a message would be delivered twice.
Q_CLUSTER = {
    "name": "quick",
    "orm": "default",
    "workers": 2,
    "queue_limit": 2,
    "bulk": 1,
    "timeout": 600,
    "retry": 1300,
    "max_attempts": 3,
    "ack_failures": False,
    "save_limit": -1,
    "catch_up": False,
    "scheduler": False,
    "poll": 0.2,
    "ALT_CLUSTERS": {
        "ml": {
            "workers": 1,
            "queue_limit": 1,
            "bulk": 1,
            "timeout": 7200,
            "retry": 21_800,
            "recycle": 500,
        },
        "long": {
            "workers": 1,
            "queue_limit": 1,
            "bulk": 1,
            "timeout": 86_400,
            "retry": 260_000,
            "recycle": 100,
        },
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LOUPE_LOG_LEVEL", "INFO")},
    # Two lines for each message would bury everything else.
    "loggers": {"django-q": {"level": "WARNING"}},
}
