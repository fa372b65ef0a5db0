"""Muon: gradient steps with all singular values made equal, for the convolutions of a network.

After K. Jordan, "Muon: an optimizer for hidden layers in neural networks" (2024), with every weight kept
at a fixed norm: batch norm undoes its scale anyway, so the learning rate is the relative step and needs
no weight decay. `torch.optim.Muon` takes matrices only and keeps no norm.
"""

from collections.abc import Iterable

import torch

# The quintic of the Newton-Schulz iteration; three rounds bring singular values near one.
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 3


def orthogonalized(matrix: torch.Tensor) -> torch.Tensor:
    """Return about U V^T of the singular value decomposition of an (m, n) matrix, in bfloat16."""
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.bfloat16()
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalized per layer; `lr` is the length of a step per length of the weight."""

    def __init__(self, weights: Iterable[torch.Tensor], lr: float, momentum: float) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                momentum = state["momentum"].mul_(group["momentum"]).add_(weight.grad)
                ahead = weight.grad.add(momentum, alpha=group["momentum"])
                direction = orthogonalized(ahead.flatten(1)).float().view_as(weight)
                length = len(weight) ** 0.5
                weight.mul_(length / weight.norm())
                # A gradient of zeros, as in the first steps of a branch that starts at zero, moves nothing.
                weight.add_(direction, alpha=-group["lr"] * length / (float(direction.norm()) + 1e-3))
