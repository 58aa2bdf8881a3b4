"""Makes the PyTorch files of this folder, and the numbers they hold in expected.safetensors.

Run it in an environment with the libraries named in README.md: python make.py
"""

import argparse
import collections
import io
import json
import os
import pathlib
import pickle
import struct
import zipfile

import numpy
import torch
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent


def tensors():
    """One tensor of each type, and every way in which a tensor can lie in its storage."""
    generator = torch.Generator().manual_seed(3)
    base = torch.randn(6, 10, generator=generator)
    ramp = torch.arange(-7, 8)
    return collections.OrderedDict(
        f32=base.clone(),
        f64=base.double() * 1.1,
        f16=torch.tensor([0.0, -0.0, 1.5, 65504.0, 6e-8, 3e-5, float("inf"), -1 / 3]).half(),
        bf16=(base * 3).bfloat16(),
        i64=ramp * 2**40,
        i32=ramp.int() * 2**20,
        i16=ramp.short() * 1000,
        i8=ramp.char() * 9,
        u8=torch.arange(250, 256).byte(),
        bool=torch.tensor([True, False, True]),
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 3),
        transposed=base.t(),
        columns=base[:, 2:9:3],
        rows=base[2:4],
        expanded=torch.tensor([[1.0], [2.0]]).expand(2, 3),
        permuted=torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1).bfloat16(),
        channels_last=torch.randn(1, 3, 4, 4, generator=generator).to(memory_format=torch.channels_last),
        parameter=torch.nn.Parameter(base[0].clone()),
    )


def lightning(state):
    """What Lightning keeps beside the weights, and the objects people put into hyper-parameters."""
    weights = collections.OrderedDict((f"encoder.{k}", state[k]) for k in ("f32", "bf16", "transposed"))
    weights._metadata = {"": {"version": 1}}
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight], lr=1e-3)
    weight.sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 5])
    return {
        "epoch": 4,
        "global_step": 1234,
        "pytorch-lightning_version": "2.1.2",
        "state_dict": weights,
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 5}}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'val_loss'}": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [scheduler.state_dict()],
        "hparams_name": "kwargs",
        "hyper_parameters": {
            "lr": 4e-5,
            "batch_size": 72,
            "precision": "bf16-mixed",
            "text": "räksmörgås 🩻 " + "long " * 60,
            "flag": True,
            "off": False,
            "nothing": None,
            "betas": (0.9, 0.95),
            "sizes": [1, 256, 70000, -1, 2**40, -(2**40)],
            "wide": 2**80,
            "names": {"only"},
            "frozen": frozenset([7]),
            "raw": b"\x00\xff",
            "ordered": collections.OrderedDict(a=1),
            "default": collections.defaultdict(list, k=[1]),
            "args": argparse.Namespace(gpus=2, nested=argparse.Namespace(name="x")),
            "folder": pathlib.PosixPath("/data/chexpert/train"),
            "relative": pathlib.PurePosixPath("a/b"),
            "np_float": numpy.float64(0.25),
            "np_single": numpy.float32(-1.5),
            "np_int": numpy.int64(-3),
            "np_big_endian": numpy.dtype(">i4").type(5),
            "np_bool": numpy.bool_(True),
            "device": torch.device("cuda:1"),
            "dtype": torch.bfloat16,
            "size": torch.Size([2, 3]),
            "tensor": torch.zeros(2, 2),
        },
    }


def old_archive(source, target):
    """The same archive as PyTorch 1.6 wrote it: no byte order, no marks of later formats, another top folder."""
    with zipfile.ZipFile(source) as new, zipfile.ZipFile(target, "w") as old:
        for info in new.infolist():
            name = info.filename.split("/", 1)[1]
            if name == "data.pkl" or name == "version" or name.startswith("data/"):
                old.writestr(zipfile.ZipInfo("checkpoint_0099/" + name), new.read(info))


class Attack:
    def __reduce__(self):
        return os.system, ("touch /tmp/cleft-was-here",)


def doubling(levels):
    """A list that holds the one before twice, and so on: 2 ** levels leaves in a few bytes a level."""
    items = [1]
    for _ in range(levels):
        items = [items, items]
    return items


def sharded(folder, suffix, save):
    folder.mkdir(exist_ok=True)
    parts = [{"a.weight": torch.arange(6.0).reshape(2, 3)}, {"b.weight": torch.arange(4.0).bfloat16(),
                                                          "b.extra": torch.ones(1)}]
    names = [f"{'model' if suffix == 'safetensors' else 'pytorch_model'}-{i + 1:05d}-of-00002.{suffix}" for i in (0, 1)]
    for part, name in zip(parts, names):
        save(part, str(folder / name))
    index = {"metadata": {"total_size": 32}, "weight_map": {"a.weight": names[0], "b.weight": names[1]}}
    name = "model.safetensors" if suffix == "safetensors" else "pytorch_model.bin"
    (folder / f"{name}.index.json").write_text(json.dumps(index, indent=2) + "\n")


def main():
    state = tensors()
    torch.save(state, here / "zip.pth")
    torch.save({"epoch": 1, "teacher": state}, here / "protocol5.pth", pickle_protocol=5)
    torch.save(state, here / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"model": state}, here / "legacy4.pth", pickle_protocol=4, _use_new_zipfile_serialization=False)
    old_archive(here / "zip.pth", here / "old.pth")
    torch.save(lightning(state), here / "lightning.ckpt")
    torch.save(lightning(state), here / "lightning_legacy.ckpt", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": {"w": torch.ones(2)}, "x": Attack()}, here / "attack.pth")
    torch.save({"state_dict": {"w": torch.ones(2)}, "x": Attack()}, here / "attack_legacy.pth",
               _use_new_zipfile_serialization=False)
    torch.save({"state_dict": {"w": torch.ones(2)}, "bomb": doubling(60)}, here / "doubling.pth")
    sharded(here / "sharded", "safetensors", save_file)
    sharded(here / "sharded_bin", "bin", torch.save)
    plain = {"int": 5, "neg": -5, "long": 2**70, "float": 0.1, "true": True, "false": False, "none": None,
             "text": "tab\tü\\🩻", "bytes": b"a\xff", "tuple": (1, (2, 3, 4, 5)), "list": [1, [2]], "set": {1}}
    plain["again"] = plain["list"]
    for protocol in range(6):
        (here / f"plain{protocol}.pkl").write_bytes(pickle.dumps(plain, protocol))
    floats = {k: v.detach().float().contiguous().clone() for k, v in state.items()
              if v.is_floating_point() and k != "f16"}
    integers = {k: v.long().contiguous() for k, v in state.items() if not v.is_floating_point()}
    save_file({"f16": state["f16"].float(), **floats, **integers}, str(here / "expected.safetensors"))


if __name__ == "__main__":
    main()
