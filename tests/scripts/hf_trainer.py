"""transformers.Trainer on a small, randomly initialised BERT classifier with synthetic tokens."""

import argparse

import torch
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed


class Tokens(Dataset):
    """Class 1 where token 7 stands in the first half."""

    def __init__(self, size, length, vocabulary):
        generator = torch.Generator().manual_seed(0)
        self.ids = torch.randint(10, vocabulary, (size, length), generator=generator)
        self.labels = torch.arange(size) % 2
        places = torch.randint(length // 2, (size,), generator=generator) + (length // 2) * (1 - self.labels)
        self.ids[torch.arange(size), places] = 7

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return {"input_ids": self.ids[i], "labels": self.labels[i], "attention_mask": torch.ones_like(self.ids[i])}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--output", default="out")
    args = parser.parse_args()

    set_seed(0)
    config = BertConfig(
        vocab_size=200, hidden_size=128, num_hidden_layers=2, num_attention_heads=4, intermediate_size=512
    )
    trainer = Trainer(
        model=BertForSequenceClassification(config),
        args=TrainingArguments(
            output_dir=args.output,
            max_steps=args.steps,
            per_device_train_batch_size=16,
            learning_rate=5e-4,
            warmup_steps=10,
            logging_steps=20,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            seed=0,
        ),
        train_dataset=Tokens(2048, 32, config.vocab_size),
    )
    trainer.train()
    print("done")


if __name__ == "__main__":
    main()
