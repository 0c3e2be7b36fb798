"""FID Inception in plain PyTorch with seeded random weights: published key names, features of a few pictures.

Usage: python inception_reference.py FOLDER
Writes FOLDER/inception_weights.safetensors (the 566 tensors of the published file) and FOLDER/inception_expected.safetensors:
pictures, what either preprocessing makes of them, the 2048 features (from float64), and for each output `deviation.NAME`, the
largest difference of PyTorch's own float32 run.

Written from docs/spec/checkpoints.md §6 and docs/spec/metrics.md §1. torchvision's network has the same convolutions and other pools:
the script checks its own wiring by computing torchvision's variant, too, and comparing it with torchvision.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

EPSILON = 0.001


def unit_shapes():
    """Shape of every convolution weight by unit, in the order of the published file."""
    units = {
        "Conv2d_1a_3x3": (32, 3, 3, 3),
        "Conv2d_2a_3x3": (32, 32, 3, 3),
        "Conv2d_2b_3x3": (64, 32, 3, 3),
        "Conv2d_3b_1x1": (80, 64, 1, 1),
        "Conv2d_4a_3x3": (192, 80, 3, 3),
    }
    for block, width, pool in [("5b", 192, 32), ("5c", 256, 64), ("5d", 288, 64)]:
        units |= {
            f"Mixed_{block}.branch1x1": (64, width, 1, 1),
            f"Mixed_{block}.branch5x5_1": (48, width, 1, 1),
            f"Mixed_{block}.branch5x5_2": (64, 48, 5, 5),
            f"Mixed_{block}.branch3x3dbl_1": (64, width, 1, 1),
            f"Mixed_{block}.branch3x3dbl_2": (96, 64, 3, 3),
            f"Mixed_{block}.branch3x3dbl_3": (96, 96, 3, 3),
            f"Mixed_{block}.branch_pool": (pool, width, 1, 1),
        }
    units |= {
        "Mixed_6a.branch3x3": (384, 288, 3, 3),
        "Mixed_6a.branch3x3dbl_1": (64, 288, 1, 1),
        "Mixed_6a.branch3x3dbl_2": (96, 64, 3, 3),
        "Mixed_6a.branch3x3dbl_3": (96, 96, 3, 3),
    }
    for block, c in [("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)]:
        units |= {
            f"Mixed_{block}.branch1x1": (192, 768, 1, 1),
            f"Mixed_{block}.branch7x7_1": (c, 768, 1, 1),
            f"Mixed_{block}.branch7x7_2": (c, c, 1, 7),
            f"Mixed_{block}.branch7x7_3": (192, c, 7, 1),
            f"Mixed_{block}.branch7x7dbl_1": (c, 768, 1, 1),
            f"Mixed_{block}.branch7x7dbl_2": (c, c, 7, 1),
            f"Mixed_{block}.branch7x7dbl_3": (c, c, 1, 7),
            f"Mixed_{block}.branch7x7dbl_4": (c, c, 7, 1),
            f"Mixed_{block}.branch7x7dbl_5": (192, c, 1, 7),
            f"Mixed_{block}.branch_pool": (192, 768, 1, 1),
        }
    units |= {
        "Mixed_7a.branch3x3_1": (192, 768, 1, 1),
        "Mixed_7a.branch3x3_2": (320, 192, 3, 3),
        "Mixed_7a.branch7x7x3_1": (192, 768, 1, 1),
        "Mixed_7a.branch7x7x3_2": (192, 192, 1, 7),
        "Mixed_7a.branch7x7x3_3": (192, 192, 7, 1),
        "Mixed_7a.branch7x7x3_4": (192, 192, 3, 3),
    }
    for block, width in [("7b", 1280), ("7c", 2048)]:
        units |= {
            f"Mixed_{block}.branch1x1": (320, width, 1, 1),
            f"Mixed_{block}.branch3x3_1": (384, width, 1, 1),
            f"Mixed_{block}.branch3x3_2a": (384, 384, 1, 3),
            f"Mixed_{block}.branch3x3_2b": (384, 384, 3, 1),
            f"Mixed_{block}.branch3x3dbl_1": (448, width, 1, 1),
            f"Mixed_{block}.branch3x3dbl_2": (384, 448, 3, 3),
            f"Mixed_{block}.branch3x3dbl_3a": (384, 384, 1, 3),
            f"Mixed_{block}.branch3x3dbl_3b": (384, 384, 3, 1),
            f"Mixed_{block}.branch_pool": (192, width, 1, 1),
        }
    return units


def random_state(seed):
    """Weights that keep activations near 1: normals of fan-in width, norms and statistics away from neutral."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    state = {}
    for unit, shape in unit_shapes().items():
        out, fan_in = shape[0], shape[1] * shape[2] * shape[3]
        state[f"{unit}.conv.weight"] = normal(*shape) * (2.0 / fan_in) ** 0.5
        state[f"{unit}.bn.weight"] = 1.0 + 0.2 * normal(out)
        state[f"{unit}.bn.bias"] = 0.2 * normal(out)
        state[f"{unit}.bn.running_mean"] = 0.3 * normal(out)
        state[f"{unit}.bn.running_var"] = torch.exp(0.3 * normal(out))
        state[f"{unit}.bn.num_batches_tracked"] = torch.tensor(7)
    state["fc.weight"] = 0.02 * normal(1008, 2048)
    state["fc.bias"] = 0.02 * normal(1008)
    return state


class Network:
    def __init__(self, state, fid):
        self.state, self.fid = state, fid

    def unit(self, x, name, stride=1, padding=(0, 0)):
        x = F.conv2d(x, self.state[f"{name}.conv.weight"], stride=stride, padding=padding)
        mean, variance, weight, bias = (
            self.state[f"{name}.bn.{field}"] for field in ("running_mean", "running_var", "weight", "bias")
        )
        return F.relu(F.batch_norm(x, mean, variance, weight, bias, training=False, eps=EPSILON))

    def same(self, x, *names):
        """Units one after another, each keeping the size."""
        for name in names:
            rows, columns = self.state[f"{name}.conv.weight"].shape[2:]
            x = self.unit(x, name, padding=(rows // 2, columns // 2))
        return x

    def mean_pool(self, x):
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=not self.fid)

    def mixed5(self, x, b):
        return torch.cat([
            self.same(x, f"{b}.branch1x1"),
            self.same(x, f"{b}.branch5x5_1", f"{b}.branch5x5_2"),
            self.same(x, f"{b}.branch3x3dbl_1", f"{b}.branch3x3dbl_2", f"{b}.branch3x3dbl_3"),
            self.same(self.mean_pool(x), f"{b}.branch_pool"),
        ], 1)

    def mixed6(self, x, b):
        return torch.cat([
            self.same(x, f"{b}.branch1x1"),
            self.same(x, *(f"{b}.branch7x7_{i}" for i in (1, 2, 3))),
            self.same(x, *(f"{b}.branch7x7dbl_{i}" for i in (1, 2, 3, 4, 5))),
            self.same(self.mean_pool(x), f"{b}.branch_pool"),
        ], 1)

    def mixed7(self, x, b):
        three = self.same(x, f"{b}.branch3x3_1")
        double = self.same(x, f"{b}.branch3x3dbl_1", f"{b}.branch3x3dbl_2")
        takes_maximum = self.fid and b == "Mixed_7c"
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if takes_maximum else self.mean_pool(x)
        return torch.cat([
            self.same(x, f"{b}.branch1x1"),
            self.same(three, f"{b}.branch3x3_2a"),
            self.same(three, f"{b}.branch3x3_2b"),
            self.same(double, f"{b}.branch3x3dbl_3a"),
            self.same(double, f"{b}.branch3x3dbl_3b"),
            self.same(pooled, f"{b}.branch_pool"),
        ], 1)

    def features(self, x):
        x = self.unit(x, "Conv2d_1a_3x3", stride=2)
        x = self.unit(x, "Conv2d_2a_3x3")
        x = F.max_pool2d(self.same(x, "Conv2d_2b_3x3"), 3, stride=2)
        x = self.unit(self.same(x, "Conv2d_3b_1x1"), "Conv2d_4a_3x3")
        x = F.max_pool2d(x, 3, stride=2)
        for block in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            x = self.mixed5(x, block)
        a = "Mixed_6a"
        x = torch.cat([
            self.unit(x, f"{a}.branch3x3", stride=2),
            self.unit(self.same(x, f"{a}.branch3x3dbl_1", f"{a}.branch3x3dbl_2"), f"{a}.branch3x3dbl_3", stride=2),
            F.max_pool2d(x, 3, stride=2),
        ], 1)
        for block in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = self.mixed6(x, block)
        a = "Mixed_7a"
        x = torch.cat([
            self.unit(self.same(x, f"{a}.branch3x3_1"), f"{a}.branch3x3_2", stride=2),
            self.unit(self.same(x, *(f"{a}.branch7x7x3_{i}" for i in (1, 2, 3))), f"{a}.branch7x7x3_4", stride=2),
            F.max_pool2d(x, 3, stride=2),
        ], 1)
        x = self.mixed7(self.mixed7(x, "Mixed_7b"), "Mixed_7c")
        return x.mean(dim=(2, 3))


def tensorflow_input(pixels_255):
    """Output pixel j reads source coordinate j·n/299, here through a sampling grid; then (x − 128)/128."""
    batch, _, height, width = pixels_255.shape

    def axis(n):
        source = torch.arange(299, dtype=torch.float64) * n / 299
        # grid_sample without aligned corners: coordinate g lies at pixel ((g + 1)·n − 1)/2.
        return (2 * source + 1) / n - 1

    y, x = torch.meshgrid(axis(height), axis(width), indexing="ij")
    grid = torch.stack([x, y], -1).expand(batch, -1, -1, -1).to(pixels_255.dtype)
    resized = F.grid_sample(pixels_255, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return (resized - 128) / 128


def pytorch_fid_input(pixels_255):
    resized = F.interpolate(pixels_255 / 255, size=(299, 299), mode="bilinear", align_corners=False)
    return 2 * resized - 1


def pictures(seed, count, height, width):
    """8-bit pictures with large and small structure."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 9, 7, generator=generator)
    fine = torch.rand(count, 3, height, width, generator=generator)
    smooth = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False)
    return (255 * (0.8 * smooth + 0.2 * fine)).clamp(0, 255).round()


def check_wiring(state):
    import torchvision

    theirs = torchvision.models.inception_v3(weights=None, aux_logits=False, transform_input=False, init_weights=False)
    own = {key: value for key, value in state.items() if not key.startswith("fc.")}
    missing, unexpected = theirs.load_state_dict(own, strict=False)
    assert sorted(missing) == ["fc.bias", "fc.weight"] and not unexpected, (missing, unexpected)
    theirs.fc = torch.nn.Identity()
    x = torch.randn(1, 3, 299, 299, generator=torch.Generator().manual_seed(3))
    error = (theirs.eval()(x) - Network(state, fid=False).features(x)).abs().max().item()
    assert error < 1e-4, error


def main(folder):
    state = random_state(seed=1)
    assert len(state) == 566
    assert sum(value.numel() for value in state.values()) == 23_885_486
    double = {key: value.double() if value.is_floating_point() else value for key, value in state.items()}
    results = {}
    with torch.no_grad():
        check_wiring(state)
        for label, size in [("large", (256, 256)), ("odd", (120, 333))]:
            pixels = pictures(2, 2, *size)
            results[f"{label}.pixels_255"] = pixels
            for name, prepare in [("tensorflow", tensorflow_input), ("pytorch_fid", pytorch_fid_input)]:
                exact, rounded = prepare(pixels.double()), prepare(pixels)
                for output, a, b in [
                    ("input", exact, rounded),
                    ("features", Network(double, fid=True).features(exact), Network(state, fid=True).features(rounded)),
                ]:
                    results[f"{label}.{name}.{output}"] = a.float().contiguous()
                    results[f"deviation.{label}.{name}.{output}"] = (a - b).abs().max().float().reshape(1)
    save_file(state, folder / "inception_weights.safetensors")
    save_file(results, folder / "inception_expected.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
