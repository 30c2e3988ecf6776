"""The door to vision-language models in a folder, run here by transformers."""

from __future__ import annotations

import hashlib
import io
import time
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from PIL import Image

from bitproof.core import Geometry, MissingExtra, ModelError, Reply, SpecError, digest
from bitproof.models.endpoint import Endpoint
from bitproof.models.network import check_interpolation
from bitproof.models.weights import located

#: So many characters of a reply are kept.
KEPT = 2000


class LocalChat:
    """``bitproof.core.Chat`` by the model in ``folder``, greedily decoded; one question at a time."""

    def __init__(self, folder: Path, max_tokens: int, dtype: str) -> None:
        self.folder, self.max_tokens, self.dtype, self._lock = folder, max_tokens, dtype, Lock()

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """(processor, model). No code of the folder is run, nothing is fetched."""
        from transformers import AutoModelForImageTextToText, AutoProcessor

        try:
            processor = AutoProcessor.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False)
            model = AutoModelForImageTextToText.from_pretrained(
                self.folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=self.dtype
            )
        except Exception as error:  # transformers raises whatever a folder makes of it
            raise ModelError(f"{str(self.folder)!r} is no vision-language model that transformers can load: {error}") from error
        return processor, model.eval()

    def ask(self, picture: bytes | None, prompt: str, repeat: int) -> Reply:
        """Ask once. Decoding is greedy, so repeats are equal. Raises ModelError where the model fails."""
        import torch

        image = [] if picture is None else [Image.open(io.BytesIO(picture)).convert("RGB")]
        content: list[dict[str, Any]] = [*({"type": "image"} for _ in image), {"type": "text", "text": prompt}]
        with self._lock:
            processor, model = self._loaded
            start = time.monotonic()
            try:
                text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
                inputs = processor(images=image or None, text=[text], return_tensors="pt").to(model.device)
                with torch.inference_mode():
                    made = model.generate(**inputs, max_new_tokens=self.max_tokens, do_sample=False)
            except Exception as error:  # somebody's model and template
                raise ModelError(f"The model in {str(self.folder)!r} fails: {type(error).__name__}: {error}") from error
        given = inputs["input_ids"].shape[1]
        said = processor.batch_decode(made[:, given:], skip_special_tokens=True)[0]
        spent_ms = 1e3 * (time.monotonic() - start)
        return Reply(said.strip()[:KEPT], given, made.shape[1] - given, spent_ms, server=type(model).__name__)


@dataclass(frozen=True)
class LocalVlm:
    """A vision-language model in a folder, run here by transformers: vlm:DIR[,of=NAME,bits=w4a16,dtype=float32,max_tokens=64,…].

    DIR is what ``save_pretrained`` wrote: weights as safetensors, processor and chat template; ``of`` of another model takes its
    name. A folder quantized by a method that transformers knows is loaded as it is. Source: huggingface/transformers.
    """

    folder: str
    of: str | None = None
    bits: str | None = None
    size: int = 512
    interpolation: str = "pil-cubic"
    max_tokens: int = 64
    dtype: str = "float32"

    source: ClassVar[str] = "https://github.com/huggingface/transformers"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_interpolation(self.interpolation)
        if self.dtype not in ("float32", "float16", "bfloat16", "auto"):
            raise SpecError(f"vlm: dtype={self.dtype!r} is unknown: float32, float16, bfloat16 or auto.")
        for name, least, most in (("size", 16, 4096), ("max_tokens", 1, 4096)):
            if not least <= getattr(self, name) <= most:
                raise SpecError(f"vlm: {name}={getattr(self, name)} is out of range: {least} to {most}.")

    def load(self, spec: str) -> Endpoint:
        """Return the endpoint; the weights are read when it is first asked. Raises ModelError, MissingExtra."""
        if find_spec("transformers") is None:
            raise MissingExtra("transformers", "vlm", "A vision-language model in a folder")
        path = located(self.folder)
        if not (path / "config.json").is_file():
            raise ModelError(f"{self.folder!r} is no folder with a model: it has no config.json.")
        settings = f"max_tokens {self.max_tokens}", f"dtype {self.dtype}"
        return Endpoint(
            chat=LocalChat(path, self.max_tokens, self.dtype),
            geometry=Geometry(self.size, self.size, "longer", self.interpolation),
            spec=spec,
            digest=digest("vlm", self.version, _contents(path), *settings, length=64),
            served=path.resolve().name,
            of=self.of,
            bits=self.bits,
            concurrency=1,
        )


def _contents(folder: Path) -> str:
    """SHA-256 of the names and bytes of the folder's files."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        with path.open("rb") as file:
            whole.update(f"{path.relative_to(folder)} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()
