"""transformers' Trainer on a GPT-2 with a tiny random configuration and random tokens; settings are its defaults."""

import tempfile

import torch
from torch.utils.data import Dataset
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed


class Tokens(Dataset):
    def __len__(self):
        return 4096

    def __getitem__(self, index):
        ids = torch.randint(256, (32,), generator=torch.Generator().manual_seed(index))
        return {"input_ids": ids, "labels": ids}


set_seed(0)
config = GPT2Config(
    vocab_size=256, n_positions=32, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0, use_cache=False
)
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        output_dir=folder, max_steps=100_000, report_to=[], save_strategy="no", logging_steps=500, disable_tqdm=True
    )
    Trainer(model=GPT2LMHeadModel(config), args=arguments, train_dataset=Tokens()).train()
