#!/usr/bin/env python
"""Loupe's command line: `python manage.py up` starts everything on this machine."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
    from deploy import postgres

    postgres.ensure_running_for(sys.argv)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
