"""Small networks with the habits of real ones, and batch norms that do something."""

import torch
import torch.nn.functional as F
from torch import nn


class Padded(nn.Conv2d):
    """Pads in its own forward, as timm's and EfficientNet's 'same' convs do."""

    def forward(self, x):
        return super().forward(F.pad(x, (0, 1, 0, 1)))


class Residual(nn.Module):
    """Registered in another order than run; a branch taken before a norm; a layer that runs twice."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 5)
        self.twice = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn_twice = nn.BatchNorm2d(8)
        self.branch = nn.Conv2d(8, 8, 1, bias=False)
        self.bn_branch = nn.BatchNorm2d(8)
        self.stem = Padded(3, 8, 3, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(8)

    def forward(self, x):
        x = self.bn(self.stem(x)).relu()
        x = self.bn_twice(self.twice(x)).relu()
        x = self.bn_twice(self.twice(x)).relu()
        y = self.branch(x)
        return self.head((self.bn_branch(y) + y).mean((2, 3)))


class Branching(Residual):
    """The same function, with a branch on data that no tracer follows."""

    def forward(self, x):
        return super().forward(x if x.sum() > -1e9 else x * 2)


def lively(model, seed=0):
    """Give every batch norm statistics and parameters of its own, every bias a value; in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_(0, 0.3, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                if module.affine:
                    module.weight.uniform_(0.5, 1.5, generator=generator)
                    module.bias.normal_(0, 0.3, generator=generator)
    return model.eval()


def pictures(n=4, size=16, seed=0, channels=3):
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(seed))
