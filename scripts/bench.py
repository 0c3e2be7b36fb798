#!/usr/bin/env python3
"""Compares the speed of a network with PyTorch's, turn by turn in one run.

    scripts/bench.py clip|generator|mapper [--turns 7] [--batch 32] [--threads 2]

The Rust side writes random weights, inputs and outputs; the same network in PyTorch (eager, float32) must give the same
outputs before anything is timed. Needs torch, numpy and safetensors. Prints minimum and median of the wall-clock time
and of the CPU time of both sides; a ratio above 1 means that ours is faster.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file


def close(ours, theirs, what):
    """Stops when the two differ by more than rounding, relative to the largest element."""
    worst = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print(f"  {what}: largest difference {worst:.1e} of the largest element")
    if not worst < 2e-5:
        sys.exit(f"{what}: the two networks differ")


class Clip:
    """The image tower of CLIP ViT-B/32."""

    def __init__(self, folder):
        w = load_file(f"{folder}/clip.safetensors")
        self.w = {name.removeprefix("visual."): value for name, value in w.items() if name.startswith("visual.")}
        # PyTorch keeps linear weights as [outputs, inputs].
        for name, value in self.w.items():
            if value.dim() == 2 and name.endswith(".weight"):
                self.w[name] = value.t().contiguous()
        self.io = load_file(f"{folder}/clip.io.safetensors")

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w.get(name + ".bias"))

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".gamma"], self.w[name + ".beta"])

    def block(self, name, x):
        batch, tokens, width = x.shape
        heads = self.linear(f"{name}.query_key_value", self.norm(f"{name}.attention_norm", x))
        q, k, v = heads.view(batch, tokens, 3, 12, width // 12).permute(2, 0, 3, 1, 4)
        joined = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, width)
        x = x + self.linear(f"{name}.attention_out", joined)
        hidden = self.linear(f"{name}.perceptron_in", self.norm(f"{name}.perceptron_norm", x))
        return x + self.linear(f"{name}.perceptron_out", hidden * torch.sigmoid(1.702 * hidden))

    def forward(self):
        pixels = self.io["pixels"]
        kernel = self.w["patch_embedding.weight"].view(-1, 3, 32, 32)
        x = F.conv2d(pixels, kernel, stride=32).flatten(2).transpose(1, 2)
        cls = self.w["class_embedding"].expand(len(x), 1, -1)
        x = self.norm("pre_norm", torch.cat([cls, x], 1) + self.w["positional_embedding"])
        for block in range(12):
            x = self.block(f"blocks.{block}", x)
        return self.linear("projection", self.norm("post_norm", x[:, 0]))

    def check(self):
        with torch.inference_mode():
            close(self.io["embeddings"], self.forward(), "embeddings")

    def turn(self):
        with torch.inference_mode():
            self.forward()


class Generator:
    """The conditional generator at 256 x 256 with two heads."""

    def __init__(self, folder):
        self.w = load_file(f"{folder}/generator.safetensors")
        self.io = load_file(f"{folder}/generator.io.safetensors")
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.fir = torch.outer(taps, taps) * 4
        self.gain = 2**0.5

    def linear(self, name, x, multiplier=1.0, activate=False):
        weight = self.w[name + ".weight"]
        y = F.linear(x, weight * (multiplier / weight.shape[1] ** 0.5), self.w[name + ".bias"] * multiplier)
        return F.leaky_relu(y, 0.2) * self.gain if activate else y

    def styles(self, name, w):
        codes = []
        for head, condition in enumerate(["image", "caption"]):
            hidden = self.linear(f"{name}.heads.{head}.hidden", self.io[condition], 0.01, True)
            codes.append(self.linear(f"{name}.heads.{head}.code", hidden, 0.01, True))
        return self.linear(f"{name}.affine", torch.cat([torch.maximum(*codes), w], 1))

    def smooth(self, x, pad):
        kernel = self.fir.expand(x.shape[1], 1, 4, 4)
        return F.conv2d(F.pad(x, pad), kernel, groups=x.shape[1])

    def layer(self, name, x, w, up):
        styles, weight = self.styles(f"{name}.style", w), self.w[f"{name}.weight"]
        energy = (styles**2) @ (weight**2).sum([2, 3]).t()
        x = x * styles[:, :, None, None]
        if up:
            y = self.smooth(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), [1, 1, 1, 1])
        else:
            y = F.conv2d(x, weight, padding=1)
        y = y * (energy + 1e-8).rsqrt()[:, :, None, None]
        y = y + self.w[f"{name}.noise_const"] * self.w[f"{name}.noise_strength"]
        y = F.leaky_relu(y + self.w[f"{name}.bias"][:, None, None], 0.2) * self.gain
        return y.clamp(-256, 256)

    def rgb(self, name, x, w):
        weight = self.w[f"{name}.weight"].flatten(1)
        styles = self.styles(f"{name}.style", w) / weight.shape[1] ** 0.5
        y = torch.bmm(weight * styles[:, None], x.flatten(2)).view(len(x), 3, *x.shape[2:])
        return (y + self.w[f"{name}.bias"][:, None, None]).clamp(-256, 256)

    def enlarge(self, image):
        batch, channels, height, width = image.shape
        stuffed = image.new_zeros(batch, channels, 2 * height, 2 * width)
        stuffed[:, :, ::2, ::2] = image
        return self.smooth(stuffed, [2, 1, 2, 1])

    def forward(self):
        w = self.io["z"]
        w = w * (w.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in range(8):
            w = self.linear(f"mapping.layers.{layer}", w, 0.01, True)
        x = self.w["synthesis.constant"].expand(len(w), -1, -1, -1)
        image = None
        for block in range(7):
            name = f"synthesis.blocks.{block}"
            if block > 0:
                x = self.layer(f"{name}.conv0", x, w, True)
            x = self.layer(f"{name}.conv1", x, w, False)
            rgb = self.rgb(f"{name}.torgb", x, w)
            image = rgb if image is None else self.enlarge(image) + rgb
        return image

    def check(self):
        with torch.inference_mode():
            close(self.io["images"], self.forward(), "images")

    def turn(self):
        with torch.inference_mode():
            self.forward()


class Mapper:
    """A training step of the residual convolutional mapper."""

    def __init__(self, folder):
        w = load_file(f"{folder}/mapper.safetensors")
        self.w = {name: value.requires_grad_() for name, value in w.items()}
        self.io = load_file(f"{folder}/mapper.io.safetensors")
        self.optimiser = torch.optim.Adam(self.w.values(), lr=4e-4, weight_decay=1e-5)

    def conv(self, name, x, **options):
        return F.conv1d(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"], **options)

    def forward(self):
        x = F.relu(self.conv("down.0", self.io["betas"][:, None], stride=2, padding=1))
        for block in range(4):
            name = f"blocks.{block}"
            y = F.relu(self.conv(f"{name}.conv1", x, padding=1))
            y = F.relu(self.conv(f"{name}.conv2", y, padding=1))
            x = F.relu(x + self.conv(f"{name}.conv3", y))
        x = F.relu(self.conv("lift", x))
        x = F.relu(self.conv("head.hidden", x.transpose(1, 2)))
        return self.conv("head.output", x)[:, 0]

    def loss(self):
        return F.mse_loss(self.forward(), self.io["targets"])

    def check(self):
        with torch.no_grad():
            close(self.io["embeddings"], self.forward(), "embeddings")
        self.loss().backward()
        theirs = {name: value.grad for name, value in self.w.items()}
        exact = self.exact_gradients()
        # Units within rounding of a ReLU's kink fall on either side, so both sides deviate from double precision alike.
        for name, ours in self.io.items():
            if name.startswith("grad "):
                name = name.removeprefix("grad ")
                scale = exact[name].abs().max()
                worst = [((of - exact[name]).abs().max() / scale).item() for of in (ours, theirs[name])]
                print("  gradient of %s: off double precision by %.1e (ours), %.1e (torch)" % (name, *worst))
                if not worst[0] < 1e-2:
                    sys.exit(f"{name}: the two networks differ")

    def exact_gradients(self):
        """In double precision, one sample at a time."""
        single, arrays = self.w, self.io
        self.w = {name: value.detach().double().requires_grad_() for name, value in single.items()}
        batch = len(arrays["betas"])
        for sample in range(batch):
            self.io = {name: arrays[name][sample : sample + 1].double() for name in ["betas", "targets"]}
            (self.loss() / batch).backward()
        exact = {name: value.grad for name, value in self.w.items()}
        self.w, self.io = single, arrays
        return exact

    def turn(self):
        self.optimiser.zero_grad()
        self.loss().backward()
        self.optimiser.step()


NETWORKS = {"clip": Clip, "generator": Generator, "mapper": Mapper}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32, help="of the mapper")
    parser.add_argument(
        "--command",
        default="cargo bench --locked --no-default-features --bench {} --",
        help="starts our side; {} is the network",
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    environment = dict(
        os.environ,
        RAYON_NUM_THREADS=str(options.threads),
        MAPPER_BATCH=str(options.batch),
        TURNS_ON_REQUEST="1",
    )
    with tempfile.TemporaryDirectory() as folder:
        command = options.command.format(options.network).split() + [folder]
        ours = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

        def ask():
            ours.stdin.write("\n")
            ours.stdin.flush()
            line = ours.stdout.readline()
            if not line:
                sys.exit("our side ended")
            return json.loads(line)

        ask()  # the files are written before the first turn
        theirs = NETWORKS[options.network](folder)
        theirs.check()
        theirs.turn()
        times = {"ours": [], "torch": []}
        for _ in range(options.turns):
            times["ours"].append(ask())
            wall, cpu = time.perf_counter(), time.process_time()
            theirs.turn()
            times["torch"].append(
                {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
            )
        ours.stdin.close()
        ours.wait()
    for side, turns in times.items():
        summary = []
        for part in turns[0]:
            values = [turn[part] for turn in turns]
            summary.append(f"{part} {min(values):.3f} min {statistics.median(values):.3f} median")
        print(f"{side:>6}: " + "; ".join(summary))
    for part in ["wall", "cpu"]:
        ratios = [
            f"{name} {pick([t[part] for t in times['torch']]) / pick([t[part] for t in times['ours']]):.2f}"
            for name, pick in [("min", min), ("median", statistics.median)]
        ]
        print(f" ratio: {part} {', '.join(ratios)}  (torch / ours)")


if __name__ == "__main__":
    main()
