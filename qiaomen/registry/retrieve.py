"""The nearest names by character pairs: cosine of TF-IDF over the inverted index, best k per query (numba)."""

from __future__ import annotations

import numpy as np
from numba import njit

_BUDGET = 150_000
"""Postings after which a query's commoner pairs only add to names already found by rarer ones."""


@njit(cache=True, nogil=True)
def _keep_best(touched, total, doc_norm, norm, docs, scores):  # type: ignore[no-untyped-def]
    """Sort the best of the touched documents into ``docs`` and ``scores``, and clear their totals."""
    k = len(docs)
    lowest = np.float32(0.0)
    held = 0
    for doc in touched:
        score = total[doc] / (doc_norm[doc] * norm)
        total[doc] = 0.0
        if held == k and score <= lowest:
            continue
        spot = held if held < k else k - 1
        while spot > 0 and scores[spot - 1] < score:
            scores[spot] = scores[spot - 1]
            docs[spot] = docs[spot - 1]
            spot -= 1
        scores[spot] = score
        docs[spot] = doc
        if held < k:
            held += 1
        lowest = scores[held - 1] if held == k else np.float32(0.0)


@njit(cache=True, nogil=True)
def nearest(  # type: ignore[no-untyped-def]
    query_start,
    query_gram,
    query_weight,
    query_norm,
    gram_start,
    posting_doc,
    posting_distance,
    gram_idf,
    factors,
    doc_norm,
    k,
):
    """Return for each query its k best documents and their cosines (-1 and 0 where there are fewer).

    ``query_gram`` holds row numbers of the vocabulary, rarest pair of a query first; ``query_weight`` their weights.
    """
    count = len(query_start) - 1
    docs = np.full((count, k), -1, np.int32)
    scores = np.zeros((count, k), np.float32)
    total = np.zeros(len(doc_norm), np.float32)
    touched = np.empty(len(doc_norm), np.int32)
    for query in range(count):
        found = 0
        read = 0
        for item in range(query_start[query], query_start[query + 1]):
            gram = query_gram[item]
            first, last = gram_start[gram], gram_start[gram + 1]
            weight = query_weight[item] * gram_idf[gram]
            open_to_new = read == 0 or read + (last - first) <= _BUDGET
            read += last - first
            for position in range(first, last):
                doc = posting_doc[position]
                if total[doc] == 0.0:
                    if not open_to_new:
                        continue
                    touched[found] = doc
                    found += 1
                total[doc] += weight * factors[posting_distance[position]]
        _keep_best(touched[:found], total, doc_norm, query_norm[query], docs[query], scores[query])
    return docs, scores
