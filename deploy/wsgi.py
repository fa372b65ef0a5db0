"""The web process. It never imports torch: a test holds that."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
application = get_wsgi_application()
# What is loaded stays for good: looking through it for garbage would hold up a request in twenty by 90 ms.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
