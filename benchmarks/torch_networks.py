"""The benchmark's networks as PyTorch modules of torchvision and transformers, with random weights: speed only."""
import torch


def make(network):
    torch.manual_seed(0)
    if network in ("bert_base", "minilm"):
        import transformers
        sizes = {} if network == "bert_base" else dict(hidden_size=384, num_hidden_layers=6, intermediate_size=1536)
        module = transformers.BertModel(transformers.BertConfig(**sizes))
    else:
        import torchvision
        module = getattr(torchvision.models, {"vit_b16": "vit_b_16"}.get(network, network))()
    return module.eval()


def arguments(inputs, precision):
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    if precision == "bf16" and "image" in tensors:
        tensors["image"] = tensors["image"].to(torch.bfloat16)
    return tensors


def call(module, tensors):
    if "image" in tensors:
        return [module(tensors["image"])]
    out = module(**tensors)
    return [out.last_hidden_state, out.pooler_output]


def output_names(network):
    return ["last_hidden_state", "pooler_output"] if network in ("bert_base", "minilm") else ["scores"]
