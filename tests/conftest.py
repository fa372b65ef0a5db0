"""One PostgreSQL for each process that runs tests, and the people every test needs."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest

# Django reads its settings after this module, which is why pyproject.toml does not name them.
# Everything that this run writes goes to one folder of its own.
HOME = Path(tempfile.mkdtemp(prefix="loupe-tests-"))
os.environ["LOUPE_HOME"] = str(HOME)
(HOME / "static").mkdir()
os.environ["LOUPE_SECRET_KEY"] = "only-for-tests"
os.environ["DJANGO_SETTINGS_MODULE"] = "deploy.settings"
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright runs its own event loop
if "PYTEST_XDIST_WORKER" in os.environ:  # two runs that both take all cores wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from deploy.postgres import Server  # noqa: E402

# Statistics that were taken of a table while it was empty make plans that take seconds of a thousand rows,
# and tests empty their tables all the time: without statistics the planner goes by the size of the files.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}
SERVER = Server(HOME, **FAST)
os.environ["DATABASE_URL"] = SERVER.acquire()
django.setup()

from django.apps import apps  # noqa: E402
from django.contrib.auth.models import Permission  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.db import OperationalError, connection, transaction  # noqa: E402
from django.test import TransactionTestCase  # noqa: E402
from hypothesis import settings as hypothesis_settings  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402

from labeling import teams  # noqa: E402
from labeling.models import User  # noqa: E402
from tests import factories, places  # noqa: E402

hypothesis_settings.register_profile("loupe", deadline=None)  # what else a machine does is no defect
hypothesis_settings.load_profile("loupe")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: no process is to be left with it when the other one is done."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Look at what was loaded once more and never again: that took an eighth of the time of tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_unconfigure(config: pytest.Config) -> None:
    gc.unfreeze()  # some libraries complain of what is left at the end
    SERVER.release()
    shutil.rmtree(HOME, ignore_errors=True)


def empty_tables(case: TransactionTestCase) -> None:
    """Delete the rows that a test committed. Truncating every table and making all permissions anew, as
    Django does, takes twenty times as long as the few rows that a test makes.
    """
    kept = (ContentType, Permission)
    tables = [
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model not in kept
    ]
    deletions = ";".join(f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables)
    for last in (False, False, True):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                # Without triggers, so that neither the order nor a rule about rows that stay matters.
                cursor.execute("SET LOCAL session_replication_role = replica")
                cursor.execute(deletions)
            return
        except OperationalError:  # a deadlock with what a browser sent while its page was being closed
            if last:
                raise


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Drop the database at the end, also where an idle browser keeps a session of the server open."""
    TransactionTestCase._fixture_teardown = empty_tables
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(autouse=True)
def _storage(settings, tmp_path: Path) -> None:
    """Give each test files of its own, and hashes of passwords that cost nothing."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Every client makes a middleware of its own, which would look at all static files, for longer than the
    # page takes that the client asks for.
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture
def manager(db):
    return factories.make_user("manager@example.com")


@pytest.fixture
def reviewer(db):
    return factories.make_user("reviewer@example.com")


@pytest.fixture
def labeler(db):
    return factories.make_user("labeler@example.com")


@pytest.fixture
def outsider(db):
    return factories.make_user("outsider@example.com")


@pytest.fixture
def admin(db):
    return factories.make_user("admin@example.com", is_superuser=True)


@pytest.fixture
def project(manager, reviewer, labeler):
    """A multi-class project with three classes, its three people and no items."""
    return factories.make_project(manager=manager, reviewer=reviewer, labeler=labeler)


@pytest.fixture
def items(project) -> list:
    """Twelve readable items of the project, waiting in its queue."""
    return factories.make_items(project, 12)


@pytest.fixture
def api(project) -> Iterator:
    """Return a maker of API clients: `api(user)`."""

    def client(user) -> APIClient:
        made = APIClient()
        made.force_authenticate(user)
        return made

    return client


@pytest.fixture
def place(project, manager, reviewer, labeler, items) -> dict[str, Any]:
    """Something of everything in the project, and what addresses need."""
    return places.furnish(project, manager, reviewer, labeler)


@pytest.fixture
def vendor(project, admin) -> User:
    """Return somebody of the vendor that works in the project."""
    person = factories.make_user("worker@vendor.example")
    teams.give(project, factories.make_team(admin, person, is_vendor=True), "labeler", admin)
    return person


@pytest.fixture
def vendor_elsewhere(admin) -> User:
    """Return somebody of a vendor that works in another project."""
    person = factories.make_user("worker@elsewhere.example")
    elsewhere = factories.make_project(manager=admin, name="Elsewhere")
    teams.give(elsewhere, factories.make_team(admin, person, is_vendor=True), "reviewer", admin)
    return person
