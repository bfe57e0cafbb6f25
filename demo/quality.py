"""Quality of a search by embeddings, against the right answers and against the dense network."""

import numpy as np


def rankings(query_rows, corpus_rows, count):
    """Indices of the `count` nearest corpus rows of each query, best first. Rows have unit length."""
    scores = query_rows @ corpus_rows.T
    nearest = np.argpartition(-scores, count, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(scores, nearest, axis=1), axis=1, kind="stable")
    return np.take_along_axis(nearest, order, axis=1)


def mean_reciprocal_rank(top, answers):
    """MRR@k of `top` [queries, k] where answers[i] is the right corpus index of query i."""
    hits = top == np.asarray(answers)[:, None]
    ranks = np.argmax(hits, axis=1) + 1
    return float(np.mean(np.where(hits.any(axis=1), 1.0 / ranks, 0.0)))


def mean_cosine(rows, reference):
    return float(np.mean(np.sum(rows * reference, axis=1) /
                         (np.linalg.norm(rows, axis=1) * np.linalg.norm(reference, axis=1))))


def overlap(top, reference_top):
    """Mean share of the reference's answers that are among ours."""
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(top, reference_top)]))
