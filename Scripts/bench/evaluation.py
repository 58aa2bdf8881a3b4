#!/usr/bin/env python3
"""Compares `cleft eval` with the published evaluation in PyTorch on the same files and weights.

Tables, pictures and texts are read by pandas, pydicom, OpenCV, Pillow, torchvision and tokenizers; weights come from Lightning
checkpoints that `cleft convert --to ckpt` wrote and go into timm's vision transformer and transformers' GPT-2 with peft's
adapters; accuracy, AUC and confusion matrix are scikit-learn's. `pytorch/published.py` holds that side; it asks cleft for
no number.

Each case is evaluated by both and compared: pictures and labels in order, prompts word for word, scores (cosines times the
learned scale, the argument of the softmax) within 1e-4, absolute, probabilities likewise, and confusion matrix, accuracy and
AUC exactly. Under `--compat reference` the Python side does as the published program, otherwise as cleft does by default.
What the model sees of every picture is compared too, to the last bit; where a library of today makes another picture than
the published program's did, the pictures are named. At last the Python side is bent (no Otsu cut, adapters left out, ...) and must then
disagree, or the comparison would mean nothing.

Without --quick the runs of `Scripts/quickstart` are compared first, on all their test pictures. Exit status 1 where anything
differs. Run it through `Scripts/bench/evaluation`, which finds the libraries and the program.
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
import subprocess
import sys
import time
import warnings

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.dont_write_bytecode = True  # The checkout stays as it is.
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, f"{HERE}/pytorch"]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import PIL  # noqa: E402
import pandas  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from sklearn.metrics import accuracy_score, confusion_matrix  # noqa: E402

import evaluation_files as files  # noqa: E402
import published  # noqa: E402

TOLERANCE = 1e-4  # Of scores and of probabilities.
SAME = 1e-9  # Of accuracies and AUCs: both are counts over counts.

# --------------------------------------------------------------------------- cases

SYNTH = "--patients 48 --per_class 12 --rsna_per_class 24 --min_size 96 --max_size 160 --sheet_rows 0 --seed 7".split()
COMMON = "--devices 1 --batch_size 16 --seed 11 --threads 1 --num_workers 1 --no_tensorboard --no_report".split()
TINY = "--model tiny --image_size 56 --text_dropout 0".split()
PUBLISHED = "--linear_proj --pool_feat".split()
FEW = "--learning_rate 2e-3 --min_lr 1e-6 --warm_up 4 --max_steps 60".split()
TWO = "--learning_rate 2e-3 --min_lr 1e-6 --warm_up 1 --max_steps 2".split()

# How each run is made. {first} is the run of that name, {odd} and {tokenizer} are made here, {data} is drawn by cleft.
RUNS = {
    "first": TINY + PUBLISHED + FEW + "--data_dir {data} --five_cls --peft lora".split(),
    "prompt": PUBLISHED + FEW + ("--data_dir {data} --five_cls --peft lora --pretrained_encoder {first} --prompt_ft "
                                        "--freeze_llm --ctx_length 30 --ctx_init caption --image_size 56").split(),
    "mlp-cls": "--model tiny --text_dropout 0 --data_dir {data} --five_cls".split() + TWO,
    "ia3": TINY + PUBLISHED + FEW + "--data_dir {data} --five_cls --peft ia3".split(),
    "prefix": TINY + PUBLISHED + FEW + "--data_dir {data} --five_cls --peft prefix".split(),
    "adalora": TINY + PUBLISHED + FEW + "--data_dir {data} --five_cls --peft adalora".split(),
    "embed": TINY + PUBLISHED + FEW + ("--data_dir {odd} --embed --simple_cap --caption_length 128 --peft lora "
                                              "--tokenizer {tokenizer}").split(),
}

# Naming the dataset anew keeps a run from passing on its --five_cls.
FOURTEEN = ["--dataset", "chexpert"]


@dataclasses.dataclass
class Case:
    run: str
    suffix: str
    behavior: published.Behavior
    # How both read the data: cleft's options, and a function of `published` with its arguments.
    options: list
    read: object
    arguments: dict = dataclasses.field(default_factory=dict)
    root: str = "{data}"
    columns: int = None  # Tokens of a prompt, where --caption_length says.

    @property
    def name(self):
        return f"{self.run} {self.suffix} {self.behavior.name}"


def chest_cases(run, root="{data}"):
    for behavior in (published.PUBLISHED, published.OURS):
        yield Case(run, "5x200", behavior, ["--five_cls"], published.chexpert, root=root)
        yield Case(run, "RSNA", behavior, ["--five_cls", "--rsna"], published.rsna, root=root)


def embed_cases():
    families = {"simple": ["--simple_cap"], "structural": ["--structural_cap"], "natural": ["--natural_cap"], "default": []}
    for family, options in families.items():
        for instance in (False, True):
            if family == "simple" and instance:
                continue
            # The published default captions have no BI-RADS number where it is looked for.
            density = family == "default"
            extra = ["--pred_density"] * density + ["--instance_test_cap"] * instance
            for behavior in (published.PUBLISHED, published.OURS):
                yield Case("embed", f"{family}{' density' * density}{' instance' * instance}", behavior,
                           ["--embed", "--caption_length", "128", *options, *extra], published.embed,
                           dict(family=family, density=density, instance=instance), "{odd}", columns=128)
    yield Case("embed", "default", published.OURS, "--embed --caption_length 128".split(), published.embed,
               dict(family="default"), "{odd}", columns=128)


def filled_case(run, columns, behavior):
    return Case(run, f"{columns} columns", behavior, ["--five_cls", "--caption_length", str(columns)], published.chexpert,
                columns=columns)


def made_cases():
    both = (published.PUBLISHED, published.OURS)
    cases = [*chest_cases("first"), *chest_cases("prompt"), *chest_cases("mlp-cls")]
    for behavior in both:
        cases.append(Case("first", "14 classes", behavior, FOURTEEN, published.chexpert, dict(five=False)))
        cases.append(Case("first", "odd films", behavior, FOURTEEN, published.chexpert, dict(five=False), "{odd}"))
        cases.append(Case("first", "odd DICOM", behavior, ["--rsna"], published.rsna, {}, "{odd}"))
        # "Pleural effusion", the longest prompt, fills these; of prompt tuning's the first column is taken off.
        cases += [filled_case(run, columns, behavior) for run, columns in (("first", 12), ("mlp-cls", 12), ("prompt", 3))]
    # One column fewer: the others fill them and that one is cut. As published all of them would be read at position 0, alike.
    cases += [filled_case("first", 11, published.OURS), filled_case("prompt", 2, published.OURS)]
    cases += [Case(run, "5x200", published.OURS, ["--five_cls"], published.chexpert) for run in ("ia3", "prefix", "adalora")]
    return cases + list(embed_cases())


def quickstart_cases():
    return [*chest_cases("quickstart-pretrain", "{quickstart}/data"), *chest_cases("quickstart-prompt", "{quickstart}/data")]


# --------------------------------------------------------------------------- cleft


class Cleft:
    """The program, its runs, and what they are made of."""

    def __init__(self, program, work, quickstart):
        self.program, self.work, self.models = program, work, {}
        self.places = dict(data=f"{work}/data", odd=f"{work}/odd", tokenizer=f"{work}/tokenizer.json", quickstart=quickstart)

    def run(self, *arguments):
        """Runs a command to its end, in the work folder, where it keeps notes of pictures; what it printed and said."""
        arguments = [a.format(**self.places) for a in arguments]
        result = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=3600,
                                cwd=self.work)
        if result.returncode != 0:
            said = (result.stderr.strip() or result.stdout.strip() or "nothing").splitlines()[-1]
            raise RuntimeError(f"`cleft {' '.join(arguments)}` ended with {result.returncode} and said: {said}")
        return result.stdout, result.stderr

    def prepare(self, names):
        """Draws the sets and makes the runs of these names and those that they start from."""
        for place in ("data", "odd"):
            shutil.rmtree(self.places[place], ignore_errors=True)
        self.run("synth", "--out", "{data}", *SYNTH)
        odd = self.places["odd"]
        files.make_films(odd), files.make_dicoms(odd), files.make_embed(odd)
        files.make_tokenizer(odd, self.places["tokenizer"])
        for name, arguments in RUNS.items():
            if name in names or name == "first":
                self.train(name, arguments)

    def train(self, name, arguments):
        logs = f"{self.work}/runs/{name}"
        shutil.rmtree(logs, ignore_errors=True)
        self.run("train", *arguments, *COMMON, "--log_dir", logs, "--experiment_name", name)
        (self.places[name],) = glob.glob(f"{logs}/CLEFT/*_{name}")

    def place(self, run):
        if run.startswith("quickstart-"):
            found = glob.glob(f"{self.places['quickstart']}/logs/CLEFT/*_{run.removeprefix('quickstart-')}")
            if len(found) != 1:
                raise RuntimeError(f"{self.places['quickstart']}: {len(found)} runs; expected one. Run Scripts/quickstart")
            self.places[run] = found[0]
        return self.places[run]

    def model(self, run):
        """A run's weights in PyTorch."""
        if run not in self.models:
            path = f"{self.work}/{run}.ckpt"
            self.run("convert", self.place(run), "--to", "ckpt", "--out", path, "--overwrite")
            self.models[run] = published.Model(path)
        return self.models[run]

    def evaluate(self, case):
        """What cleft finds: predictions, numbers, and whether it says that the published AUC fails."""
        out = f"{self.work}/eval/{case.name.replace(' ', '-')}"
        shutil.rmtree(out, ignore_errors=True)
        _, said = self.run(
            "eval", self.place(case.run), "--data_dir", case.root, *case.options, "--compat", case.behavior.name, "--out", out,
            *"--bootstrap 0 --threshold_pictures 0 --retrieval_pairs 0 --examples 0 --threads 1 --num_workers 1".split())
        predictions = pandas.read_csv(f"{out}/predictions.csv", keep_default_na=False)
        with open(f"{out}/metrics.json") as file:
            return predictions, json.load(file), "the published program reports an AUC of 0" in said

    def pictures(self, paths, side, compat):
        """What cleft's models see of pictures."""
        listed, out = f"{self.work}/pictures.txt", f"{self.work}/pictures.safetensors"
        with open(listed, "w") as file:
            file.write("\n".join(paths) + "\n")
        self.run("preprocess", "--list", listed, "--out", out, "--image_size", str(side), "--compat", compat, "--threads", "1")
        return load_file(out)["images"]


# --------------------------------------------------------------------------- comparing


@dataclasses.dataclass
class Side:
    """What one of the two makes of a prompt set."""

    scores: np.ndarray
    probabilities: np.ndarray
    confusion: list
    accuracy: float
    auc: float


def of_cleft(predictions, numbers, index):
    """A prompt set's scores and numbers; the probabilities of those that do not count are not written."""
    part, names = numbers["scores"][index], numbers["classNames"]
    start = "logit" if index == 0 else f"logit({part['prompts']})"
    scores = predictions[[f"{start}:{name}" for name in names]].to_numpy(float)
    probabilities = predictions[[f"p:{name}" for name in names]].to_numpy(float) if index == 0 else None
    return Side(scores, probabilities, part["confusion"], part.get("accuracy"), part.get("auc"))


def of_pytorch(scores, labels):
    probabilities = scores.double().softmax(-1).numpy()
    guesses = scores.numpy().argmax(1)
    return Side(scores.double().numpy(), probabilities,
                confusion_matrix(labels, guesses, labels=range(scores.shape[1])).tolist(), accuracy_score(labels, guesses),
                published.auc(labels, probabilities))


def swapped(one, other, labels):
    """Pairs of a class's pictures and others that stand in one order on one side and in another on the other."""
    for column in range(one.shape[1]):
        inside, outside = np.flatnonzero(labels == column), np.flatnonzero(labels != column)
        order = [np.sign(p[inside, column][:, None] - p[outside, column][None]) for p in (one, other)]
        for i, o in np.argwhere(order[0] != order[1]):
            yield column, inside[i], outside[o]


def explain_auc(here, there, labels, paths):
    probabilities = [torch.tensor(side.scores).softmax(-1).numpy() for side in (here, there)]
    own = published.auc(labels, probabilities[0])
    pairs = list(swapped(*probabilities, labels))
    both = lambda row, c: f"{paths[row]} {probabilities[0][row, c]:.9f} / {probabilities[1][row, c]:.9f}"  # noqa: E731
    texts = [f"class {c}: {both(i, c)} and {both(o, c)}" for c, i, o in pairs[:3]]
    return "; ".join([f"scikit-learn finds {number(own)} in cleft's scores, {len(pairs)} pairs in another order", *texts])


def largest(difference):
    worst = float(np.abs(difference).max())
    return worst if math.isfinite(worst) else math.inf


def same(one, other):
    return one is None and other is None or None not in (one, other) and abs(one - other) <= SAME


def number(value):
    return "undefined" if value is None else f"{100 * value:9.5f}"


class Table:
    def __init__(self):
        self.failures, self.pictures = [], {}

    def head(self):
        print(f"{'case':44} {'prompts':12} {'pictures':>8}  {'scores':>7} {'of the':>7} {'proba-':>7}  {'con-':6} "
              f"{'accuracy, %':>19}  {'AUC, %':>19}  {'AUC that is':>11}")
        print(f"{'':66}  {'apart':>7} {'largest':>7} {'bility':>7}  {'fusion':6} {'cleft':>9} {'PyTorch':>9}  {'cleft':>9} "
              f"{'PyTorch':>9}  {'published':>11}", flush=True)

    def line(self, name, prompts, count, here, there, apart, published_auc, problems):
        scores, probabilities = apart
        confusion = "equal" if here.confusion == there.confusion else "OTHER"
        print(f"{name:44} {prompts:12} {count:8}  {scores:7.0e} {scores / np.abs(there.scores).max():7.0e} "
              f"{'' if probabilities is None else f'{probabilities:.0e}':>7}  {confusion:6} "
              f"{number(here.accuracy)} {number(there.accuracy)}  {number(here.auc)} {number(there.auc)}  {published_auc:>11}  "
              f"{'; '.join(problems) or 'ok'}", flush=True)
        self.failures += [f"{name}, {prompts}: {problem}" for problem in problems]

    def fail(self, name, problem):
        print(f"{name:44} {problem}", flush=True)
        self.failures.append(f"{name}: {problem}")


def prompt_word(name):
    """RSNA's positive word in a prompt set's name; None elsewhere."""
    return next((word for word in ("pneumothorax", "pneumonia") if word in name), None)


class Comparison:
    """Both sides of the cases."""

    def __init__(self, cleft, table):
        self.cleft, self.table, self.readers, self.seen = cleft, table, {}, set()

    def reader(self, side, dicom):
        return self.readers.setdefault((side, dicom), published.Pictures(side, dicom))

    def test_set(self, case, behavior):
        model = self.cleft.model(case.run)
        return case.read(case.root.format(**self.cleft.places), behavior, model.is_prompt_tuned, **case.arguments)

    def check(self, case):
        try:
            predictions, numbers, says_zero = self.cleft.evaluate(case)
            model = self.cleft.model(case.run)
            read = self.reader(model.side, case.behavior.dicom)
            for index, part in enumerate(numbers["scores"]):
                word = prompt_word(part["prompts"]) if case.read is published.rsna else None
                behavior = dataclasses.replace(case.behavior, positive=word or case.behavior.positive)
                if index == 0 and behavior != case.behavior:
                    self.table.fail(case.name, f"the prompts '{part['prompts']}' count; expected {case.behavior.positive}")
                test = self.test_set(case, behavior)
                self.check_pictures(test, read, case)
                scores = published.scores(model, test, behavior, read, case.columns)
                self.compare(case, index, predictions, numbers, test, scores, says_zero)
        except (RuntimeError, NotImplementedError, ValueError, KeyError, OSError) as error:
            self.table.fail(case.name, f"{type(error).__name__}: {error}")

    def check_pictures(self, test, read, case):
        """Whether both see the same pictures, to the last bit; each once."""
        key = (read.side, case.behavior.name)
        paths = [i.path for i in test.items if (key, i.path) not in self.seen]
        if not paths:
            return
        self.seen.update((key, path) for path in paths)
        for path, picture in zip(paths, self.cleft.pictures(paths, *key), strict=True):
            levels = largest((picture - read(path)).numpy()) * 127.5
            self.table.pictures[path, key] = levels
            if levels > 0:
                self.table.fail(case.name, f"{path}: the picture is up to {levels:.0f} levels apart")

    def compare(self, case, index, predictions, numbers, test, scores, says_zero):
        labels, paths = np.array([item.label for item in test.items]), [item.path for item in test.items]
        here, there = of_cleft(predictions, numbers, index), of_pytorch(scores, labels)
        part, problems = numbers["scores"][index], []
        if [os.path.realpath(p) for p in predictions["path"]] != [os.path.realpath(p) for p in paths]:
            return self.table.fail(case.name, f"{len(predictions)} pictures, PyTorch has {len(paths)}, or in another order")
        if here.scores.shape != there.scores.shape:
            return self.table.fail(case.name, f"{here.scores.shape[1]} classes, PyTorch has {there.scores.shape[1]}")
        firsts = [numbers["classNames"].index(text.split(";")[0]) if text else 0 for text in predictions["labels"]]
        if firsts != labels.tolist():
            problems.append("labels differ")
        if [text for texts in part["texts"] for text in texts] != test.prompts:
            problems.append(f"prompts differ: {part['texts']}")
        apart = [largest(here.scores - there.scores), None]
        if not apart[0] <= TOLERANCE:
            worst = np.abs(here.scores - there.scores).max(1).argmax()
            problems.append(f"scores differ, most for {paths[worst]}")
        if here.probabilities is not None:
            apart[1] = largest(here.probabilities - there.probabilities)
            if not apart[1] <= TOLERANCE:
                problems.append("probabilities differ")
        if here.confusion != there.confusion:
            problems.append("the confusion matrix differs")
        if not same(here.accuracy, there.accuracy):
            problems.append("the accuracy differs")
        if not same(here.auc, there.auc):
            problems.append(f"the AUC differs: {explain_auc(here, there, labels, paths)}")
        self.table.line(case.name, prompt_word(part["prompts"]) or part["prompts"], len(paths), here, there, apart,
                        self.published(case, index, scores, labels, says_zero, problems), problems)

    def published(self, case, index, scores, labels, says_zero, problems):
        """What the published program prints as AUC, of its float32 probabilities and without --num_classes."""
        if case.behavior is not published.PUBLISHED or index > 0:
            return ""
        value, error = published.published_auc(labels, scores.softmax(-1).numpy(), 1000)
        if bool(error) != says_zero:
            problems.append(f"cleft {'says' if says_zero else 'does not say'} that the published AUC fails; scikit-learn: "
                            f"{error or 'it does not'}")
        return f"{value:.4f}" if error is None else "0 (fails)"


# --------------------------------------------------------------------------- bent comparisons

BENDS = ["no Otsu cut", "nearest pixels", "adapter left out", "text read one slot earlier", "prompts not lowercased",
         "temperature of the start", "prompt vectors left out", "no space before the first word"]


def bend(name, model, test, read):
    """The same evaluation with one thing done otherwise."""
    behavior, towers = published.PUBLISHED, model.towers
    if name in ("no Otsu cut", "nearest pixels"):
        read = published.Pictures(model.side, behavior.dicom, spoil=name)
    if name == "text read one slot earlier":
        behavior = dataclasses.replace(behavior, full_caption="always last")
    if name == "prompts not lowercased":
        test = dataclasses.replace(test, prompts=[p.capitalize() for p in test.prompts])
    if name == "no space before the first word":
        test = dataclasses.replace(test, keeps_space=False)
    changed = {}
    for key, tensor in towers.named_parameters():
        if (name == "adapter left out" and ".lora_B." in key or name == "prompt vectors left out" and ".prompt_encoder." in key
                or name == "temperature of the start" and key == "logit_scale"):
            changed[key] = (tensor, tensor.detach().clone())
            tensor.data.fill_(math.log(1 / 0.07) if key == "logit_scale" else 0)
    try:
        return published.scores(model, test, behavior, read)
    finally:
        for tensor, value in changed.values():
            tensor.data.copy_(value)


def check_bends(comparison, run, root):
    """Each bend must move the scores of a case by more than the bound."""
    case = Case(run, "5x200", published.PUBLISHED, ["--five_cls"], published.chexpert, root=root)
    model, test = comparison.cleft.model(run), comparison.test_set(case, case.behavior)
    read = comparison.reader(model.side, case.behavior.dicom)
    predictions, numbers, _ = comparison.cleft.evaluate(case)
    here = of_cleft(predictions, numbers, 0).scores
    print(f"\nbent PyTorch, {case.name}: scores apart, must be over {TOLERANCE:g}")
    for name in BENDS:
        apart = largest(here - bend(name, model, test, read).double().numpy())
        print(f"  {name:30} {apart:8.1e}  {'noticed' if apart > TOLERANCE else 'NOT NOTICED'}", flush=True)
        if apart <= TOLERANCE:
            comparison.table.failures.append(f"{case.name} with {name}: not noticed")


# --------------------------------------------------------------------------- the command


def say_pictures(comparison):
    """How the pictures compare, and which ones a library of today would make otherwise."""
    equal = sum(levels == 0 for levels in comparison.table.pictures.values())
    print(f"\npictures: {equal} of {len(comparison.table.pictures)} are the same to the last bit")
    apart = {(path, side): levels for (side, _), read in comparison.readers.items() for path, levels in read.apart_now.items()}
    if not apart:
        return
    listed = f"{comparison.cleft.work}-pictures.txt"
    with open(listed, "w") as file:
        file.writelines(f"{side} pixels, {levels} levels: {path}\n" for (path, side), levels in apart.items())
    print(f"Pillow {PIL.__version__} resizes {len(apart)} of them otherwise, by up to {max(apart.values())} levels, when asked for "
          f"both sides at once: columns first, where the published program's went rows first, as both do here.\n"
          f"They are named in {listed}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--work", metavar="FOLDER", default=".bench/evaluation", help="where sets, runs and evaluations go (default: %(default)s)")
    add("--quick", action="store_true", help="leave the quickstart's runs out; minutes")
    add("--quickstart", metavar="FOLDER", default=f"{HERE}/../../quickstart",
        help="what Scripts/quickstart made (default: the checkout's)")
    add("--only", action="append", metavar="NAME", help="this case only; a pattern like 'prompt *' works, repeat for more")
    add("--list", action="store_true", help="print the cases' names")
    add("--keep", action="store_true", help="leave everything in place after a good run; a bad one always leaves it")
    add("--cleft", metavar="PROGRAM", default=os.environ.get("CLEFT") or ".build/release/cleft", help="the program to check")
    return parser.parse_args()


def choose(options):
    """The cases asked for."""
    cases = made_cases() if options.quick else quickstart_cases() + made_cases()
    chosen = [c for c in cases if any(fnmatch.fnmatch(c.name, p) for p in options.only or ["*"])]
    if not chosen:
        sys.exit(f"evaluation: no case is called {', '.join(options.only)}; --list names them")
    return chosen


def main():
    options = parse_arguments()
    cases = choose(options)
    if options.list:
        print("\n".join(c.name for c in cases))
        return 0
    runs = {case.run for case in cases}
    if any(run.startswith("quickstart-") for run in runs) and not os.path.isdir(f"{options.quickstart}/logs/CLEFT"):
        sys.exit(f"evaluation: no runs in {options.quickstart}; run Scripts/quickstart first, or pass --quick")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    print(published.versions())
    started, work = time.time(), os.path.abspath(options.work)
    os.makedirs(work, exist_ok=True)
    cleft = Cleft(os.path.abspath(options.cleft), work, os.path.abspath(options.quickstart))
    comparison = Comparison(cleft, Table())
    if any(not run.startswith("quickstart-") for run in runs):
        try:
            cleft.prepare(runs)
        except RuntimeError as error:
            sys.exit(f"evaluation: {error}")
    comparison.table.head()
    for case in cases:
        comparison.check(case)
    for run, root in (("quickstart-prompt", "{quickstart}/data"), ("prompt", "{data}")):
        if run in runs:
            check_bends(comparison, run, root)
            break
    say_pictures(comparison)
    failures = comparison.table.failures
    print(f"\n{len(cases)} cases in {time.time() - started:.0f} s, {len(failures)} failures")
    for failure in failures:
        print(failure, file=sys.stderr)
    if not failures and not options.keep:
        shutil.rmtree(work)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
