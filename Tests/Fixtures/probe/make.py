"""Linear probes of made-up features by scikit-learn: standardized features, ridge and logistic regression of several strengths."""
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.preprocessing import StandardScaler

STRENGTHS = [0.01, 1.0, 100.0]
rng = np.random.default_rng(8)
ROWS, WIDTH = 90, 9
features = rng.normal(size=(ROWS, WIDTH)) * np.exp(rng.normal(size=WIDTH)) + 3 * rng.normal(size=WIDTH)
features[:, 4] = 0.7  # the same everywhere: stays out
features[:, 7] = 0.8 * features[:, 1] + 0.2 * features[:, 7]
features = features.astype(np.float32)
scaler = StandardScaler().fit(features.astype(np.float64))
z = scaler.transform(features.astype(np.float64))
truth = rng.normal(size=(WIDTH, 4))
four = (z @ truth + 2 * rng.gumbel(size=(ROWS, 4))).argmax(1)
two = (four >= 2).astype(int)
each = (z @ rng.normal(size=(WIDTH, 3)) + rng.normal(size=(ROWS, 3)) > [0, 1, -0.5]).astype(int)
known = rng.random((ROWS, 3)) > 0.15
known[:, 0] = True


def logistic(x, y, c):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(x, y)


def ridge(x, y, alpha):
    return RidgeClassifier(alpha=alpha, solver="cholesky").fit(x, y)


def one(fit, x, y, strength):
    model = fit(x, y, strength)
    return {"coefficients": np.atleast_2d(model.coef_).tolist(), "intercepts": np.atleast_1d(model.intercept_).tolist()}


def by_class(fit, strength):
    parts = [one(fit, z[known[:, k]], each[known[:, k], k], strength) for k in range(3)]
    return {
        "coefficients": [part["coefficients"][0] for part in parts],
        "intercepts": [part["intercepts"][0] for part in parts],
    }


cases = []
for name, fit in [("logistic", logistic), ("ridge", ridge)]:
    for strength in STRENGTHS:
        cases += [
            {"method": name, "labels": "four", "strength": strength, **one(fit, z, four, strength)},
            {"method": name, "labels": "two", "strength": strength, **one(fit, z, two, strength)},
            {"method": name, "labels": "each", "strength": strength, **by_class(fit, strength)},
        ]
out = {
    "width": WIDTH, "features": [float(v) for v in features.reshape(-1)], "means": scaler.mean_.tolist(),
    "deviations": np.sqrt(scaler.var_).tolist(), "four": four.tolist(), "two": two.tolist(),
    "each": each.tolist(), "known": known.astype(int).tolist(), "cases": cases,
}
Path(__file__).with_name("probe.json").write_text(json.dumps(out) + "\n")
