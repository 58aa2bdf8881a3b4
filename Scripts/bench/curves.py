#!/usr/bin/env python3
"""Checks that training with cleft and training with PyTorch give the same loss curves.

For each method, optimizer and accumulation cleft trains a tiny model for 20 steps on drawn films and writes a trace: start
weights and every batch as the model got it. The same model is then built from torch, transformers and peft, takes the
weights, and is trained on the same batches by those libraries' optimizers. Losses must agree within 1e-3 of PyTorch's.
Every run is repeated with --grad_ckpt, and must give the same losses and weights to the last bit. At last the replay is
bent (another decay, another rate, adapters left out, …) and must then disagree, or the comparison would mean nothing.

Exit status 1 where a curve differs, recomputation changes a bit, or a bent replay goes unnoticed.
Run it through `Scripts/bench/curves`, which finds the libraries and the program.
"""
import argparse
import dataclasses
import fnmatch
import glob
import json
import logging
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
import warnings

import torch
from safetensors.torch import load_file

sys.dont_write_bytecode = True  # The checkout stays as it is.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "pytorch"))
import replay as peer  # noqa: E402

TOLERANCE = 1e-3
# Trained weights may be apart by this much of the way they went, all tensors together.
WEIGHT_TOLERANCE = 0.05
# A curve must leave that of the start weights on the same batches by this much of it.
LEAST_MOVE = 0.2
STEPS = 20

# --------------------------------------------------------------------------- cases

SYNTH = "--patients 24 --per_class 1 --rsna_per_class 2 --min_size 96 --max_size 128 --sheet_rows 0 --seed 7".split()
COMMON = (f"--data_dir {{data}} --image_size 56 --batch_size 8 --devices 1 --max_steps {STEPS} --warm_up 3 --min_lr 1e-6 "
          "--seed 11 --threads 1 --num_workers 1 --log_every 1 --no_tensorboard").split()
PUBLISHED = "--linear_proj --pool_feat".split()
# Under a small temperature the first steps have much to do.
WARM = "--softmax_temperature 0.02".split()
START = "--model tiny --text_dropout 0".split() + WARM
LORA = "--peft lora --lora_dropout 0".split()

# A first stage for prompt tuning, so that the adapter under the prompts does something.
FIRST_STAGE = COMMON + START + LORA + PUBLISHED + "--learning_rate 3e-4".split()

METHODS = {
    "lora": START + LORA + PUBLISHED,
    "ia3": START + "--peft ia3".split() + PUBLISHED,
    "prefix": START + "--peft prefix".split() + PUBLISHED,
    # Its three factors start at 0.02 each: under the published alpha of 8 their product would hardly show in the loss.
    "adalora": START + "--peft adalora --lora_alpha 400".split() + PUBLISHED,
    "full": START + PUBLISHED,
    "prompt_ft": "--pretrained_encoder {first} --peft lora --prompt_ft --ctx_length 30".split() + WARM + PUBLISHED,
    "img_cls_ft": "--model tiny --img_cls_ft --pool_feat".split(),
}
OPTIMIZERS = {"adamw": [], "sgd": ["--sgd"], "adafactor": ["--adafactor"]}
# Rates at which the loss moves, decays that show in it.
SETTINGS = {
    "adamw": dict(learning_rate=5e-4, weight_decay=3.0),
    "sgd": dict(learning_rate=3e-3, weight_decay=0.2),
    "adafactor": dict(learning_rate=5e-4, weight_decay=3.0),
}


@dataclasses.dataclass
class Case:
    name: str
    method: str
    optimizer: str
    accumulation: int
    arguments: list


def make_case(method, optimizer, accumulation, suffix="", extra=(), without=()):
    arguments = COMMON + [a for a in METHODS[method] if a not in without] + OPTIMIZERS[optimizer]
    arguments += ["--accumulate_grad_batches", str(accumulation)]
    for name, value in SETTINGS[optimizer].items():
        arguments += [f"--{name}", f"{value:g}"]
    return Case(f"{method}-{optimizer}-{accumulation}{suffix}", method, optimizer, accumulation, arguments + list(extra))


def all_cases():
    cases = [make_case(m, o, a) for m in METHODS for o in OPTIMIZERS for a in (1, 3)]
    # What the grid leaves alone: the published decay of the temperature, the default projection, ranks.
    # Published recomputation is no recomputation: it cuts the adapters off.
    cases.append(make_case("lora", "adamw", 1, "-reference", "--compat reference --quirk ckpt_detach=off".split()))
    # Batch norm makes much of small differences, so the steps are small.
    cases.append(make_case("lora", "adamw", 1, "-two-layer-heads", ["--learning_rate", "5e-5"], PUBLISHED + WARM))
    cases.append(make_case("lora", "adamw", 3, "-two-ranks", ["--devices", "2"]))
    return cases


# Kept with the tests: each method, each optimizer, accumulation.
FIXTURES = ["lora-adamw-1", "ia3-adamw-1", "prefix-adamw-1", "adalora-adamw-1", "full-adamw-1", "prompt_ft-adamw-1",
            "img_cls_ft-adamw-1", "lora-sgd-1", "prompt_ft-sgd-3", "lora-adafactor-1", "full-adafactor-3",
            "img_cls_ft-sgd-3", "lora-adamw-1-reference", "lora-adamw-1-two-layer-heads"]

# --------------------------------------------------------------------------- cleft


class Cleft:
    def __init__(self, program, work):
        self.program, self.work = program, work
        self.places = dict(data=f"{work}/data", first="")

    def run(self, *arguments):
        """Raises RuntimeError with the program's own last words."""
        arguments = [a.format(**self.places) for a in arguments]
        result = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=600)
        if result.returncode != 0:
            said = (result.stderr.strip() or result.stdout.strip() or "nothing").splitlines()[-1]
            raise RuntimeError(f"`cleft {' '.join(arguments)}` ended with {result.returncode} and said: {said}")

    def train(self, name, arguments, trace=None):
        """A run folder's path."""
        logs = f"{self.work}/runs/{name}"
        shutil.rmtree(logs, ignore_errors=True)
        extra = ["--log_dir", logs, "--experiment_name", name]
        if trace:
            shutil.rmtree(trace, ignore_errors=True)
            extra += ["--trace", trace, "--trace_steps", str(STEPS)]
        self.run("train", *arguments, *extra)
        (folder,) = glob.glob(f"{logs}/CLEFT/*_{name}")
        return folder

    def prepare(self):
        shutil.rmtree(self.places["data"], ignore_errors=True)
        self.run("synth", "--out", "{data}", *SYNTH)
        self.places["first"] = self.train("first-stage", FIRST_STAGE)


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def logged_losses(folder):
    rows = [json.loads(line) for line in open(f"{folder}/metrics.jsonl")]
    return [row["train_loss"] for row in rows if "train_loss" in row]


def final_weights(folder):
    return f"{folder}/checkpoints/step-{STEPS:08d}/model.safetensors"


# --------------------------------------------------------------------------- replay


class Trace:
    """What `cleft train --trace` wrote."""

    def __init__(self, folder):
        self.folder = folder
        contents = json.load(open(f"{folder}/trace.json"))
        self.kind, self.model, self.steps = contents["kind"], contents["model"], contents["steps"]
        self.trainable = set(contents["trainable"])
        self.options = {k: parsed(v) for k, v in contents["options"].items()}
        self.weights = load_file(f"{folder}/weights.safetensors")

    def batches(self, step):
        return [load_file(f"{self.folder}/step{step['step']}.batch{i}.safetensors") for i in range(step["batches"])]


def parsed(text):
    """An option's value: JSON where it is JSON, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


# Options that change the numbers and that the replay does not know.
UNKNOWN = dict(schedule="cosine", max_grad_norm=0, layer_decay=1, multi_positive=False, loss="contrastive", cached_negatives=False,
               gather_features=False, class_wise=False, no_lrd=False, train_embed=False, unlock_ln=False,
               num_freeze_blocks=0, precision="32", max_logit_scale=None, img_peft=None)
# Quirks that change nothing here, or that the replay heeds.
KNOWN_QUIRKS = ("ckpt_detach", "decayed_logit_scale")


def quirks(options):
    """Quirks that are named, by whether they are on."""
    named = [quirk.strip().split("=") for quirk in options.get("quirk", "").split(",") if quirk]
    return {name: value == "on" for name, value in named}


def build(trace):
    options = trace.options
    for name, value in UNKNOWN.items():
        if options.get(name, value) != value:
            raise NotImplementedError(f"--{name} {options[name]}")
    for name in quirks(options):
        if name not in KNOWN_QUIRKS:
            raise NotImplementedError(f"--quirk {name}")
    if trace.kind == "classifier":
        model = peer.Classifier(trace.model, options["freeze_vit"])
    else:
        model = peer.Cleft(trace.model, options["freeze_llm"], options["freeze_vit"])
    random = sorted(n for n, m in model.named_modules() if isinstance(m, torch.nn.Dropout) and m.p > 0)
    if random:
        raise NotImplementedError(f"dropout, whose random numbers are each program's own: {random[0]}")
    peer.load(model, trace.weights)
    return model.train()


def replay(trace, bent=None):
    """Losses of the same steps in PyTorch, and the model at their end.

    `bent` names one thing to do otherwise; see `BENDS`.
    """
    options, model = trace.options, build(trace)
    tensors = peer.named_tensors(model)
    trained = {k for k, v in tensors.items() if isinstance(v, torch.nn.Parameter) and v.requires_grad}
    if trained != trace.trainable:
        here, there = sorted(trained - trace.trainable)[:5], sorted(trace.trainable - trained)[:5]
        raise ValueError(f"trained here only: {here}; by cleft only: {there}")
    if bent == "adapters stay as they are":
        for key, tensor in tensors.items():
            if is_adapter(key):
                tensor.requires_grad_(False)
    decay = 0.0 if bent == "no weight decay" else options["weight_decay"]
    momentum = options["momentum"] - (0.05 if bent == "momentum less 0.05" else 0)
    kind = "adafactor" if options["adafactor"] else "sgd" if options["sgd"] else "adamw"
    decays_logit_scale = quirks(options).get("decayed_logit_scale", options["compat"] == "reference")
    optimizer = peer.make_optimizer(kind, model, momentum, decay, decays_logit_scale)
    divisor = options["accumulate_grad_batches"] * options["devices"]
    losses = []
    for step in trace.steps:
        number = step["step"] - 1
        rate = peer.learning_rate(number, *(options[n] for n in ("learning_rate", "min_lr", "warm_up", "max_steps")))
        if abs(rate - step["learning_rate"]) > 1e-12 * rate:
            raise ValueError(f"step {step['step']}: learning rate {step['learning_rate']!r}, expected {rate!r}")
        found = []
        batches = trace.batches(step)
        for batch in batches:
            if bent == "captions one word shorter" and "attention_mask" in batch:
                shorten(batch, trace)
            loss = model(batch)
            (loss / (1 if bent == "gradients added up" else divisor)).backward()
            found.append(loss.item())
        for group in optimizer.param_groups:
            group["lr"] = rate * (1.05 if bent == "rate 5 % higher" else 1)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(statistics.fmean(found))
    return losses, model


def is_adapter(key):
    return any(mark in key for mark in ("lora_", "ia3_l", "prompt_encoder.", "prefix_encoder."))


def shorten(batch, trace):
    last = (batch["attention_mask"].sum(1) - 1).clamp(min=0)
    rows = torch.arange(len(last))
    batch["attention_mask"][rows, last] = 0
    batch["caption_ids"][rows, last] = trace.model["encoder"]["text"]["eos_token_id"]


# What must be noticed: where, and with which case.
BENDS = {
    "no weight decay": ["lora-adamw-1", "lora-sgd-1", "lora-adafactor-1", "img_cls_ft-adamw-1"],
    "momentum less 0.05": ["lora-adamw-1", "lora-sgd-1", "lora-adafactor-1", "img_cls_ft-sgd-1"],
    "rate 5 % higher": ["lora-adamw-1", "lora-sgd-1", "lora-adafactor-1", "img_cls_ft-adamw-1"],
    "gradients added up": ["lora-sgd-3", "img_cls_ft-sgd-3"],
    "adapters stay as they are": [f"{m}-{o}-1" for m in ("lora", "ia3", "prefix", "adalora", "prompt_ft") for o in OPTIMIZERS],
    "captions one word shorter": ["lora-adamw-1", "prefix-adamw-1", "full-adamw-1", "prompt_ft-adamw-1"],
}


# --------------------------------------------------------------------------- comparing


def curve_difference(actual, expected):
    """Largest difference relative to PyTorch's loss; infinite where a step is missing or a loss is not a number."""
    if len(actual) != len(expected) or len(expected) != STEPS:
        return math.inf
    worst = max(abs(a - e) / abs(e) for a, e in zip(actual, expected))
    return worst if math.isfinite(worst) else math.inf


@torch.no_grad()
def weight_difference(trace, model, weights):
    """How far cleft's trained weights are from PyTorch's, relative to how far PyTorch's went; adapters by themselves.

    A way shorter than 1e-4 of the weights is float32's rounding, and counts as that long.
    """
    sums = {}
    for key, tensor in peer.named_tensors(model).items():
        if key not in trace.trainable or key.endswith(("head.0.bias", "head.3.bias")):
            continue  # Batch norm takes these biases away again: gradients of rounding noise, which Adam blows up.
        here, there, start = tensor.double(), weights[key].double(), trace.weights[key].double()
        if key.endswith(("attn.qkv.bias", "attn.c_attn.bias", "attn.c_attn.base_layer.bias")):
            third = len(here) // 3  # A constant on every key leaves softmax as it is: noise again.
            for values in (here, there, start):
                values[third:2 * third] = 0
        found = sums.setdefault(is_adapter(key), [0.0, 0.0, 0.0])
        for index, values in enumerate((here - there, here - start, start)):
            found[index] += values.square().sum().item()
    ratios = [math.sqrt(apart / max(went, 1e-8 * size)) for apart, went, size in sums.values()]
    return max(ratios) if all(math.isfinite(r) for r in ratios) else math.inf


@torch.no_grad()
def untrained_losses(trace):
    """Losses of the same batches under the start weights."""
    model = build(trace)
    return [statistics.fmean(model(batch).item() for batch in trace.batches(step)) for step in trace.steps]


class Table:
    def __init__(self):
        self.failures = []

    def line(self, case, texts, problems):
        print(f"{case.name:30}  {'  '.join(texts)}  {'; '.join(problems) or 'ok'}", flush=True)
        self.failures += [f"{case.name}: {problem}" for problem in problems]


def check(cleft, case, table):
    """Trains, trains again with recomputation, replays; the replayed curve, None without one."""
    folder = f"{cleft.work}/traces/{case.name}"
    try:
        run = cleft.train(case.name, case.arguments, folder)
        recomputed = cleft.train(f"{case.name}-recomputed", case.arguments + ["--grad_ckpt"])
        trace = Trace(folder)
        losses, model = replay(trace)
        untrained = untrained_losses(trace)
    except (RuntimeError, NotImplementedError, ValueError, KeyError, OSError) as error:
        table.line(case, [], [str(error)])
        return None
    problems = []
    logged = logged_losses(run)
    if logged != [step["loss"] for step in trace.steps]:
        problems.append("the trace's losses are not those of metrics.jsonl")
    difference = curve_difference(logged, losses)
    if not difference <= TOLERANCE:
        problems.append("the curve differs")
    moved = curve_difference(losses, untrained)
    if not moved >= LEAST_MOVE:
        problems.append("the loss hardly moves")
    apart = weight_difference(trace, model, load_file(final_weights(run)))
    if not apart <= WEIGHT_TOLERANCE:
        problems.append("the weights differ")
    same = logged == logged_losses(recomputed) and contents(final_weights(run)) == contents(final_weights(recomputed))
    if not same:
        problems.append("recomputation changes bits")
    table.line(case, [f"{losses[0]:7.4f} -> {losses[-1]:7.4f}", f"{moved:6.1%}", f"{difference:9.1e}", f"{apart:9.1e}",
                      "equal" if same else "OTHER"], problems)
    return dict(losses=losses, untrained_losses=untrained)


def check_bends(cleft, names, table):
    print(f"\n{'bent replay':30}  {'case':24}  relative difference, must be over {TOLERANCE:g}")
    for bent, cases in BENDS.items():
        for name in cases:
            folder = f"{cleft.work}/traces/{name}"
            if name not in names:
                continue
            trace = Trace(folder)
            difference = curve_difference([s["loss"] for s in trace.steps], replay(trace, bent)[0])
            verdict = "noticed" if difference > TOLERANCE else "NOT NOTICED"
            print(f"{bent:30}  {name:24}  {difference:9.1e}  {verdict}", flush=True)
            if difference <= TOLERANCE:
                table.failures.append(f"{name} with {bent}: not noticed")


def write_fixtures(path, cases, curves):
    import peft
    import transformers

    chosen = [c for c in cases if c.name in FIXTURES]
    missing = sorted(set(FIXTURES) - {c.name for c in chosen if curves.get(c.name)})
    if missing:
        sys.exit(f"curves: no curve to write for {', '.join(missing)}")
    content = dict(
        versions=dict(torch=torch.__version__, transformers=transformers.__version__, peft=peft.__version__),
        relative_tolerance=TOLERANCE, synth=SYNTH, first_stage=FIRST_STAGE,
        cases=[dict(name=c.name, arguments=c.arguments, **curves[c.name]) for c in chosen])
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
    print(f"{len(chosen)} curves in {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default=".bench/curves", help="where data, runs and traces go (default: %(default)s)")
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="this case only; a pattern like 'lora-*' works, repeat for more")
    parser.add_argument("--list", action="store_true", help="print the cases' names")
    parser.add_argument("--keep", action="store_true",
                        help="leave runs and traces in place after a good run; a bad one always leaves them")
    parser.add_argument("--write_fixtures", metavar="FILE",
                        help="write PyTorch's curves of the tests' cases, for Tests/Fixtures/curves/curves.json")
    parser.add_argument("--cleft", default=os.environ.get("CLEFT") or ".build/release/cleft", help="the program to check")
    options = parser.parse_args()
    patterns = options.only or ["*"]
    cases = [c for c in all_cases() if any(fnmatch.fnmatch(c.name, p) for p in patterns)]
    if not cases:
        sys.exit(f"curves: no case is called {', '.join(patterns)}; --list names them")
    if options.list:
        print("\n".join(c.name for c in cases))
        return 0
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")

    started, cleft, table, curves = time.time(), Cleft(os.path.abspath(options.cleft), os.path.abspath(options.work)), Table(), {}
    os.makedirs(cleft.work, exist_ok=True)
    cleft.prepare()
    print(f"{'case':30}  {'first -> last loss':18}   moved  {'curve':>9}  {'weights':>9}  recomputed")
    for case in cases:
        curves[case.name] = check(cleft, case, table)
    check_bends(cleft, {name for name, curve in curves.items() if curve}, table)
    print(f"\n{len(cases)} cases in {time.time() - started:.0f} s, {len(table.failures)} failures")
    for failure in table.failures:
        print(failure, file=sys.stderr)
    if table.failures:
        return 1
    if options.write_fixtures:
        write_fixtures(options.write_fixtures, cases, curves)
    if not options.keep:
        shutil.rmtree(cleft.work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
