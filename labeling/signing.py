"""Which other hosts a page may show images from: those that a project's sources send browsers to."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponseBase

from labeling.models import DataSource
from labeling.remote import AZURE_HOST

Answer = Callable[[HttpRequest], HttpResponseBase]


class SignedImagesMiddleware:
    """Let the pages of a project show what its buckets hand out by signed addresses, and no other page."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        match = request.resolver_match
        project = match.kwargs.get("project_id") if match else None
        if project and response.headers.get("Content-Type", "").startswith("text/html"):
            hosts = hosts_of(project)
            if hosts:
                response._csp_update = {"img-src": hosts}  # type: ignore[attr-defined]  # noqa: SLF001  # documented by django-csp
        return response


def hosts_of(project: int) -> list[str]:
    sources = DataSource.objects.filter(project=project, signs_urls=True)
    return sorted({origin_of(each) for each in sources})


def origin_of(source: DataSource) -> str:
    """Return where signed addresses of a source lead."""
    if endpoint := source.options.get("endpoint"):
        parts = urlsplit(endpoint)
        return f"{parts.scheme}://{parts.netloc}"
    if source.kind == DataSource.Kind.AZURE:
        return f"https://{source.options['account']}.{AZURE_HOST}"
    if source.kind == DataSource.Kind.GCS:
        return "https://storage.googleapis.com"
    return "https://*.amazonaws.com"
