"""What is said where there is nothing."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labeling.permissions import ProjectDeleted


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    message = str(exception) if isinstance(exception, ProjectDeleted) else ""
    return render(request, "404.html", {"message": message}, status=404)
