"""How time and memory of a training step grow: `cleft bench step` over one size at a time.

Every value of every axis is measured in a process of its own, all values once before any is measured again, so that a
slow minute of the machine touches a whole curve and not one point. What is fitted is the median over the repeats, and the
memory is the most of the process less what it had with the model built.

A run that fails or takes too long is said and left out, and after Ctrl-C what there is is written. Exit status 1 where a
run failed, 130 after Ctrl-C.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time


class Axis:
    """One size that is varied, with what is expected of it."""

    def __init__(self, name, option, values, seconds, memory, why):
        self.name, self.option, self.values = name, option, values
        # Expected exponents as (least, most).
        self.expected = {"seconds": seconds, "memory": memory}
        self.why = why


LINEAR = (0.8, 1.15)

AXES = [
    Axis("batch", ["--batch_size"], [4, 8, 16, 32], LINEAR, (0.4, 1.15),
         "rows of both towers; gradients and optimizer state stay, so memory starts below linear"),
    Axis("captions", ["--caption_min", "--caption_max"], [8, 16, 32, 64], (0.0, 1.1), (0.0, 1.1),
         "rows of the text tower alone; linear once it outweighs the image tower, never padded"),
    Axis("image side", ["--image_size"], [112, 168, 224, 280], (1.5, 2.6), (1.4, 2.2),
         "tokens grow with the square, attention between them with the fourth power; its scores are not kept"),
    Axis("ranks", ["--devices"], [1, 2, 4], LINEAR, (-0.15, 0.25),
         "batches one after another in the memory of one, and the sum of their gradients"),
    Axis("image depth", ["--image_depth"], [2, 4, 8], (0.5, 1.1), (0.4, 1.1),
         "blocks of the image tower; the text tower's share stays"),
    Axis("text depth", ["--text_depth"], [2, 4, 8], (0.0, 1.1), (0.0, 1.1),
         "blocks of the text tower; the image tower's share stays"),
]


def arguments():
    parser = argparse.ArgumentParser(
        prog="Scripts/bench/growth", description="Fits how time and memory of a training step grow.")
    parser.add_argument("--model", default="tiny", help="preset: tiny (a quick look), small, base, paper")
    parser.add_argument("--axes", default=",".join(a.name for a in AXES), help="which of: %(default)s")
    for axis in AXES:
        name = axis.name.replace(" ", "_")
        parser.add_argument(f"--values_{name}", help="default: " + ",".join(map(str, axis.values)))
    parser.add_argument("--peft", default="lora", help="adapter of the text tower (%(default)s)")
    parser.add_argument("--precision", default="32", help="32, bf16-true or bf16-mixed (%(default)s)")
    parser.add_argument("--batch_size", type=int, default=8, help="where it is not varied (%(default)s)")
    parser.add_argument("--caption", type=int, default=20, help="tokens where they are not varied (%(default)s)")
    parser.add_argument("--grad_ckpt", action="store_true", help="recompute blocks in backward")
    parser.add_argument("--threads", type=int, help="for computing; default: the processors that may be used")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of a run (%(default)s)")
    parser.add_argument("--warmup", type=int, default=2, help="steps before them (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each value (%(default)s)")
    parser.add_argument("--timeout", type=int, default=1800, help="seconds a run may take (%(default)s)")
    parser.add_argument("--out", default=".bench", help="folder of growth.md and growth.json (%(default)s)")
    parser.add_argument("--render", metavar="JSON", help="only print the table of an earlier growth.json")
    options = parser.parse_args()
    least = dict(batch_size=1, caption=1, steps=1, repeats=1, timeout=1, warmup=0, threads=1)
    for name, value in least.items():
        if getattr(options, name) is not None and getattr(options, name) < value:
            parser.error(f"--{name} is {getattr(options, name)}; expected at least {value}")
    return parser, options


def chosen(parser, options):
    """The axes asked for, with their values."""
    known = {a.name.replace(" ", "_"): a for a in AXES}
    result = []
    for name in options.axes.split(","):
        axis = known.get(name.strip().replace(" ", "_"))
        if axis is None:
            parser.error(f"--axes has '{name}'; expected {', '.join(known)}")
        text = getattr(options, "values_" + axis.name.replace(" ", "_"))
        try:
            values = sorted({int(v) for v in text.split(",")}) if text else axis.values
        except ValueError:
            parser.error(f"--values_{axis.name.replace(' ', '_')} is '{text}'; expected numbers separated by commas")
        if len(values) < 2 or values[0] < 1:
            parser.error(f"--values_{axis.name.replace(' ', '_')} is '{text}'; expected two values from 1 or more")
        result.append((axis, values))
    return result


def command(options, axis, value):
    settings = {
        "--model": options.model, "--peft": options.peft, "--precision": options.precision,
        "--batch_size": options.batch_size, "--caption_min": options.caption, "--caption_max": options.caption,
        "--devices": 1, "--steps": options.steps, "--warmup": options.warmup, "--pictures": "none",
    }
    if options.threads:
        settings["--threads"] = options.threads
    for name in axis.option:
        settings[name] = value
    line = [os.environ["CLEFT"], "bench", "step", "--json"]
    for name, setting in settings.items():
        line += [name, str(setting)]
    return line + (["--grad_ckpt"] if options.grad_ckpt else [])


class RunFailed(Exception):
    """One line of what went wrong."""


def measure(line, timeout):
    try:
        result = subprocess.run(line, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"took more than {timeout} s; --timeout allows more") from None
    except OSError as error:
        raise RunFailed(f"{line[0]}: {error.strerror}") from None
    if result.returncode != 0:
        last = (result.stderr.strip() or result.stdout.strip() or "nothing").splitlines()[-1]
        raise RunFailed(f"ended with {result.returncode} and said: {last}")
    try:
        report = json.loads(result.stdout)
        memory = report["memory"]
        return {
            "seconds": report["step_seconds"]["median"],
            "memory": memory["peak_resident_bytes"] - memory["built_resident_bytes"],
            "machine": report["setting"]["machine"],
        }
    except (ValueError, KeyError, TypeError) as error:
        raise RunFailed(f"printed something else ({error!r}); expected the JSON of this checkout's program") from None


def exponent(values, numbers):
    """Least squares of log(number) over log(value): the exponent, and the largest residue as a factor."""
    points = [(math.log(v), math.log(n)) for v, n in zip(values, numbers) if n > 0]
    if len(points) < 2:
        return None, None
    mean_x = statistics.fmean(p[0] for p in points)
    mean_y = statistics.fmean(p[1] for p in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    residue = max(abs(y - mean_y - slope * (x - mean_x)) for x, y in points)
    return slope, math.exp(residue)


def local_exponents(values, numbers):
    """Between neighbors: what a constant part hides from the fit over all of them shows as a rise."""
    pairs = list(zip(values, numbers))
    return [
        math.log(n2 / n1) / math.log(v2 / v1) if n1 > 0 and n2 > 0 else None
        for (v1, n1), (v2, n2) in zip(pairs, pairs[1:])
    ]


def verdict(axis, what, slope, locals_):
    """Whether the exponent is the expected one; where it is not, which end departs."""
    least, most = axis["expected"][what]
    if slope is None:
        return "nothing measured"
    if least <= slope <= most:
        return "as expected"
    last = next((x for x in reversed(locals_) if x is not None), None)
    side = "below" if slope < least else "above"
    if last is not None and least <= last <= most:
        return f"{side}; between the two largest as expected"
    return f"departs: {side}"


def number(value, digits=2):
    return "–" if value is None else f"{value:.{digits}f}"


def percent(residue):
    return "–" if residue is None else f"{100 * (residue - 1):.0f} %"


def table(results):
    """The Markdown page."""
    settings, machine = results["settings"], results["machine"]
    lines = [
        "# How a training step grows", "",
        f"`--model {settings['model']} --peft {settings['peft']} --precision {settings['precision']}`, batch "
        f"{settings['batch_size']}, captions of {settings['caption']} tokens where not varied"
        + (", blocks recomputed" if settings["grad_ckpt"] else "") + f"; {machine.get('processor', '?')}, "
        f"{machine.get('threads', '?')} threads, {results['date']}. Medians of {settings['repeats']} runs of "
        f"{settings['steps']} steps; memory is the most of the process above the built model. An exponent e "
        "means: twice the size, 2^e times as much.", "",
        "| axis | what | exponent | expected | between neighbors | off the fit by | |",
        "|---|---|---|---|---|---|---|",
    ]
    for axis in results["axes"]:
        for what in ("seconds", "memory"):
            fit = axis[what]
            least, most = axis["expected"][what]
            cells = [
                axis["name"], "time" if what == "seconds" else "memory", number(fit["exponent"]),
                f"{least:g} … {most:g}", " ".join(number(x) for x in fit["local"]), percent(fit["residue"]),
                fit["verdict"],
            ]
            lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "What was measured:", "", "| axis | value | seconds a step | memory, MiB |", "|---|---|---|---|"]
    for axis in results["axes"]:
        for value, seconds, memory in zip(axis["values"], axis["seconds"]["medians"], axis["memory"]["medians"]):
            lines.append(f"| {axis['name']} | {value} | {seconds:.4g} | {memory / 2**20:.1f} |")
    if results.get("stopped"):
        lines += ["", f"Stopped after {results['stopped']}."]
    if results.get("failures"):
        lines += ["", "What failed:", ""] + [f"- {text}" for text in results["failures"]]
    lines += ["", "What is expected, and why:", ""]
    lines += [f"- **{axis['name']}**: {axis['why']}." for axis in results["axes"]]
    return "\n".join(lines) + "\n"


def measure_all(options, axes):
    """Runs by axis and value, the machine, what failed, and after how many runs it was stopped, if it was."""
    found = {(axis.name, v): [] for axis, values in axes for v in values}
    machine, failures, stopped, done = {}, [], None, 0
    turns = [(axis, value) for _ in range(options.repeats) for axis, values in axes for value in values]
    try:
        for done, (axis, value) in enumerate(turns):
            print(f"growth {done + 1}/{len(turns)}: {axis.name} {value}", file=sys.stderr)
            line = command(options, axis, value)
            try:
                one = measure(line, options.timeout)
            except RunFailed as error:
                failures.append(f"{axis.name} {value}: {error}")
                print(f"growth: {' '.join(line)}: {error}", file=sys.stderr)
                continue
            machine = one.pop("machine")
            found[axis.name, value].append(one)
    except KeyboardInterrupt:
        stopped = f"{done} of {len(turns)} runs"
        print(f"growth: stopped after {stopped}", file=sys.stderr)
    return found, machine, failures, stopped


def run(parser, options):
    axes = chosen(parser, options)
    found, machine, failures, stopped = measure_all(options, axes)
    settings = {k: v for k, v in vars(options).items() if not k.startswith("values_") and k not in ("out", "render")}
    results = {"settings": settings, "machine": machine, "date": time.strftime("%Y-%m-%d"), "failures": failures,
               "stopped": stopped, "axes": []}
    for axis, wanted in axes:
        # Values without a run are left out; the page says which failed.
        values = [v for v in wanted if found[axis.name, v]]
        entry = {"name": axis.name, "values": values, "why": axis.why, "expected": axis.expected}
        for what in ("seconds", "memory"):
            runs = [[m[what] for m in found[axis.name, v]] for v in values]
            medians = [statistics.median(numbers) for numbers in runs]
            slope, residue = exponent(values, medians)
            locals_ = local_exponents(values, medians)
            entry[what] = {
                "medians": medians, "all": runs, "exponent": slope, "residue": residue, "local": locals_,
                "verdict": verdict(entry, what, slope, locals_),
            }
        results["axes"].append(entry)
    return results


def main():
    parser, options = arguments()
    if options.render:
        with open(options.render) as file:
            print(table(json.load(file)), end="")
        return
    if not os.environ.get("CLEFT"):
        sys.exit("growth: CLEFT names no program; run Scripts/bench/growth, which builds one")
    results = run(parser, options)
    if not any(axis["values"] for axis in results["axes"]):
        sys.exit("growth: nothing was measured")
    os.makedirs(options.out, exist_ok=True)
    with open(f"{options.out}/growth.json", "w") as file:
        json.dump(results, file, indent=1)
    text = table(results)
    with open(f"{options.out}/growth.md", "w") as file:
        file.write(text)
    print(text, end="")
    print(f"written: {options.out}/growth.md, {options.out}/growth.json", file=sys.stderr)
    if results["stopped"] or results["failures"]:
        sys.exit(130 if results["stopped"] else 1)


if __name__ == "__main__":
    main()
