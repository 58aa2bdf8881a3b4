#!/usr/bin/env python3
"""Checks that TensorBoard reads what cleft writes while it trains.

A contrastive run is killed, its newest event file is torn, and the run goes on; a classifier is trained beside it. Then
every record's checksums are computed, TensorBoard's Python reader counts scalars, histograms and pictures, and its server
is asked for all of them and for the precision-recall curves. Every step must be there once, with the number that
`metrics.jsonl` has.

One line per check. Exit status 1 where one fails. Run it through `Scripts/bench/tensorboard`.
"""
import argparse
import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import urllib.parse
import urllib.request

# This file is named as the library: its folder must not be searched for it.
sys.path.remove(os.path.dirname(os.path.realpath(__file__)))

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import masked_crc32c

STEPS = 40
KILL_AT = 17
CHECKPOINT_EVERY = 10
HISTOGRAM_EVERY = 4

failures = 0


def check(holds, text, detail=""):
    global failures
    failures += not holds
    print(f"{'OK  ' if holds else 'FAIL'} {text}{'' if holds or not detail else f': {detail}'}")


# --------------------------------------------------------------------------- runs


def cleft(*arguments, **options):
    return subprocess.Popen([os.environ["CLEFT"], *arguments], stderr=subprocess.PIPE, text=True, **options)


def finish(process, status=0):
    _, errors = process.communicate()
    if process.returncode != status:
        sys.exit(f"{' '.join(process.args)}: exit status {process.returncode}, expected {status}\n{errors}")
    return errors


def train_options(work, name, steps):
    return [
        "train", "--data_dir", f"{work}/data", "--log_dir", f"{work}/logs", "--experiment_name", name, "--model", "tiny",
        "--image_size", "56", "--batch_size", "8", "--devices", "1", "--warm_up", "2", "--max_steps", str(steps),
        "--log_every", "1", "--checkpoint_every", str(CHECKPOINT_EVERY), "--val_every", "10",
        "--histogram_every", str(HISTOGRAM_EVERY),
    ]


def run_folder(work, name):
    root = f"{work}/logs/CLEFT"
    found = sorted(entry for entry in os.listdir(root) if entry.endswith(f"_{name}")) if os.path.isdir(root) else []
    return f"{root}/{found[-1]}" if found else None


def event_files(folder):
    return [f"{folder}/{name}" for name in sorted(os.listdir(folder)) if ".tfevents." in name]


def lines(folder):
    path = f"{folder}/metrics.jsonl"
    text = open(path).read() if os.path.exists(path) else ""
    return [json.loads(line) for line in text.split("\n")[:-1] if line]


def killed_and_resumed(work):
    options = train_options(work, "pretrain", STEPS) + ["--peft", "lora"]
    process = cleft(*options)
    while process.poll() is None:
        folder = run_folder(work, "pretrain")
        if folder and any(line["step"] >= KILL_AT for line in lines(folder)):
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.005)
    finish(process, -signal.SIGKILL)
    torn = event_files(folder)[-1]
    os.truncate(torn, os.path.getsize(torn) - 3)
    environment = {**os.environ, "WANDB_API_KEY": "not-to-be-printed", "WANDB_PROJECT": "chest"}
    errors = finish(cleft(*options, "--resume_ckpt", folder, env=environment))
    check("wandb sync --sync-tensorboard" in errors, "a run with wandb's settings around it says how to sync")
    check("not-to-be-printed" not in errors, "and prints no key")
    return folder, torn


# --------------------------------------------------------------------------- readers


def records(path):
    """Messages of the whole records, and whether bytes are left behind them."""
    data = open(path, "rb").read()
    place, found = 0, []
    while place < len(data):
        if len(data) - place < 16:
            return found, True
        (length,) = struct.unpack_from("<Q", data, place)
        if place + 16 + length > len(data):
            return found, True
        message = data[place + 12 : place + 12 + length]
        checks = struct.unpack_from("<I", data, place + 8) + struct.unpack_from("<I", data, place + 12 + length)
        if checks != (masked_crc32c(data[place : place + 8]), masked_crc32c(message)):
            raise ValueError(f"{path}: wrong checksum at byte {place}")
        found.append(Event.FromString(message))
        place += 16 + length
    return found, False


def check_records(folder, torn=None):
    for path in event_files(folder):
        try:
            events, is_torn = records(path)
        except ValueError as error:
            check(False, "checksums", str(error))
            continue
        name = os.path.basename(path)
        check(events[0].file_version == "brain.Event:2", f"{len(events)} records of {name} with their checksums")
        check(not is_torn or path == torn, f"{'a torn' if is_torn else 'no torn'} record at its end")


def check_accumulator(folder, last, resumed):
    accumulator = EventAccumulator(folder, size_guidance={"scalars": 0, "histograms": 0, "images": 0, "tensors": 0})
    accumulator.Reload()
    tags = accumulator.Tags()
    steps = [event.step for event in accumulator.Scalars("train/loss")] if "train/loss" in tags["scalars"] else []
    check(steps == list(range(1, last + 1)), f"EventAccumulator: train/loss at each of {last} steps once", steps)
    check(any(tag.startswith("lr/") for tag in tags["scalars"]), "EventAccumulator: learning rate", tags["scalars"])
    system = [tag for tag in tags["scalars"] if tag.startswith("system/")]
    check(len(system) >= 5, "EventAccumulator: system figures " + ", ".join(tag[7:] for tag in system))
    if resumed:
        histograms = tags["histograms"]
        check(bool(histograms), f"EventAccumulator: histograms of {len(histograms)} parameters")
        for tag in histograms[:1]:
            found = [event.step for event in accumulator.Histograms(tag)]
            expected = [step for step in range(1, last + 1) if step % HISTOGRAM_EVERY == 0]
            check(found == expected, f"EventAccumulator: each every {HISTOGRAM_EVERY} steps", found)
            value = accumulator.Histograms(tag)[0].histogram_value
            check(sum(value.bucket) == value.num > 0, f"EventAccumulator: {value.num:.0f} values, all in buckets")
    check(len(tags["images"]) == 1, "EventAccumulator: the first batch", tags["images"])


class Server:
    """TensorBoard itself, asked as a browser asks it."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--port", "0", "--host", "127.0.0.1"],
            stderr=subprocess.PIPE, text=True, cwd=folder)
        for line in self.process.stderr:
            found = re.search(r"http://\S+:(\d+)/", line)
            if found:
                self.address = f"http://127.0.0.1:{found[1]}/data/plugin"
                return
        sys.exit("tensorboard: the server did not start")

    def get(self, path, **query):
        url = f"{self.address}/{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)

    def tags(self, plugin, ready, seconds=60):
        """Tags of the only run, as soon as it has some and `ready` says that all is read."""
        end = time.time() + seconds
        while time.time() < end:
            runs = self.get(f"{plugin}/tags")
            if runs and any(runs.values()) and ready():
                return next(iter(runs.items()))
            time.sleep(0.5)
        return "", {}

    def close(self):
        self.process.terminate()
        self.process.wait()


def check_server(folder, last, resumed, curves):
    server = Server(folder)
    try:
        def is_read():
            runs = [run for run, tags in server.get("scalars/tags").items() if "train/loss" in tags]
            return bool(runs) and server.get("scalars/scalars", run=runs[0], tag="train/loss")[-1][1] == last

        run, tags = server.tags("scalars", is_read)
        points = server.get("scalars/scalars", run=run, tag="train/loss") if "train/loss" in tags else []
        check([step for _, step, _ in points] == list(range(1, last + 1)), "server: train/loss at each step once")
        written = {line["step"]: line["train_loss"] for line in lines(folder) if "train_loss" in line}
        equal = all(math.isclose(value, written.get(step, math.nan), rel_tol=1e-6) for _, step, value in points)
        check(bool(points) and equal, "server: the numbers of metrics.jsonl")
        if resumed:
            run, tags = server.tags("histograms", lambda: True)
            found = server.get("histograms/histograms", run=run, tag=sorted(tags)[0]) if tags else []
            check(bool(found) and len(found[-1][2]) > 0, f"server: histograms of {len(tags)} parameters")
        run, tags = server.tags("images", lambda: True)
        found = server.get("images/images", run=run, tag=sorted(tags)[0], sample=0) if tags else []
        check(len(found) > 0, "server: the first batch")
        for entry in found[:1]:
            with urllib.request.urlopen(f"{server.address}/images/individualImage?{entry['query']}") as answer:
                data = answer.read()
            width, height = struct.unpack(">II", data[16:24])
            check(data[:4] == b"\x89PNG" and min(width, height) > 1, f"server: a PNG of {width} x {height}")
        if curves:
            run, tags = server.tags("pr_curves", lambda: True)
            check(bool(tags), f"server: precision-recall curves of {', '.join(sorted(tags))}")
            for tag in sorted(tags)[:1]:
                entry = server.get("pr_curves/pr_curves", run=run, tag=tag)[run][-1]
                # The server leaves out the thresholds behind the highest score.
                spacing = [round(b - a, 6) for a, b in zip(entry["thresholds"], entry["thresholds"][1:])]
                check(set(spacing) <= {round(1 / 126, 6)}, "server: thresholds 1/126 apart", spacing[:4])
                recall = entry["recall"]
                check(recall == sorted(recall, reverse=True), "server: recall falls as the threshold rises")
    finally:
        server.close()


# --------------------------------------------------------------------------- all


def look_at(folder, last, torn=None, resumed=True, curves=False):
    print(f"== {os.path.basename(folder)}")
    check_records(folder, torn)
    check_accumulator(folder, last, resumed)
    check_server(folder, last, resumed, curves)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--work", required=True, help="folder for data and runs")
    parser.add_argument("--look-at", metavar="RUN", help="only look at the events of this run, logged at every step")
    arguments = parser.parse_args()
    if arguments.look_at:
        folder = os.path.realpath(arguments.look_at)
        last = max(line["step"] for line in lines(folder))
        look_at(folder, last, event_files(folder)[0])
    else:
        work = arguments.work
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        print("== training, killing, resuming")
        finish(cleft(
            "synth", "--out", f"{work}/data", "--patients", "160", "--per_class", "3", "--rsna_per_class", "4",
            "--min_size", "96", "--max_size", "128", "--sheet_rows", "0"))
        folder, torn = killed_and_resumed(work)
        finish(cleft(*train_options(work, "classify", 10), "--img_cls_ft"))
        look_at(folder, STEPS, torn)
        look_at(run_folder(work, "classify"), 10, resumed=False, curves=True)
    print(f"{failures} failed" if failures else "everything is read")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
