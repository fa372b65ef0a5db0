"""How well a detector outlines objects after few images: `detection` on nuclei, by masks.

    python -m tests.benchmarks.segmentation --data ../shared/data/nuclei.zip

See `tests.benchmarks.detection` for the figures; they are of masks where the archive has polygons, and 60
images are learned from.
"""

import sys

from tests.benchmarks import detection

if __name__ == "__main__":
    sys.argv[1:1] = ["--all", "60", "--few", "0"]
    detection.main("nuclei.zip")
