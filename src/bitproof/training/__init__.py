"""The training loop: settings, losses, augmentation, hooks, and runs that stop and go on as if nothing had happened."""

from bitproof.training.data import Samples
from bitproof.training.history import Epoch, Progress, Trained
from bitproof.training.loop import train
from bitproof.training.losses import distillation
from bitproof.training.matching import MATCHES
from bitproof.training.schedule import learning_rate
from bitproof.training.settings import Training
from bitproof.training.step import Perturb

__all__ = ["MATCHES", "Epoch", "Perturb", "Progress", "Samples", "Trained", "Training", "distillation", "learning_rate", "train"]
