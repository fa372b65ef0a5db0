"""Azure Blob Storage, by Azurite, which `make test` installs where there is npm; skipped where it is not."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from django.urls import reverse

from labeling import importing, reading, refreshing, sealing, sources
from labeling.models import Job
from tests import factories

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]
AZURITE = shutil.which("azurite-blob", path=ROOT / "tests/azurite/node_modules/.bin")
ACCOUNT = "devstoreaccount1"  # Azurite's own, with a key that everybody knows
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture(scope="module")
def azurite(tmp_path_factory) -> Iterator[str]:
    """Start Azurite, and return the endpoint of its account."""
    if AZURITE is None:
        pytest.skip("Azurite is not installed: make test does so where there is npm")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("azurite")
    command = [AZURITE, "--blobPort", str(port), "--location", folder, "--silent", "--skipApiVersionCheck"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 15
    while socket.socket().connect_ex(("127.0.0.1", port)):
        if time.monotonic() > until:
            process.kill()
            pytest.skip("Azurite does not start within 15 seconds")
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/{ACCOUNT}"
    process.kill()  # it would wait for the last connection to close
    process.wait(10)


@pytest.fixture
def container(azurite, tmp_path, settings) -> Any:
    """Return a container with six pictures."""
    from azure.storage.blob import BlobServiceClient

    settings.LOUPE_SOURCES_PRIVATE = True
    service = BlobServiceClient(azurite, credential=KEY)
    made = service.create_container(f"box-{time.time_ns()}")
    folder = factories.write_folder(tmp_path / "pictures", 6)
    for path in folder.rglob("*.png"):
        made.upload_blob(f"photos/{path.relative_to(folder)}", path.read_bytes())
    yield made
    made.close()
    service.close()


def test_a_container_is_read_looked_at_again_and_hands_out_addresses(
    project, admin, container, azurite, client
) -> None:
    given = {
        "address": f"az://{container.container_name}/photos/**/*.png", "endpoint": azurite,
        "account": ACCOUNT, "account_key": KEY, "signs_urls": True,
    }  # fmt: skip
    source = sources.add(project, given, admin)
    factories.run_jobs("quick")
    facts = reading.summary(source)
    assert (facts["total"], facts["read"], facts["broken"]) == (6, 6, 0)
    assert KEY not in source.credentials
    assert sealing.unseal(source.credentials) == {"key": KEY}
    client.force_login(admin)
    item = source.items.first()
    address = client.get(reverse("image", args=[item.pk])).headers["Location"]
    with urlopen(address) as sent:
        assert len(sent.read()) == item.size_bytes
    container.delete_blob(f"photos/{item.path}")
    source.refresh_from_db()
    job = refreshing.start(source, admin)
    factories.run_jobs("quick")
    job.refresh_from_db()
    assert (job.result["gone"], job.result["files"]) == (1, 5)


def test_a_wrong_key_and_a_container_that_is_not_there_are_said(project, admin, container, azurite) -> None:
    given = {"address": f"az://{container.container_name}/**", "endpoint": azurite, "account": ACCOUNT}
    wrong = "A" * 86 + "=="
    with pytest.raises(importing.ImportRefused) as caught:
        sources.add(project, given | {"account_key": wrong}, admin)
    assert wrong not in str(caught.value)
    with pytest.raises(importing.ImportRefused):
        sources.add(project, given | {"address": "az://no-such-box/**", "account_key": KEY}, admin)
    assert not Job.objects.exists()
