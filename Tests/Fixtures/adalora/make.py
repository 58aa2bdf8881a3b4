"""Twelve steps of PEFT's AdaLoRA rank allocation on given gradients: which singular values it sets to zero, and the
orthogonality term. Values move between the steps by a fixed rule, as an optimizer would move them."""

import torch
from peft import AdaLoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

STEPS = 12
torch.manual_seed(3)
base = GPT2LMHeadModel(GPT2Config(vocab_size=40, n_positions=40, n_embd=16, n_layer=2, n_head=2))
config = AdaLoraConfig(
    task_type="CAUSAL_LM", init_r=6, target_r=2, tinit=2, tfinal=4, deltaT=3, total_step=STEPS, lora_alpha=8,
    orth_reg_weight=0.5, target_modules=["c_attn"],
)
model = get_peft_model(base, config)
names = {n: p for n, p in model.named_parameters() if "lora_" in n}
out = {}


def key(name):
    return name.replace("base_model.model.", "")


with torch.no_grad():
    for name, p in names.items():
        p.normal_(0, 0.3)
        out["start." + key(name)] = p.clone()
terms = []
for name, p in names.items():
    if "lora_A" in name or "lora_B" in name:
        square = p @ p.T if "lora_A" in name else p.T @ p
        terms.append(torch.linalg.norm(square - torch.eye(len(square))))
out["regularization"] = (0.5 * torch.stack(terms).mean()).detach().reshape(1)
for step in range(STEPS):
    for name, p in names.items():
        p.grad = torch.randn_like(p)
        out[f"grad{step}.{key(name)}"] = p.grad.clone()
        with torch.no_grad():
            p.sub_(0.01 * p.grad)
    model.base_model.update_and_allocate(step)
    for name, p in names.items():
        if "lora_E" in name:
            out[f"after{step}.{key(name)}"] = p.detach().clone()
save_file({name: tensor.contiguous() for name, tensor in out.items()}, "adalora.safetensors")
