"""Losses of pairs and of classes by their formulas, with torch's gradients, in float64; stored in float32."""
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(11)
BATCH, WIDTH, CLASSES = 7, 5, 3
out = {}
images = F.normalize(torch.randn(BATCH, WIDTH), dim=1)
texts = F.normalize(torch.randn(BATCH, WIDTH), dim=1)
groups = torch.tensor([0, 1, 0, 2, 1, 0, 3])
# The published start, and a trained state in which pairs are told apart.
states = {"start": (2.302585, -10.0), "trained": (3.4, -4.5)}
logits = 3 * torch.randn(BATCH, CLASSES)
labels = (torch.rand(BATCH, CLASSES) < 0.4).float()
out |= {"images": images, "texts": texts, "groups": groups.float(), "logits": logits, "labels": labels}


def siglip(u, v, scale, bias, same):
    z = 2 * same - 1
    return -F.logsigmoid(z * (scale.exp() * u @ v.T + bias)).sum() / BATCH


def contrastive(u, v, scale, bias, same):
    scores = scale.exp() * u @ v.T
    target = same / same.sum(1, keepdim=True)
    return -(target * scores.log_softmax(1)).sum(1).mean() - (target.T * scores.T.log_softmax(1)).sum(1).mean()


for state, (scale, bias) in states.items():
    for name, same in [("pairs", torch.eye(BATCH)), ("groups", (groups[:, None] == groups[None, :]).float())]:
        for loss in (siglip, contrastive):
            leaves = [x.double().requires_grad_() for x in (images, texts, torch.tensor(scale), torch.tensor(bias))]
            value = loss(*leaves, same.double())
            gradients = torch.autograd.grad(value, leaves, allow_unused=True)
            key = f"{loss.__name__}.{state}.{name}"
            out[key + ".loss"] = value.detach().reshape(1)
            for part, gradient in zip(("images", "texts", "scale", "bias"), gradients):
                if gradient is not None:
                    out[f"{key}.{part}"] = gradient.reshape(-1)
x = logits.double().requires_grad_()
value = F.binary_cross_entropy_with_logits(x, labels.double())
out["bce.loss"] = value.detach().reshape(1)
out["bce.logits"] = torch.autograd.grad(value, x)[0].reshape(-1)
save_file({key: tensor.float().contiguous() for key, tensor in out.items()}, "losses.safetensors")
