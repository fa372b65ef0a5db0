"""When to try again what another server did not take."""

from datetime import timedelta

PAUSES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=12),
)


def pause_after(attempts: int) -> timedelta | None:
    """Return how long to wait after so many failed attempts, None to give up."""
    return PAUSES[attempts - 1] if attempts <= len(PAUSES) else None
