"""A small transformer on the characters of Moby Dick, recorded while PyTorch trains it: which passages does it read from?

    python3 examples/gpt.py gpt.keylight && keylight serve gpt.keylight

--data names a folder with a text file for each chapter (./bootstrap data fetches the book)."""
import argparse
import math
import os
import re

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import keylight

WIDTH, HEADS, BLOCKS, CONTEXT = 128, 4, 4, 64


class Attention(nn.Module):
    """Causal attention. Without biases: that of the keys would change nothing but by rounding."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.register_buffer("later", torch.triu(torch.ones(CONTEXT, CONTEXT, dtype=torch.bool), 1))

    def forward(self, x):
        n, length, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(2, 3) / math.sqrt(WIDTH // HEADS)
        weights = scores.masked_fill(self.later[:length, :length], -math.inf).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(n, length, WIDTH))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.attention, self.norm2 = nn.LayerNorm(WIDTH), Attention(), nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    def __init__(self, n_tokens):
        super().__init__()
        self.tokens, self.places = nn.Embedding(n_tokens, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks, self.norm = nn.Sequential(*(Block() for _ in range(BLOCKS))), nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, n_tokens, bias=False)

    def forward(self, x):
        x = self.tokens(x) + self.places.weight[:x.shape[1]]
        return self.head(self.norm(self.blocks(x)))


def texts(folder, share=0.05):
    """The book's characters, chapter by chapter, the last share of these to test with."""
    names = sorted(os.listdir(folder), key=lambda name: [int(number) for number in re.findall("[0-9]+", name)])
    chapters = []
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            chapters.append(file.read())
    vocabulary = sorted(set("".join(chapters)))
    number = {text: i for i, text in enumerate(vocabulary)}
    cut = int(len(names) * (1 - share))
    return [keylight.Text(np.array([number[text] for chapter in chapters[part] for text in chapter]), vocabulary, CONTEXT,
                          [(name, len(chapter)) for name, chapter in zip(names[part], chapters[part])])
            for part in (slice(cut), slice(cut, None))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output")
    parser.add_argument("--data", default=os.path.expanduser("~/.cache/keylight/data/moby-dick"))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=8, help="stretches of text a step")
    parser.add_argument("--asked", type=int, default=32, help="places of the test text that can be asked about")
    parser.add_argument("--plain", action="store_true", help="train without recording, to compare times")
    options = parser.parse_args()
    torch.manual_seed(1)
    train, test = texts(options.data)
    tokens = torch.from_numpy(train.tokens)
    model = GPT(len(train.vocabulary))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
    warm = max(1, options.steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / warm) * (
        1 + math.cos(math.pi * step / options.steps)) / 2)

    def step(read):
        loss = cross_entropy(model(tokens[read]).flatten(0, 1), tokens[read + 1].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()

    def stretches():
        """The places of the tokens that are read in each step: (batch, CONTEXT)"""
        for _ in range(options.steps):
            yield torch.randint(len(train) - CONTEXT + 1, (options.batch, 1)) + torch.arange(CONTEXT)

    if options.plain:
        for read in stretches():
            step(read)
        return
    with keylight.Recorder(options.output, model, optimizer, train=train, test=test, name="gpt", asked=options.asked) as recorder:
        for read in stretches():
            with recorder.step(read):
                step(read)


if __name__ == "__main__":
    main()
