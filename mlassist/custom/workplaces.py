"""Where candidates in the making keep their state and their pictures, until they are done.

It goes with the project, and pictures as they were go once faces are hidden.
"""

import shutil
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction

from labeling import extensions, jobs
from labeling.models import Job, Project
from mlassist.models import Candidate

MASKED = "-masked"


def of_project(project: Project) -> Path:
    return Path(settings.LOUPE_HOME) / "work" / f"candidates-{project.pk}"


def of(candidate: Candidate) -> Path:
    """Return a candidate's folder; it begins anew once its images are others."""
    project = candidate.custom_model.project
    folder = of_project(project) / f"{candidate.pk}{MASKED if project.faces else ''}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def forget_plain(project: Project) -> None:
    """Delete what was made of images in which faces were not hidden yet."""
    folder = of_project(project)
    for each in folder.iterdir() if folder.exists() else ():
        if not each.name.endswith(MASKED):
            shutil.rmtree(each, ignore_errors=True)


@extensions.register_emptying
def remove(project: Project) -> None:
    shutil.rmtree(of_project(project), ignore_errors=True)


@extensions.register_repainting
def stop_learning(project: Project) -> None:
    """Stop the making of candidates from images that nobody may see any more."""
    for job in Job.objects.filter(project=project, kind="custom_model", state__in=Job.UNFINISHED):
        jobs.cancel(job)
    transaction.on_commit(partial(forget_plain, project))
