"""An encoder as an attack sees it: the embeddings of its words may be moved, or words be exchanged."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bitproof.models.encoder import Encoder, encoder_of
from bitproof.models.victim import TorchVictim


class WordVictim(TorchVictim):
    """A network of texts behind the protocols ``Victim`` and ``Worded``: its input is N×length×(width + 3), see ``Encoder``.

    Embeddings have no bounds. A position's last three numbers say its token, whether it counts and its sentence, so large that no
    attack's budget reaches them.

    Args:
        module: holds an ``Encoder``.
        mode: the gradient mode, as of ``TorchVictim``.
        fixed: V, true of tokens that may neither be exchanged nor put in: special ones and parts of words.
    """

    def __init__(self, module: nn.Module, mode: str = "ste", *, fixed: Tensor) -> None:
        super().__init__(module, mode=mode, bounds=(-torch.inf, torch.inf))
        self._encoder: Encoder = encoder_of(module)
        rows = len(self._encoder.table)  # an embedding may have more than the tokenizer has tokens
        self.fixed = nn.functional.pad(fixed, (0, max(0, rows - len(fixed))), value=True)[:rows]

    def start(self, x: Tensor) -> Tensor:
        """Return the embeddings of tokens N×3×length."""
        with torch.no_grad():
            return self._encoder.embedded(x)

    def with_gradient(self, mode: str) -> WordVictim:
        """The same network with another gradient mode."""
        return self if mode == self.mode else WordVictim(self.module, mode, fixed=self.fixed)

    @property
    def words(self) -> Tensor:
        """The word embedding as it is used, V×width."""
        with torch.no_grad():
            return self._encoder.table

    def free(self, x: Tensor) -> Tensor:
        """Which positions hold a word that may be exchanged, N×length."""
        return (self._encoder.mask(x) > 0) & ~self.fixed[self._encoder.tokens(x)]

    def tokens(self, x: Tensor) -> Tensor:
        """Return the tokens of embeddings that nobody moved, N×length."""
        return self._encoder.tokens(x)

    def exchange(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Return ``x`` with other tokens, N×length, and their embeddings."""
        return self._encoder.of_tokens(x, tokens)
