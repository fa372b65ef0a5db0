"""The processes that make up Loupe, as this machine's supervisor runs them."""

import os
import sys
from pathlib import Path

from django.conf import settings
from django.db import close_old_connections

from deploy.supervisor import Part
from labeling import jobs

MANAGE = str(Path(__file__).resolve().parent.parent / "manage.py")


def manage(*words: str) -> list[str]:
    return [sys.executable, MANAGE, *words]


def web() -> Part:
    return Part("web", manage("web"))


def cluster(name: str) -> Part:
    """Return a worker cluster, which is killed and started again when messages wait unread."""

    def is_stuck() -> bool:
        close_old_connections()
        return jobs.is_stuck(name)

    return Part(
        f"cluster {name}",
        manage("cluster", name, "--unguarded"),
        env={"Q_CLUSTER_NAME": name},
        is_stuck=is_stuck,
        on_kill=lambda: jobs.restart_queue(name),
        grace_after_start=settings.LOUPE_CLUSTER_SILENCE,
    )


def watch() -> Part:
    return Part("watch", manage("watch"))


def everything(log: Path | None = None) -> list[Part]:
    """Return all parts; what they print goes to the terminal, or to a file."""
    parts = [web(), *(cluster(name) for name in jobs.CLUSTERS), watch()]
    for part in parts:
        part.log = log
    return parts


def gunicorn() -> list[str]:
    """Return the command of the web server. Threads, because requests wait for the database."""
    return [
        sys.executable,
        "-m",
        "gunicorn",
        "deploy.wsgi",
        "--chdir",
        str(Path(MANAGE).parent),
        "--bind",
        f"{os.environ.get('LOUPE_BIND', '127.0.0.1')}:{settings.LOUPE_PORT}",
        "--worker-class",
        "gthread",
        "--workers",
        os.environ.get("LOUPE_WEB_WORKERS", "2"),
        "--threads",
        os.environ.get("LOUPE_WEB_THREADS", "8"),
        "--keep-alive",
        "60",
        "--timeout",
        "120",
        "--graceful-timeout",
        "5",
        "--no-control-socket",
        "--log-level",
        "warning",
    ]
