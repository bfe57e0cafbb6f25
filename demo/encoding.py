"""Texts to token arrays, in batches that every runtime gets alike."""

import numpy as np
from tokenizers import Tokenizer

MAX_TOKENS = 128


def load_tokenizer(path):
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def pad(encodings, length=None):
    """(input_ids, attention_mask), both int64 [len(encodings), length or the longest]."""
    length = length or max(len(e.ids) for e in encodings)
    ids = np.zeros((len(encodings), length), np.int64)
    mask = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = 1
    return ids, mask


def batches(tokenizer, texts, size=32):
    """Yields (indices, input_ids, attention_mask): texts of similar length together, so that little is padding."""
    encodings = tokenizer.encode_batch(texts)
    order = sorted(range(len(texts)), key=lambda i: len(encodings[i].ids))
    for begin in range(0, len(order), size):
        chosen = order[begin : begin + size]
        yield chosen, *pad([encodings[i] for i in chosen])


def encode(run, tokenizer, texts):
    """Embeddings [len(texts), width] f32; `run(ids, mask)` computes one batch."""
    result = None
    for chosen, ids, mask in batches(tokenizer, texts):
        rows = run(ids, mask)
        if result is None:
            result = np.zeros((len(texts), rows.shape[1]), np.float32)
        result[chosen] = rows
    return result
