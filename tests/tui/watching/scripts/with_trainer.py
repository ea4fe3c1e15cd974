"""Hugging Face's Trainer with a tiny GPT-2 made from its config."""

import tempfile

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

torch.manual_seed(0)
config = GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=30, n_positions=16)
model = GPT2LMHeadModel(config)
rows = torch.randint(0, 30, (128, 16))


class Printed(TrainerCallback):
    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            print(float(logs["loss"]).hex(), flush=True)


with tempfile.TemporaryDirectory() as place:
    arguments = TrainingArguments(
        place, max_steps=14, per_device_train_batch_size=8, logging_steps=1, report_to=[],
        save_strategy="no", use_cpu=True, disable_tqdm=True, seed=0,
    )  # fmt: skip
    data = [{"input_ids": row, "labels": row} for row in rows]
    trainer = Trainer(model, arguments, train_dataset=data, callbacks=[Printed()])
    trainer.remove_callback(PrinterCallback)  # it prints times
    trainer.train()
print(sum(float(p.double().sum()) for p in model.parameters()).hex())
