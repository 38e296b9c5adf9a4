"""Tokenised documents, and the training batches made from them.

A batch mixes two kinds of sequence, both as long as the context:
- text: a random stretch of the training stream, whose documents each start with <|endoftext|>;
- repeats: a block of ids, repeated to the end, so that attention heads learn to copy from an earlier occurrence
  (induction). The ids are uniformly random, or as frequent as in the text, or a stretch of text, one time in three
  each. The first block carries no loss.
Repeats are 15 % of sequences, but half of them for a while in the middle, when the model can read: copying forms then.
Half of all sequences have <|endoftext|> put in front, so that the model works with it and without it.
"""

import numpy as np
import torch

import bpe
import corpus
import vocabulary
from paths import WORK

VOCAB_SIZE = 2048
IGNORE = -100


def load_tokenizer():
    """Returns the tokenizer, trained on the training split when it is not yet in the cache."""
    path = WORK / "tokenizer.json"
    if not path.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        n_merges = VOCAB_SIZE - 256 - 1
        merges = bpe.train_merges(corpus.split()["train"], n_merges, vocabulary.extra_counts())
        bpe.Tokenizer(merges).save(path)
    return bpe.Tokenizer.load(path)


def load_split(part):
    """Returns (documents as id arrays, number of UTF-8 bytes), from the cache when it is there."""
    path = WORK / f"{part}.npz"
    if not path.exists():
        tokenizer = load_tokenizer()
        texts = corpus.split()[part]
        ids = [np.array(tokenizer.encode(text), dtype=np.int64) for text in texts]
        n_bytes = sum(len(text.encode()) for text in texts)
        np.savez(path, lengths=[len(x) for x in ids], ids=np.concatenate(ids), n_bytes=n_bytes)
    stored = np.load(path)
    return np.split(stored["ids"], np.cumsum(stored["lengths"])[:-1]), int(stored["n_bytes"])


def stream(documents, end_of_text):
    """Returns all documents as one array, <|endoftext|> before each."""
    return np.concatenate([part for ids in documents for part in ([end_of_text], ids)])


def repeated(rng, text, length, vocab_size, period):
    """Returns a block of `period` ids, repeated and cut to `length`.

    The ids are uniformly random (never <|endoftext|>), drawn from the text one by one, or a stretch of it.
    """
    kind = rng.integers(3)
    if kind == 0:
        block = rng.integers(0, vocab_size - 1, size=period)
    elif kind == 1:
        block = text[rng.integers(0, len(text), size=period)]
    else:
        start = rng.integers(0, len(text) - period)
        block = text[start : start + period]
    return np.tile(block, -(-length // period))[:length]


def repeat_share(progress):
    """Returns the share of repeats at this point of training (0 to 1)."""
    return 0.50 if 0.42 <= progress < 0.60 else 0.15


def batch(rng, text, size, context, end_of_text, share):
    """Returns (inputs, targets, is_repeat): int64 [size, context] twice, and one truth value per row.

    Targets without loss are IGNORE.
    """
    rows, masks, kinds = [], [], []
    for _ in range(size):
        bos = rng.random() < 0.5
        need = context + 1 - bos
        row = np.empty(context + 1, dtype=np.int64)
        row[0] = end_of_text
        masked = 0
        kinds.append(bool(rng.random() < share))
        if kinds[-1]:
            period = int(round(np.exp(rng.uniform(np.log(4), np.log(context // 2)))))
            row[bos:] = repeated(rng, text, need, end_of_text + 1, period)
            masked = period + bos
        else:
            start = rng.integers(0, len(text) - need)
            row[bos:] = text[start : start + need]
        target = row[1:].copy()
        target[: max(masked - 1, 0)] = IGNORE
        rows.append(row[:-1])
        masks.append(target)
    return torch.from_numpy(np.stack(rows)), torch.from_numpy(np.stack(masks)), kinds
