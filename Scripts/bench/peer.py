#!/usr/bin/env python3
"""Times cleft beside PyTorch, timm, transformers and PEFT (pytorch/cleft_torch.py) on the same cores.

A case is PRESET-BATCH-PRECISION-KIND, such as small-16-bf16-lora. In every round one process of each side runs: cleft
first, in the next round the peer first, and so on. Each takes its median step after a few untimed ones. What counts is the
median over the rounds of cleft's figure by the peer's. Both have the same shapes and threads, pictures that need no
loading, captions of 14 to 28 tokens, random weights from a seed, and dropout as published; models of different sizes are
not compared. `paper` recomputes: the text tower's blocks there, those of both towers here. Variables that set up
allocators, threads or libraries (MALLOC_*, OMP_*, MKL_*, LD_PRELOAD, ...) are not passed on; each side gets its own.

  published   attention, GELU and optimizer as the published program runs them
  tuned       fused attention, GELU and AdamW, and an allocator that keeps freed memory
  best        the fastest known: plain attention, no columns that are padding for every caption, float32 products by oneDNN

Every round goes to peer.json, the table to peer.md. Exit status 1 where a process failed; 130 after Ctrl-C, with what
there is written. Budgets are marked as met or missed and change no exit status.
Run it through `Scripts/bench/peer`, which finds the libraries and the program.
"""
import argparse
import dataclasses
import datetime
import fnmatch
import hashlib
import json
import os
import platform
import re
import resource
import shlex
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
README = os.path.normpath(f"{HERE}/../../README.md")
MARKERS = ("<!-- peer: written by Scripts/bench/peer --write_readme -->", "<!-- peer: end -->")
LIBRARIES = ("torch", "timm", "transformers", "peft")

# --------------------------------------------------------------------------- peers

# Memory that the allocator got from the system stays with it: else every tensor beyond 32 MB is fresh pages.
ALLOCATOR = dict(MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_="68719476736", MALLOC_TOP_PAD_="268435456")
PEERS = {
    "published": dict(options="--vit_attn eager --attn eager --gelu hf --adamw loop".split(), variables={}),
    "tuned": dict(options=[], variables=ALLOCATOR),
    "best": dict(options="--vit_attn eager --attn eager --trim".split(), variables=ALLOCATOR),
}
# Variables that change how fast or how large a process is; neither side inherits them.
SET_ASIDE = ("MALLOC_", "LD_PRELOAD", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "OPENBLAS_", "GOMP_", "OMP_", "GLIBC_TUNABLES", "THP_")
# oneDNN in place of MKL. Without AMX the products stay float32.
BEST_FLOAT32 = "--fp32_gemm bf16".split()

# Where the presets of the same name are not of the same sizes, the peer takes cleft's.
PEER_SIZES = {
    "tiny": "--vit 128 4 4 --image 112 112 --pos_grid 8 --gpt 128 2 4 512 --n_positions 128 --emb_dim 128".split(),
    "paper": "--pos_grid 37".split(),
}
# What the peer has by default, said to cleft.
CLEFT_MODEL = "--linear_proj --pool_feat --text_dropout 0.1 --peft lora --lora_r 8 --lora_alpha 32 --lora_dropout 0.1".split()
CLEFT_DATA = "--caption_min 14 --caption_max 28 --pictures none".split()
IMAGE_WIDTHS = {"tiny": 128, "small": 384, "base": 768, "paper": 768}

# --------------------------------------------------------------------------- cases

KINDS = ("lora", "prompt", "eval")
PRECISIONS = {"32": "32", "bf16": "bf16-true"}
PRESETS = ("tiny", "small", "base", "paper")
DEFAULT_CASES = [f"{size}-{precision}-lora" for size in ("small-16", "small-72", "base-16", "paper-8") for precision in PRECISIONS]
DEFAULT_CASES += [f"base-16-{precision}-eval" for precision in PRECISIONS]
ALL_CASES = [f"{size}-{precision}-{kind}" for kind in KINDS for size in ("tiny-4", "small-16", "small-72", "base-16", "paper-8")
             for precision in PRECISIONS]
QUICK_CASES = [f"small-16-{precision}-lora" for precision in PRECISIONS]

# About what the tuned peer takes in GB, by preset and precision: without a picture, and for each of the batch.
NEEDS = {
    "tiny": {"32": (0.9, 0.01), "bf16": (0.9, 0.01)},
    "small": {"32": (1.8, 0.18), "bf16": (1.4, 0.085)},
    "base": {"32": (3.6, 0.35), "bf16": (2.0, 0.22)},
    "paper": {"32": (12.4, 0.27), "bf16": (6.3, 0.17)},
}
NEED_FACTORS = {"published": 1.3, "lora": 1.0, "prompt": 1.15, "eval": 0.2}

# Largest time of a LoRA step, by what the peer takes; largest memory; least rate of an evaluation.
TIME_BUDGETS = {"small": dict(tuned=0.65, best=0.85), "base": dict(tuned=0.65, best=0.85), "paper": dict(tuned=0.40, best=0.80)}
MEMORY_BUDGET = 0.5
RATE_BUDGET = 1.5

# Fewer rounds than these are too few for a published table.
README_ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Case:
    preset: str
    batch: int
    precision: str
    kind: str

    @staticmethod
    def named(name):
        """The case of that name; None where it is no name of a case."""
        match = re.fullmatch(f"({'|'.join(PRESETS)})-([1-9][0-9]*)-({'|'.join(PRECISIONS)})-({'|'.join(KINDS)})", name)
        return match and Case(match[1], int(match[2]), match[3], match[4])

    @property
    def name(self):
        return f"{self.preset}-{self.batch}-{self.precision}-{self.kind}"

    @property
    def recomputes(self):
        return self.preset == "paper" and self.kind != "eval"

    @property
    def title(self):
        precision = {"32": "float32", "bf16": "bf16"}[self.precision]
        return f"`{self.preset}`, batch {self.batch}, {precision}" + (
            ", recompute" if self.recomputes else "") + (", prompt tuning" if self.kind == "prompt" else "")

    @property
    def counts(self):
        """Untimed and timed steps of a process: fewer where one takes long."""
        if self.preset == "tiny" or self.kind == "eval" or (self.preset == "small" and self.batch <= 32):
            return 2, 5
        return (1, 2) if self.preset == "paper" else (1, 3)

    def gigabytes(self, peer):
        """About the memory that the larger side takes."""
        start, each = NEEDS[self.preset][self.precision]
        return (start + each * self.batch * NEED_FACTORS[self.kind]) * NEED_FACTORS.get(peer, 1.0)

    def peer_options(self, peer):
        options = ["eval-bench" if self.kind == "eval" else "bench", "--preset", self.preset, "--batch_size", str(self.batch),
                   "--precision", PRECISIONS[self.precision], *PEER_SIZES.get(self.preset, []), *PEERS[peer]["options"]]
        options += BEST_FLOAT32 if peer == "best" and self.precision == "32" else []
        options += ["--prompt_ft"] if self.kind == "prompt" else []
        return options + (["--grad_ckpt"] if self.recomputes else [])

    def cleft_options(self):
        options = ["bench", "eval" if self.kind == "eval" else "step", "--model", self.preset, "--batch_size", str(self.batch),
                   "--precision", PRECISIONS[self.precision], *CLEFT_MODEL, *CLEFT_DATA, "--json"]
        options += ["--prompt_ft", "--ctx_length", "30"] if self.kind == "prompt" else []
        return options + (["--grad_ckpt"] if self.recomputes else [])


def chosen_cases(patterns):
    """Cases by name or pattern, in the order of the patterns."""
    found = []
    for pattern in patterns:
        names = [name for name in ALL_CASES if fnmatch.fnmatch(name, pattern)]
        if not names and not Case.named(pattern):
            sys.exit(f"peer: no case is called {pattern}; expected PRESET-BATCH-PRECISION-KIND or a pattern. --list names them")
        found += [name for name in names or [pattern] if name not in found]
    return [Case.named(name) for name in found]


# --------------------------------------------------------------------------- processes


class ProcessFailed(Exception):
    """One line of what went wrong, and what the process said before."""

    def __init__(self, summary, before=()):
        super().__init__(summary)
        self.before = list(before)


def own_environment():
    """The environment without what sets up either side."""
    return {name: value for name, value in os.environ.items() if not name.startswith(SET_ASIDE)}


def busy_seconds():
    """Seconds that all processors together were busy, or taken by another machine on the same hardware."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(command, variables, timeout):
    """The object that a program prints, and how many processors others kept busy meanwhile."""
    environment = {**own_environment(), **variables}
    busy, own, started = busy_seconds(), children_seconds(), time.monotonic()
    try:
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise ProcessFailed(f"took more than {timeout:.0f} s; --timeout allows more") from None
    except OSError as error:
        raise ProcessFailed(f"{command[0]}: {error.strerror}") from None
    seconds = time.monotonic() - started
    others = max(0.0, busy_seconds() - busy - (children_seconds() - own)) / seconds
    if result.returncode != 0:
        summary, *before = last_words(result)
        raise ProcessFailed(summary, before)
    start = result.stdout.find("{")
    try:
        return json.loads(result.stdout[max(start, 0):]), others
    except ValueError:
        raise ProcessFailed(f"printed no JSON object but {result.stdout[:200]!r}") from None


def last_words(result):
    """How a process ended with its last line, then the lines before that."""
    if result.returncode == -signal.SIGKILL:
        return ["was killed (signal 9): probably the system ran out of memory"]
    *before, last = (result.stderr.strip() or result.stdout.strip() or "nothing").splitlines()
    return [f"ended with {result.returncode} and said: {last.strip()}", *before[-8:]]


class Sides:
    """Runs one process of either side and reads its figures."""

    def __init__(self, options):
        self.options = options

    def common(self, case):
        warmup, _ = counts(case, self.options)
        return ["--warmup", str(warmup), "--threads", str(self.options.threads)]

    def variables(self, more=()):
        return {"OMP_NUM_THREADS": str(self.options.threads), **dict(more)}

    def cleft(self, case):
        _, steps = counts(case, self.options)
        timed = ["--images", str(steps * case.batch)] if case.kind == "eval" else ["--steps", str(steps)]
        command = [self.options.cleft, *case.cleft_options(), *timed, *self.common(case)]
        return self.figures(cleft_figures, case, *run(command, self.variables(), self.options.timeout))

    def peer(self, case, peer):
        timed = ["--steps", str(counts(case, self.options)[1])]
        program = f"{HERE}/pytorch/cleft_torch.py"
        command = [self.options.python, program, *case.peer_options(peer), *timed, *self.common(case)]
        variables = self.variables(PEERS[peer]["variables"])
        return self.figures(peer_figures, case, *run(command, variables, self.options.timeout))

    @staticmethod
    def figures(reader, case, found, others):
        try:
            return dict(reader(case, found), others=round(others, 3))
        except (KeyError, TypeError) as error:
            raise ProcessFailed(f"printed an object without {error}; it has {', '.join(found)}") from None


def counts(case, options):
    warmup, steps = case.counts
    return options.warmup if options.warmup is not None else warmup, options.steps or steps


def peer_figures(case, found):
    parameters, memory = found["parameters"], found["rss_mib"]
    both = dict(peak_mib=memory["peak"], imports_mib=memory["imports"], parameters=parameters["total"],
                trained=parameters["trainable"])
    if case.kind == "eval":
        return dict(images=found["image"]["per_s"], captions=found["text"]["per_s"], **both)
    return dict(seconds=found["step_s"]["median"], images=found["images_per_s"], **both)


def cleft_figures(case, found):
    setting, memory = found["setting"], found["memory"]
    both = dict(peak_mib=memory["peak_resident_bytes"] / 2**20, imports_mib=memory["start_resident_bytes"] / 2**20,
                parameters=setting["parameters"], trained=setting["trained_parameters"])
    if case.kind == "eval":
        return dict(images=found["images_per_second"], captions=found["captions_per_second"], **both)
    return dict(seconds=found["step_seconds"]["median"], images=found["images_per_second"], **both)


def require_same_model(case, ours, theirs):
    """Equal up to the mask token and the class token's position, which only one of the image towers has."""
    for what in ("parameters", "trained"):
        if abs(ours[what] - theirs[what]) > 2 * IMAGE_WIDTHS[case.preset]:
            raise ProcessFailed(f"has {theirs[what]} {what} where cleft has {ours[what]}; expected the same model")


# --------------------------------------------------------------------------- figures


@dataclasses.dataclass
class Line:
    """One line of the table: a figure of both sides in every round."""
    case: Case
    peer: str
    figure: str
    rounds: list

    def median(self, side, figure=None):
        return statistics.median(r[side][figure or self.figure] for r in self.rounds)

    def ratios(self, figure=None):
        return [r["cleft"][figure or self.figure] / r["peer"][figure or self.figure] for r in self.rounds]

    @property
    def budgets(self):
        """What was promised, and whether it holds."""
        if self.peer == "published" or self.case.preset == "tiny":
            return []
        ratio, memory, found = statistics.median(self.ratios()), statistics.median(self.ratios("peak_mib")), []
        limit = TIME_BUDGETS[self.case.preset].get(self.peer)
        if self.case.kind == "lora":
            found.append((f"time ≤ {limit:.2f}", ratio <= limit))
        if self.figure == "images":
            found.append((f"images ≥ {RATE_BUDGET:g}", ratio >= RATE_BUDGET))
        if self.case.kind == "lora" or self.figure == "images":
            towers = " (both towers recomputed)" if self.case.recomputes else ""
            found.append((f"memory ≤ {MEMORY_BUDGET:g}{towers}", memory <= MEMORY_BUDGET))
        return found

    @property
    def verdict(self):
        return ", ".join(f"{text} {'met' if holds else '**missed**'}" for text, holds in self.budgets) or "–"


def lines_of(results):
    """Lines of everything measured, in the order of the cases."""
    found = []
    for case, peer, pair in pairs(results):
        figures = ["images", "captions"] if case.kind == "eval" else ["seconds"]
        found += [Line(case, peer, figure, pair["rounds"]) for figure in figures if pair["rounds"]]
    return found


def pairs(results):
    """Case, peer and rounds, in the order of the cases and peers, whatever was measured first."""
    def place(case):
        return ALL_CASES.index(case.name) if case.name in ALL_CASES else len(ALL_CASES), case.name

    for case in sorted(map(Case.named, results["cases"]), key=place):
        found = results["cases"][case.name]["peers"]
        yield from ((case, peer, found[peer]) for peer in PEERS if peer in found)


def unmeasured(results):
    """What was skipped, what failed and what was not come to, one text each."""
    found = []
    for case, peer, pair in pairs(results):
        reason = pair.get("skipped") or pair.get("failed") or (None if pair["rounds"] else "not begun")
        found += [f"{case.name} beside {peer}: {reason}"] if reason else []
    return found


def digits(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def spread(ratios):
    least, middle, most = (f"{value:.2f}" for value in (min(ratios), statistics.median(ratios), max(ratios)))
    return f"**{middle}**" if least == most else f"**{middle}** ({least}–{most})"


def both(line, figure=None):
    return f"{digits(line.median('cleft', figure))} / {digits(line.median('peer', figure))}"


# --------------------------------------------------------------------------- tables


def markdown(results):
    lines, parts = lines_of(results), []
    steps = [line for line in lines if line.figure == "seconds"]
    rates = [line for line in lines if line.figure != "seconds"]
    if steps:
        parts.append(table("training step", "seconds", steps, extra=("images/s", "images")))
    if rates:
        parts.append(table("evaluation", "a second", rates))
    parts.append(remarks(results, lines))
    return "\n\n".join(parts) + "\n"


def table(title, unit, lines, extra=None):
    """Medians are `cleft / PyTorch`; ratios have their spread."""
    head = [title, "beside", f"{unit}: cleft / PyTorch", "ratio"] + ([extra[0]] if extra else []) + [
        "peak MiB: cleft / PyTorch", "ratio", "rounds", "budget"]
    rows = [head, ["---"] * len(head)]
    for line in lines:
        what = line.case.title + (f": {line.figure}" if line.case.kind == "eval" else "")
        rows.append([what, line.peer, both(line), spread(line.ratios())] + ([both(line, extra[1])] if extra else []) + [
            both(line, "peak_mib"), spread(line.ratios("peak_mib")), str(len(line.rounds)), line.verdict])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def remarks(results, lines):
    machine, versions = results["machine"], results["versions"]
    budgets = [holds for line in lines for _, holds in line.budgets]
    runs = [side for line in lines for r in line.rounds for side in (r["cleft"], r["peer"]) if line.figure != "captions"]
    disturbed = sum(side["others"] > 0.1 for side in runs)
    text = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']:g} GiB, {results['threads']} threads; "
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}; {results['date']}; "
        + ", ".join(f"`{command}`" for command in results["commands"]) + ".",
        "Ratios are medians over the rounds, smallest and largest in brackets.",
    ]
    imports = {side: [r[side]["imports_mib"] for line in lines for r in line.rounds if "imports_mib" in r[side]]
               for side in ("cleft", "peer")}
    if all(imports.values()):
        text.append(f"PyTorch holds {digits(statistics.median(imports['peer']))} MiB after imports, cleft "
                    f"{digits(statistics.median(imports['cleft']))} MiB when it begins.")
    if budgets:
        text.append(f"{sum(budgets)} of {len(budgets)} budgets are met.")
    if disturbed:
        text.append(f"In {disturbed} of {len(runs)} processes something else took more than a tenth of a core.")
    missing = unmeasured(results)
    if missing:
        text.append(f"{len(missing)} not measured: " + "; ".join(missing) + ".")
    return "\n".join(text)


def around_markers(path):
    """What a file has before and after the table."""
    start, end = MARKERS
    try:
        with open(path) as file:
            text = file.read()
    except OSError as error:
        sys.exit(f"peer: {path}: {error.strerror}")
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        sys.exit(f"peer: {path}: expected one line '{start}' and after it one line '{end}'")
    return text.split(start)[0], text.split(end)[1]


def write_readme(path, results, few_rounds):
    """Puts the table between the marker lines."""
    if any("--quick" in command for command in results["commands"]):
        sys.exit(f"peer: {path}: peer.json has quick figures, too few for it. Measure without --quick.")
    short = [f"{case.name} beside {peer} has {len(pair['rounds'])}" for case, peer, pair in pairs(results)
             if 0 < len(pair["rounds"]) < README_ROUNDS]
    if short and not few_rounds:
        sys.exit(f"peer: {path}: too few rounds: {'; '.join(short)}; expected at least {README_ROUNDS} of each. "
                 "--resume measures more, --few_rounds writes it anyway.")
    start, end = MARKERS
    head, tail = around_markers(path)
    write(path, f"{head}{start}\n\n{markdown(results)}\n{end}{tail}")
    print(f"== the table is in {path}")


def write(path, text):
    """Whole or not at all."""
    with open(f"{path}.new", "w") as file:
        file.write(text)
    os.replace(f"{path}.new", path)


# --------------------------------------------------------------------------- the session


def memory_gib(field):
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field + ":")) / 2**20


def machine():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return dict(processor=names[0] if names else platform.machine(), cores=len(os.sched_getaffinity(0)),
                memory_gib=round(memory_gib("MemTotal"), 1))


def output_of(*command):
    result = subprocess.run(command, env=own_environment(), capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"peer: `{shlex.join(command)}` {last_words(result)[0]}")
    return result.stdout


def versions(options):
    """Everything that the figures rest on, by name."""
    doctor = output_of(options.cleft, "doctor")

    def line(pattern):
        match = re.search(pattern, doctor, re.MULTILINE)
        return match[1].strip() if match else "unknown"

    code = f"import json, {', '.join(LIBRARIES)}; print(json.dumps([m.__version__ for m in ({', '.join(LIBRARIES)})]))"
    found = json.loads(output_of(options.python, "-W", "ignore", "-c", code).splitlines()[-1])
    openblas = f"{line(r'^OpenBLAS +OpenBLAS ([0-9.]+)')} ({line(r'^OpenBLAS .*kernels: (.*)$')})"
    return dict(cleft=output_of(options.cleft, "--version").strip(), OpenBLAS=openblas,
                oneDNN=line(r"^oneDNN +(.*)$"), **dict(zip(LIBRARIES, found)))


def fingerprint(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:16]


class Session:
    """The results so far, written after every round."""

    def __init__(self, options):
        self.options, self.path = options, f"{options.work}/peer.json"
        self.results = dict(machine=machine(), versions=versions(options), threads=options.threads,
                            program=fingerprint(options.cleft), date=datetime.date.today().isoformat(),
                            commands=[command_line(options)], cases={})
        if options.resume and os.path.exists(self.path):
            self.take_over(read_results(self.path))
        elif os.path.exists(self.path):
            kept = f"{options.work}/peer-{datetime.datetime.fromtimestamp(os.path.getmtime(self.path)):%Y%m%d-%H%M%S}.json"
            os.replace(self.path, kept)
            print(f"== earlier figures are now in {kept}; --resume goes on with peer.json")

    def take_over(self, earlier):
        """Goes on with earlier rounds; figures of another program, machine or setting must not be mixed in."""
        for name in ("machine", "versions", "threads", "program"):
            if earlier[name] != self.results[name]:
                fail(f"{self.path}: {name} is {earlier[name]}; expected {self.results[name]}, to resume. "
                     "Start anew without --resume.")
        self.results["cases"] = earlier["cases"]
        commands = earlier["commands"] + self.results["commands"]
        self.results["commands"] = list(dict.fromkeys(commands))
        print(f"== going on with {sum(len(pair['rounds']) for _, _, pair in pairs(earlier))} rounds")

    def pair(self, case, peer):
        warmup, steps = counts(case, self.options)
        entry = self.results["cases"].setdefault(case.name, dict(warmup=warmup, steps=steps, peers={}))
        if (entry["warmup"], entry["steps"]) != (warmup, steps):
            fail(f"{self.path}: {case.name} has {entry['warmup']} untimed and {entry['steps']} timed steps; expected {warmup} "
                 f"and {steps}, to resume. Pass --warmup {entry['warmup']} --steps {entry['steps']}, or start anew.")
        pair = entry["peers"].setdefault(peer, dict(rounds=[]))
        pair.pop("failed", None), pair.pop("skipped", None)
        return pair

    def save(self):
        write(self.path, json.dumps(self.results, indent=1) + "\n")


def fail(text):
    print(f"peer: {text}", file=sys.stderr)
    sys.exit(65)


def read_results(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}; expected the figures of an earlier run")


def command_line(options):
    """What was asked for, without the places of this machine."""
    kept = [a for a in options.arguments if a != "--resume"]
    for name in ("--work", "--cleft", "--write_readme"):
        if name in kept:
            index = kept.index(name)
            has_value = index + 1 < len(kept) and not kept[index + 1].startswith("--")
            del kept[index:index + 1 + has_value]
    return shlex.join(["Scripts/bench/peer", *kept])


def measure(session, sides, case, peer):
    """Rounds of one case beside one peer, until there are enough or a process fails."""
    options, pair = session.options, session.pair(case, peer)
    need, free = case.gigabytes(peer), memory_gib("MemAvailable") * 1.0737
    if need > free and len(pair["rounds"]) < options.rounds:
        pair["skipped"] = f"needs about {need:.0f} GB, {free:.0f} GB are free"
        print(f"{case.name:24}  {peer:9}  skipped: {pair['skipped']}", flush=True)
    while len(pair["rounds"]) < options.rounds and "skipped" not in pair:
        # By turns, so that neither side always has the machine as the other left it.
        order = ("cleft", "peer") if len(pair["rounds"]) % 2 == 0 else ("peer", "cleft")
        found = {}
        try:
            for side in order:
                found[side] = sides.cleft(case) if side == "cleft" else sides.peer(case, peer)
            side = "peer"
            require_same_model(case, found["cleft"], found["peer"])
        except ProcessFailed as error:
            pair["failed"] = f"{'cleft' if side == 'cleft' else 'PyTorch'} {error}"
            print("\n    | ".join([f"{case.name:24}  {peer:9}  FAILED: {pair['failed']}", *error.before]), flush=True)
            break
        pair["rounds"].append(dict(first=order[0], cleft=found["cleft"], peer=found["peer"]))
        session.save()
        report_round(case, peer, pair["rounds"], options.rounds)
    session.save()
    return pair.get("failed", "").startswith("cleft")


def report_round(case, peer, rounds, expected):
    last = rounds[-1]
    figures = ["images", "captions"] if case.kind == "eval" else ["seconds"]
    texts = [f"{figure} {digits(last['cleft'][figure])} / {digits(last['peer'][figure])} = "
             f"{last['cleft'][figure] / last['peer'][figure]:.3f}" for figure in figures]
    print(f"{case.name:24}  {peer:9}  {len(rounds)}/{expected}  {'  '.join(texts)}  "
          f"MiB {digits(last['cleft']['peak_mib'])} / {digits(last['peer']['peak_mib'])}", flush=True)


def measure_all(options):
    aside = sorted(set(os.environ) - set(own_environment()))
    if aside:
        print(f"== not passed on to either side: {', '.join(aside)}", flush=True)
    session, sides = Session(options), Sides(options)
    for case in options.cases:
        for peer in options.peers:
            session.pair(case, peer)
    status = 0
    try:
        for case in options.cases:
            for peer in options.peers:
                if measure(session, sides, case, peer):
                    break  # It would fail beside the next peer too.
    except KeyboardInterrupt:
        print("peer: interrupted; --resume goes on", file=sys.stderr)
        status = 130
    session.save()
    tried = [session.results["cases"][case.name]["peers"][peer] for case in options.cases for peer in options.peers]
    return session.results, status or int(any(pair.get("failed") for pair in tried))


# --------------------------------------------------------------------------- the command


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value}; expected at least 1")
    return value


def not_negative(text):
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value}; expected at least 0")
    return value


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    add = parser.add_argument
    add("--cases", nargs="+", metavar="CASE", help="names or patterns like 'small-*-lora' (default: those that --list marks)")
    add("--peers", nargs="+", choices=PEERS, default=["tuned", "best"], help="what to measure beside (default: tuned best)")
    add("--list", action="store_true", help="name the cases and about the memory they need")
    add("--quick", action="store_true", help=f"two rounds of a few steps; without --cases: {' '.join(QUICK_CASES)}")
    add("--rounds", type=positive, help="rounds; medians are over these (default: 5, with --quick 2)")
    add("--warmup", type=not_negative, help="untimed steps of a process (default: 2; 1 where steps are long)")
    add("--steps", type=positive, help="timed steps of a process (default: 5; 2 or 3 where steps are long)")
    add("--threads", type=positive, default=len(os.sched_getaffinity(0)), help="threads of both sides (default: %(default)s)")
    add("--timeout", type=positive, default=3600, metavar="SECONDS", help="longest a process may take (default: %(default)s)")
    add("--resume", action="store_true", help="keep the rounds that peer.json has, of these cases and of others")
    add("--report", action="store_true", help="measure nothing: make the table anew from peer.json")
    add("--write_readme", nargs="?", const=README, metavar="FILE", help="put the table into README.md, or into FILE")
    add("--few_rounds", action="store_true", help=f"--write_readme with fewer than {README_ROUNDS} rounds of a case too")
    add("--work", default=".bench", metavar="DIR", help="where peer.json and peer.md go (default: %(default)s)")
    add("--cleft", default=os.environ.get("CLEFT") or ".build/release/cleft", metavar="PROGRAM", help="the program to measure")
    options = parser.parse_args()
    if options.quick and options.write_readme:
        parser.error("--write_readme: quick figures are too few for the README; leave out --quick")
    if options.quick:
        options.warmup, options.steps = (1 if options.warmup is None else options.warmup), options.steps or 2
    options.rounds = options.rounds or (2 if options.quick else 5)
    if options.write_readme:  # Better now than after hours.
        around_markers(options.write_readme)
        if options.rounds < README_ROUNDS and not (options.report or options.few_rounds):
            parser.error(f"--rounds {options.rounds}: --write_readme expects at least {README_ROUNDS}; --few_rounds allows fewer")
    options.cases = chosen_cases(options.cases or (QUICK_CASES if options.quick else DEFAULT_CASES))
    options.arguments, options.python = sys.argv[1:], sys.executable
    options.cleft = os.path.abspath(options.cleft)
    return options


def show_list():
    print(f"{'':2}{'case':24}  memory, about; * by default. Other batch sizes: PRESET-BATCH-PRECISION-KIND")
    for name in ALL_CASES:
        case = Case.named(name)
        need = f"{case.gigabytes('tuned'):4.1f} GB, published {case.gigabytes('published'):.1f}"
        print(f"{'*' if name in DEFAULT_CASES else ' '} {name:24}  {need}")


def main():
    options = parse_arguments()
    if options.list:
        show_list()
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.makedirs(options.work, exist_ok=True)
    if options.report:
        results, status = read_results(f"{options.work}/peer.json"), 0
    else:
        results, status = measure_all(options)
    text = markdown(results)
    write(f"{options.work}/peer.md", text)
    print(f"\n{text}\n== {options.work}/peer.md")
    if options.write_readme and status != 130:
        write_readme(options.write_readme, results, options.few_rounds)
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
