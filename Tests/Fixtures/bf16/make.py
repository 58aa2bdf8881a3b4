"""Writes errors.json: how far PyTorch in bfloat16 is from PyTorch in float64 on the model fixtures.

Run with the libraries named in README.md: python make.py --peer FOLDER --fixtures FOLDER
FOLDER after --peer holds cleft_torch.py, the program that made the fixtures; FOLDER after --fixtures holds them.
"""

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from safetensors.torch import load_file

NAMES = ["full", "ia3", "lora", "prefix", "prompt_ft"]


def build(peer, folder, config, dtype):
    """The fixture's model with its stored weights, all of it in one type."""
    options = peer.parse_args(shlex.split(config["command"])[1:])
    model, _ = peer.build_model(options)
    missing, unexpected = model.load_state_dict(load_file(folder / "weights.safetensors"), strict=False)
    # The token embedding has a second name in prefix and prompt tuning, which the file leaves out.
    missing = [key for key in missing if not key.endswith(".word_embeddings.weight")]
    assert not missing and not unexpected, (missing, unexpected)
    model = model.to(dtype).train()
    for key, value in model.state_dict().items():
        assert value.dtype == dtype or not value.is_floating_point(), key
    return model


def run(peer, folder, config, dtype):
    """Tensors along the forward pass and gradients, under the names of expected.safetensors."""
    model = build(peer, folder, config, dtype)
    taps = {}

    def watch(key):
        def hook(module, inputs, output):
            taps.setdefault(key, output[0] if isinstance(output, tuple) else output)

        return hook

    for name, module in model.text_encoder_q.named_modules():
        if name.split(".")[-2:-1] == ["h"]:
            module.register_forward_hook(watch(f"text_block{name.split('.')[-1]}_out"))
    inputs = load_file(folder / "inputs.safetensors")
    model(inputs["images"].to(dtype), inputs["caption_ids"], inputs["attention_mask"], taps=taps).backward()
    gradients = {f"grad.{key}": value.grad for key, value in model.named_parameters() if value.grad is not None}
    result = {**taps, **gradients}
    for key, value in result.items():
        assert value.dtype == dtype or not value.is_floating_point(), (key, value.dtype)
    return {key: value.detach() for key, value in result.items()}


def check(name, config, expected, wide):
    """Compares the float64 run with the stored float32 one; prints one line; whether it is within the bounds."""
    worst, within = (0.0, ""), True
    for key, value in expected.items():
        if not value.is_floating_point():
            within = within and torch.equal(value, wide[key])
            continue
        stated = config["f64_check"][key]
        bound = 20 * stated["max_err"] + 1e-6 * stated["max_abs"]
        error = float((value.double() - wide[key]).abs().max())
        within = within and error <= bound
        if error > 0:
            worst = max(worst, (error / bound, key))
    loss = abs(float(wide["loss"]) - config["loss_f64"])
    within = within and loss < 1e-10
    print(
        f"{name}: {'within' if within else 'OUTSIDE'} the bounds, {len(expected)} tensors, "
        f"largest share of a bound {worst[0]:.3f} ({worst[1]}), loss differs from loss_f64 by {loss:.1e}"
    )
    return within


def errors(config, expected, wide, narrow):
    """The differences of each tensor, without the entries whose gradient is exactly zero."""
    result = {}
    for key, value in expected.items():
        if not value.is_floating_point():
            assert torch.equal(value, narrow[key]), key
            continue
        exact, rounded = wide[key].flatten(), narrow[key].double().flatten()
        if key.startswith("grad.") and key[5:] in config["zero_gradient"]:
            first, end = config["zero_gradient"][key[5:]]
            exact = torch.cat([exact[:first], exact[end:]])
            rounded = torch.cat([rounded[:first], rounded[end:]])
        difference = rounded - exact
        assert difference.isfinite().all(), key
        numbers = {
            "max_err": difference.abs().max(),
            "rms_err": difference.square().mean().sqrt(),
            "max_abs": exact.abs().max(),
            "rms": exact.square().mean().sqrt(),
        }
        result[key] = {kind: float(f"{float(number):.6g}") for kind, number in numbers.items()}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="folder of cleft_torch.py")
    parser.add_argument("--fixtures", type=Path, required=True, help="folder of the model fixtures")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "errors.json")
    options = parser.parse_args()
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(options.peer))
    import cleft_torch as peer

    torch.set_num_threads(1)
    table, within = {}, True
    for name in NAMES:
        folder = options.fixtures / name
        config = json.loads((folder / "config.json").read_text())
        expected = {
            key: value
            for key, value in load_file(folder / "expected.safetensors").items()
            if not key.startswith(("after3.", "step_"))
        }
        wide = run(peer, folder, config, torch.float64)
        within = check(name, config, expected, wide) and within
        table[name] = errors(config, expected, wide, run(peer, folder, config, torch.bfloat16))
    if not within:
        raise SystemExit("the rebuilt models are not the fixtures' models; nothing written")
    options.out.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
