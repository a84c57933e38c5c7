"""Language models of a few thousand numbers, as folders that transformers reads."""

from __future__ import annotations

from pathlib import Path

import torch

from helpers.language_models import bert_vocabulary, mpnet_vocabulary

_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 80,
}


def tiny_language_model(folder: Path, kind: str = "bert", seed: int = 0) -> Path:
    """A random "bert", "mpnet", "distilbert" or "roberta" with its tokenizer; weights from the seed."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    if kind == "roberta":
        rows = _byte_level_tokenizer(folder)
        config = transformers.RobertaConfig(vocab_size=rows, **_SIZES)
        model = transformers.RobertaModel(config)
    else:
        words = _few(mpnet_vocabulary() if kind == "mpnet" else bert_vocabulary())
        (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8", newline="\n")
        if kind == "mpnet":
            model = transformers.MPNetModel(transformers.MPNetConfig(vocab_size=len(words), **_SIZES))
        elif kind == "distilbert":
            config = transformers.DistilBertConfig(
                vocab_size=len(words), dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=80
            )
            model = transformers.DistilBertModel(config)
        else:
            model = transformers.BertModel(transformers.BertConfig(vocab_size=len(words), **_SIZES))
    model.save_pretrained(folder)
    return folder


def _few(words: tuple[str, ...]) -> tuple[str, ...]:
    """The special rows, the letters and the most frequent words: fewer rows are faster to train."""
    return tuple(dict.fromkeys((*words[:8000], *(word for word in words if word == "<mask>"))))


def _byte_level_tokenizer(folder: Path) -> int:
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer()
    texts = ["left kidney", "right kidney", "the liver of the patient", "hippocampus on the left side"] * 4
    tokenizer.train_from_iterator(texts, 400, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer.get_vocab_size()
