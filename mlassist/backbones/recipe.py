"""How pixels become a vector: what each backbone was trained to see, and what its features need."""

from dataclasses import dataclass

# The colours that torchvision's and our own weights were trained with, for pixels from 0 to 1.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Recipe:
    """`root` takes signed square roots of features, which tames bursts."""

    side: int
    mean: tuple[float, ...] = MEAN
    deviation: tuple[float, ...] = DEVIATION
    root: bool = True


OWN = Recipe(side=96)
OWN_STAGES = 2  # how many of the last stages are pooled
