#!/usr/bin/env python3
"""Writes what tensorboardX makes of a few events, histograms and precision-recall curves.

    python make.py   (needs tensorboardX; its writers are those of torch.utils.tensorboard)

`events.bin` holds whole records, `expected.json` histograms and curves with the values they were made from.
"""
import json
import os
import struct

import numpy as np
from tensorboardX import SummaryWriter, summary
from tensorboardX.crc32c import crc32c
from tensorboardX.proto import event_pb2
from tensorboardX.proto.summary_pb2 import Summary

HERE = os.path.dirname(os.path.abspath(__file__))
TIME = 1700000000.25
STEP = 300


def bins():
    edges = []
    edge = 1e-12
    while edge < 1e20:
        edges.append(edge)
        edge *= 1.1
    return [-edge for edge in reversed(edges)] + [0.0] + edges


def record(event):
    def masked(data):
        checksum = crc32c(data)
        return struct.pack("<I", (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF)

    message = event.SerializeToString()
    length = struct.pack("<Q", len(message))
    return length + masked(length) + message + masked(message)


def events():
    def event(**fields):
        return event_pb2.Event(wall_time=TIME, **fields)

    yield event(file_version="brain.Event:2")
    yield event(step=8, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))
    numbers = [Summary.Value(tag="train/loss", simple_value=1.5), Summary.Value(tag="val/zero", simple_value=0.0)]
    yield event(step=STEP, summary=Summary(value=numbers))
    # Sums of these are exact, whatever the order.
    values = np.array([0.5, -0.25, 0.5, 2, 0])
    yield event(step=STEP, summary=summary.histogram("parameters/a", values, bins()))
    image = Summary.Image(height=2, width=3, colorspace=1, encoded_image_string=b"\x89PNG")
    yield event(step=STEP, summary=Summary(value=[Summary.Value(tag="images/first", image=image)]))
    labels, scores = np.array([1, 0, 1, 0]), np.array([0.9, 0.2, 0.4, 1.0], dtype=np.float32)
    yield event(step=STEP, summary=summary.pr_curve("val/Edema", labels, scores))


def histograms():
    random = np.random.default_rng(5)
    arrays = {
        "normal": random.standard_normal(400),
        "tiny": random.standard_normal(50) * 1e-11,
        "wide": random.standard_normal(80) * 10.0 ** random.integers(-8, 18, 80),
        "positive": random.random(30) + 1,
        "negative": -random.random(30),
        "one": np.array([0.25]),
        "zeros": np.zeros(7),
        "edges": np.array([1e-12, -1e-12, 0, 1, 1.1, 1.21]),
    }
    for name, array in arrays.items():
        values = array.astype(np.float32)
        made = summary.make_histogram(values.astype(np.float64), np.array(bins()))
        yield {
            "name": name, "values": [float(v) for v in values], "min": made.min, "max": made.max, "count": made.num,
            "sum": made.sum, "squares": made.sum_squares, "limits": list(made.bucket_limit), "counts": list(made.bucket),
        }


def curves():
    random = np.random.default_rng(6)
    for name, count, share in [("many", 300, 0.3), ("few", 5, 0.5), ("none positive", 20, 0.0), ("all positive", 9, 1.0)]:
        labels = random.random(count) < share
        scores = np.clip(random.random(count) * 0.7 + 0.3 * labels, 0, 1).astype(np.float32)
        made = summary.compute_curve(labels.astype(int), scores.astype(np.float64), 127)
        yield {
            "name": name, "scores": [float(s) for s in scores], "isPositive": [bool(p) for p in labels],
            "values": [float(v) for v in made.astype(np.float32).reshape(-1)],
        }


def main():
    writer = SummaryWriter(write_to_disk=False)
    assert writer.default_bins == bins(), "tensorboardX has other buckets now"
    with open(os.path.join(HERE, "events.bin"), "wb") as file:
        file.writelines(record(event) for event in events())
    with open(os.path.join(HERE, "expected.json"), "w") as file:
        json.dump({"histograms": list(histograms()), "curves": list(curves())}, file, separators=(",", ":"))


if __name__ == "__main__":
    main()
