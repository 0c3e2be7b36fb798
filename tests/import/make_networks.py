"""Small networks of every kind that `import-weights` knows, written by the libraries that publish them.

    make_networks.py FOLDER

For each network: its file, `NAME.expected.safetensors` (the values that must arrive, as float32) and, where the library
can compute it, `NAME.outputs.safetensors` (inputs and outputs).
"""

import collections
import pathlib
import pickle
import runpy
import sys

import safetensors.torch
import torch
from torch import nn

VOCABULARY, CONTEXT = 49408, 77
HERE = pathlib.Path(__file__).resolve().parent


def expect(folder, name, state, **outputs):
    state = {key: value.detach().float().contiguous().clone() for key, value in state.items()}
    safetensors.torch.save_file(state, folder / f"{name}.expected.safetensors")
    if outputs:
        outputs = {key: value.detach().contiguous().clone() for key, value in outputs.items()}
        safetensors.torch.save_file(outputs, folder / f"{name}.outputs.safetensors")


def shuffle(module):
    """Weights, biases and statistics that are all different from their initial values."""
    with torch.no_grad():
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                spread = 0.3 / max(1, value[0].numel() if value.dim() > 1 else 1) ** 0.5
                noise = spread * torch.randn(value.shape)
                value.add_(noise.abs() if "running_var" in key else noise)
    return module.eval()


def clip_inputs(side):
    tokens = torch.zeros(2, CONTEXT, dtype=torch.long)
    tokens[0, :5] = torch.tensor([49406, 320, 1125, 539, 49407])
    tokens[1, :3] = torch.tensor([49406, 2368, 49407])
    return torch.randn(2, 3, side, side), tokens


# --- Hugging Face ----------------------------------------------------------------------------------------------

def hugging_face(folder):
    import transformers

    # Its own way to say that the text ends at the first end marker.
    text = dict(vocab_size=VOCABULARY, hidden_size=16, intermediate_size=64, num_hidden_layers=2,
                num_attention_heads=4, max_position_embeddings=CONTEXT, eos_token_id=49407, bos_token_id=49406)
    vision = dict(hidden_size=24, intermediate_size=96, num_hidden_layers=1, num_attention_heads=2, image_size=16,
                  patch_size=8)
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)
    model = shuffle(transformers.CLIPModel(config))
    pixels, tokens = clip_inputs(16)
    with torch.no_grad():
        output = model(input_ids=tokens, pixel_values=pixels)
        image = model.visual_projection(model.vision_model(pixels).pooler_output)
        words = model.text_projection(model.text_model(tokens).pooler_output)
    state = {key: value for key, value in model.state_dict().items() if not key.endswith("position_ids")}
    outputs = dict(pixels=pixels, tokens=tokens, image=image, text=words, logits=output.logits_per_image)
    for name in ("hf", "hf_bin"):
        (folder / name).mkdir()
        expect(folder, name, state, **outputs)
    model.save_pretrained(folder / "hf")
    config.save_pretrained(folder / "hf_bin")
    older = dict(model.state_dict())
    older["text_model.embeddings.position_ids"] = torch.arange(CONTEXT)[None]
    torch.save(older, folder / "hf_bin" / "pytorch_model.bin")


# --- OpenCLIP --------------------------------------------------------------------------------------------------

def open_clip_checkpoint(folder):
    import open_clip

    vision = dict(image_size=16, layers=1, width=24, head_width=12, patch_size=8)
    text = dict(context_length=CONTEXT, vocab_size=VOCABULARY, width=16, heads=4, layers=2)
    model = shuffle(open_clip.CLIP(12, vision, text, quick_gelu=False))
    pixels, tokens = clip_inputs(16)
    with torch.no_grad():
        image, words = model.encode_image(pixels), model.encode_text(tokens)
    state = model.state_dict()
    expect(folder, "open_clip", state, pixels=pixels, tokens=tokens, image=image, text=words)
    parallel = {f"module.{key}": value for key, value in state.items()}
    torch.save(dict(epoch=3, name="small", state_dict=parallel), folder / "open_clip.pt")


# --- OpenAI's layout as a TorchScript archive with half weights ---------------------------------------------------

class QuickGelu(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(collections.OrderedDict(
            c_fc=nn.Linear(width, 4 * width), gelu=QuickGelu(), c_proj=nn.Linear(4 * width, width)))
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x, mask):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class Blocks(nn.Module):
    def __init__(self, width, layers, heads):
        super().__init__()
        self.resblocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])

    def forward(self, x, mask=None):
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Visual(nn.Module):
    def __init__(self, side, patch, width, layers, heads, embed_dim):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn((side // patch) ** 2 + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Blocks(width, layers, heads)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.randn(width, embed_dim) / width ** 0.5)

    def forward(self, pixels):
        x = self.conv1(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(x.shape[0], 1, -1), x], 1) + self.positional_embedding
        x = self.transformer(self.ln_pre(x).transpose(0, 1)).transpose(0, 1)
        return self.ln_post(x[:, 0]) @ self.proj


class OpenAiLayout(nn.Module):
    def __init__(self, side=16, patch=8, vision=128, text=64, layers=2, embed_dim=12):
        super().__init__()
        self.visual = Visual(side, patch, vision, layers, vision // 64, embed_dim)
        self.transformer = Blocks(text, layers, text // 64)
        self.token_embedding = nn.Embedding(VOCABULARY, text)
        self.positional_embedding = nn.Parameter(0.1 * torch.randn(CONTEXT, text))
        self.ln_final = nn.LayerNorm(text)
        self.text_projection = nn.Parameter(torch.randn(text, embed_dim) / text ** 0.5)
        self.logit_scale = nn.Parameter(torch.tensor(4.6052))
        for name, value in (("input_resolution", side), ("context_length", CONTEXT), ("vocab_size", VOCABULARY)):
            self.register_buffer(name, torch.tensor(value))

    def encode_text(self, tokens):
        mask = torch.full((CONTEXT, CONTEXT), float("-inf")).triu(1)
        x = self.token_embedding(tokens) + self.positional_embedding
        x = self.ln_final(self.transformer(x.transpose(0, 1), mask).transpose(0, 1))
        return x[torch.arange(x.shape[0]), tokens.argmax(-1)] @ self.text_projection

    def forward(self, pixels, tokens):
        return self.visual(pixels), self.encode_text(tokens)


def is_half(key):
    """The published archive keeps norms, embeddings and the scale in single precision."""
    halves = ("conv1.weight", "in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias", "c_fc.weight",
              "c_fc.bias", "c_proj.weight", "c_proj.bias", "visual.proj", "text_projection")
    return key.endswith(halves)


def torch_script(folder):
    model = shuffle(OpenAiLayout())
    with torch.no_grad():
        for key, value in model.state_dict().items():
            if is_half(key):
                value.copy_(value.half().float())
    pixels, tokens = clip_inputs(16)
    with torch.no_grad():
        image, words = model(pixels, tokens)
        traced = torch.jit.trace(model, (pixels, tokens), check_trace=False)
    sizes = ("input_resolution", "context_length", "vocab_size")
    state = {key: value for key, value in model.state_dict().items() if key not in sizes}
    expect(folder, "torch_script", state, pixels=pixels, tokens=tokens, image=image, text=words)
    for key, parameter in traced.named_parameters():
        if is_half(key):
            parameter.data = parameter.data.half()
    traced.save(folder / "torch_script.pt")


# --- Mapper ------------------------------------------------------------------------------------------------------

class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(width, width, 3, padding=1), nn.ReLU(), nn.Conv1d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv1d(width, width, 1))

    def forward(self, x):
        return torch.relu(x + self.net(x))


def encoder(down=1, blocks=2, width=8, embed_dim=6):
    halvings = [nn.Sequential(nn.Conv1d(width if i else 1, width, 4, stride=2, padding=1), nn.ReLU())
                for i in range(down)]
    return nn.Sequential(*halvings, *[Residual(width) for _ in range(blocks)], nn.Conv1d(width, embed_dim, 1))


def head(positions, fc=5):
    return nn.Sequential(nn.ReLU(), nn.Conv1d(positions, fc, 1), nn.ReLU(), nn.Conv1d(fc, 1, 1))


class Mapper(nn.Module):
    def __init__(self, signal_len=64, down=1):
        super().__init__()
        self.encoder = encoder(down)
        self.fc = head(signal_len >> down)

    def forward(self, betas):
        return self.fc(self.encoder(betas[:, None]).transpose(1, 2))[:, 0]


def mappers(folder):
    for name, down, legacy in (("mapper", 1, False), ("mapper_legacy", 2, True)):
        model = shuffle(Mapper(down=down))
        betas = torch.randn(3, 64)
        expect(folder, name, model.state_dict(), betas=betas, embedding=model(betas))
        torch.save(model.state_dict(), folder / f"{name}.pth", _use_new_zipfile_serialization=not legacy)


# --- Network pickle ------------------------------------------------------------------------------------------------

def network_pickle(folder):
    foreign = runpy.run_path(str(HERE.parent / "weights" / "make_foreign.py"), run_name="make_foreign")

    class FmriVecMapper(foreign["Persistent"]):
        def build(self, signal_len):
            self.encoder = encoder()
            self.fc = head(signal_len // 2)

    class ResBlock_1d_BN(foreign["Persistent"]):
        def build(self, width):
            self.net = Residual(width).net

    networks = foreign["snapshot"](4, with_args=True)
    for name in ("fmri_vec", "fmri_vec2"):
        mapper = FmriVecMapper(signal_len=64)
        for index in (1, 2):
            mapper.encoder[index] = ResBlock_1d_BN(8)
        networks[name] = shuffle(mapper.double())
    for name in ("G", "D", "G_ema", "fmri_vec", "fmri_vec2"):
        state = networks[name].state_dict()
        expect(folder, name, {key: value for key, value in state.items() if not key.endswith("resample_filter")})
    (folder / "snapshot.pkl").write_bytes(pickle.dumps(networks, protocol=3))
    one_head = foreign["snapshot"](2, with_args=False)
    (folder / "one_head.pkl").write_bytes(pickle.dumps(one_head, protocol=4))


# --- Feature networks --------------------------------------------------------------------------------------------------

def feature_networks(folder):
    import torchvision

    model = torchvision.models.ResNet(torchvision.models.resnet.Bottleneck, [1, 2, 1, 1], num_classes=7)
    model = shuffle(model)
    pixels = torch.randn(2, 3, 64, 64)
    outputs = []
    model.avgpool.register_forward_hook(lambda module, inputs, output: outputs.append(output.flatten(1)))
    with torch.no_grad():
        model(pixels)
    counters = ("num_batches_tracked",)
    state = {key: value for key, value in model.state_dict().items()
             if not key.endswith(counters) and not key.startswith("fc.")}
    expect(folder, "resnet", state, pixels=pixels, pooled=outputs[0])
    torch.save(model.state_dict(), folder / "resnet.pth")

    # The published file of the Fréchet distance has these names and 1008 classes.
    model = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, init_weights=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.05 * torch.randn(parameter.shape))
    state = {key: value for key, value in model.state_dict().items()
             if not key.endswith(counters) and not key.startswith("fc.")}
    expect(folder, "inception", state)
    torch.save(model.state_dict(), folder / "inception.pth")


PARTS = dict(
    hugging_face=hugging_face, open_clip=open_clip_checkpoint, torch_script=torch_script, mappers=mappers,
    network_pickle=network_pickle, feature_networks=feature_networks)


def main(folder, part):
    torch.manual_seed(20)
    PARTS[part](pathlib.Path(folder))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
