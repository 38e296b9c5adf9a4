"""Byte-level byte-pair encoding in the manner of GPT-2: trainer, encoder, and tokenizer.json.

Training:
1. Cut the text with GPT-2's pre-tokeniser pattern and count the distinct pieces.
2. Write each piece as byte symbols; count adjacent pairs over all pieces.
3. Merge the most frequent pair (ties: the smaller pair of ids), update only the pieces that hold it; repeat.
"""

import heapq
import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from functools import lru_cache

END_OF_TEXT = "<|endoftext|>"


def byte_symbols():
    """Returns GPT-2's 256 printable characters, one for each byte, in token-id order with their bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    symbol = {byte: chr(byte) for byte in printable}
    symbol.update({byte: chr(256 + n) for n, byte in enumerate(rest)})
    return [(byte, symbol[byte]) for byte in printable + rest]


def _char_class(prefix):
    """Returns the ranges of a Unicode category as the inside of a character class (re has no \\p)."""
    ranges, start = [], None
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and unicodedata.category(chr(code))[0] == prefix
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            ranges.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = None
    return "".join(ranges)


@lru_cache(maxsize=None)
def pattern():
    """Returns GPT-2's pre-tokeniser pattern, with letters, numbers and white space spelt out."""
    letter, number = _char_class("L"), _char_class("N")
    space = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    return re.compile(
        f"'s|'t|'re|'ve|'m|'ll|'d| ?[{letter}]+| ?[{number}]+| ?[^{space}{letter}{number}]+"
        f"|[{space}]+(?![^{space}])|[{space}]+"
    )


def train_merges(texts, n_merges, extra=None):
    """Returns the list of merges, as pairs of byte-symbol strings.

    extra maps words to counts that are added to the corpus counts, to make them likely single tokens.
    """
    counts = Counter()
    for text in texts:
        counts.update(pattern().findall(text))
    counts.update(extra or {})
    symbol = dict(byte_symbols())
    words = [[symbol[byte] for byte in word.encode()] for word in sorted(counts)]
    weight = [counts[word] for word in sorted(counts)]

    pairs, where = Counter(), defaultdict(set)
    for index, word in enumerate(words):
        for pair in zip(word, word[1:]):
            pairs[pair] += weight[index]
            where[pair].add(index)
    heap = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(heap)
    merges = []
    while len(merges) < n_merges and heap:
        count, pair = heapq.heappop(heap)
        if pairs[pair] != -count:
            continue  # a stale entry; the current count has its own
        merges.append(pair)
        changed = set()
        for index in where.pop(pair):
            word = words[index]
            for old in zip(word, word[1:]):
                pairs[old] -= weight[index]
                changed.add(old)
            words[index] = word = _merge(word, pair)
            for new in zip(word, word[1:]):
                pairs[new] += weight[index]
                where[new].add(index)
                changed.add(new)
        for other in changed:
            if pairs[other] > 0:
                heapq.heappush(heap, (-pairs[other], other))
        del pairs[pair]
    return merges


def _merge(word, pair):
    """Returns the word with each occurrence of the pair joined, from left to right."""
    merged, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            merged.append(word[i] + word[i + 1])
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return merged


class Tokenizer:
    """Encodes text to ids and back; ids are 256 bytes, the merges in order, then the end-of-text token."""

    def __init__(self, merges):
        self.merges = [tuple(pair) for pair in merges]
        self.pieces = [symbol for _, symbol in byte_symbols()] + [a + b for a, b in self.merges]
        self.ids = {piece: index for index, piece in enumerate(self.pieces)}
        if len(self.ids) != len(self.pieces):
            raise ValueError("two merges make the same token")
        self.end_of_text = len(self.pieces)
        self.vocab_size = len(self.pieces) + 1
        self._rank = {pair: rank for rank, pair in enumerate(self.merges)}
        self._symbol = dict(byte_symbols())
        self._byte = {symbol: byte for byte, symbol in byte_symbols()}
        self._encode_piece = lru_cache(maxsize=200_000)(self._encode_piece)

    @classmethod
    def load(cls, path):
        model = json.loads(path.read_text("utf8"))["model"]
        return cls([merge.split(" ") for merge in model["merges"]])

    def _encode_piece(self, piece):
        word = [self._symbol[byte] for byte in piece.encode()]
        while len(word) > 1:
            best = min(zip(word, word[1:]), key=lambda pair: self._rank.get(pair, len(self._rank)))
            if best not in self._rank:
                break
            word = _merge(word, best)
        return [self.ids[symbol] for symbol in word]

    def encode(self, text):
        """Returns the ids of plain text; text that looks like a special token is text."""
        return [index for piece in pattern().findall(text) for index in self._encode_piece(piece)]

    def decode(self, ids):
        symbols = "".join(self.pieces[index] for index in ids if index != self.end_of_text)
        return bytes(self._byte[symbol] for symbol in symbols).decode("utf8", errors="replace")

    def save(self, path):
        """Writes a Hugging Face tokenizer.json."""
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        special = {
            "id": self.end_of_text,
            "content": END_OF_TEXT,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        vocab = {**self.ids, END_OF_TEXT: self.end_of_text}
        content = {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [special],
            "normalizer": None,
            "pre_tokenizer": byte_level,
            "post_processor": {**byte_level, "trim_offsets": False},
            "decoder": byte_level,
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "vocab": vocab,
                "merges": [f"{a} {b}" for a, b in self.merges],
            },
        }
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf8")
