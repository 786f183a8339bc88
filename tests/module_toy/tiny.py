"""The toy, which is as small as can be already."""

from support.paths import TESTS, load_file
from support.tiny_model import SIDE, Tiny

toy = load_file(TESTS / "module_toy" / "architecture.py")

TINY = {"toy": Tiny(lambda: toy.ToyAnimator(toy.ToyConfig(), SIDE), "toy_painter.first", "toy_detector")}
GAINS = {"toy_detector.kp.weight": 0.5}
