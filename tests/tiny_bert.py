"""A BERT of a few thousand weights in a folder, with a tokenizer of a few words: what a user's own encoder looks like."""

from pathlib import Path

import torch

WORDS = "[PAD] [UNK] [CLS] [SEP] good fine great bad poor awful a the film was very not and it , .".split()


def tiny_bert(folder: Path, **settings: object) -> Path:
    """Write the model and its tokenizer into ``folder``."""
    import tokenizers
    import transformers
    from tokenizers.processors import TemplateProcessing

    built = tokenizers.Tokenizer(tokenizers.models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    built.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    built.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    built.post_processor = TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)])
    folder.mkdir(parents=True, exist_ok=True)
    built.save(str(folder / "tokenizer.json"))
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48, **settings}
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=24, **sizes)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def reviews(path: Path, n: int, start: int = 0) -> Path:
    """Write ``n`` reviews that a few words decide."""
    lines = ["sentence\tlabel"]
    for i in range(start, start + n):
        good = i % 2
        word = (("good", "fine", "great") if good else ("bad", "poor", "awful"))[i // 2 % 3]
        lines.append(f"the film was {'very ' * (i % 3)}{word}{' and it was a film' * (i % 2)} .\t{good}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
