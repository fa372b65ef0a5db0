"""What is secret and must be used again, encrypted by a key that the installation's own key gives.

A copy of the database alone opens nothing. With another installation's key it is lost, and said to be so.
"""

import base64
import json
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unopened(Exception):
    """Why a sealed text cannot be opened, in a sentence for people."""


def seal(secret: dict[str, str]) -> str:
    """Return secrets as a text that says nothing; "" where there are none."""
    return _key(settings.SECRET_KEY).encrypt(json.dumps(secret).encode()).decode() if secret else ""


def unseal(sealed: str) -> dict[str, str]:
    """Return what was sealed. Raises Unopened."""
    if not sealed:
        return {}
    try:
        found: dict[str, str] = json.loads(_key(settings.SECRET_KEY).decrypt(sealed.encode()))
    except InvalidToken as error:
        raise Unopened(
            "The credentials cannot be read any more, since this installation has another key."
            " Enter them again."
        ) from error
    return found


NONCE = 12  # bytes, as AES-GCM has them


def seal_file(data: bytes, name: str) -> bytes:
    """Return a file's bytes encrypted; they open under the same name alone."""
    nonce = os.urandom(NONCE)
    return nonce + _file_key(settings.SECRET_KEY).encrypt(nonce, data, name.encode())


def unseal_file(sealed: bytes, name: str) -> bytes:
    """Return what was sealed. Raises Unopened."""
    try:
        return _file_key(settings.SECRET_KEY).decrypt(sealed[:NONCE], sealed[NONCE:], name.encode())
    except InvalidTag as error:
        raise Unopened("The original cannot be read any more: this installation has another key.") from error


@lru_cache(maxsize=2)
def _file_key(secret_key: str) -> AESGCM:
    derived = HKDF(SHA256(), 32, salt=None, info=b"labeling.sealing.files").derive(secret_key.encode())
    return AESGCM(derived)


@lru_cache(maxsize=2)
def _key(secret_key: str) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=b"labeling.sealing").derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
