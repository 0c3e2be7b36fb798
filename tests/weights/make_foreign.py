"""Small weight files of every container that the program imports, written by the libraries themselves.

    make_foreign.py FOLDER

Writes the files, `expected.safetensors` (key: `file|network|tensor`) and `expected.json` (formats, classes, settings).
Networks are laid out as docs/spec/checkpoints.md §2 to §4 describe, in small sizes.
"""

import collections
import json
import pathlib
import pickle
import sys
import types

import numpy as np
import safetensors.torch
import torch
from torch import nn

# --- Stand-ins for the two modules that network pickles name ---------------------------------------------------

persistence = types.ModuleType("torch_utils.persistence")
util = types.ModuleType("dnnlib.util")
sys.modules.update({
    "torch_utils": types.ModuleType("torch_utils"),
    "torch_utils.persistence": persistence,
    "dnnlib": types.ModuleType("dnnlib"),
    "dnnlib.util": util,
})


def place(module, thing):
    """Makes pickle find `thing` in `module`."""
    thing.__module__ = module.__name__
    thing.__qualname__ = thing.__name__
    setattr(module, thing.__name__, thing)
    return thing


class EasyDict(dict):
    pass


def _reconstruct_persistent_obj(meta):
    raise RuntimeError("these files are only written here")


place(util, EasyDict)
place(persistence, _reconstruct_persistent_obj)

SOURCE = "raise SystemExit('a reader ran the source text of a file')\n" * 200
OLD_TABLES = False


class Persistent(nn.Module):
    """Pickles as a call of `_reconstruct_persistent_obj` on a description of itself."""

    def __init__(self, *args, **kwargs):
        super().__init__()
        self._init_args = args
        self._init_kwargs = EasyDict(kwargs)
        self.build(*args, **kwargs)

    def __reduce__(self):
        state = dict(self.__dict__)
        if OLD_TABLES:
            for table in ("_parameters", "_buffers", "_modules"):
                state[table] = collections.OrderedDict(state[table])
        meta = dict(type="class", version=6, module_src=SOURCE, class_name=type(self).__name__, state=state)
        return _reconstruct_persistent_obj, (meta,)


# --- Networks with the names of section 3 ----------------------------------------------------------------------

F_DIM, F_DIM2, W_DIM, CHANNELS = 24, 16, 12, 8


def random(*shape, dtype=torch.float32):
    return torch.randn(*shape, dtype=dtype)


def filter_():
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64


class FullyConnectedLayer(Persistent):
    def build(self, in_features, out_features, activation="linear"):
        self.activation = activation
        self.weight = nn.Parameter(random(out_features, in_features))
        self.bias = nn.Parameter(random(out_features))
        self.weight_gain = np.float64(1.0) / np.sqrt(in_features)
        self.bias_gain = 1


class StyledLayer(Persistent):
    """Shared by SynthesisLayer and ToRGBLayer."""

    def heads(self, in_channels, structure):
        middle = (F_DIM + W_DIM) // 2
        self.structure = structure
        self.pre_0 = FullyConnectedLayer(F_DIM, middle, activation="lrelu")
        self.pre_1 = FullyConnectedLayer(middle, W_DIM)
        if structure == 4:
            middle2 = (F_DIM2 + W_DIM) // 2
            self.pre_01 = FullyConnectedLayer(F_DIM2, middle2, activation="lrelu")
            self.pre_11 = FullyConnectedLayer(middle2, W_DIM)
        self.affine_0 = FullyConnectedLayer(2 * W_DIM, in_channels)


class SynthesisLayer(StyledLayer):
    def build(self, in_channels, resolution, structure):
        self.resolution = resolution
        self.act_gain = np.sqrt(2)
        self.heads(in_channels, structure)
        self.register_buffer("resample_filter", filter_())
        self.weight = nn.Parameter(
            random(CHANNELS, in_channels, 3, 3).to(memory_format=torch.channels_last))
        self.register_buffer("noise_const", random(resolution, resolution))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(random(CHANNELS))


class ToRGBLayer(StyledLayer):
    def build(self, in_channels, structure):
        self.heads(in_channels, structure)
        self.weight = nn.Parameter(random(3, in_channels, 1, 1).to(memory_format=torch.channels_last))
        self.bias = nn.Parameter(random(3))


class SynthesisBlock(Persistent):
    def build(self, resolution, structure):
        self.register_buffer("resample_filter", filter_())
        self.is_first = resolution == 4
        self.conv_clamp = 256
        if self.is_first:
            self.const = nn.Parameter(random(CHANNELS, 4, 4))
        else:
            self.conv0 = SynthesisLayer(CHANNELS, resolution, structure)
        self.conv1 = SynthesisLayer(CHANNELS, resolution, structure)
        self.torgb = ToRGBLayer(CHANNELS, structure)


class SynthesisNetwork(Persistent):
    def build(self, img_resolution, structure, **unused):
        self.block_resolutions = [4, 8]
        for resolution in self.block_resolutions:
            setattr(self, f"b{resolution}", SynthesisBlock(resolution, structure=structure))


class MappingNetwork(Persistent):
    def build(self, num_layers):
        self.w_avg_beta = 0.995
        for index in range(num_layers):
            setattr(self, f"fc{index}", FullyConnectedLayer(W_DIM, W_DIM, activation="lrelu"))
        self.register_buffer("w_avg", random(W_DIM))


class Generator(Persistent):
    def build(self, z_dim, w_dim, img_resolution, mapping_kwargs, synthesis_kwargs):
        self.z_dim = z_dim
        self.synthesis = SynthesisNetwork(img_resolution=img_resolution, **synthesis_kwargs)
        self.mapping = MappingNetwork(**mapping_kwargs)


class Conv2dLayer(Persistent):
    def build(self, in_channels, out_channels, kernel, bias=True):
        self.register_buffer("resample_filter", filter_())
        weight = random(out_channels, in_channels, kernel, kernel).to(memory_format=torch.channels_last)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(random(out_channels)) if bias else None


class DiscriminatorBlock(Persistent):
    def build(self, resolution, is_first):
        self.register_buffer("resample_filter", filter_())
        if is_first:
            self.fromrgb = Conv2dLayer(3, CHANNELS, 1)
        self.conv0 = Conv2dLayer(CHANNELS, CHANNELS, 3)
        self.conv1 = Conv2dLayer(CHANNELS, CHANNELS, 3)
        self.skip = Conv2dLayer(CHANNELS, CHANNELS, 1, bias=False)


class MinibatchStdLayer(Persistent):
    def build(self, group_size):
        self.group_size = group_size


class DiscriminatorEpilogue(Persistent):
    def build(self, structure):
        self.structure = structure
        self.mbstd = MinibatchStdLayer(4)
        self.conv = Conv2dLayer(CHANNELS + 1, CHANNELS, 3)
        self.fc = FullyConnectedLayer(CHANNELS * 16, CHANNELS, activation="lrelu")
        self.fts = FullyConnectedLayer(CHANNELS, F_DIM)
        if structure == 4:
            self.fts2 = FullyConnectedLayer(CHANNELS, F_DIM2)
        self.out = FullyConnectedLayer(CHANNELS, 1)


class Discriminator(Persistent):
    def build(self, use_norm, use_fts, epilogue_kwargs):
        self.use_norm = use_norm
        self.use_fts = use_fts
        self.b8 = DiscriminatorBlock(8, is_first=True)
        self.b4 = DiscriminatorEpilogue(**epilogue_kwargs)


class AugmentPipe(Persistent):
    def build(self, xflip=1):
        self.xflip = float(xflip)
        self.register_buffer("p", torch.ones([]))
        self.register_buffer("Hz_geom", random(12))
        self.register_buffer("Hz_fbank", random(4, 43))


class ResBlock_1d_BN(Persistent):
    def build(self, channels):
        self.conv = nn.Sequential(
            nn.Conv1d(channels, channels, 3), nn.BatchNorm1d(channels), nn.ReLU(), nn.Conv1d(channels, channels, 3))


class FmriVecMapper(Persistent):
    def build(self, signal_len, embed_dim=6):
        self.stem = nn.Sequential(nn.Conv1d(1, 4, 3), nn.Sigmoid())
        self.blocks = nn.Sequential(*[ResBlock_1d_BN(4) for _ in range(2)])
        self.head = nn.Linear(signal_len, embed_dim)
        self.register_buffer("scratch", random(3), persistent=False)


def snapshot(structure, with_args):
    synthesis = EasyDict(channel_base=16384, num_fp16_res=4, conv_clamp=256, f_dim=F_DIM)
    epilogue = EasyDict()
    synthesis["structure"] = structure
    epilogue["structure"] = structure
    if structure == 4:
        synthesis["f_dim2"] = F_DIM2

    def generator():
        return Generator(
            z_dim=W_DIM, w_dim=W_DIM, img_resolution=8, mapping_kwargs=EasyDict(num_layers=2),
            synthesis_kwargs=synthesis)

    networks = dict(
        G=generator(),
        D=Discriminator(use_norm=True, use_fts=False, epilogue_kwargs=epilogue),
        G_ema=generator().eval().requires_grad_(False),
        augment_pipe=AugmentPipe(xflip=1),
        training_set_kwargs=EasyDict(class_name="dataset", path="images.zip"),
    )
    if with_args:
        networks["args"] = EasyDict(batch=16, rank=0)
        networks["fmri_vec"] = FmriVecMapper(10, embed_dim=6).double()
        networks["fmri_vec2"] = FmriVecMapper(10).double()
    return networks


# --- A module for TorchScript: nested, half and float, with plain values beside tensors ------------------------


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.in_proj_weight = nn.Parameter(random(12, 4).half())
        self.out_proj = nn.Linear(4, 4).half()

    def forward(self, x):
        return self.out_proj(x)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = Attention()
        self.ln_1 = nn.LayerNorm(4)

    def forward(self, x):
        return self.ln_1(self.attn(x.half()).float())


class Tower(nn.Module):
    sizes: list[int]

    def __init__(self):
        super().__init__()
        self.input_resolution = 224
        self.sizes = [1, 2, 3]
        self.resblocks = nn.Sequential(Block(), Block())
        self.proj = nn.Parameter(random(4, 3).half().t())
        self.register_buffer("counts", torch.arange(5))

    def forward(self, x):
        return self.resblocks(x) * self.sizes[0] * self.input_resolution


class Clip(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Tower()
        self.logit_scale = nn.Parameter(torch.tensor(4.6))

    def forward(self, x):
        return self.visual(x) * self.logit_scale


# --- Files -----------------------------------------------------------------------------------------------------


def every_kind():
    """A state dict with every dtype and every kind of view."""
    grid = torch.arange(240.0).reshape(2, 3, 5, 8)
    numbers = torch.arange(-6, 6).reshape(3, 4)
    tensors = collections.OrderedDict()
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        tensors[f"float.{dtype}".replace("torch.", "")] = random(3, 4, dtype=torch.float64).to(dtype)
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool):
        tensors[f"int.{dtype}".replace("torch.", "")] = numbers.to(dtype)
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["channels_last"] = grid.to(memory_format=torch.channels_last)
    tensors["transposed"] = numbers.t()
    tensors["slice"] = grid[1:, ::2, 1:4, ::3]
    tensors["whole"] = grid
    tensors["row of whole"] = grid[1, 2, 3]
    tensors["expanded"] = torch.arange(3.0).reshape(3, 1).expand(3, 4)
    tensors["parameter"] = nn.Parameter(random(2, 2))
    # Attributes change how a tensor is written.
    tensors["annotated"] = random(2)
    tensors["annotated"].note = "from the library"
    tensors["annotated parameter"] = nn.Parameter(random(2))
    tensors["annotated parameter"].note = "from the library"
    tensors["näme.weight"] = random(1)
    return tensors


def main(folder):
    global OLD_TABLES
    folder = pathlib.Path(folder)
    torch.manual_seed(7)
    expected, facts = {}, {}

    def remember(file, format_, networks, classes=None, settings=None):
        for network, tensors in networks.items():
            for name, tensor in tensors.items():
                expected[f"{file}|{network}|{name}"] = tensor.detach().clone(memory_format=torch.contiguous_format)
        facts[file] = dict(
            format=format_, networks=sorted(networks), classes=classes or {}, settings=settings or {})

    tensors = every_kind()
    for suffix, format_, is_zip in ((".pt", "torch-zip", True), (".pth", "torch-legacy", False)):
        def save(stem, value, found, classes=None, settings=None):
            torch.save(value, folder / (stem + suffix), _use_new_zipfile_serialization=is_zip)
            remember(stem + suffix, format_, {"": found}, classes, settings)

        save("state_dict", tensors, tensors)
        save("plain_dict", dict(tensors), tensors)
        optimizer = dict(state={0: dict(step=torch.tensor(3.0), exp_avg=random(2))}, param_groups=[dict(lr=0.1)])
        save("nested", dict(epoch=3, state_dict=tensors, optimizer=optimizer), tensors)
        save("twice_nested", dict(ema=dict(model=tensors), lr=0.1), tensors)
        module = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Sequential(nn.Linear(3, 2)))
        save("module", module, module.state_dict(), {"": "Sequential"}, {"": {"0.in_channels": 2, "1.eps": 1e-5}})
        save("module_state", module.state_dict(), module.state_dict())

    torch.serialization.set_crc32_options(False)
    torch.save(tensors, folder / "no_checksums.pt")
    torch.serialization.set_crc32_options(True)
    remember("no_checksums.pt", "torch-zip", {"": tensors})

    safe = {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    safetensors.torch.save_file(safe, folder / "model.safetensors", metadata={"format": "pt"})
    remember("model.safetensors", "safetensors", {"": safe})

    clip = Clip().eval()
    torch.jit.script(clip).save(str(folder / "clip.pt"))
    remember("clip.pt", "torch-script", {"": clip.state_dict()}, {"": "Clip"},
             {"": {"visual.input_resolution": 224, "visual.sizes": [1, 2, 3]}})
    traced = torch.jit.trace(clip, torch.zeros(1, 4))
    traced.save(str(folder / "traced.pt"))
    remember("traced.pt", "torch-script", {"": traced.state_dict()}, {"": "Clip"})

    for protocol in (2, 3, 4, 5):
        for structure, OLD_TABLES in ((2, True), (4, False)):
            networks = snapshot(structure, with_args=structure == 4)
            file = f"network_p{protocol}_s{structure}.pkl"
            with open(folder / file, "wb") as stream:
                pickle.dump(networks, stream, protocol=protocol)
            modules = {name: value for name, value in networks.items() if isinstance(value, nn.Module)}
            layer = "synthesis.b8.conv0"
            remember(
                file, "network-pickle",
                {name: module.state_dict() for name, module in modules.items()},
                {name: type(module).__name__ for name, module in modules.items()},
                {
                    "G_ema": {
                        "z_dim": W_DIM,
                        "_init_kwargs.img_resolution": 8,
                        "_init_kwargs.mapping_kwargs.num_layers": 2,
                        "_init_kwargs.synthesis_kwargs.structure": structure,
                        "synthesis.block_resolutions": [4, 8],
                        f"{layer}.structure": structure,
                        f"{layer}.act_gain": float(np.sqrt(2)),
                        f"{layer}.pre_0.activation": "lrelu",
                        f"{layer}.pre_0._init_args": [F_DIM, (F_DIM + W_DIM) // 2],
                    },
                    "D": {"use_norm": True, "use_fts": False, "b4.structure": structure, "training": True},
                })

    safetensors.torch.save_file(expected, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main(sys.argv[1])
