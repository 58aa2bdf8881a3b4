"""CLEFT's models and training step in PyTorch, as the published program has them.

Image tower: DINOv2's vision transformer with the parameter names of its hub models. Text tower: Hugging Face's GPT-2, its
head taken off, with peft's adapters and prompt vectors. Nothing is downloaded; the values come from a dictionary whose
keys are cleft's (`load`), and so do the sizes: the `model.json` of a cleft checkpoint or trace.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

# --------------------------------------------------------------------------- image tower


class PatchEmbedding(nn.Module):
    def __init__(self, width, patch):
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)

    def forward(self, images):
        return self.proj(images).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, tokens, width))


class MLP(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class LayerScale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.gamma


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, epsilon = config["hiddenSize"], config["layerNormEpsilon"]
        self.norm1 = nn.LayerNorm(width, epsilon)
        self.attn = Attention(width, config["headCount"])
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, epsilon)
        self.mlp = MLP(width, config["mlpRatio"] * width)
        self.ls2 = LayerScale(width)

    def forward(self, x):
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class VisionTransformer(nn.Module):
    """DINOv2 with register tokens; `forward` gives all tokens before the final norm."""

    def __init__(self, config):
        super().__init__()
        fixed = dict(kind="vit", tokenNames="hub", output="tokens", feedForward="mlp", usesLayerScale=True, dropPath=0,
                     maskedFraction=0)
        for name, value in fixed.items():
            if config[name] != value:
                raise NotImplementedError(f"image tower with {name} {config[name]}; expected {value}")
        if config["registerCount"] == 0:
            raise NotImplementedError("image tower without register tokens: its positions are resampled in another way")
        width, self.grid = config["hiddenSize"], config["positionGrid"]
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid**2, width))
        self.register_tokens = nn.Parameter(torch.zeros(1, config["registerCount"], width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # in every checkpoint, without a use here
        self.patch_embed = PatchEmbedding(width, config["patchSize"])
        self.blocks = nn.ModuleList(Block(config) for _ in range(config["depth"]))
        self.norm = nn.LayerNorm(width, config["layerNormEpsilon"])
        self.patch = config["patchSize"]

    def positions(self, rows, columns):
        """The stored grid, resampled to the picture's unless it is that one already."""
        if rows == columns == self.grid:
            return self.pos_embed
        grid = self.pos_embed[:, 1:].reshape(1, self.grid, self.grid, -1).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, size=(rows, columns), mode="bicubic", antialias=True, align_corners=False)
        return torch.cat([self.pos_embed[:, :1], grid.flatten(2).transpose(1, 2)], 1)

    def forward(self, images):
        batch = images.shape[0]
        x = torch.cat([self.cls_token.expand(batch, -1, -1), self.patch_embed(images)], 1)
        x = x + self.positions(images.shape[2] // self.patch, images.shape[3] // self.patch)
        x = torch.cat([x[:, :1], self.register_tokens.expand(batch, -1, -1), x[:, 1:]], 1)
        for block in self.blocks:
            x = block(x)
        return x


class ProjectionHead(nn.Module):
    """The published default projection: two layers with batch norm."""

    def __init__(self, inputs, outputs, hidden=2048):
        super().__init__()
        self.head = nn.Sequential(nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, outputs),
                                  nn.BatchNorm1d(outputs, affine=False))

    def forward(self, x):
        return self.head(x)


def make_head(kind, inputs, outputs):
    return nn.Linear(inputs, outputs) if kind == "linear" else ProjectionHead(inputs, outputs)


class ImageEncoder(nn.Module):
    def __init__(self, vision, pooling, head):
        super().__init__()
        self.model = VisionTransformer(vision)
        self.global_embed = head
        self.pooling = pooling

    def forward(self, images):
        x = self.model(images)
        return self.global_embed(x.mean(1) if self.pooling == "mean" else self.model.norm(x)[:, 0])


# --------------------------------------------------------------------------- text tower


def make_gpt(config, uses_cache):
    """GPT-2 whose logits are its last hidden states."""
    from transformers import GPT2Config, GPT2LMHeadModel

    if config["model_type"] != "gpt2":
        raise NotImplementedError(f"text tower {config['model_type']}; expected gpt2")
    drop, end = config["resid_pdrop"], config["eos_token_id"]
    model = GPT2LMHeadModel(GPT2Config(
        vocab_size=config["vocab_size"], n_positions=config["n_positions"], n_embd=config["n_embd"],
        n_layer=config["n_layer"], n_head=config["n_head"], layer_norm_epsilon=config["layer_norm_epsilon"],
        activation_function="gelu_new", resid_pdrop=drop, embd_pdrop=drop, attn_pdrop=drop,
        scale_attn_by_inverse_layer_idx=config["scale_attn_by_inverse_layer_idx"], reorder_and_upcast_attn=False,
        bos_token_id=end, eos_token_id=end, pad_token_id=end, use_cache=uses_cache, attn_implementation="eager"))
    model.lm_head = nn.Identity()
    return model


def add_adapter(model, adapter, is_frozen):
    """Wraps as the published program does: `inference_mode` freezes the adapter's own parameters."""
    import peft

    method, values = adapter["method"], adapter["config"]
    for name in ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "prefix_projection", "cleft_allocates"):
        if values.get(name):
            raise NotImplementedError(f"{method} with {name} {values[name]}")
    common = dict(task_type=peft.TaskType.CAUSAL_LM, inference_mode=is_frozen)
    if method == "lora":
        config = peft.LoraConfig(**common, r=values["r"], lora_alpha=values["lora_alpha"], lora_dropout=values["lora_dropout"],
                                 target_modules=values.get("target_modules") or ["c_attn"], fan_in_fan_out=True)
    elif method == "adalora":
        # The counts belong to the rank allocation, which nobody calls.
        config = peft.AdaLoraConfig(**common, init_r=values["init_r"], target_r=values["target_r"],
                                    lora_alpha=values["lora_alpha"], lora_dropout=values["lora_dropout"],
                                    target_modules=values.get("target_modules") or ["c_attn"], fan_in_fan_out=True,
                                    tinit=0, tfinal=0, total_step=1)
    elif method == "ia3":
        config = peft.IA3Config(**common, target_modules=values.get("target_modules") or ["c_attn", "mlp.c_proj"],
                                feedforward_modules=values.get("feedforward_modules") or ["mlp.c_proj"], fan_in_fan_out=True)
    elif method == "prefix":
        config = peft.PrefixTuningConfig(**common, num_virtual_tokens=values["num_virtual_tokens"])
    else:
        raise NotImplementedError(f"adapter {method}")
    return peft.get_peft_model(model, config)


def add_prompt(model, count):
    import peft

    return peft.get_peft_model(model, peft.PromptTuningConfig(
        task_type=peft.TaskType.CAUSAL_LM, inference_mode=False, num_virtual_tokens=count,
        prompt_tuning_init=peft.PromptTuningInit.RANDOM))


class TextEncoder(nn.Module):
    def __init__(self, description, head, is_frozen):
        super().__init__()
        encoder, adapter, prompt = description["encoder"], description.get("adapter"), description.get("prompt")
        self.model = make_gpt(encoder["text"], bool(adapter) and adapter["method"] == "prefix")
        if adapter and prompt and adapter["method"] == "prefix":
            raise NotImplementedError("prompt vectors in front of a prefix")
        if adapter:
            self.model = add_adapter(self.model, adapter, is_frozen=prompt is not None)
        self.global_embed = head
        if is_frozen:
            self.model.requires_grad_(False)
        self.prompt_count = 0
        if prompt:
            self.requires_grad_(False)
            self.prompt_count = prompt["num_virtual_tokens"]
            self.model = add_prompt(self.model, self.prompt_count)
        self.pooled_token = encoder["pooledToken"]

    def position(self, mask):
        """Index of the hidden state that stands for each caption, virtual tokens in front included."""
        words, columns = mask.sum(1), mask.shape[1]
        behind = self.prompt_count + words
        if self.pooled_token == "last_word":
            return (behind - 1).clamp(min=0)
        if self.pooled_token == "first":
            return torch.full_like(words, self.prompt_count)
        # Published: the first padding slot, and for a caption without one the very first position.
        without = torch.zeros_like(words) if self.pooled_token == "first_pad" else behind - 1
        return torch.where(words < columns, behind, without)

    def forward(self, ids, mask):
        hidden = self.model(input_ids=ids, attention_mask=mask).logits
        return self.global_embed(hidden[torch.arange(len(ids)), self.position(mask)])


# --------------------------------------------------------------------------- whole models


class Cleft(nn.Module):
    """The pair of towers; `forward` gives the contrastive loss of a batch: the sum of both directions."""

    def __init__(self, description, freezes_text=False, freezes_image=False):
        super().__init__()
        encoder = description["encoder"]
        if description.get("imageAdapter"):
            raise NotImplementedError("an adapter on the image tower")
        head = lambda width: make_head(encoder["head"], width, encoder["embeddingSize"])  # noqa: E731
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / encoder["temperature"])))
        self.img_encoder_q = ImageEncoder(encoder["vision"], encoder["pooling"], head(encoder["vision"]["hiddenSize"]))
        self.text_encoder_q = TextEncoder(description, head(encoder["text"]["n_embd"]), freezes_text)
        if freezes_image:
            self.img_encoder_q.requires_grad_(False)

    def forward(self, batch):
        images = F.normalize(self.img_encoder_q(batch["images"]), dim=-1)
        texts = F.normalize(self.text_encoder_q(batch["caption_ids"], batch["attention_mask"]), dim=-1)
        scores = images @ texts.t() * self.logit_scale.exp()
        target = torch.arange(len(scores))
        return F.cross_entropy(scores, target) + F.cross_entropy(scores.t(), target)


class Classifier(nn.Module):
    """An image tower with a classifier in the place of its projection.

    `forward` gives the cross-entropy of a batch, or with several labels a picture the mean of all binary ones.
    """

    def __init__(self, description, freezes_tower=False):
        super().__init__()
        config = description["classifier"]
        if config["normalizesOutputs"] or description.get("imageAdapter"):
            raise NotImplementedError("a classifier with normalized outputs or an adapter")
        head = nn.Linear(config["vision"]["hiddenSize"], config["outputCount"])
        self.img_encoder_q = ImageEncoder(config["vision"], config["pooling"], head)
        self.is_multi_label = description["isMultiLabel"]
        if freezes_tower:
            self.img_encoder_q.model.requires_grad_(False)

    def forward(self, batch):
        scores, labels = self.img_encoder_q(batch["images"]), batch["labels"]
        if not self.is_multi_label:
            return F.cross_entropy(scores, labels.flatten())
        targets = F.pad(labels.to(scores.dtype), (0, scores.shape[1] - labels.shape[1]))
        return F.binary_cross_entropy_with_logits(scores, targets)


def own_key(name, has_prefix):
    """cleft's key for a parameter's name here; None for the second name that peft gives the token embeddings.

    peft's wrappers are taken off, and a prefix's table, which peft calls as it calls prompt vectors, gets its own name.
    """
    start = "text_encoder_q.model."
    if not name.startswith(start):
        return name
    rest = name.removeprefix(start)
    while rest.startswith("base_model."):
        rest = rest.removeprefix("base_model.").removeprefix("model.")
    if rest.endswith("word_embeddings.weight"):
        return None
    return start + (rest.replace("prompt_encoder.", "prefix_encoder.") if has_prefix else rest)


def named_tensors(model):
    """Parameters and saved buffers under cleft's keys."""
    has_prefix = any(type(m).__name__ == "PrefixEncoder" for m in model.modules())
    found = {own_key(name, has_prefix): tensor for name, tensor in model.state_dict(keep_vars=True).items()}
    found.pop(None, None)
    return found


@torch.no_grad()
def load(model, weights):
    """Takes every value and nothing else."""
    own = named_tensors(model)
    if set(own) != set(weights):
        here, there = sorted(set(own) - set(weights))[:5], sorted(set(weights) - set(own))[:5]
        raise ValueError(f"only in the model: {here}; only in the file: {there}")
    for key, tensor in own.items():
        if tensor.shape != weights[key].shape:
            raise ValueError(f"{key}: {list(weights[key].shape)} in the file, {list(tensor.shape)} in the model")
        tensor.copy_(weights[key])


# --------------------------------------------------------------------------- steps


def learning_rate(step, peak, floor, warm_up, cycle):
    """Rate of update `step`, from 0: CosineAnnealingWarmupRestarts with cycle multiplier and gamma 1.

    The scheduler sets the floor when it is made, so the first update always runs at it, even without a warm-up.
    """
    if step == 0:
        return floor
    t = step % cycle
    if t < warm_up:
        return floor + (peak - floor) * t / warm_up
    return floor + (peak - floor) * (1 + math.cos(math.pi * (t - warm_up) / (cycle - warm_up))) / 2


def make_optimizer(kind, model, momentum, weight_decay, decays_logit_scale):
    """The published groups: tensors with exactly one axis are not decayed, all others are."""
    decayed, plain = [], []
    for key, parameter in named_tensors(model).items():
        if not isinstance(parameter, nn.Parameter) or not parameter.requires_grad:
            continue
        is_plain = parameter.ndim == 1 or (key == "logit_scale" and not decays_logit_scale)
        (plain if is_plain else decayed).append(parameter)
    groups = [dict(params=decayed, weight_decay=weight_decay), dict(params=plain, weight_decay=0.0)]
    groups = [g for g in groups if g["params"]]
    if kind == "sgd":
        return torch.optim.SGD(groups, lr=0.0, momentum=momentum)
    if kind == "adamw":
        return torch.optim.AdamW(groups, lr=0.0, betas=(momentum, 0.999), eps=1e-8)
    if kind == "adafactor":
        from transformers.optimization import Adafactor

        return Adafactor(groups, lr=0.0, eps=(1e-30, 1e-3), clip_threshold=1.0, decay_rate=-0.8, beta1=momentum,
                         scale_parameter=False, relative_step=False, warmup_init=False)
    raise NotImplementedError(f"optimizer {kind}")
