#!/usr/bin/env python3
"""Checks that cleft and the Python libraries read each other's files and then compute the same.

First direction: torch, transformers, peft, timm and torchvision make tiny random models and save them as they save any
model; what the models compute is stored beside them, and `cleft parity` computes it anew. Second direction: cleft
rewrites the same files, the libraries load what it wrote and must compute what they computed before.

One line per kind and direction. Exit status 1 where a relative error is over 1e-4 or something could not be read.
Run it through `Scripts/bench/interchange`, which finds the libraries and the program.
"""
import argparse
import contextlib
import copy
import fnmatch
import functools
import json
import logging
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
import zlib

import peft
import timm.layers
import torch
import torch.nn.functional as F
import torchvision
import transformers
from safetensors.torch import load_file, save_file
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from transformers.pytorch_utils import Conv1D

TOLERANCE = 1e-4
SMALL_LIMIT_BYTES = 300_000


# --------------------------------------------------------------------------- random values


def generator(name):
    """A stream of its own for each name, so that adding a model leaves the others' values alone."""
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def randn(name, *shape):
    return torch.randn(*shape, generator=generator(name))


@torch.no_grad()
def randomize(model, salt):
    """Every value away from its neutral start: no norm is the identity, no bias is zero, no batch norm has mean 0."""
    for path, module in model.named_modules():
        for name, value in list(module.named_parameters(recurse=False)) + list(module.named_buffers(recurse=False)):
            if not value.is_floating_point() or "inv_freq" in name:
                continue
            noise = randn(f"{salt}/{path}.{name}", *value.shape)
            if name == "running_var":
                value.copy_(1 + 0.3 * noise.clamp(-2, 2))
            elif name == "gamma" or (value.dim() == 1 and name == "weight"):
                value.copy_(1 + 0.2 * noise)
            elif value.dim() <= 1:
                value.copy_(0.1 * noise)
            elif isinstance(module, nn.Embedding) or isinstance(module, VisionTransformer):
                value.copy_(0.5 * noise)
            elif name == "weight":
                inputs = value.shape[0] if isinstance(module, Conv1D) else value[0].numel()
                value.copy_(noise * 0.8 / math.sqrt(inputs))
            else:
                value.copy_(0.3 * noise)
    return model


@torch.no_grad()
def randomize_adapter(model, salt):
    """What training would do, only faster: a fresh adapter leaves the model as it was and proves nothing."""
    for name, value in model.named_parameters():
        noise = randn(f"{salt}/{name}", *value.shape)
        if "ia3_l" in name or "magnitude" in name:
            value.mul_(1 + 0.3 * noise)
        elif "prompt_encoder" in name:
            value.copy_(noise * (0.5 if "embedding" in name or value.dim() < 2 else 1 / math.sqrt(value.shape[-1])))
        elif "lora_E" in name:
            value.copy_(noise)
        elif "lora_A" in name:
            value.copy_(noise / math.sqrt(value.shape[1]))
        elif "lora_B" in name:
            value.copy_(0.4 * noise / math.sqrt(value.shape[1]))


def relative_error(actual, expected):
    """Largest difference over the largest magnitude; infinite where shapes differ or a value is not a number."""
    if tuple(actual.shape) != tuple(expected.shape):
        return math.inf
    if expected.numel() == 0:
        return 0.0
    a, e = actual.double(), expected.double()
    error = ((a - e).abs().max() / e.abs().max().clamp(min=1e-12)).item()
    return error if math.isfinite(error) else math.inf


# --------------------------------------------------------------------------- text towers


class Family:
    """What differs between the kinds of text tower."""

    def __init__(self, name, config, with_head, inner, modules):
        self.name, self.config, self.with_head, self.inner, self.modules = name, config, with_head, inner, modules
        # Generation models carry positions and caches through peft, encoders only features.
        self.task = "FEATURE_EXTRACTION" if name == "bert" else "CAUSAL_LM"

    def build(self, config, bare=False):
        """The model in eval mode; causal ones with a head that passes hidden states through."""
        config = copy.deepcopy(config)
        config._attn_implementation = "eager"
        if self.name == "bert":
            return transformers.BertModel(config, add_pooling_layer=False).eval()
        model = self.with_head(config)
        model.lm_head = nn.Identity()
        return (getattr(model, self.inner) if bare else model).eval()

    def load(self, folder):
        """A Hugging Face folder as the library reads it, in float32, with the head taken off."""
        options = dict(attn_implementation="eager", dtype=torch.float32)
        if self.name == "bert":
            return transformers.BertModel.from_pretrained(folder, add_pooling_layer=False, **options).eval()
        model = self.with_head.from_pretrained(folder, **options)
        model.lm_head = nn.Identity()
        return model.eval()

    def full_names(self, state):
        """Names as the family's published checkpoints have them."""
        return {f"{self.inner}.{k}" if self.name == "bert" else k: v for k, v in state.items()}


def gpt2_config(vocab_size=72, **more):
    return transformers.GPT2Config(**{**dict(
        vocab_size=vocab_size, n_positions=40, n_embd=32, n_layer=2, n_head=4, bos_token_id=vocab_size - 1,
        eos_token_id=vocab_size - 1, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0), **more})


def llama_config(**more):
    return transformers.LlamaConfig(**{**dict(
        vocab_size=72, max_position_embeddings=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=0,
        tie_word_embeddings=False), **more})


def bert_config(**more):
    return transformers.BertConfig(**{**dict(
        vocab_size=72, max_position_embeddings=40, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0), **more})


FAMILIES = {
    "gpt2": Family("gpt2", gpt2_config, transformers.GPT2LMHeadModel, "transformer", dict(
        many=["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"], regex=r".*\.h\.\d\.(attn\.c_attn|mlp\.c_fc)",
        ranks={"h.0.attn.c_attn": 6, "mlp.c_fc": 2}, alphas={"h.1.attn.c_attn": 3, "mlp.c_fc": 5},
        attention_only=["c_attn"])),
    "llama": Family("llama", llama_config, transformers.LlamaForCausalLM, "model", dict(
        many=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        regex=r".*\.layers\.\d\.(self_attn\.v_proj|mlp\.down_proj)",
        ranks={"layers.0.self_attn.q_proj": 6, "up_proj": 2}, alphas={"layers.1.self_attn.q_proj": 3, "up_proj": 5},
        attention_only=["k_proj", "v_proj"])),
    "bert": Family("bert", bert_config, None, "bert", dict(
        many=["query", "key", "value", "dense"], regex=r"encoder\.layer\.\d\.(attention\.self\.value|intermediate\.dense)",
        ranks={"layer.0.attention.self.query": 6, "intermediate.dense": 2},
        alphas={"layer.1.attention.self.query": 3, "intermediate.dense": 5}, attention_only=["key", "value"])),
}


@torch.no_grad()
def hidden_states(model, ids, mask):
    """Last hidden states after the final norm. A loaded model may have been left in training mode by peft."""
    output = model.eval()(input_ids=ids, attention_mask=mask)
    return (output.logits if "logits" in output else output.last_hidden_state).float().contiguous()


def captions(vocabulary, pad):
    """Four captions of 10, 7, 2 and 9 tokens, padded on the right."""
    ids = torch.randint(3, vocabulary - 2, (4, 10), generator=generator("captions"))
    mask = torch.ones_like(ids)
    for row, length in enumerate((10, 7, 2, 9)):
        ids[row, length:], mask[row, length:] = pad, 0
    return ids, mask


def adapted_layers(model):
    """Paths of the layers an adapter sits on, relative to the inner model, and the base layer's path in `model`."""
    for path, module in model.named_modules():
        if isinstance(module, peft.tuners.tuners_utils.BaseTunerLayer) and hasattr(module, "base_layer"):
            yield path, module


class TextFolder:
    """A fixture folder of a text tower: its base, its adapters and what each computes."""

    def __init__(self, family, folder, config, salt, dtype=torch.float32):
        self.family, self.folder, self.config, self.salt = FAMILIES[family], folder, config, salt
        os.makedirs(folder)
        model = randomize(self.family.build(config), salt)
        # Values as the narrow file will hold them, widened again: what a reader must see.
        self.state = {k: v.to(dtype).float().contiguous() for k, v in model.state_dict().items()}
        pad = 0 if family == "bert" else config.eos_token_id
        ids, mask = captions(config.vocab_size, pad)
        self.expected = dict(caption_ids=ids, attention_mask=mask)
        self.expected["base.text_hidden"] = self.hidden(self.base())

    def base(self, bare=False):
        model = self.family.build(self.config)
        model.load_state_dict(self.state)
        return getattr(model, self.family.inner) if bare and self.family.name != "bert" else model

    def hidden(self, model):
        return hidden_states(model, self.expected["caption_ids"], self.expected["attention_mask"])

    def write_config(self, path, **more):
        values = {**self.config.to_diff_dict(), **more}
        values.pop("transformers_version", None)
        write_json(path, {k: v for k, v in values.items() if v is not None})

    def write_base(self, names=None):
        """base_config.json and base.safetensors; `names` changes the state dictionary on the way."""
        self.write_config(f"{self.folder}/base_config.json")
        state = self.family.full_names(self.state)
        save_file((names or dict)(state), f"{self.folder}/base.safetensors", metadata={"format": "pt"})

    def finish(self):
        save_file(self.expected, f"{self.folder}/expected.safetensors")

    def relative(self, path):
        """A module path of a peft model, relative to the inner model."""
        path = path.removeprefix("base_model.model.")
        return path.removeprefix(self.family.inner + ".")

    def add(self, name, model, reload_base=None):
        """Saves an adapter and stores what it computes once loaded again, which must be what it computed unsaved."""
        folder = f"{self.folder}/{name}"
        before = self.hidden(model)
        model.save_pretrained(folder)
        tidy_adapter(folder)
        if name.endswith("_bin"):
            # Older versions wrote the same dictionary by torch.save.
            to_binary(folder)
        self.expect(name, folder, reload_base or self.base, before)

    def expect(self, name, folder, reload_base, before):
        """Stores what the saved adapter computes and one merged layer; `before` is what the unsaved one computed."""
        model = peft.PeftModel.from_pretrained(reload_base(), folder).eval()
        after = self.hidden(model)
        self.expected[f"{name}.text_hidden"] = after
        assert relative_error(after, before) < 1e-5, (self.folder, name, relative_error(after, before))
        plain = self.expected["base.text_hidden"]
        assert relative_error(after[:, -plain.shape[1]:], plain) > 1e-2, (self.folder, name, "adapter does nothing")
        layers = [(path, module) for path, module in adapted_layers(model)]
        if not layers:
            return
        chosen = [layers[0]] + [l for l in layers if getattr(l[1], "is_feedforward", False)][:1]
        paths = list(dict.fromkeys(path for path, _ in chosen))
        merged = model.merge_and_unload()
        for path in paths:
            weight = merged.get_submodule(path.removeprefix("base_model.model.")).weight.detach()
            self.expected[f"{name}.merged.{self.relative(path)}.weight"] = weight.clone().contiguous()
        assert relative_error(self.hidden(merged), after) < 1e-5, (self.folder, name, "merging changes the result")


def write_json(path, values):
    with open(path, "w") as file:
        json.dump(values, file, indent=2, sort_keys=True)
        file.write("\n")


def tidy_adapter(folder):
    """Keeps what describes the adapter; peft also writes a model card. Sets come in no order, files should."""
    for name in os.listdir(folder):
        if name not in ("adapter_config.json", "adapter_model.safetensors"):
            os.remove(f"{folder}/{name}")
    path = f"{folder}/adapter_config.json"
    values = json.load(open(path))
    write_json(path, {k: sorted(v) if isinstance(v, list) and k.endswith("_modules") else v for k, v in values.items()})


def to_binary(folder):
    path = f"{folder}/adapter_model.safetensors"
    torch.save(load_file(path), f"{folder}/adapter_model.bin")
    os.remove(path)


# --------------------------------------------------------------------------- adapters


def allocate_ranks(model, config, fixture):
    """A few steps of AdaLoRA's own budget schedule, to its end: it masks singular values, then shrinks the matrices."""
    ids, mask = fixture.expected["caption_ids"], fixture.expected["attention_mask"]
    tuner = model.base_model
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    for step in range(1, config.total_step + 1):
        output = model.train()(input_ids=ids, attention_mask=mask)
        hidden = output.logits if "logits" in output else output.last_hidden_state
        hidden.square().mean().backward()
        optimizer.step()
        tuner.update_and_allocate(step)
        optimizer.zero_grad()
    model.eval()


def make_adapter(fixture, kind):
    """One adapter of the named kind on the fixture's base."""
    family, m = fixture.family, fixture.family.modules
    task = family.task
    salt = f"{fixture.salt}/{kind}"
    lora = functools.partial(peft.LoraConfig, task_type=task, lora_dropout=0.0)
    simple = {
        "lora": lambda: lora(r=4, lora_alpha=16),
        "lora_many": lambda: lora(r=4, lora_alpha=8, target_modules=m["many"]),
        "lora_patterns": lambda: lora(
            r=4, lora_alpha=8, target_modules=m["many"], rank_pattern=m["ranks"], alpha_pattern=m["alphas"]),
        "lora_rs": lambda: lora(r=4, lora_alpha=6, target_modules=m["many"], use_rslora=True, rank_pattern=m["ranks"]),
        "lora_one_layer": lambda: lora(r=4, lora_alpha=8, target_modules=m["many"], layers_to_transform=[1]),
        "lora_regex": lambda: lora(r=4, lora_alpha=8, target_modules=m["regex"]),
        "lora_bin": lambda: lora(r=2, lora_alpha=8),
        "dora": lambda: lora(r=4, lora_alpha=8, target_modules=m["many"], use_dora=True),
        "dora_rs": lambda: lora(
            r=4, lora_alpha=4, use_dora=True, use_rslora=True, target_modules=m["many"], alpha_pattern=m["alphas"]),
        "ia3": lambda: peft.IA3Config(task_type=task),
        "ia3_attention": lambda: peft.IA3Config(task_type=task, target_modules=m["attention_only"], feedforward_modules=[]),
        "adalora": lambda: adalora(4, 6, 100),
        "adalora_allocated": lambda: adalora(2, 5, 8),
        "prefix": lambda: peft.PrefixTuningConfig(task_type=task, num_virtual_tokens=5),
        "prefix_projected": lambda: peft.PrefixTuningConfig(
            task_type=task, num_virtual_tokens=5, prefix_projection=True, encoder_hidden_size=12),
        "prompt": lambda: peft.PromptTuningConfig(task_type=task, num_virtual_tokens=6),
        "ptuning": lambda: peft.PromptEncoderConfig(task_type=task, num_virtual_tokens=6, encoder_hidden_size=12),
        "ptuning_lstm": lambda: peft.PromptEncoderConfig(
            task_type=task, num_virtual_tokens=6, encoder_hidden_size=12, encoder_reparameterization_type="LSTM"),
    }

    def adalora(target, initial, steps):
        return peft.AdaLoraConfig(
            task_type=task, init_r=initial, target_r=target, tinit=1, tfinal=2, total_step=steps, lora_alpha=8, lora_dropout=0.0)

    if kind in simple:
        config = simple[kind]()
        model = peft.get_peft_model(fixture.base(), config)
        randomize_adapter(model, salt)
        if kind == "adalora":
            # Masked singular values: rank 6 on paper, 4 in effect.
            with torch.no_grad():
                for name, value in model.named_parameters():
                    if "lora_E" in name:
                        value[1], value[4] = 0, 0
        elif kind == "adalora_allocated":
            allocate_ranks(model, config, fixture)
        fixture.add(kind, model)
    elif kind == "lora_bare":
        # An adapter trained on the inner model: its keys lack the inner model's own prefix.
        model = peft.get_peft_model(fixture.base(bare=True), lora(r=4, lora_alpha=16, task_type="FEATURE_EXTRACTION"))
        randomize_adapter(model, salt)
        fixture.add(kind, model, reload_base=lambda: fixture.base(bare=True))
    elif kind == "lora_bf16":
        # Training in bfloat16 writes bfloat16; readers widen.
        model = peft.get_peft_model(fixture.base(), lora(r=4, lora_alpha=16))
        randomize_adapter(model, salt)
        with torch.no_grad():
            for name, value in model.named_parameters():
                if "lora_" in name:
                    value.copy_(value.bfloat16().float())
        fixture.add(kind, model)
        path = f"{fixture.folder}/{kind}/adapter_model.safetensors"
        save_file({k: v.bfloat16() for k, v in load_file(path).items()}, path, metadata={"format": "pt"})
    elif kind in ("lora_old", "lora_full"):
        # Key styles of whole checkpoints: the adapter's name inside the key, and for `lora_full` every base value
        # too, those of adapted layers under `.base_layer.`. peft itself does not read these as adapters.
        model = peft.get_peft_model(fixture.base(), lora(r=4, lora_alpha=16))
        randomize_adapter(model, f"{fixture.salt}/lora_old")
        fixture.add(kind, model)
        folder = f"{fixture.folder}/{kind}"
        state = {k: v.clone() for k, v in model.state_dict().items() if kind == "lora_full" or "lora_" in k}
        assert any(".lora_A.default.weight" in k for k in state)
        save_file(state, f"{folder}/adapter_model.safetensors", metadata={"format": "pt"})
    elif kind == "pissa":
        make_pissa(fixture, lora, salt)
    else:
        raise KeyError(kind)


def make_pissa(fixture, lora, salt):
    """PiSSA three ways, all computing the same.

    `pissa`: as saved, for the original base: whoever loads it takes the principal part out of the base again.
    `pissa_converted`: peft's own conversion to plain LoRA of twice the rank for the original base.
    A neighbor folder `…-residual` holds the base peft left after taking the principal part out, and the adapter
    marked as plain LoRA, as peft's guide tells people to share it.
    """
    targets = fixture.family.modules["many"]
    model = peft.get_peft_model(
        fixture.base(), lora(r=4, lora_alpha=4, target_modules=targets, init_lora_weights="pissa"))
    start = f"{fixture.folder}/pissa_start"
    model.peft_config["default"].init_lora_weights = True
    model.save_pretrained(start)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_" in name:
                value.mul_(1 + 0.3 * randn(f"{salt}/{name}", *value.shape))
    residual = TextFolder.__new__(TextFolder)
    residual.__dict__.update(fixture.__dict__, folder=f"{fixture.folder}-residual", expected=dict(
        caption_ids=fixture.expected["caption_ids"], attention_mask=fixture.expected["attention_mask"]))
    os.makedirs(residual.folder)
    base = {k.removeprefix("base_model.model.").replace(".base_layer.", "."): v.detach().clone()
            for k, v in model.state_dict().items() if "lora_" not in k}
    residual.state = {k: base[k] for k in fixture.state}
    assert relative_error(residual.hidden(residual.base()), fixture.expected["base.text_hidden"]) > 1e-2
    residual.expected["base.text_hidden"] = residual.hidden(residual.base())
    residual.write_base()
    residual.add("pissa", model)
    residual.finish()

    model.peft_config["default"].init_lora_weights = "pissa"
    fixture.add("pissa", model)
    # The conversion subtracts what the adapter was at the start.
    before = fixture.hidden(model)
    folder = f"{fixture.folder}/pissa_converted"
    model.save_pretrained(folder, path_initial_model_for_weight_conversion=start)
    shutil.rmtree(start)
    tidy_adapter(folder)
    fixture.expect("pissa_converted", folder, fixture.base, before)


ALL_ADAPTERS = (
    "lora lora_many lora_patterns lora_rs lora_one_layer lora_regex lora_bin lora_bf16 lora_bare lora_old lora_full dora dora_rs "
    "pissa ia3 ia3_attention adalora adalora_allocated prefix prefix_projected prompt ptuning ptuning_lstm").split()


def make_text(family, adapters, dtype=torch.float32, layout="file", names=None, **config):
    """A recipe for a fixture folder of a text tower."""

    def make(folder, salt):
        fixture = TextFolder(family, folder, FAMILIES[family].config(**config), salt, dtype)
        if layout == "file":
            fixture.write_base(names)
        else:
            layout(fixture, dtype)
        for kind in adapters:
            make_adapter(fixture, kind)
        fixture.finish()

    return make


def bare_names(state):
    """Names without the inner model's prefix, and GPT-2's byte-typed causal masks, as its first publication has them."""
    state = {k.split(".", 1)[1]: v for k, v in state.items()}
    masks = {f"h.{i}.attn.bias": torch.tril(torch.ones(1, 1, 40, 40, dtype=torch.uint8)) for i in range(2)}
    return {**state, **(masks if any(k.startswith("h.0.") for k in state) else {})}


def old_bert_names(state):
    """Names of checkpoints converted from TensorFlow: gamma and beta, and the heads nobody needs."""
    renamed = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
               for k, v in state.items()}
    width = state["bert.embeddings.word_embeddings.weight"].shape[1]
    return {**renamed, "bert.embeddings.position_ids": torch.arange(40).unsqueeze(0),
            "bert.pooler.dense.weight": randn("pooler", width, width), "bert.pooler.dense.bias": torch.zeros(width),
            "cls.seq_relationship.weight": randn("cls", 2, width), "cls.seq_relationship.bias": torch.zeros(2)}


def with_lm_head(state):
    """Causal models are usually saved with their head; an encoder of captions must pass it over."""
    table = next(v for k, v in state.items() if k.endswith(("wte.weight", "embed_tokens.weight")))
    return {**state, "lm_head.weight": table.clone()}


def folder_layout(shards=1, binary=False, names=None, old_config=False):
    """A Hugging Face folder `base/`: safetensors or torch.save's .bin, whole or in shards with an index."""

    def write(fixture, dtype):
        folder = f"{fixture.folder}/base"
        os.makedirs(folder)
        kind = str(dtype).removeprefix("torch.")
        extra = {"torch_dtype": kind} if old_config else {"dtype": kind}
        if old_config and hasattr(fixture.config, "rope_parameters"):
            extra.update(rope_theta=fixture.config.rope_parameters["rope_theta"], rope_parameters=None)
        for path in (f"{folder}/config.json", f"{fixture.folder}/base_config.json"):
            fixture.write_config(path, **extra)
        state = fixture.family.full_names(fixture.state)
        state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in (names or dict)(state).items()}
        save = torch.save if binary else functools.partial(save_file, metadata={"format": "pt"})
        stem, ending = ("pytorch_model", "bin") if binary else ("model", "safetensors")
        if shards == 1:
            save(state, f"{folder}/{stem}.{ending}")
        else:
            keys, index = sorted(state), {}
            for number in range(shards):
                name = f"{stem}-{number + 1:05d}-of-{shards:05d}.{ending}"
                # Interleaved: a layer's tensors lie in different files, as they may.
                part = {k: state[k] for k in keys[number::shards]}
                index.update({k: name for k in part})
                save(part, f"{folder}/{name}")
            total = sum(v.numel() * v.element_size() for v in state.values())
            write_json(f"{folder}/{stem}.{ending}.index.json", dict(metadata=dict(total_size=total), weight_map=index))
        # The library must agree that this is the model.
        loaded = fixture.family.load(folder)
        assert relative_error(fixture.hidden(loaded), fixture.expected["base.text_hidden"]) < 1e-6, fixture.folder

    return write


def saved_layout(fixture, dtype):
    """A Hugging Face folder exactly as save_pretrained writes it, cut into shards."""
    folder = f"{fixture.folder}/base"
    model = fixture.family.build(fixture.config)
    if fixture.family.name == "bert":
        model.load_state_dict(fixture.state)
    else:
        model = fixture.family.with_head(copy.deepcopy(fixture.config))
        model.load_state_dict(fixture.state, strict=False)
    model.to(dtype).save_pretrained(folder, max_shard_size="30KB")
    assert len([n for n in os.listdir(folder) if n.endswith(".safetensors")]) > 1
    for name in os.listdir(folder):
        if name == "generation_config.json":
            os.remove(f"{folder}/{name}")
    shutil.copy(f"{folder}/config.json", f"{fixture.folder}/base_config.json")
    loaded = fixture.family.load(folder)
    assert relative_error(fixture.hidden(loaded), fixture.expected["base.text_hidden"]) < 1e-6, fixture.folder


# --------------------------------------------------------------------------- image towers


def images(side, count):
    return randn(f"images{side}", count, 3, side, side)


def resample_positions(rows, new, registers):
    """DINOv2's own rule for (1, old * old, width) position rows. Its register models give a size and antialias, its
    first models give a scale factor that is 0.1 too large and do not."""
    old = math.isqrt(rows.shape[1])
    grid = rows.reshape(1, old, old, -1).permute(0, 3, 1, 2)
    if registers:
        grid = F.interpolate(grid, size=(new, new), mode="bicubic", antialias=True)
    else:
        factor = (new + 0.1) / old
        grid = F.interpolate(grid, scale_factor=(factor, factor), mode="bicubic", antialias=False)
    assert grid.shape[-2:] == (new, new)
    return grid.permute(0, 2, 3, 1).reshape(1, new * new, -1)


def default_gated_size(width):
    """DINOv2's width of a gated feed-forward block: two thirds of four widths, rounded up to a multiple of 8."""
    return (int(width * 4 * 2 / 3) + 7) // 8 * 8


def make_vit(names, registers=0, layer_scale=False, feed_forward="mlp", feed_forward_size=None, output="tokens", stored=4,
             used=4, patch=8, width=32, heads=4, file="image.safetensors", mlp_ratio=4, count=2):
    """A recipe for a fixture folder of a vision transformer, built and run by timm."""

    def make(folder, _):
        os.makedirs(folder)
        salt = os.path.basename(folder)
        class_row = names == "classic"  # The other layouts are built without it; `hub` gets its row by splitting.
        inner = (feed_forward_size or default_gated_size(width)) if feed_forward == "swiglu" else None
        options = dict(
            patch_size=patch, embed_dim=width, depth=2, num_heads=heads, num_classes=0, reg_tokens=registers,
            no_embed_class=not class_row, init_values=1e-5 if layer_scale else None, dynamic_img_size=True,
            global_pool="avg" if output == "patchMean" else "token", norm_layer=functools.partial(nn.LayerNorm, eps=1e-6),
            # timm packs both halves of the gated layer into one matrix, so its ratio counts both.
            mlp_ratio=2 * inner / width if inner else (feed_forward_size or mlp_ratio * width) / width)
        if inner:
            options.update(mlp_layer=timm.layers.SwiGLUPacked, act_layer=nn.SiLU)
        model = randomize(VisionTransformer(img_size=patch * stored, **options), salt).eval()
        state = {k: v.clone() for k, v in model.state_dict().items()}
        runner = model
        if stored != used:
            # timm resamples whatever it is given the way DINOv2's register models do, so others are resampled here.
            rows = resample_positions(state["pos_embed"][:, int(class_row):], used, registers > 0)
            rows = torch.cat([state["pos_embed"][:, :int(class_row)], rows], 1)
            runner = VisionTransformer(img_size=patch * used, **options).eval()
            runner.load_state_dict({**state, "pos_embed": rows})
        x = images(patch * used, count)
        expected = dict(images=x)
        with torch.no_grad():
            # The layers by hand up to the final norm: the mean over all its inputs is a feature of its own.
            tokens = []
            hook = (runner.fc_norm if output == "patchMean" else runner.norm).register_forward_pre_hook(
                lambda _, inputs: tokens.append(inputs[0]))
            feature = runner(x)
            hook.remove()
            if output == "patchMean":
                expected["feature.cls"] = feature
            else:
                assert tokens[0].shape == (count, 1 + registers + used * used, width)
                expected["feature.cls"] = feature
                normed = runner.norm(tokens[0])
                assert relative_error(normed[:, 0], feature) < 1e-6
                expected["feature.mean"] = (tokens[0] if output == "tokens" else normed).mean(1)
            if stored != used and registers:
                # Says that timm's resampling is DINOv2's where there are registers.
                assert relative_error(model(x), feature) < 1e-5
        if names == "hub":
            state = hub_names(state, salt)
        write_json(f"{folder}/image_config.json", dict(
            kind="vit", hiddenSize=width, depth=2, headCount=heads, patchSize=patch, registerCount=registers, mlpRatio=mlp_ratio,
            positionGrid=stored, imageSizePixels=patch * used, layerNormEpsilon=1e-6, tokenNames=names, initializerRange=0.02,
            usesLayerScale=layer_scale, feedForward=feed_forward, feedForwardSize=feed_forward_size, output=output))
        write_weights(folder, file, state)
        save_file({k: v.contiguous() for k, v in expected.items()}, f"{folder}/expected.safetensors")

    return make


def hub_names(state, salt):
    """The same model under the names of DINOv2's own files: class token and its position are two parameters that are
    only ever added, the gated matrices have names of their own, and a mask token lies about unused."""
    state = dict(state)
    row = 0.3 * randn(f"{salt}/class row", *state["cls_token"].shape)
    state["cls_token"] = state["cls_token"] - row
    state["pos_embed"] = torch.cat([row, state["pos_embed"]], 1)
    state["mask_token"] = randn(f"{salt}/mask", 1, row.shape[-1])
    if "reg_token" in state:
        state["register_tokens"] = state.pop("reg_token")
    if state["blocks.0.mlp.fc1.weight"].shape[0] != state["blocks.0.mlp.fc2.weight"].shape[1]:  # both halves in one
        state = {k.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3"): v for k, v in state.items()}
    return state


def write_weights(folder, file, state):
    if file.endswith(".pth"):
        torch.save({k: v.clone() for k, v in state.items()}, f"{folder}/{file}")
    else:
        save_file({k: v.contiguous() for k, v in state.items()}, f"{folder}/{file}", metadata={"format": "pt"})


class NarrowResNet(torchvision.models.ResNet):
    """torchvision's bottleneck network with a stem of any width and no classifier."""

    def __init__(self, depths, width):
        nn.Module.__init__(self)
        self._norm_layer, self.inplanes, self.dilation, self.groups, self.base_width = nn.BatchNorm2d, width, 1, 1, 64
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        block = torchvision.models.resnet.Bottleneck
        for stage, depth in enumerate(depths):
            setattr(self, f"layer{stage + 1}", self._make_layer(block, width << stage, depth, stride=1 if stage == 0 else 2))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Identity()


def make_resnet(depths, width, side=64, file="image.safetensors", count=2):
    def make(folder, _):
        os.makedirs(folder)
        model = randomize(NarrowResNet(depths, width), os.path.basename(folder)).eval()
        x = images(side, count)
        with torch.no_grad():
            feature = model(x)
        assert feature.shape == (count, 32 * width)
        write_json(f"{folder}/image_config.json", dict(kind="resnet", stageDepths=depths, width=width, imageSizePixels=side))
        write_weights(folder, file, model.state_dict())
        save_file({"images": x, "feature.cls": feature}, f"{folder}/expected.safetensors")

    return make


def make_swin(embed, depths, heads, window=4, side=64, file="image.safetensors", count=2):
    def make(folder, _):
        os.makedirs(folder)
        config = transformers.SwinConfig(
            image_size=side, patch_size=4, embed_dim=embed, depths=depths, num_heads=heads, window_size=window, mlp_ratio=4.0,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, drop_path_rate=0.0)
        config._attn_implementation = "eager"
        model = randomize(transformers.SwinModel(config), os.path.basename(folder)).eval()
        x = images(side, count)
        with torch.no_grad():
            output = model(pixel_values=x)
        assert relative_error(output.last_hidden_state.mean(1), output.pooler_output) < 1e-5
        # Saved files keep the published names whatever the library calls its modules by now.
        with tempfile.TemporaryDirectory() as saved:
            model.save_pretrained(saved)
            state = load_file(f"{saved}/model.safetensors")
        if file.endswith(".pth"):
            # Older versions also stored a table of indices that every reader computes anew.
            side_index = window * window
            state.update({k.replace("bias_table", "index"): torch.zeros(side_index, side_index, dtype=torch.int64)
                          for k in list(state) if k.endswith("relative_position_bias_table")})
        write_json(f"{folder}/image_config.json", dict(
            kind="swin", embeddingSize=embed, stageDepths=depths, stageHeadCounts=heads, windowSize=window, patchSize=4, imageSizePixels=side,
            mlpRatio=4))
        write_weights(folder, file, state)
        save_file({"images": x, "feature.cls": output.pooler_output.contiguous()}, f"{folder}/expected.safetensors")

    return make


# --------------------------------------------------------------------------- the fixtures


F16, BF16 = torch.float16, torch.bfloat16
SHORT = ["lora", "dora", "prefix", "prompt"]

RECIPES = {
    "gpt2": make_text("gpt2", ALL_ADAPTERS),
    "gpt2-inverse-scale": make_text("gpt2", SHORT, scale_attn_by_inverse_layer_idx=True),
    "gpt2-bare-names": make_text("gpt2", ["lora"], names=bare_names),
    "gpt2-sharded": make_text("gpt2", ["lora"], layout=saved_layout),
    "gpt2-bin": make_text("gpt2", ["lora"], layout=folder_layout(binary=True, names=with_lm_head)),
    "gpt2-bin-sharded": make_text("gpt2", ["lora"], layout=folder_layout(shards=3, binary=True)),
    "gpt2-bin-float16": make_text("gpt2", ["lora"], dtype=F16, layout=folder_layout(binary=True)),
    "gpt2-bin-bfloat16": make_text("gpt2", ["lora"], dtype=BF16, layout=folder_layout(binary=True)),
    "llama-grouped": make_text("llama", ALL_ADAPTERS),
    "llama": make_text(
        "llama", SHORT + ["ptuning", "ia3"], layout=folder_layout(names=with_lm_head, old_config=True),
        num_key_value_heads=4, rope_parameters=dict(rope_type="default", rope_theta=5000.0)),
    "llama-sharded": make_text("llama", ["lora"], layout=saved_layout),
    "llama-sharded-bfloat16": make_text("llama", ["lora"], dtype=BF16, layout=folder_layout(shards=3, old_config=True)),
    "llama-wide-heads": make_text("llama", ["lora", "prefix"], layout=folder_layout(), num_key_value_heads=1, head_dim=12),
    "bert": make_text("bert", ALL_ADAPTERS),
    "bert-bare-names": make_text("bert", ["lora"], names=bare_names),
    "bert-sharded": make_text("bert", ["lora"], layout=saved_layout),
    "bert-bin": make_text("bert", ["lora"], layout=folder_layout(binary=True, names=old_bert_names)),
    "bert-float16": make_text("bert", ["lora"], dtype=F16, layout=folder_layout()),

    "vit-timm-registers": make_vit("timm", registers=4, layer_scale=True, patch=14, width=64),
    "vit-timm-registers-resampled": make_vit("timm", registers=4, layer_scale=True, stored=6),
    "vit-timm": make_vit("timm", layer_scale=True),
    "vit-timm-swiglu": make_vit("timm", registers=4, layer_scale=True, feed_forward="swiglu"),
    "vit-hub-registers": make_vit("hub", registers=4, layer_scale=True, file="image.pth"),
    "vit-hub-registers-resampled": make_vit("hub", registers=4, layer_scale=True, stored=9),
    "vit-hub-registers-enlarged": make_vit("hub", registers=4, layer_scale=True, stored=3, used=5),
    "vit-hub": make_vit("hub", layer_scale=True, file="image.pth"),
    "vit-hub-resampled": make_vit("hub", layer_scale=True, stored=7),
    "vit-hub-enlarged": make_vit("hub", layer_scale=True, stored=3, used=5),
    "vit-hub-swiglu": make_vit("hub", layer_scale=True, feed_forward="swiglu", feed_forward_size=40),
    "vit-hub-swiglu-registers": make_vit("hub", registers=4, layer_scale=True, feed_forward="swiglu", file="image.pth"),
    "vit-classic": make_vit("classic", patch=16),
    "vit-classic-layer-scale": make_vit("classic", layer_scale=True),
    "vit-classic-patch-mean": make_vit("classic", output="patchMean", patch=16, file="image.pth"),
    "vit-classic-normalized": make_vit("classic", output="normalizedTokens", patch=16),
    "resnet": make_resnet([1, 1, 1, 1], 8),
    "resnet-uneven": make_resnet([2, 1, 1, 3], 4, side=96, file="image.pth"),
    "swin": make_swin(24, [2, 2], [2, 4]),
    "swin-unshifted": make_swin(16, [2, 2], [2, 2], side=32, file="image.pth"),

    # Kept with the tests: --small-output copies these.
    "small-gpt2": make_text(
        "gpt2", ["lora_patterns", "dora", "adalora_allocated", "ia3", "prefix_projected", "ptuning"], n_embd=8, n_head=2,
        vocab_size=40, n_positions=24, scale_attn_by_inverse_layer_idx=True),
    "small-pissa": make_text("gpt2", ["pissa"], n_embd=8, n_head=2, n_layer=1, vocab_size=40, n_positions=24),
    "small-llama": make_text(
        "llama", ["lora_rs", "ia3", "prefix", "prompt"], layout=folder_layout(shards=2), hidden_size=8, intermediate_size=12,
        num_attention_heads=2, num_key_value_heads=1, vocab_size=40),
    "small-bert": make_text(
        "bert", ["lora", "dora"], dtype=BF16, layout=folder_layout(binary=True, names=old_bert_names), hidden_size=8,
        num_attention_heads=2, intermediate_size=12, vocab_size=40),
    "small-vit-registers": make_vit("timm", registers=4, layer_scale=True, stored=6, width=8, heads=2, patch=4, count=1),
    "small-vit-swiglu": make_vit(
        "hub", layer_scale=True, feed_forward="swiglu", stored=6, width=8, heads=2, patch=4, file="image.pth", count=1),
    "small-vit-patch-mean": make_vit("classic", output="patchMean", width=8, heads=2, patch=4, count=1),
    "small-resnet": make_resnet([1, 1, 1, 1], 2, side=32, count=1),
    "small-swin": make_swin(4, [2, 1], [2, 2], window=2, side=16, count=1),
}


def make_all(names, root):
    os.makedirs(root, exist_ok=True)
    for name in names:
        for stale in (name, f"{name}-residual"):
            shutil.rmtree(f"{root}/{stale}", ignore_errors=True)
        torch.manual_seed(zlib.crc32(name.encode()))  # for what the libraries draw themselves
        with quiet():
            RECIPES[name](f"{root}/{name}", name)
    for folder, _, files in os.walk(root):
        for file in files:
            os.chmod(f"{folder}/{file}", 0o644)


@contextlib.contextmanager
def quiet():
    """The libraries warn about models without a name and heads without weights, which is how these are meant."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


# --------------------------------------------------------------------------- comparing


class Table:
    """Lines of the report, gathered per kind and direction."""

    def __init__(self):
        self.rows, self.notes = {}, []

    def add(self, kind, direction, error, note=None):
        count, worst = self.rows.get((kind, direction), (0, 0.0))
        self.rows[kind, direction] = (count + 1, max(worst, error))
        if note and not error <= TOLERANCE:
            self.notes.append(f"{kind}, {direction}: {note}")

    def fail(self, kind, direction, note):
        self.add(kind, direction, math.inf, note)

    def passes(self):
        return bool(self.rows) and all(worst <= TOLERANCE for _, worst in self.rows.values())

    def show(self):
        width = max([4] + [len(kind) for kind, _ in self.rows])
        across = max([9] + [len(direction) for _, direction in self.rows])
        print(f"{'kind':{width}}  {'direction':{across}}  tensors  worst relative error  ok")
        for (kind, direction), (count, worst) in self.rows.items():
            print(f"{kind:{width}}  {direction:{across}}  {count:7d}  {worst:20.2e}  {'yes' if worst <= TOLERANCE else 'NO'}")
        for note in self.notes:
            print(note, file=sys.stderr)
        good = sum(worst <= TOLERANCE for _, worst in self.rows.values())
        print(f"{good} of {len(self.rows)} lines within {TOLERANCE:g}")


class Cleft:
    def __init__(self, program):
        self.program = program

    def run(self, *arguments):
        """Standard output, or RuntimeError with the program's own last words."""
        try:
            result = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=300)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RuntimeError(str(error))
        if result.returncode != 0 and not (arguments[0] == "parity" and result.stdout.strip()):
            said = (result.stderr.strip() or result.stdout.strip() or "nothing").splitlines()[-1]
            raise RuntimeError(f"`cleft {' '.join(arguments)}` ended with {result.returncode} and said: {said}")
        return result.stdout


def kind_of(name, tensor):
    """`gpt2: dora` for a tensor `dora.text_hidden` of folder `gpt2`; image towers have one kind each."""
    prefix = tensor.split(".", 1)[0]
    return name if prefix == "feature" else f"{name}: {prefix}"


def into_cleft(cleft, name, folder, table):
    """First direction: cleft computes what the libraries computed."""
    direction = "libraries -> cleft"
    expected = [k for k in load_file(f"{folder}/expected.safetensors") if k not in ("caption_ids", "attention_mask", "images")]
    try:
        report = json.loads(cleft.run("parity", folder, "--json"))
        rows = {row["name"]: row for rows in report.values() for row in rows}
    except (RuntimeError, ValueError, AttributeError, KeyError, TypeError) as error:
        for tensor in expected:
            table.add(kind_of(name, tensor), direction, math.inf)
        table.notes.append(f"{name}, {direction}: {error}")
        return
    for tensor in expected:
        if tensor not in rows:
            table.fail(kind_of(name, tensor), direction, f"{tensor} is missing from the report")
            continue
        error = float(rows[tensor]["relativeError"])
        table.add(kind_of(name, tensor), direction, error if math.isfinite(error) else math.inf, f"{tensor} differs by {error:g}")


def compare_states(actual, expected, kind, direction, table, dtype=None):
    """Rewritten weights: the same keys, and values rounded to `dtype` where one was asked for."""
    for key in sorted(set(actual) | set(expected)):
        if key not in actual or key not in expected:
            table.fail(kind, direction, f"{key} is {'missing' if key in expected else 'new'}")
            continue
        value = expected[key]
        if dtype and value.is_floating_point():
            value = value.to(dtype)
        error = relative_error(actual[key], value) if actual[key].dtype == value.dtype else math.inf
        table.add(kind, direction, error, f"{key} ({actual[key].dtype}, should be {value.dtype}) differs by {error:g}")


def read_weights(path):
    return load_file(path) if path.endswith(".safetensors") else torch.load(path, weights_only=True)


REWRITES = [("safetensors", None, None), ("safetensors", "BF16", BF16), ("pth", None, None), ("pth", "F16", F16)]


def rewrite_weights(cleft, path, kind, out, table):
    """A weights file in the other container and in other element types."""
    state = read_weights(path)
    for container, flag, dtype in REWRITES:
        direction = f"cleft -> {container}" + (f" {flag}" if flag else "")
        target = f"{out}/rewritten{flag or ''}.{container}"
        try:
            cleft.run("convert", path, "--to", container, "--out", target, *(["--dtype", flag] if flag else []))
            compare_states(read_weights(target), state, kind, direction, table, dtype)
        except Exception as error:  # Whatever the reading library says about the file is the finding.
            table.fail(kind, direction, str(error).splitlines()[0])


def out_of_cleft_text(cleft, name, folder, out, table):
    """Second direction: the libraries load what cleft wrote of a text tower and its adapters."""
    config = json.load(open(f"{folder}/base_config.json"))
    family = FAMILIES[config["model_type"]]
    expected = load_file(f"{folder}/expected.safetensors")
    ids, mask = expected["caption_ids"], expected["attention_mask"]
    source = f"{folder}/base"
    if not os.path.isdir(source):
        source = f"{out}/source"
        os.makedirs(source)
        shutil.copy(f"{folder}/base_config.json", f"{source}/config.json")
        shutil.copy(f"{folder}/base.safetensors", f"{source}/model.safetensors")

    def check(kind, direction, work):
        """Runs `work`, which gives pairs of a name, an actual and an expected tensor."""
        try:
            with quiet():
                for tensor, actual, wanted in work():
                    error = relative_error(actual, wanted)
                    table.add(kind, direction, error, f"{tensor} differs by {error:g}")
        except Exception as error:  # As above: the library's complaint is the finding.
            table.fail(kind, direction, str(error).strip().splitlines()[0] if str(error).strip() else repr(error))

    def base():
        cleft.run("convert", source, "--to", "hf", "--out", f"{out}/hf")
        yield "base.text_hidden", hidden_states(family.load(f"{out}/hf"), ids, mask), expected["base.text_hidden"]

    check(f"{name}: base", "cleft -> transformers", base)
    files = [n for n in sorted(os.listdir(source)) if n.endswith((".safetensors", ".bin"))]
    if len(files) == 1:
        rewrite_weights(cleft, f"{source}/{files[0]}", f"{name}: base", out, table)

    for adapter in sorted(os.listdir(folder)):
        if not os.path.isfile(f"{folder}/{adapter}/adapter_config.json"):
            continue
        # Loaded onto the model the adapter was made for, as the library itself loads it.
        bare = adapter == "lora_bare" and family.inner != "bert"

        def rewritten():
            target = f"{out}/{adapter}"
            cleft.run("convert", f"{folder}/{adapter}", "--to", "peft", "--out", target)
            model = family.load(source)
            model = peft.PeftModel.from_pretrained(getattr(model, family.inner) if bare else model, target)
            # A key the library does not know is only warned about, and shows as a base that was not adapted.
            yield f"{adapter}.text_hidden", hidden_states(model, ids, mask), expected[f"{adapter}.text_hidden"]

        def merged():
            target = f"{out}/{adapter}-merged"
            cleft.run("merge", "--text_model", source, "--adapter", f"{folder}/{adapter}", "--out", target)
            model = family.load(target)
            yield f"{adapter}.text_hidden", hidden_states(model, ids, mask), expected[f"{adapter}.text_hidden"]
            inner = getattr(model, family.inner, model)
            for key in expected:
                if key.startswith(f"{adapter}.merged."):
                    path = key.removeprefix(f"{adapter}.merged.")
                    yield key, inner.get_parameter(path).detach(), expected[key]

        check(f"{name}: {adapter}", "cleft -> peft", rewritten)
        if any(key.startswith(f"{adapter}.merged.") for key in expected):
            check(f"{name}: {adapter}", "cleft merge -> transformers", merged)


def out_of_cleft(cleft, name, folder, out, table):
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    if os.path.exists(f"{folder}/base_config.json"):
        out_of_cleft_text(cleft, name, folder, out, table)
    else:
        file = next(n for n in ("image.safetensors", "image.pth") if os.path.exists(f"{folder}/{n}"))
        rewrite_weights(cleft, f"{folder}/{file}", name, out, table)


# --------------------------------------------------------------------------- the command


def copy_small(names, root, target):
    """Replaces the small fixtures in `target`; refuses to let the tests grow fat."""
    size = sum(os.path.getsize(f"{d}/{f}") for n in names for d, _, files in os.walk(f"{root}/{n}") for f in files)
    if size > SMALL_LIMIT_BYTES:
        sys.exit(f"interchange: the small fixtures take {size} bytes, more than {SMALL_LIMIT_BYTES}")
    os.makedirs(target, exist_ok=True)
    for name in names:
        shutil.rmtree(f"{target}/{name}", ignore_errors=True)
        shutil.copytree(f"{root}/{name}", f"{target}/{name}")
    print(f"{len(names)} folders, {size} bytes in {target}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default=".bench/interchange", help="where the made files go (default: %(default)s)")
    parser.add_argument("--only", action="append", metavar="NAME", help="this fixture only; a pattern like 'vit-*' works, repeat for more")
    parser.add_argument("--make-only", action="store_true", help="make the fixture folders, run nothing, keep them")
    parser.add_argument("--keep", action="store_true", help="leave the made files in place after a good run; a bad one always leaves them")
    parser.add_argument("--small-output", metavar="FOLDER", help="make the small fixtures, copy them to FOLDER, run nothing")
    parser.add_argument("--cleft", default=os.environ.get("CLEFT") or ".build/release/cleft", help="the program to check")
    parser.add_argument("--list", action="store_true", help="print the fixtures' names")
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()

    patterns = ["small-*"] if options.small_output else options.only or ["*"]
    names = [n for n in RECIPES if any(fnmatch.fnmatch(n, p) for p in patterns)]
    if not names:
        sys.exit(f"interchange: no fixture is called {', '.join(patterns)}; --list names them")
    if options.list:
        print("\n".join(names))
        return 0
    root, started = f"{options.work}/fixtures", time.time()
    make_all(names, root)
    folders = [n for made in names for n in (made, f"{made}-residual") if os.path.isdir(f"{root}/{n}")]
    if options.small_output:
        copy_small(folders, root, options.small_output)
        return 0
    print(f"== made {len(folders)} fixture folders in {time.time() - started:.0f} s: {root}")
    if options.make_only:
        return 0

    cleft, table = Cleft(os.path.abspath(options.cleft)), Table()
    for name in folders:
        into_cleft(cleft, name, f"{root}/{name}", table)
        out_of_cleft(cleft, name, f"{root}/{name}", f"{options.work}/written/{name}", table)
    table.show()
    if table.passes() and not options.keep:
        shutil.rmtree(root)
        shutil.rmtree(f"{options.work}/written")
    return 0 if table.passes() else 1


if __name__ == "__main__":
    sys.exit(main())
