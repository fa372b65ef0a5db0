"""Where a project's images come from: buckets and lists of addresses that are looked at again."""

from collections.abc import Mapping
from typing import Any

from loupe_client.connection import Connection


class Source:
    """A source of images; made by `Project.add_source`. `facts` is what is known of it."""

    def __init__(self, connection: Connection, project_at: str, facts: Mapping[str, Any]) -> None:
        self.connection = connection
        self.id: int = facts["id"]
        self.facts: Mapping[str, Any] = facts
        self.at = f"{project_at}sources/{self.id}/"

    def __repr__(self) -> str:
        return f"<Source {self.id}: {self.facts['name']}>"

    def look(self) -> Mapping[str, Any]:
        """Return counts, and the images that are gone or were changed there."""
        self.facts = self.connection.get(self.at)
        return self.facts

    def change(self, **settings: Any) -> None:
        """Change `refresh` ("off", "hourly", "daily"), `every_page`, `signs_urls`, or replace credentials."""
        self.facts = self.connection.patch(self.at, settings)

    def refresh(self, *, read_again: bool = False, wait: bool = True) -> None:
        """Look what is there by now; `read_again` also reads what was changed or damaged."""
        job = self.connection.post(f"{self.at}{'read-again' if read_again else 'refresh'}/")["id"]
        if wait:
            self.connection.wait_for(job, "Looking at the source")
