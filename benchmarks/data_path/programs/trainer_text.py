"""transformers' Trainer on text that is tokenised whenever a sample is read, as `with_transform` of `datasets` does it.

python trainer_text.py --epochs 100
"""

import argparse
import random

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch.utils.data import Dataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
    default_data_collator,
)

STEMS = ("train", "data", "model", "step", "loss", "batch", "word", "token", "seed", "layer")


def sentences(number: int) -> list[str]:
    draw = random.Random(0)
    ends = ("", "s", "ed", "ing", ",")
    return [
        " ".join(draw.choice(STEMS) + draw.choice(ends) for _ in range(draw.randint(100, 200))) for _ in range(number)
    ]


def trained_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """A byte-pair tokenizer of these texts; nothing is downloaded."""
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=80, special_tokens=["[UNK]", "[PAD]"]))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]")


class Texts(Dataset[dict[str, object]]):
    """Long texts, cut after a few tokens, and which of two words is more frequent in each."""

    def __init__(self, texts: list[str], tokenizer: PreTrainedTokenizerFast) -> None:
        self.texts, self.tokenizer = texts, tokenizer

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> dict[str, object]:
        text = self.texts[index]
        encoded = self.tokenizer(text, truncation=True, padding="max_length", max_length=16)
        return {**encoded, "labels": int(text.count("train") > text.count("data"))}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(0)
    texts = sentences(256)
    tokenizer = trained_tokenizer(texts)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = BertForSequenceClassification(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=16, **size))
    arguments = TrainingArguments(
        output_dir="out",
        num_train_epochs=given.epochs,
        per_device_train_batch_size=32,
        dataloader_num_workers=given.workers,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    Trainer(
        model=model,
        args=arguments,
        train_dataset=Texts(texts, tokenizer),
        data_collator=default_data_collator,
    ).train()


if __name__ == "__main__":
    main()
