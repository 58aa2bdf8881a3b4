"""Writes expected.safetensors and cases.json: what PyTorch's and transformers' optimizers make of known gradients.

Start values and gradients are formulas over the element's index, so that only results are stored.
"""

import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers.optimization import Adafactor

FOLDER = pathlib.Path(__file__).parent
STEPS = 8
RATES = [1e-3, 2e-3, 5e-3, 5e-3, 4e-3, 3e-3, 2e-3, 1e-3]
SCALES = [0.1, 1, 3, 0.5, 10, 0.01, 1, 2]
SHAPES = {
    "scalar": [], "one": [1], "vector": [33], "long": [40000], "matrix": [7, 19], "row": [1, 5], "column": [6, 1],
    "three": [3, 5, 7], "four": [4, 3, 5, 5], "large": [300, 260], "pair": [2, 200, 170], "many": [5000, 3, 3],
    "late": [4, 9],
}
CASES = {
    "adamw_decay": dict(optimizer="adamw", momentum=0.9, weight_decay=0.1, clip=None),
    "adamw_plain": dict(optimizer="adamw", momentum=0.5, weight_decay=0.0, clip=None),
    "adamw_clipped": dict(optimizer="adamw", momentum=0.9, weight_decay=0.05, clip=0.5),
    "sgd_decay": dict(optimizer="sgd", momentum=0.9, weight_decay=0.1, clip=None),
    "sgd_plain": dict(optimizer="sgd", momentum=0.0, weight_decay=0.0, clip=None),
    "sgd_clipped": dict(optimizer="sgd", momentum=0.9, weight_decay=0.0, clip=0.5),
    "adafactor_decay": dict(optimizer="adafactor", momentum=0.9, weight_decay=0.1, clip=None),
    "adafactor_plain": dict(optimizer="adafactor", momentum=0.5, weight_decay=0.0, clip=None),
    "adafactor_clipped": dict(optimizer="adafactor", momentum=0.9, weight_decay=0.05, clip=0.5),
}
MISSING = {"late": [0, 3]}  # steps without a gradient


def start(number, shape):
    i = torch.arange(int(torch.tensor(shape).prod()) if shape else 1)
    return (((i * 37 + number * 101) % 1009).double() / 1009 - 0.5).float().reshape(shape)


def gradient(number, shape, step):
    i = torch.arange(int(torch.tensor(shape).prod()) if shape else 1)
    value = (((3 * i * i + 13 * i + 7 * step + 31 * number) % 997).double() / 997 - 0.5) * SCALES[step]
    return torch.where((i + step) % 11 == 5, 0.0, value).float().reshape(shape)


def sample(tensor):
    """At most about a hundred elements, at a step that is odd."""
    flat = tensor.detach().double().reshape(-1)
    return flat[:: (flat.numel() // 100) | 1].contiguous()


def make(case, parameters):
    groups = [dict(params=list(parameters.values()), weight_decay=case["weight_decay"])]
    if case["optimizer"] == "adamw":
        return torch.optim.AdamW(groups, lr=1.0, betas=(case["momentum"], 0.999), eps=1e-8, foreach=False)
    if case["optimizer"] == "sgd":
        return torch.optim.SGD(groups, lr=1.0, momentum=case["momentum"], foreach=False)
    return Adafactor(groups, lr=1.0, scale_parameter=False, relative_step=False, warmup_init=False,
                     beta1=case["momentum"])


def run(case, dtype):
    parameters = {
        name: torch.nn.Parameter(start(number, shape).to(dtype)) for number, (name, shape) in enumerate(SHAPES.items())}
    optimizer = make(case, parameters)
    norms = []
    for step in range(STEPS):
        for number, (name, shape) in enumerate(SHAPES.items()):
            has = step not in MISSING.get(name, [])
            parameters[name].grad = gradient(number, shape, step).to(dtype) if has else None
        if case["clip"]:
            norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), case["clip"]).item())
        for group in optimizer.param_groups:
            group["lr"] = RATES[step]
        optimizer.step()
    results = {}
    for name, parameter in parameters.items():
        results[f"{name}.value"] = sample(parameter)
        for key, value in optimizer.state[parameter].items():
            if isinstance(value, torch.Tensor) and key not in ("step", "RMS"):
                results[f"{name}.{key}"] = sample(value)
    return results, norms


def half():
    """Weights in bfloat16 without masters: where they are after constant gradients."""
    answers = {}
    for name, starts, steps, make in [
        ("adamw", [1.0, 2.65625, 0.02, 0.01, 0.001], 200,
         lambda p: torch.optim.AdamW(p, lr=4e-5, betas=(0.9, 0.999), weight_decay=0.1, foreach=False)),
        ("sgd", [0.05], 100, lambda p: torch.optim.SGD(p, lr=1e-4, momentum=0.9, foreach=False)),
    ]:
        weights = torch.nn.Parameter(torch.tensor(starts).bfloat16())
        before = weights.detach().clone()
        optimizer = make([weights])
        for _ in range(steps):
            weights.grad = torch.full_like(weights, 0.1)
            optimizer.step()
        answers[name] = dict(
            start=starts, steps=steps, end=weights.detach().float().tolist(),
            moved=(weights.detach() != before).tolist())
    return answers


tensors, errors, norms = {}, {}, {}
for name, case in CASES.items():
    exact, norms[name] = run(case, torch.float64)
    single, _ = run(case, torch.float32)
    worst = 0.0
    for key, value in exact.items():
        tensors[f"{name}/{key}"] = value.float()
        worst = max(worst, ((single[key] - value).abs().max() / value.abs().max()).item())
    errors[name] = worst
    print(f"{name}: PyTorch's float32 error {worst:.2e}")
save_file(tensors, FOLDER / "expected.safetensors")
(FOLDER / "cases.json").write_text(json.dumps(
    dict(steps=STEPS, rates=RATES, scales=SCALES, shapes=[dict(name=n, shape=s) for n, s in SHAPES.items()],
         missing=MISSING, half=half(),
         cases={n: dict(c, norms=norms[n], torch_error=errors[n]) for n, c in CASES.items()}), indent=1) + "\n")
