"""What others take for one query over the same keys: peers.py KEYS N WIDTH

KEYS are N x WIDTH float32. Says first, as JSON in a line, whom it knows and why others are missing;
then, for every number that it reads, does that one's query and says how long it took in ms. All use
as many threads as they like.
"""
import json
import sys
import time


def known_peers(keys, query):
    """(name, a function that asks, or why there is none)"""
    peers = [("NumPy, keys @ query", lambda: keys @ query)]
    try:
        import torch

        whole, asked = torch.from_numpy(keys), torch.from_numpy(query)
        peers.append(("PyTorch, the whole matrix", lambda: whole @ asked))
        peers.append(("PyTorch, a step's 128 keys at a time, as the paper",
                      lambda: [chunk @ asked for chunk in whole.split(128)]))
    except ImportError as error:
        peers.append(("PyTorch", str(error)))
    try:
        import faiss

        index = faiss.IndexFlatIP(keys.shape[1])
        index.add(keys)
        peers.append(("Faiss IndexFlatIP, the best 10", lambda: index.search(query[None], 10)))
    except ImportError as error:
        peers.append(("Faiss", str(error)))
    return peers


def main():
    path, n, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    try:
        import numpy
    except ImportError as error:
        peers = [("NumPy, PyTorch, Faiss", str(error))]
    else:
        keys = numpy.fromfile(path, dtype=numpy.float32).reshape(n, width)
        peers = known_peers(keys, (numpy.arange(width) / width - 0.5).astype(numpy.float32))
    print(json.dumps([{"name": name, "number": number} if callable(ask) else
                      {"name": name, "missing": ask} for number, (name, ask) in enumerate(peers)]),
          flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        peers[int(line)][1]()
        print((time.perf_counter() - started) * 1e3, flush=True)


if __name__ == "__main__":
    main()
