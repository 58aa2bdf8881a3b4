"""Writes expected.json: what scikit-learn makes of 500 tables of predictions.

Tables are drawn by a splitmix64 generator with exact arithmetic, here and in
Tests/CleftMetricsTests/ScikitLearnCases.swift, so that only results are stored.
"""

import json
import pathlib
import warnings
from fractions import Fraction

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score, average_precision_score, auc, balanced_accuracy_score, brier_score_loss, f1_score, log_loss,
    precision_recall_curve, roc_auc_score, roc_curve, top_k_accuracy_score,
)

warnings.filterwarnings("ignore")

CASES = 500
MASK = (1 << 64) - 1
METRICS = [
    "accuracy", "balanced_accuracy", "auc", "average_precision", "f1", "log_loss", "brier", "top2_accuracy",
    "calibration_error",
]


class Draws:
    def __init__(self, seed):
        self.state = seed

    def bits(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, count):
        return self.bits() % count

    def uniform(self):
        return (self.bits() >> 11) * 2.0**-53


class Case:
    """Probabilities [n, K], truths [n, K], known [n, K], weights [n] or None."""

    def __init__(self, index):
        draws = Draws(7 * index + 1)
        self.kind = ["binary", "binary", "classes", "classes", "labels"][index % 5]
        n = 2 + (draws.below(10) if draws.below(3) == 0 else draws.below(199))
        width = 2 if self.kind == "binary" else (3 if self.kind == "classes" else 1) + draws.below(5)
        grain = [4, 10, 1000, 1 << 30][draws.below(4)]
        is_single = draws.below(10) == 0
        only = draws.below(width)
        weight_kind = draws.below(3)
        has_unknown = draws.below(2) == 0
        present = 2 + draws.below(max(width - 1, 1))
        rows = [getattr(self, self.kind)(draws, width, grain, present) for _ in range(n)]
        self.p = np.array([row[0] for row in rows], dtype=np.float64)
        self.known = np.ones((n, width), dtype=bool)
        if self.kind == "labels":
            self.y = np.array([row[1] for row in rows], dtype=int)
            if is_single:
                self.y[:] = only == 0
            if has_unknown:
                self.known = np.array([row[2] for row in rows]) >= 0.15
        else:
            self.labels = np.array([only if is_single else row[1] for row in rows])
            self.y = np.eye(width, dtype=int)[self.labels]
        if weight_kind == 0:
            self.w = None
        elif weight_kind == 1:
            self.w = np.array([float(draws.below(4)) for _ in range(n)])
        else:
            self.w = np.array([0.0 if draws.below(5) == 0 else draws.uniform() for _ in range(n)])

    @staticmethod
    def binary(draws, width, grain, present):
        p = draws.below(grain + 1) / grain
        return [1 - p, p], int(draws.uniform() < 0.2 + 0.6 * p)

    @staticmethod
    def classes(draws, width, grain, present):
        parts = [draws.below(grain + 1) for _ in range(width)]
        if sum(parts) == 0:
            parts[0] = 1
        best = parts.index(max(parts))
        is_best, other = draws.uniform() < 0.5, draws.below(present)
        return [part / sum(parts) for part in parts], best if is_best and best < present else other

    @staticmethod
    def labels(draws, width, grain, present):
        p, y, u = [], [], []
        for _ in range(width):
            p.append(draws.below(grain + 1) / grain)
            y.append(int(draws.uniform() < 0.2 + 0.6 * p[-1]))
            u.append(draws.uniform())
        return p, y, u

    def columns(self):
        """(truth, probability, weights) of each class that is ranked."""
        for k in range(1 if self.kind == "binary" else 0, self.p.shape[1]):
            on = self.known[:, k]
            yield self.y[on, k], self.p[on, k], None if self.w is None else self.w[on]

    def cells(self):
        """(truth, probability, weights) of all known cells."""
        weights = None if self.w is None else np.repeat(self.w, self.p.shape[1])[self.known.ravel()]
        return self.y[self.known], self.p[self.known], weights


def has_both(y, w):
    there = y if w is None else y[w > 0]
    return len(set(there.tolist())) == 2


def mean(values):
    values = list(values)
    return float(np.mean(values)) if values else None


def calibration_error(p, came_true, w, bins=15):
    """Guo et al. 2017: bins (m / 15, (m + 1) / 15]."""
    w = np.ones(len(p)) if w is None else w
    edges = np.linspace(0, 1, bins + 1)
    total = 0.0
    for m in range(bins):
        inside = ((p > edges[m]) | (m == 0)) & (p <= edges[m + 1])
        total += abs((w * (came_true - p))[inside].sum())
    return total / w.sum()


def top_two(case):
    """scikit-learn lets the last of equal scores win; with the columns reversed, the first."""
    width = case.p.shape[1]
    return top_k_accuracy_score(
        width - 1 - case.labels, case.p[:, ::-1], k=2, labels=range(width), sample_weight=case.w)


def metrics(case):
    rows, columns = case.kind != "labels", list(case.columns())
    y, p, w = case.cells()
    there = np.ones(len(y), dtype=bool) if w is None else w > 0
    if (case.w is not None and case.w.sum() == 0) or not there.any():
        return [None] * len(METRICS)
    both = [column for column in columns if has_both(column[0], column[2])]
    area = mean(roc_auc_score(y, p, sample_weight=w) for y, p, w in both)
    precision = mean(average_precision_score(y, p, sample_weight=w) for y, p, w in both)
    if not rows:
        f1 = [
            f1_score(y[on], p[on] > 0.5, sample_weight=None if w is None else w[on])
            for y, p, w in columns for on in [np.ones(len(y), dtype=bool) if w is None else w > 0]
            if (y[on] | (p[on] > 0.5)).any()
        ]
        return [
            accuracy_score(y, p > 0.5, sample_weight=w), None, area, precision, mean(f1),
            log_loss(y, p, sample_weight=w, labels=[0, 1]),
            # The function refuses truths of one kind without a name for yes.
            brier_score_loss(y, p, sample_weight=w, pos_label=1), None, calibration_error(p, y, w),
        ]
    width = case.p.shape[1]
    answers = case.p.argmax(axis=1)
    if case.kind == "classes" and len(both) == width:
        together = roc_auc_score(
            case.labels, case.p, multi_class="ovr", average="macro", labels=range(width), sample_weight=case.w)
        assert abs(together - area) < 1e-15
        if len(set(case.labels.tolist())) == width:
            together = average_precision_score(case.labels, case.p, sample_weight=case.w)
            assert abs(together - precision) < 1e-15
    on = np.ones(len(case.labels), dtype=bool) if case.w is None else case.w > 0
    return [
        accuracy_score(case.labels, answers, sample_weight=case.w),
        balanced_accuracy_score(case.labels, answers, sample_weight=case.w),
        area, precision,
        f1_score(
            case.labels[on], answers[on], average="macro", sample_weight=None if case.w is None else case.w[on]),
        log_loss(case.labels, case.p, sample_weight=case.w, labels=range(width)),
        brier_score_loss(case.labels, case.p, sample_weight=case.w, labels=range(width)),
        top_two(case) if width > 2 else None,
        calibration_error(case.p.max(axis=1), answers == case.labels, case.w),
    ]


def digest(x, y):
    """Length of a curve and sums over it that depend on every point and their order."""
    places = np.arange(1, len(x) + 1)
    return [len(x), float((places * x).sum()), float((places * y).sum())]


def thresholds(y, p):
    """Best F1 and best Youden index over all scores, the highest of equally good ones, by fractions."""
    best = {}
    for t in sorted(set(p.tolist()), reverse=True):
        hits, alarms = int(y[p >= t].sum()), int((1 - y)[p >= t].sum())
        values = {
            "f1": Fraction(2 * hits, hits + alarms + int(y.sum())),
            "youden": Fraction(hits, int(y.sum())) - Fraction(alarms, int((1 - y).sum())),
        }
        for rule, value in values.items():
            if rule not in best or value > best[rule][1]:
                best[rule] = (t, value)
    return {rule: [t, float(value)] for rule, (t, value) in best.items()}


def curves(case, index):
    y, p, w = next(case.columns())
    result = {}
    if has_both(y, w):
        for name, drops in [("roc", True), ("roc_all", False)]:
            x, up, _ = roc_curve(y, p, sample_weight=w, drop_intermediate=drops)
            result[name] = digest(x, up)
            assert abs(auc(x, up) - roc_auc_score(y, p, sample_weight=w)) < 1e-14
        for name, drops in [("pr", True), ("pr_all", False)]:
            precision, recall, _ = precision_recall_curve(y, p, sample_weight=w, drop_intermediate=drops)
            result[name] = digest(recall[::-1], precision[::-1])
        if w is None:
            result |= thresholds(y, p)
    if w is not None and (w.sum() == 0 or (w % 1).any()):
        return result
    # Whole weights are samples that are there several times.
    repeats = np.ones(len(y), dtype=int) if w is None else w.astype(int)
    y, p, bins = np.repeat(y, repeats), np.repeat(p, repeats), 2 + index % 8
    result["bins"] = bins
    for strategy in ["uniform", "quantile"] if w is None else ["uniform"]:
        shares, means = calibration_curve(y, p, n_bins=bins, strategy=strategy, pos_label=1)
        result[strategy] = [shares.tolist(), means.tolist()]
    return result


def main():
    lines = []
    for index in range(CASES):
        case = Case(index)
        entry = {"values": [None if value is None else float(value) for value in metrics(case)]}
        if case.kind == "binary":
            entry |= curves(case, index)
        lines.append(json.dumps(entry, separators=(",", ":"), allow_nan=False))
    text = '{"metrics":' + json.dumps(METRICS) + ',"cases":[\n' + ",\n".join(lines) + "\n]}\n"
    (pathlib.Path(__file__).parent / "expected.json").write_text(text)


if __name__ == "__main__":
    main()
