"""Random weights of the paper's size in the published formats; see Scripts/bench/paper-weights."""

import argparse
import json
import os

import torch

WIDTH, LAYERS, HEADS, WORDS, POSITIONS = 2560, 32, 20, 28896, 1024


def normal(*shape, scale=0.02):
    return torch.empty(*shape).normal_(0, scale)


def biomedlm(dtype):
    """Names and shapes of BioMedLM's file, the byte-typed masks of the published one included."""
    # What writes to the residual stream starts smaller, as GPT-2 does, so that a random tower stays finite.
    end = 0.02 / (2 * LAYERS) ** 0.5
    state = {"transformer.wte.weight": normal(WORDS, WIDTH), "transformer.wpe.weight": normal(POSITIONS, WIDTH)}
    for i in range(LAYERS):
        h = f"transformer.h.{i}."
        for name in ("ln_1", "ln_2"):
            state[f"{h}{name}.weight"] = torch.ones(WIDTH)
            state[f"{h}{name}.bias"] = torch.zeros(WIDTH)
        for name, inputs, outputs, scale in (
            ("attn.c_attn", WIDTH, 3 * WIDTH, 0.02),
            ("attn.c_proj", WIDTH, WIDTH, end),
            ("mlp.c_fc", WIDTH, 4 * WIDTH, 0.02),
            ("mlp.c_proj", 4 * WIDTH, WIDTH, end),
        ):
            state[f"{h}{name}.weight"] = normal(inputs, outputs, scale=scale)
            state[f"{h}{name}.bias"] = torch.zeros(outputs)
    state["transformer.ln_f.weight"] = torch.ones(WIDTH)
    state["transformer.ln_f.bias"] = torch.zeros(WIDTH)
    return {name: tensor.to(dtype) for name, tensor in state.items()}


def dinov2():
    """Names and shapes of dinov2_vitb14_reg4_pretrain.pth."""
    width = 768
    state = {
        "cls_token": normal(1, 1, width, scale=1e-6),
        "pos_embed": normal(1, 1370, width),
        "register_tokens": normal(1, 4, width, scale=1e-6),
        "mask_token": torch.zeros(1, width),
        "patch_embed.proj.weight": normal(width, 3, 14, 14),
        "patch_embed.proj.bias": torch.zeros(width),
    }
    for i in range(12):
        b = f"blocks.{i}."
        for name in ("norm1", "norm2"):
            state[f"{b}{name}.weight"] = torch.ones(width)
            state[f"{b}{name}.bias"] = torch.zeros(width)
        for name, outputs, inputs in (
            ("attn.qkv", 3 * width, width),
            ("attn.proj", width, width),
            ("mlp.fc1", 4 * width, width),
            ("mlp.fc2", width, 4 * width),
        ):
            state[f"{b}{name}.weight"] = normal(outputs, inputs)
            state[f"{b}{name}.bias"] = torch.zeros(outputs)
        for name in ("ls1", "ls2"):
            state[f"{b}{name}.gamma"] = torch.full((width,), 0.1)
    state["norm.weight"] = torch.ones(width)
    state["norm.bias"] = torch.zeros(width)
    return state


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--format", choices=["bin", "safetensors"], default="bin")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    text = os.path.join(arguments.folder, "BioMedLM")
    os.makedirs(text, exist_ok=True)
    config = {
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "attn_pdrop": 0.1,
        "bos_token_id": WORDS - 1,
        "embd_pdrop": 0.1,
        "eos_token_id": WORDS - 1,
        "layer_norm_epsilon": 1e-05,
        "n_embd": WIDTH,
        "n_head": HEADS,
        "n_inner": None,
        "n_layer": LAYERS,
        "n_positions": POSITIONS,
        "reorder_and_upcast_attn": False,
        "resid_pdrop": 0.1,
        "scale_attn_by_inverse_layer_idx": True,
        "scale_attn_weights": True,
        "vocab_size": WORDS,
    }
    with open(os.path.join(text, "config.json"), "w") as file:
        json.dump(config, file, indent=2)
    state = biomedlm(getattr(torch, arguments.dtype))
    if arguments.format == "bin":
        torch.save(state, os.path.join(text, "pytorch_model.bin"))
    else:
        from safetensors.torch import save_file

        save_file(state, os.path.join(text, "model.safetensors"), metadata={"format": "pt"})
    torch.save(dinov2(), os.path.join(arguments.folder, "dinov2_vitb14_reg4_pretrain.pth"))
    print(arguments.folder)


if __name__ == "__main__":
    main()
