"""Buckets and lists of web addresses as sources: adding them, changing them, and what they may lead to.

Who manages a project chooses where its images come from. So an address is looked at before anything is asked
of it, and nothing is read in the name of this server: without credentials a source is read as anybody may.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from labeling import addresses, importing, outbound, permissions, refreshing, remote, sealing
from labeling.importing import ImportRefused
from labeling.models import DataSource, Event, Project, User

REGION = re.compile(r"[a-z0-9-]{1,40}")
ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
BASE64 = re.compile(r"[A-Za-z0-9+/]{16,200}={0,2}")
TOKEN = re.compile(
    r"[!-:<-~]{1,4000}"
)  # visible characters, but for the one between parts of a connection string
LONGEST_LIST = 32 << 20  # characters of a list that is typed in
SECRETS = {
    "s3": ("key", "secret", "token"),
    "azure": ("account_key", "sas"),
    "gcs": ("service_account",),
    "http": (),
}


def add(project: Project, given: Mapping[str, Any], by: User | None) -> DataSource:
    """Add a bucket, or a list by its address, and have it listed. Raises ImportRefused.

    `given` has the address and what else the form or the API takes of it: see `made`.
    """
    source = made(project, given, by)
    try:
        remote.check(source)
    except (remote.Missing, remote.Unreachable, remote.NotThis) as error:
        raise ImportRefused(str(error)) from None
    with transaction.atomic():
        source.save()
        Event.record("source", project, by, source=source.pk, name=source.name, kind=source.kind)
        refreshing.start(source, by)
    return source


def add_list(project: Project, text: str, name: str, by: User | None, *, every_page: bool) -> DataSource:
    """Import the web addresses of a list that was typed in or sent, one a line. Raises ImportRefused."""
    if len(text) > LONGEST_LIST:
        raise ImportRefused("The list has more than 32 million characters. Split it, or give its address.")
    return importing.register(
        project,
        DataSource.Kind.HTTP,
        "",
        name or "List of addresses",
        remote.addresses_in(text.splitlines()),
        by,
        every_page=every_page,
    )


def made(project: Project, given: Mapping[str, Any], by: User | None) -> DataSource:
    """Return a source, not saved yet. Raises ImportRefused."""
    address = " ".join(str(given.get("address", "")).split())
    if len(address) > importing.LONGEST_PATH:
        raise ImportRefused("The address is longer than 2,000 characters.")
    try:
        kind = addresses.kind_of(address)
        if kind == DataSource.Kind.HTTP:
            addresses.refuse_secrets(address)
        else:
            parsed = addresses.parse(address)
            addresses.matches(parsed.pattern, "")
    except addresses.AddressRefused as error:
        raise ImportRefused(str(error)) from None
    source = DataSource(project=project, kind=kind, location=address, name=name_of(address), created_by=by)
    source.options = options_of(kind, given, by)
    source.credentials = sealing.seal(secrets_of(kind, given))
    settle(source, given)
    return source


def name_of(address: str) -> str:
    """Return an address without what may be secret in it."""
    return address.partition("?")[0][:255]


def settle(source: DataSource, given: Mapping[str, Any]) -> None:
    """Set what can be changed later, too. Raises ImportRefused."""
    source.refresh = given.get("refresh") or DataSource.Refresh.OFF
    source.every_page = bool(given.get("every_page"))
    source.signs_urls = bool(given.get("signs_urls"))
    if source.refresh != DataSource.Refresh.OFF and not source.can_refresh:
        raise ImportRefused(f"{source.name} is imported once and for all: nothing can come to lie there.")
    if source.signs_urls and not can_sign(source):
        raise ImportRefused(
            "Short-lived addresses need credentials that can sign them: of S3 a key and its secret, of Azure"
            " the account's key, of Google a service account. Enter them, or leave this off."
        )
    if source.signs_urls and source.project.faces:
        raise ImportRefused(
            "This project hides faces, and a bucket shows them: browsers get its images through this server."
        )


def can_sign(source: DataSource) -> bool:
    if source.kind not in (DataSource.Kind.S3, DataSource.Kind.AZURE, DataSource.Kind.GCS):
        return False
    try:
        secret = sealing.unseal(source.credentials)
    except sealing.Unopened:
        return False
    return "key" in secret


def options_of(kind: str, given: Mapping[str, Any], by: User | None) -> dict[str, str]:
    """Return what a bucket needs beside its address. Raises ImportRefused."""
    options: dict[str, str] = {}
    endpoint = str(given.get("endpoint") or "").strip().rstrip("/")
    if kind == "http":
        return options
    if endpoint:
        options["endpoint"] = checked_endpoint(kind, endpoint, by)
    if kind == "s3" and (region := str(given.get("region") or "").strip()):
        if not REGION.fullmatch(region):
            raise ImportRefused("A region is written like eu-central-1.")
        options["region"] = region
    if kind == "azure":
        options["account"] = str(given.get("account") or "").strip()
        if not ACCOUNT.fullmatch(options["account"]):
            raise ImportRefused("Give the name of the storage account: 3 to 24 small letters and digits.")
    return options


def checked_endpoint(kind: str, endpoint: str, by: User | None) -> str:
    """Return an endpoint that may be asked. Raises ImportRefused."""
    if kind == "gcs":
        raise ImportRefused("Google Cloud Storage has no endpoint of one's own. Leave it empty.")
    if kind == "azure" and not permissions.may_read_server(by):
        raise ImportRefused("Only a site admin may give an endpoint of Azure Blob Storage.")
    try:
        target = outbound.target_of(endpoint)
        outbound.resolve(target, allow_private=settings.LOUPE_SOURCES_PRIVATE)
    except outbound.Unsent as error:
        raise ImportRefused(str(error)) from None
    if any(each in endpoint for each in ";?#") or urlsplit(endpoint).scheme not in ("http", "https"):
        raise ImportRefused("An endpoint is written like https://storage.example.com.")
    return endpoint


def secrets_of(kind: str, given: Mapping[str, Any]) -> dict[str, str]:
    """Return credentials as they are sealed, {} for none. Raises ImportRefused."""
    text = {name: str(given.get(name) or "").strip() for name in SECRETS[kind]}
    held = {name: value for name, value in text.items() if value}
    if not held:
        return {}
    if kind == "gcs":
        return service_account(held["service_account"])
    if not all(TOKEN.fullmatch(value) for value in held.values()):
        raise ImportRefused("The credentials have characters in them that no credentials have.")
    if kind == "s3":
        if not {"key", "secret"} <= set(held):
            raise ImportRefused("S3 needs both, the access key and its secret.")
        return held
    if "account_key" in held:
        if not BASE64.fullmatch(held["account_key"]):
            raise ImportRefused("That is no key of a storage account.")
        return {"key": held["account_key"]}
    return {"sas": held["sas"].removeprefix("?")}


def service_account(text: str) -> dict[str, str]:
    """Return who a service account is and its key, from Google's file; nothing else of it is used."""
    try:
        found = json.loads(text)
        email, key = found["client_email"], found["private_key"]
        is_right = found["type"] == "service_account" and isinstance(email, str) and isinstance(key, str)
    except (ValueError, TypeError, KeyError):
        is_right = False
    if not is_right:
        raise ImportRefused("Paste the JSON file of a service account as Google hands it out.")
    return {"email": email, "key": key}


def change(source: DataSource, given: Mapping[str, Any], by: User) -> None:
    """Change how a source is looked at; credentials are replaced where new ones are given.

    Raises ImportRefused.
    """
    with transaction.atomic():
        locked = DataSource.objects.select_for_update(no_key=True).get(pk=source.pk)
        before = (locked.refresh, locked.every_page, locked.signs_urls, locked.credentials)
        if locked.kind in SECRETS and (secret := secrets_of(locked.kind, given)):
            locked.credentials = sealing.seal(secret)
        kept = {name: getattr(locked, name) for name in ("refresh", "every_page", "signs_urls")}
        settle(locked, kept | dict(given))
        if locked.credentials != source.credentials:
            try:
                remote.check(locked)
            except (remote.Missing, remote.Unreachable) as error:
                raise ImportRefused(str(error)) from None
        if before == (locked.refresh, locked.every_page, locked.signs_urls, locked.credentials):
            return
        locked.save(update_fields=["refresh", "every_page", "signs_urls", "credentials"])
        Event.record(
            "source_changed",
            locked.project,
            by,
            source=locked.pk,
            name=locked.name,
            refresh=locked.refresh,
            credentials=locked.credentials != before[3],
        )
