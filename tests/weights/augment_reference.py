"""torchvision's tensor operations with fixed parameters, antialias off and on, on a seeded image of 8 bits.

Usage: python augment_reference.py FOLDER
Writes FOLDER/augment_expected.safetensors: `x` [3, 425, 425] in 0..1, `small` [3, 256, 256] and one tensor per operation on `small`.
"""

import sys
from pathlib import Path

import torch
import torchvision.transforms.functional as F
from safetensors.torch import save_file


def resize(x, size, antialias):
    return F.resize(x, [size, size], F.InterpolationMode.BILINEAR, antialias=antialias)


def main(folder):
    torch.manual_seed(3)
    waves = torch.linspace(0, 9, 425)
    smooth = torch.stack([torch.sin(waves)[:, None] * torch.cos(k * waves)[None, :] for k in (1, 2, 3)])
    x = (smooth * 0.4 + 0.5 + 0.1 * torch.randn(3, 425, 425)).clamp(0, 1)
    x[:, 100:140, 50:90] = 0.5  # grey: no hue
    x = (x * 255).round() / 255
    small = resize(x, 256, False)
    chain = F.hflip(F.resized_crop(small, 3, 20, 250, 230, [256, 256], antialias=False))
    chain = F.adjust_hue(F.adjust_brightness(F.adjust_saturation(chain, 1.15), 0.7), -0.08)
    chain = F.gaussian_blur(F.adjust_contrast(chain, 1.3), [23, 23], [1.3, 1.3])
    results = {
        "x": x,
        "small": small,
        "antialias": resize(x, 256, True),
        "crop": F.resized_crop(small, 11, 7, 230, 245, [256, 256], antialias=False),
        "flip": F.hflip(small),
        "brightness": F.adjust_brightness(small, 1.37),
        "contrast": F.adjust_contrast(small, 0.63),
        "saturation": F.adjust_saturation(small, 1.19),
        "hue": F.adjust_hue(small, 0.09),
        "hue_back": F.adjust_hue(small, -0.1),
        "grey": F.rgb_to_grayscale(small, num_output_channels=3),
        "blur_narrow": F.gaussian_blur(small, [23, 23], [0.3, 0.3]),
        "blur_wide": F.gaussian_blur(small, [23, 23], [2.0, 2.0]),
        "chain": chain,
        "chain_bytes": (chain * 255).to(torch.uint8).float(),
    }
    save_file({key: value.contiguous() for key, value in results.items()}, folder / "augment_expected.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
