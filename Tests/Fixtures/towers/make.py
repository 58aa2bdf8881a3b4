"""Writes resnet.safetensors, swin.safetensors and mae.safetensors: tiny image towers with what PyTorch makes of them.

Run with the libraries named in README.md: python make.py
Keys: `weights/<key>`, `images`, `loss_weights`, `eval/feature`, `train/feature`, `gradients/<key>` of
sum(loss_weights * feature) in training, and `after/<key>` for buffers that training moved. Everything is computed in
float64 and stored as float32, the weights and inputs being float32 numbers from the start.
"""

from pathlib import Path

import numpy as np
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.models.resnet import Bottleneck
from transformers import SwinConfig, SwinModel

FOLDER = Path(__file__).parent


def randomize(model, scale):
    """Random values for everything, with gains and variances around one."""
    for key, value in model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            value.fill_(3)
        elif key.endswith("running_var"):
            value.copy_((0.5 + torch.rand(value.shape)).float())
        elif value.dim() == 1 and key.endswith("weight"):
            value.copy_((1 + 0.2 * torch.randn(value.shape)).float())
        elif value.is_floating_point():
            value.copy_((scale * torch.randn(value.shape)).float())


def write(name, model, images, feature, gradients, rename=lambda key: key):
    """Computes one tower's numbers in both modes and writes them."""
    out = {"weights/" + rename(k): v.float().clone() for k, v in model.state_dict().items()}
    model, images = model.double(), images.float().double()
    with torch.no_grad():
        expected = feature(model.eval(), images)
    weights = torch.randn(expected.shape).float().double()
    trained = feature(model.train(), images)
    (weights * trained).sum().backward()
    out |= {"images": images, "loss_weights": weights, "eval/feature": expected, "train/feature": trained}
    for key, value in model.named_parameters():
        if rename(key) in gradients:
            out["gradients/" + rename(key)] = value.grad
    for key, value in model.named_buffers():
        if key.startswith("bn1.") or key.startswith("layer4.0.bn3."):
            out["after/" + key] = value
    assert all("gradients/" + key in out for key in gradients), name
    save_file({k: v.detach().float().contiguous() for k, v in out.items()}, FOLDER / (name + ".safetensors"))


class TinyResNet(torchvision.models.ResNet):
    """torchvision's forward pass and blocks at other widths, without classifier."""

    def __init__(self, depths, width):
        nn.Module.__init__(self)
        self._norm_layer = nn.BatchNorm2d
        self.inplanes, self.dilation, self.groups, self.base_width = width, 1, 1, 64
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._make_layer(Bottleneck, width, depths[0])
        self.layer2 = self._make_layer(Bottleneck, 2 * width, depths[1], stride=2)
        self.layer3 = self._make_layer(Bottleneck, 4 * width, depths[2], stride=2)
        self.layer4 = self._make_layer(Bottleneck, 8 * width, depths[3], stride=2)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Identity()


def published_swin_key(key):
    """transformers 5 renames parts when it loads; files have the older names."""
    for new, old in [
        ("attention.q_proj", "attention.self.query"),
        ("attention.k_proj", "attention.self.key"),
        ("attention.v_proj", "attention.self.value"),
        ("attention.relative_position_bias.", "attention.self."),
        ("attention.o_proj", "attention.output.dense"),
        ("mlp.fc1", "intermediate.dense"),
        ("mlp.fc2", "output.dense"),
    ]:
        key = key.replace(new, old)
    return key


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width, eps=1e-6), Attention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width, eps=1e-6), nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp.fc2(nn.functional.gelu(self.mlp.fc1(self.norm2(x))))


def published_positions(side, width):
    """Quirk Q27's table: a class row of zeros, then column in the first half of the channels, row in the second."""
    m = width // 2
    frequencies = 10000.0 ** (-np.arange(m // 2) / (2 * m))
    y, x = np.divmod(np.arange(side * side), side)
    halves = [np.outer(place, frequencies) for place in (x, y)]
    table = np.concatenate([part for a in halves for part in (np.sin(a), np.cos(a))], axis=1)
    return torch.tensor(np.concatenate([np.zeros((1, width)), table]))[None].float()


class MaskedAutoencoder(nn.Module):
    """The encoder and feature branch of section 4.6, with no patch masked."""

    def __init__(self, width, depth, heads, decoder_width, decoder_heads, patch, side):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.register_buffer("pos_embed", torch.zeros(1, 1 + side * side, width))
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_width))
        self.register_buffer("decoder_pos_embed", torch.zeros(1, 1 + side * side, decoder_width))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, width, patch, stride=patch)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_embed = nn.Linear(width, decoder_width)
        self.decoder_blocks_feature = nn.ModuleList(Block(decoder_width, decoder_heads) for _ in range(2))
        self.decoder_norm_feat = nn.LayerNorm(decoder_width, eps=1e-6)

    def forward(self, images):
        x = self.patch_embed.proj(images).flatten(2).mT
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        x = self.decoder_embed(self.norm(x)) + self.decoder_pos_embed
        for block in self.decoder_blocks_feature:
            x = block(x)
        return self.decoder_norm_feat(x)[:, 1:].mean(1)


def main():
    torch.manual_seed(20240721)

    resnet = TinyResNet([2, 1, 1, 1], 4)
    randomize(resnet, 0.25)
    write(
        "resnet", resnet, torch.randn(2, 3, 36, 40), lambda model, x: model(x),
        [
            "conv1.weight", "bn1.weight", "bn1.bias", "layer1.0.conv2.weight", "layer1.1.bn2.weight",
            "layer2.0.downsample.0.weight", "layer3.0.conv1.weight", "layer4.0.bn3.bias",
        ],
    )

    swin = SwinModel(
        SwinConfig(
            image_size=16, patch_size=2, embed_dim=8, depths=[2, 2], num_heads=[2, 4], window_size=4,
            drop_path_rate=0.0,
        )
    )
    randomize(swin, 0.3)
    write(
        "swin", swin, torch.randn(2, 3, 16, 16), lambda model, x: model(x).pooler_output,
        [
            "embeddings.patch_embeddings.projection.weight", "embeddings.norm.bias",
            "encoder.layers.0.blocks.0.attention.self.relative_position_bias_table",
            "encoder.layers.0.blocks.1.attention.self.relative_position_bias_table",
            "encoder.layers.0.blocks.1.attention.self.query.weight",
            "encoder.layers.0.downsample.reduction.weight",
            "encoder.layers.1.blocks.1.attention.self.relative_position_bias_table",
            "encoder.layers.1.blocks.1.output.dense.weight", "layernorm.weight",
        ],
        published_swin_key,
    )

    mae = MaskedAutoencoder(16, 2, 2, 24, 3, 4, 3)
    randomize(mae, 0.3)
    mae.decoder_pos_embed.copy_(published_positions(3, 24))
    write(
        "mae", mae, torch.randn(3, 3, 12, 12), lambda model, x: model(x),
        [
            "cls_token", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight", "norm.weight",
            "decoder_embed.weight", "decoder_blocks_feature.1.mlp.fc1.weight", "decoder_norm_feat.bias",
        ],
    )


main()
