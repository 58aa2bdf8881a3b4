#!/usr/bin/env python3
"""Measures how well maps point, on synthetic chest pictures that the model has never seen.

A case is a picture that shows one finding and nothing else but devices. It is correct when the finding's prompt wins among
all prompts; only correct cases count. A map points when its highest cell's middle lies in a box in which the finding was
drawn. Beside that share stand two that need no map of the picture: that of a cell drawn at random from the model's square,
and that of the peak of another correct case's map, which shows how far a finding's usual place goes.

Run it through `Scripts/bench/maps`, which finds the program.
"""
import argparse
import collections
import csv
import json
import os
import subprocess
import sys

FINDINGS = ["Cardiomegaly", "Pleural Effusion", "Pneumothorax"]
FIVE = ["Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion"]
FOURTEEN = ["No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
            "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture",
            "Support Devices"]
PROMPTS = {"six": FIVE + ["Pneumothorax"], "fourteen": FOURTEEN}
TEXT = "This is a chest X ray of a patient with "


def parse_args():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cleft", default="cleft", help="the program")
    p.add_argument("--folder", required=True, help="where pictures and maps go")
    p.add_argument("--run", required=True, help="run or checkpoint folder of a pair of towers")
    p.add_argument("--seed", type=int, default=7, help="of the pictures; another one than the training set's")
    p.add_argument("--patients", type=int, default=1500, help="patients drawn; one in forty has a pneumothorax alone")
    p.add_argument("--cases", type=int, default=100, help="at most, of each finding")
    p.add_argument("--reference", type=int, default=64,
                   help="patients of another seed who say what is usual in each place; 0 for none")
    p.add_argument("--prompts", choices=PROMPTS, nargs="+", default=list(PROMPTS), help="what wins over what")
    p.add_argument("--json", help="file for the numbers")
    return p.parse_args()


def run(arguments, **more):
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, **more)
    if done.returncode:
        sys.exit(f"maps: {' '.join(arguments[:3])} … ended with status {done.returncode}")
    return done.stdout


def draw(cleft, folder, seed, patients):
    """A synthetic set, drawn once."""
    if not os.path.exists(f"{folder}/done"):
        run([cleft, "synth", "--out", folder, "--seed", str(seed), "--patients", str(patients), "--per_class", "60",
             "--rsna_per_class", "1", "--sheet_rows", "0"])
        open(f"{folder}/done", "w").close()
    return f"{folder}/CheXpert"


def find_cases(root, limit):
    """Pictures with one finding: (path, finding, boxes), at most `limit` of each."""
    boxes = collections.defaultdict(list)
    with open(f"{root}/synthetic_boxes.csv", newline="") as table:
        for row in csv.DictReader(table):
            boxes[row["Path"]].append((row["Finding"], [int(row[k]) for k in ("x0", "y0", "x1", "y1")]))
    cases, counts = [], collections.Counter()
    for path in sorted(boxes):
        shown = {name for name, _ in boxes[path]} - {"Support Devices"}
        if len(shown) != 1 or not shown <= set(FINDINGS):
            continue
        finding = shown.pop()
        counts[finding] += 1
        if counts[finding] <= limit:
            cases.append((path, finding, [box for name, box in boxes[path] if name == finding]))
    return cases


class Grid:
    """Where the cells of a picture's maps lie, from the peaks of its maps: both axes are straight lines."""

    def __init__(self, maps):
        cells = [(*peak_cell(m), m) for m in maps]
        self.across = line([((column + 0.5) / m["columns"], m["peak"]["x"]) for _, column, m in cells])
        self.down = line([((row + 0.5) / m["rows"], m["peak"]["y"]) for row, _, m in cells])

    def __bool__(self):
        return self.across is not None and self.down is not None

    def place(self, row, column, rows, columns):
        at = lambda axis, share: axis[0] + axis[1] * share  # noqa: E731
        return at(self.across, (column + 0.5) / columns), at(self.down, (row + 0.5) / rows)


def line(points):
    (u0, x0), (u1, x1) = min(points), max(points)
    return None if u0 == u1 else (x0 - (x1 - x0) / (u1 - u0) * u0, (x1 - x0) / (u1 - u0))


def peak_cell(m):
    return divmod(max(range(len(m["values"])), key=lambda i: (m["values"][i], -i)), m["columns"])


def inside(place, boxes):
    return any(b[0] <= place[0] < b[2] and b[1] <= place[1] < b[3] for b in boxes)


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else None


def predict(args, cases, root, names, reference):
    arguments = [args.cleft, "predict", *[f"{root}/{path}" for path, _, _ in cases], "--pretrained_model", args.run,
                 "--prompts", "; ".join(TEXT + name for name in names), "--maps", f"{args.folder}/maps", "--json"]
    if reference:
        arguments += ["--map_reference", reference]
    answer = json.loads(run(arguments))
    assert len(answer["images"]) == len(cases), f"{len(answer['images'])} answers for {len(cases)} pictures"
    return answer["images"]


def measure(cases, images, names):
    """Rows of the table: finding, method, cases, correct, shares."""
    seen = []
    for (path, finding, boxes), image in zip(cases, images):
        prompts = list(image["probabilities"])
        wanted = [p for p in prompts if p.lower() == (TEXT + finding).lower()]
        assert len(wanted) == 1 and image["path"].endswith(path), f"{path}: {prompts}"
        won = max(prompts, key=lambda p: image["probabilities"][p]) == wanted[0]
        maps = {m["method"]: m for m in image["maps"] if m["prompt"] == wanted[0]}
        seen.append((finding, boxes, won, maps, Grid(image["maps"])))
    rows, methods = [], list(seen[0][3])
    for finding in FINDINGS + [None]:
        all_cases = [c for c in seen if finding in (c[0], None)]
        correct = [c for c in all_cases if c[2]]
        for method in methods:
            hits = mean(inside((c[3][method]["peak"]["x"], c[3][method]["peak"]["y"]), c[1]) for c in correct)
            known = [c for c in correct if c[4]]

            def chance(case, cells):
                m = case[3][method]
                return mean(inside(case[4].place(r, c, m["rows"], m["columns"]), case[1]) for r, c in cells(m))

            everywhere = mean(chance(c, lambda m: [divmod(i, m["columns"]) for i in range(len(m["values"]))])
                              for c in known)
            others = [chance(c, lambda m, c=c: [peak_cell(o[3][method]) for o in known
                                                if o is not c and o[0] == c[0]]) for c in known]
            rows.append(dict(finding=finding or "all three", method=method, cases=len(all_cases), correct=len(correct),
                             in_box=hits, random=everywhere, other_case=mean(o for o in others if o is not None),
                             without_grid=len(correct) - len(known)))
    return rows


def show(title, rows):
    cell = lambda v: "-" if v is None else f"{100 * v:.1f}"  # noqa: E731
    print(f"\n{title}")
    print(f"{'finding':18}{'method':12}{'cases':>6}{'correct':>9}{'in box %':>10}{'random %':>10}{'other case %':>14}")
    for r in rows:
        print(f"{r['finding']:18}{r['method']:12}{r['cases']:6}{r['correct']:9}{cell(r['in_box']):>10}"
              f"{cell(r['random']):>10}{cell(r['other_case']):>14}")
    lost = max(r["without_grid"] for r in rows)
    if lost:
        print(f"{lost} pictures whose maps all peak in one row or column do not count in the last two columns")


def main():
    args = parse_args()
    root = draw(args.cleft, f"{args.folder}/set-{args.seed}-{args.patients}", args.seed, args.patients)
    reference = None
    if args.reference:
        reference = draw(args.cleft, f"{args.folder}/set-{args.seed + 1}-{args.reference}", args.seed + 1, args.reference)
    cases = find_cases(root, args.cases)
    tables = {}
    for kind in args.prompts:
        images = predict(args, cases, root, PROMPTS[kind], reference)
        tables[kind] = measure(cases, images, PROMPTS[kind])
        show(f"prompts of {kind} findings", tables[kind])
    if args.json:
        with open(args.json, "w") as f:
            json.dump(tables, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
