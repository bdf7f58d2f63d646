"""Data sets made on the spot, for tests: IDX files, CIFAR-10 batches, folders of PNG images."""
import os
import struct
import zlib

import numpy as np


def idx(folder, seed, side=6, classes=4, train=60, test=24):
    """Writes IDX files whose classes differ in a bright column; returns (train, test) labels."""
    os.makedirs(folder, exist_ok=True)
    random = np.random.default_rng(seed)
    labels = []
    for prefix, count in (("train", train), ("t10k", test)):
        y = random.integers(0, classes, count).astype(np.uint8)
        y[:classes] = range(classes)
        x = random.integers(0, 120, (count, side, side)).astype(np.uint8)
        for i, label in enumerate(y):
            x[i, :, (label + seed) % side] += 130
        with open(os.path.join(folder, f"{prefix}-images-idx3-ubyte"), "wb") as file:
            file.write(struct.pack(">IIII", 0x803, count, side, side) + x.tobytes())
        with open(os.path.join(folder, f"{prefix}-labels-idx1-ubyte"), "wb") as file:
            file.write(struct.pack(">II", 0x801, count) + y.tobytes())
        labels.append(y)
    return labels


def cifar(folder, counts=(7, 5), test=4):
    """Writes CIFAR-10 batches; returns the training records (n, 3073) and the test records."""
    os.makedirs(folder, exist_ok=True)
    random = np.random.default_rng(3)

    def write(name, count):
        records = random.integers(0, 256, (count, 3073)).astype(np.uint8)
        records[:, 0] %= 10
        records.tofile(os.path.join(folder, name))
        return records

    train = [write(f"data_batch_{i + 1}.bin", count) for i, count in enumerate(counts)]
    return np.concatenate(train), write("test_batch.bin", test)


def png(path, pixels):
    """Writes an 8-bit PNG: pixels (height, width) grey or (height, width, 3 or 4)."""
    height, width = pixels.shape[:2]
    kind = {1: 0, 3: 2, 4: 6}[1 if pixels.ndim == 2 else pixels.shape[2]]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(name, data):
        return (struct.pack(">I", len(data)) + name + data +
                struct.pack(">I", zlib.crc32(name + data)))

    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" +
                   chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def tiff(path, pixels, orientation=1):
    """Writes an uncompressed 8-bit TIFF, grey or RGB, with the orientation that a camera notes."""
    height, width = pixels.shape[:2]
    n = 1 if pixels.ndim == 2 else 3
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1 if n == 1 else 2),
            (273, 4, 1, 0), (274, 3, 1, orientation), (277, 3, 1, n), (278, 3, 1, height), (279, 4, 1, pixels.size)]
    start = 8 + 2 + 12 * len(tags) + 4 + 8
    if n == 3:
        tags[2] = (258, 3, 3, start - 8)
    tags[5] = (273, 4, 1, start)
    entries = b"".join(struct.pack("<HHI", tag, kind, count) +
                       (struct.pack("<HH", value, 0) if kind == 3 and count == 1 else struct.pack("<I", value))
                       for tag, kind, count, value in tags)
    with open(path, "wb") as file:
        file.write(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) +
                   struct.pack("<4H", 8, 8, 8, 0) + pixels.tobytes())


def gif(path, side, *frames):
    """A GIF of side x side that is black, with frames of (width, height) that may say other sizes."""
    with open(path, "wb") as file:
        file.write(b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff")
        for width, height in frames:
            codes = [4, *[0, 4] * (side * side), 5]  # clear after every pixel, so that codes have three bits; the end
            bits = sum(code << 3 * i for i, code in enumerate(codes))
            data = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
            blocks = b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255))
            file.write(b"!\xfe\x03,,,\0" + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02" + blocks + b"\0")
        file.write(b";")


def ppm(path, pixels):
    """Writes a PNM: grey (P5) or RGB (P6)."""
    height, width = pixels.shape[:2]
    with open(path, "wb") as file:
        file.write(b"P%d %d %d 255\n" % (5 if pixels.ndim == 2 else 6, width, height) + pixels.tobytes())


def bmp(path, pixels):
    """Writes a 24-bit BMP of RGB pixels."""
    height, width = pixels.shape[:2]
    rows = b"".join(row[:, ::-1].tobytes() + b"\0" * (-3 * width % 4) for row in pixels[::-1])
    with open(path, "wb") as file:
        file.write(b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) +
                   struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 2835, 2835, 0, 0) + rows)
