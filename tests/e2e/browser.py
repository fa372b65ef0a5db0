"""Which browser of the system is driven."""

import shutil

# The shell is Chromium without the windows of a browser: pages in it take a sixth less time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
