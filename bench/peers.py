"""What others take for one query over the same keys: peers.py KEYS N WIDTH ROUNDS

KEYS are N x WIDTH float32. Prints one line of JSON for each: the times of all rounds, or why there
are none. All use as many threads as they like.
"""
import json
import sys
import time


def rounds_of(ask, n):
    ask()
    times = []
    for _ in range(n):
        started = time.perf_counter()
        ask()
        times.append((time.perf_counter() - started) * 1e3)
    return times


def tell(name, ask, n):
    try:
        print(json.dumps({"name": name, "ms": rounds_of(ask, n)}), flush=True)
    except Exception as error:  # a peer that fails is told, not fatal
        print(json.dumps({"name": name, "missing": str(error)}), flush=True)


def missing(name, error):
    print(json.dumps({"name": name, "missing": str(error)}), flush=True)


def main():
    path, n, width, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    try:
        import numpy
    except ImportError as error:
        return missing("NumPy, PyTorch, Faiss", error)
    keys = numpy.fromfile(path, dtype=numpy.float32).reshape(n, width)
    query = (numpy.arange(width) / width - 0.5).astype(numpy.float32)
    tell("NumPy: keys @ query", lambda: keys @ query, rounds)

    try:
        import torch

        whole, asked = torch.from_numpy(keys), torch.from_numpy(query)
        tell("PyTorch, the whole matrix", lambda: whole @ asked, rounds)
        tell("PyTorch, the paper's way: a step's 128 keys at a time",
             lambda: [chunk @ asked for chunk in whole.split(128)], rounds)
    except ImportError as error:
        missing("PyTorch", error)

    try:
        import faiss

        index = faiss.IndexFlatIP(width)
        index.add(keys)
        tell("Faiss IndexFlatIP, the best 10", lambda: index.search(query[None], 10), rounds)
    except ImportError as error:
        missing("Faiss", error)


if __name__ == "__main__":
    main()
