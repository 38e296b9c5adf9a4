"""Measures a model: bits per byte on held-out documents, a bigram baseline, and repeated random tokens.

Bits per byte. Test documents form one stream with <|endoftext|> before each. Windows of the context
length advance by half of it; a window scores its second half (the first window all of it), so every token
but the very first is scored once, with at least half a context before it. The sum of -log2 p is divided by
the UTF-8 bytes of the documents.

Bigram baseline, same tokens, same divisor: p(b|a) = l2 * count(a,b)/count(a) + l1 * count(b)/N + l0 / V, counts from
the training split, weights chosen by expectation-maximisation on the dev split. (Where a has no count, its
share goes to the unigram.)

Repeats. <|endoftext|>, then 64 random ids, then the same 64 again; seeds 0 to 199. The loss of the second copy is
over all of its 64 tokens, the first included, which nothing announces.
"""

import numpy as np
import torch
import torch.nn.functional as F

import data
from model import Config, Gpt2
from paths import FIXTURE
from reference.safetensors import read_safetensors

N_SEEDS, BLOCK = 200, 64


def load_export(folder=FIXTURE):
    """Returns the exported model, its float16 weights widened to float32."""
    tensors, _ = read_safetensors(folder / "model.safetensors")
    model = Gpt2(Config())
    model.load_state_dict({name: torch.from_numpy(value.astype(np.float32)) for name, value in tensors.items()})
    return model


@torch.no_grad()
def bits_per_byte(model, text, n_bytes, batch_size=8):
    """Returns held-out bits per byte of the model."""
    context = model.config.n_positions
    half, bits = context // 2, 0.0
    windows = []  # (tokens, targets)
    for start in range(0, len(text) - 1, half):
        end = min(start + context, len(text) - 1)
        tokens, targets = text[start:end], text[start + 1 : end + 1].copy()
        if start:
            targets[:half] = data.IGNORE
        if (targets != data.IGNORE).any():
            windows.append((tokens, targets))
    for first in range(0, len(windows), batch_size):
        group = windows[first : first + batch_size]
        longest = max(len(tokens) for tokens, _ in group)
        tokens = torch.zeros(len(group), longest, dtype=torch.int64)
        targets = torch.full((len(group), longest), data.IGNORE)
        for row, (these, those) in enumerate(group):
            tokens[row, : len(these)] = torch.from_numpy(these)
            targets[row, : len(those)] = torch.from_numpy(those)
        logits = model(tokens).flatten(0, 1)
        loss = F.cross_entropy(logits, targets.flatten(), ignore_index=data.IGNORE, reduction="sum")
        bits += loss.item() / np.log(2)
    return bits / n_bytes


def bigram_bits_per_byte(train, dev, test, n_bytes, vocab_size):
    """Returns (bits per byte, weights) of the interpolated bigram model."""
    first = np.zeros(vocab_size)
    keys, counts = np.unique(train[:-1] * vocab_size + train[1:], return_counts=True)
    pairs = dict(zip(keys.tolist(), counts.tolist()))
    np.add.at(first, train[:-1], 1)
    unigram = np.bincount(train, minlength=vocab_size) / len(train)

    def parts(text):
        joint = np.array([pairs.get(key, 0) for key in (text[:-1] * vocab_size + text[1:]).tolist()], dtype=np.float64)
        before, after = first[text[:-1]], unigram[text[1:]]
        bigram = np.where(before > 0, joint / np.maximum(before, 1), after)
        return np.stack([bigram, after, np.full(len(after), 1 / vocab_size)])

    weights, on_dev = np.full(3, 1 / 3), parts(dev)
    for _ in range(200):
        share = weights[:, None] * on_dev
        weights = (share / share.sum(0)).mean(1)
    return -np.log2(weights @ parts(test)).sum() / n_bytes, weights


@torch.no_grad()
def repeat_losses(model, end_of_text):
    """Returns (first-copy loss, second-copy loss) in nats, means over N_SEEDS sequences."""
    rows = []
    for seed in range(N_SEEDS):
        block = np.random.default_rng(seed).integers(0, end_of_text, size=BLOCK)
        rows.append(np.concatenate([[end_of_text], block, block]))
    tokens = torch.from_numpy(np.stack(rows).astype(np.int64))
    losses = torch.cat(
        [
            F.cross_entropy(model(part[:, :-1]).transpose(1, 2), part[:, 1:], reduction="none")
            for part in tokens.split(20)
        ]
    )
    return losses[:, :BLOCK].mean().item(), losses[:, BLOCK:].mean().item()


def measure(model):
    """Returns every figure of the card as a dictionary."""
    tokenizer = data.load_tokenizer()
    streams, n_bytes = {}, {}
    for part in ("train", "dev", "test"):
        documents, n_bytes[part] = data.load_split(part)
        streams[part] = data.stream(documents, tokenizer.end_of_text)
    bigram, weights = bigram_bits_per_byte(
        streams["train"], streams["dev"], streams["test"], n_bytes["test"], tokenizer.vocab_size
    )
    bpb = bits_per_byte(model, streams["test"], n_bytes["test"])
    first, second = repeat_losses(model, tokenizer.end_of_text)
    return {
        "test_bytes": n_bytes["test"],
        "test_tokens": len(streams["test"]) - 1,
        "bits_per_byte": bpb,
        "loss_per_token_nats": bpb * n_bytes["test"] / (len(streams["test"]) - 1) * np.log(2),
        "bigram_bits_per_byte": bigram,
        "bigram_weights": weights.tolist(),
        "below_bigram": 1 - bpb / bigram,
        "repeat_first_nats": first,
        "repeat_second_nats": second,
        "repeat_ratio": second / first,
    }


def main(from_checkpoint):
    import train

    model = train.load_model()[0] if from_checkpoint else load_export()
    figures = measure(model)
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(f"target 15% below the bigram: {'met' if figures['below_bigram'] >= 0.15 else 'MISSED'}")
    print(f"target repeat ratio 0.3: {'met' if figures['repeat_ratio'] <= 0.3 else 'MISSED'}")
