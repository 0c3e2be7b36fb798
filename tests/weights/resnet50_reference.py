"""torchvision's ResNet-50 at full width with seeded random weights and statistics: its state dict and what every stage gives.

Usage: python resnet50_reference.py FOLDER
Writes FOLDER/resnet50_weights.safetensors and FOLDER/resnet50_expected.safetensors; outputs are from float64, `deviation.NAME` is
the largest difference of PyTorch's own float32 run.
"""

import sys
from pathlib import Path

import torch
import torchvision
from safetensors.torch import save_file

STAGES = {"relu": "stem", "maxpool": "maxpool", "layer1": "layer1", "layer2": "layer2", "layer3": "layer3", "layer4": "layer4"}


def outputs(network, x):
    found = {}

    def keep(name):
        # `relu` inside the blocks is another module; the one of the network runs once.
        return lambda module, inputs, output: found.update({name: output.clone()})

    hooks = [getattr(network, module).register_forward_hook(keep(name)) for module, name in STAGES.items()]
    network(x)
    for hook in hooks:
        hook.remove()
    found["pooled"] = found["layer4"].mean(dim=(2, 3))
    return found


def main(folder):
    torch.manual_seed(1)
    network = torchvision.models.resnet50(weights=None).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.normal_(1.0, 0.2)
                module.bias.normal_(0.0, 0.2)
                module.running_mean.normal_(0.0, 0.3)
                module.running_var.copy_(torch.exp(0.3 * torch.randn_like(module.running_var)))
        state = network.state_dict()
        assert len([key for key in state if not key.startswith("fc.")]) == 318
        save_file({key: value.contiguous() for key, value in state.items()}, folder / "resnet50_weights.safetensors")
        x = torch.randn(2, 3, 128, 128)
        rounded = outputs(network, x)
        exact = outputs(network.double(), x.double())
    results = {"x": x}
    for name, value in exact.items():
        results[name] = value.float().contiguous()
        results[f"deviation.{name}"] = (value - rounded[name]).abs().max().float().reshape(1)
    save_file(results, folder / "resnet50_expected.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
