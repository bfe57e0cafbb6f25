"""Networks of many architectures with seeded random weights, small where their constructors allow it.

An entry gives the module and its inputs at a size: `size` 0 is what the exporter traces, 1 and 2 are what is compared.
Batch, sequence and (where the architecture allows it) image sizes differ between them and are dynamic in the file.
"""
from dataclasses import dataclass, field
from typing import Callable

import torch
import torchvision
import transformers as hf


@dataclass
class Entry:
    name: str
    kind: str
    make: Callable[[], torch.nn.Module]
    inputs: Callable[[int], dict[str, torch.Tensor]]
    dynamic: dict[str, dict[int, str]] = field(default_factory=dict)


ENTRIES: dict[str, Entry] = {}


def entry(name, kind, make, inputs, dynamic):
    ENTRIES[name] = Entry(name, kind, make, inputs, dynamic)


class Outputs(torch.nn.Module):
    """The network with tensors for arguments (by the inputs' names) and a flat tuple of tensors for a result."""

    def __init__(self, network, names, pick=None, fixed=None):
        super().__init__()
        self.network, self.names, self.pick, self.fixed = network, names, pick, fixed or {}

    def forward(self, *tensors):
        result = self.network(**dict(zip(self.names, tensors)), **self.fixed)
        if self.pick:
            return tuple(getattr(result, key) for key in self.pick)
        return result


class Pictures(torch.nn.Module):
    """A torchvision detector or segmenter, which takes a list or returns a dictionary."""

    def __init__(self, network, keys, listed):
        super().__init__()
        self.network, self.keys, self.listed = network, keys, listed

    def forward(self, image):
        result = self.network([image[0]])[0] if self.listed else self.network(image)
        return tuple(result[key] for key in self.keys)


SIZES = [2, 1, 3]  # batches
LENGTHS = [12, 9, 17]


def random(size):
    return torch.Generator().manual_seed(100 + size)


def settle(network, inputs):
    """Lets batch norms see data, so that what reaches the outputs has the spread that it has in a trained network."""
    torch.manual_seed(11)
    for parameter in network.parameters():  # heads that start at zero would hide the network
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    hooks = []
    norms = [m for m in network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = None
        hooks.append(norm.register_forward_pre_hook(lambda m, x: m.train(x[0].numel() > x[0].shape[1]) and None))
    if norms:
        with torch.no_grad():
            for _ in range(2):
                network(*inputs)
    for hook in hooks:
        hook.remove()
    return network.eval()


def picture(side, channels=3, vary=True):
    sides = [side, side + 32 if vary else side, side]

    def inputs(size):
        return {"image": torch.randn(SIZES[size], channels, sides[size], side, generator=random(size))}
    return inputs


BATCH = {"image": {0: "batch"}}
IMAGE = {"image": {0: "batch", 2: "height", 3: "width"}}

for name, side, vary in [
        ("resnet50", 64, True), ("mobilenet_v2", 64, True), ("mobilenet_v3_small", 64, True),
        ("efficientnet_b0", 64, True), ("densenet121", 64, True), ("shufflenet_v2_x1_0", 64, True),
        ("squeezenet1_1", 64, True), ("mnasnet0_5", 64, True), ("regnet_y_400mf", 64, True),
        ("convnext_tiny", 64, True), ("inception_v3", 96, True), ("googlenet", 64, True), ("resnext50_32x4d", 64, True),
        ("vit_b_16", 224, False), ("swin_t", 64, False), ("maxvit_t", 224, False)]:
    def make(name=name):
        extra = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
        return getattr(torchvision.models, name)(weights=None, **extra)
    entry(name, "classification", make, picture(side, vary=vary), IMAGE if vary else BATCH)


def one_picture(side):
    def inputs(size):
        return {"image": torch.rand(1, 3, [side, side + 64, side + 32][size], [side, side, side + 32][size],
                                    generator=random(size))}
    return inputs


def sharpen(network):
    """Random heads find nothing: their last layers are made to speak up, so that boxes are found and differ."""
    torch.manual_seed(5)
    for name, module in network.named_modules():
        last = any(name.endswith(end) for end in ("cls_logits", "cls_score", "bbox_pred", "bbox_reg"))
        if last and hasattr(module, "weight"):
            torch.nn.init.normal_(module.weight, std=0.05 if "bbox" in name else 0.3)
            if "cls" in name:
                torch.nn.init.normal_(module.bias, std=0.3)
    return network


DETECTION = torchvision.models.detection
SMALL = {"weights": None, "weights_backbone": None, "min_size": 160, "max_size": 256}
for name, extra, keys in [
        ("fasterrcnn_mobilenet_v3_large_320_fpn", {"box_detections_per_img": 20, "box_score_thresh": 0.01}, 3),
        ("retinanet_resnet50_fpn", {"detections_per_img": 20, "score_thresh": 0.05}, 3),
        ("fcos_resnet50_fpn", {"detections_per_img": 20, "score_thresh": 0.05}, 3),
        ("maskrcnn_resnet50_fpn", {"box_detections_per_img": 10, "box_score_thresh": 0.01}, 4),
        ("ssdlite320_mobilenet_v3_large", {"detections_per_img": 20, "score_thresh": 0.01}, 3)]:
    def make(name=name, extra=extra, keys=keys):
        sizes = {k: v for k, v in SMALL.items() if "ssd" not in name or k.startswith("weights")}
        network = sharpen(getattr(DETECTION, name)(**sizes, **extra))
        return Pictures(network, ["boxes", "scores", "labels", "masks"][:keys], listed=True)
    entry(name, "detection", make, one_picture(160), {"image": {2: "height", 3: "width"}})

for name in ("fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"):
    def make(name=name):
        return Pictures(getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None), ["out"],
                        listed=False)
    entry(name, "segmentation", make, picture(64), IMAGE)

for name in ("r3d_18", "s3d"):
    def video(size):
        frames = [16, 16, 24][size]
        return {"video": torch.randn([1, 2, 1][size], 3, frames, 64, 64, generator=random(size))}

    def make(name=name):
        if name == "s3d":
            network = torchvision.models.video.s3d(weights=None)
            network.avgpool = torch.nn.AdaptiveAvgPool3d(1)
            return network
        return getattr(torchvision.models.video, name)(weights=None)
    entry(name, "video", make, video, {"video": {0: "batch", 2: "frames"}})


def text(names, vocabulary=100):
    def inputs(size):
        batch, length = SIZES[size], LENGTHS[size]
        result = {}
        for name in names:
            if name.endswith("attention_mask"):
                mask = torch.ones(batch, length, dtype=torch.int64)
                if size:
                    mask[0, -3:] = 0
                result[name] = mask
            elif name == "token_type_ids":
                result[name] = torch.randint(0, 2, (batch, length), generator=random(size))
            else:
                result[name] = torch.randint(4, vocabulary, (batch, length), generator=random(size + 10 * len(result)))
        return result
    return inputs


def text_axes(names):
    return {name: {0: "batch", 1: "target" if name.startswith("decoder") else "sequence"} for name in names}


def transformer(name, kind, network, config, names, pick, fixed=None):
    def make():
        torch.manual_seed(3)
        return Outputs(network(config()), names, pick, fixed)
    entry(name, kind, make, text(names), text_axes(names))


TINY = {"vocab_size": 100, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 128, "max_position_embeddings": 64}
IDS, MASK = "input_ids", "attention_mask"
LAST = ["last_hidden_state"]
NO_CACHE = {"use_cache": False}
transformer("bert", "encoder", hf.BertModel, lambda: hf.BertConfig(**TINY), [IDS, MASK, "token_type_ids"],
            ["last_hidden_state", "pooler_output"])
transformer("roberta", "encoder", hf.RobertaModel, lambda: hf.RobertaConfig(**TINY), [IDS, MASK], LAST)
transformer("distilbert", "encoder", hf.DistilBertModel,
            lambda: hf.DistilBertConfig(vocab_size=100, dim=64, n_layers=2, n_heads=4, hidden_dim=128), [IDS, MASK], LAST)
transformer("albert", "encoder", hf.AlbertModel, lambda: hf.AlbertConfig(embedding_size=32, **TINY), [IDS, MASK], LAST)
transformer("electra", "encoder", hf.ElectraModel, lambda: hf.ElectraConfig(embedding_size=32, **TINY), [IDS, MASK],
            LAST)
transformer("deberta_v2", "encoder", hf.DebertaV2Model,
            lambda: hf.DebertaV2Config(relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=16,
                                       norm_rel_ebd="layer_norm", share_att_key=True, **TINY), [IDS, MASK], LAST)
transformer("mpnet", "encoder", hf.MPNetModel, lambda: hf.MPNetConfig(**TINY), [IDS, MASK], LAST)
transformer("modernbert", "encoder", hf.ModernBertModel,
            lambda: hf.ModernBertConfig(pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2,
                                        **TINY), [IDS, MASK], LAST)
transformer("gpt2", "decoder", hf.GPT2LMHeadModel,
            lambda: hf.GPT2Config(vocab_size=100, n_embd=64, n_layer=2, n_head=4, n_positions=64), [IDS, MASK],
            ["logits"], NO_CACHE)
transformer("opt", "decoder", hf.OPTForCausalLM,
            lambda: hf.OPTConfig(vocab_size=100, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, ffn_dim=128,
                                 max_position_embeddings=64, word_embed_proj_dim=64), [IDS, MASK], ["logits"], NO_CACHE)
GROUPED = {**TINY, "num_key_value_heads": 2}
transformer("llama", "decoder", hf.LlamaForCausalLM, lambda: hf.LlamaConfig(**GROUPED), [IDS, MASK], ["logits"],
            NO_CACHE)
transformer("mistral", "decoder", hf.MistralForCausalLM, lambda: hf.MistralConfig(sliding_window=8, **GROUPED),
            [IDS, MASK], ["logits"], NO_CACHE)
transformer("qwen2", "decoder", hf.Qwen2ForCausalLM, lambda: hf.Qwen2Config(**GROUPED), [IDS, MASK], ["logits"],
            NO_CACHE)
transformer("gemma2", "decoder", hf.Gemma2ForCausalLM, lambda: hf.Gemma2Config(head_dim=16, **GROUPED), [IDS, MASK],
            ["logits"], NO_CACHE)
transformer("phi3", "decoder", hf.Phi3ForCausalLM, lambda: hf.Phi3Config(pad_token_id=0, **GROUPED), [IDS, MASK],
            ["logits"], NO_CACHE)
PAIR = [IDS, MASK, "decoder_input_ids"]
transformer("t5", "encoder-decoder", hf.T5ForConditionalGeneration,
            lambda: hf.T5Config(vocab_size=100, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4), PAIR,
            ["logits"], NO_CACHE)
BART = {"vocab_size": 100, "d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "max_position_embeddings": 64}
transformer("bart", "encoder-decoder", hf.BartForConditionalGeneration, lambda: hf.BartConfig(**BART), PAIR,
            ["logits"], NO_CACHE)
transformer("marian", "encoder-decoder", hf.MarianMTModel, lambda: hf.MarianConfig(pad_token_id=0, **BART), PAIR,
            ["logits"], NO_CACHE)


def seen(name, kind, network, config, input_name, shape, axes, pick, fixed=None):
    def make():
        torch.manual_seed(3)
        return Outputs(network(config()), [input_name], pick, fixed)

    def inputs(size):
        return {input_name: torch.randn(*shape(size), generator=random(size))}
    entry(name, kind, make, inputs, {input_name: axes})


VISION = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128,
          "image_size": 64, "patch_size": 16}
seen("deit", "classification", hf.DeiTForImageClassification, lambda: hf.DeiTConfig(**VISION), "pixel_values",
     lambda size: (SIZES[size], 3, 64, 64), {0: "batch"}, ["logits"])
seen("segformer", "segmentation", hf.SegformerForSemanticSegmentation,
     lambda: hf.SegformerConfig(depths=[1, 1, 1, 1], hidden_sizes=[16, 32, 48, 64], num_attention_heads=[1, 2, 3, 4],
                                decoder_hidden_size=32),
     "pixel_values", lambda size: (SIZES[size], 3, [64, 96, 64][size], 64), {0: "batch", 2: "height", 3: "width"},
     ["logits"])
seen("yolos", "detection", hf.YolosForObjectDetection,
     lambda: hf.YolosConfig(**{**VISION, "image_size": [64, 64]}, num_detection_tokens=10), "pixel_values",
     lambda size: (SIZES[size], 3, 64, 64), {0: "batch"}, ["logits", "pred_boxes"])
seen("detr", "detection", hf.DetrForObjectDetection,
     lambda: hf.DetrConfig(use_timm_backbone=False, backbone=None, use_pretrained_backbone=False,
                           backbone_config=hf.ResNetConfig(embedding_size=16, hidden_sizes=[16, 32, 48, 64],
                                                           depths=[1, 1, 1, 1], layer_type="basic",
                                                           out_features=["stage4"]),
                           d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
                           decoder_attention_heads=4, encoder_ffn_dim=128, decoder_ffn_dim=128, num_queries=10),
     "pixel_values", lambda size: (SIZES[size], 3, [64, 96, 64][size], 64), {0: "batch", 2: "height"},
     ["logits", "pred_boxes"])
SPEECH = {"vocab_size": 40, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
          "intermediate_size": 128, "conv_dim": (32, 32, 32), "conv_stride": (5, 2, 2), "conv_kernel": (10, 3, 3),
          "num_feat_extract_layers": 3, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
seen("wav2vec2", "speech", hf.Wav2Vec2ForCTC, lambda: hf.Wav2Vec2Config(**SPEECH), "input_values",
     lambda size: (SIZES[size], [1600, 1200, 2000][size]), {0: "batch", 1: "samples"}, ["logits"])
seen("hubert", "speech", hf.HubertForCTC, lambda: hf.HubertConfig(**SPEECH), "input_values",
     lambda size: (SIZES[size], [1600, 1200, 2000][size]), {0: "batch", 1: "samples"}, ["logits"])
seen("videomae", "video", hf.VideoMAEForVideoClassification,
     lambda: hf.VideoMAEConfig(num_frames=8, **VISION), "pixel_values",
     lambda size: (SIZES[size], 8, 3, 64, 64), {0: "batch"}, ["logits"])


class Whisper(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.network = hf.WhisperForConditionalGeneration(hf.WhisperConfig(
            **{k: v for k, v in BART.items() if not k.startswith(("max", "vocab"))}, vocab_size=100, num_mel_bins=16,
            max_source_positions=50, max_target_positions=32, pad_token_id=0, bos_token_id=1, eos_token_id=2,
            decoder_start_token_id=1))

    def forward(self, input_features, decoder_input_ids):
        return self.network(input_features=input_features, decoder_input_ids=decoder_input_ids, use_cache=False,
                            decoder_attention_mask=torch.ones_like(decoder_input_ids)).logits


entry("whisper", "speech", Whisper,
      lambda size: {"input_features": torch.randn(SIZES[size], 16, 100, generator=random(size)),
                    "decoder_input_ids": torch.randint(3, 100, (SIZES[size], LENGTHS[size]), generator=random(size))},
      {"input_features": {0: "batch"}, "decoder_input_ids": {0: "batch", 1: "target"}})


class Clip(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        text_config = {**TINY, "projection_dim": 32, "eos_token_id": 99, "bos_token_id": 98, "pad_token_id": 0}
        self.network = hf.CLIPModel(hf.CLIPConfig(text_config=text_config,
                                                  vision_config={**VISION, "projection_dim": 32}, projection_dim=32))

    def forward(self, input_ids, pixel_values, attention_mask):
        result = self.network(input_ids=input_ids, pixel_values=pixel_values, attention_mask=attention_mask)
        return result.logits_per_image, result.text_embeds, result.image_embeds


entry("clip", "encoder", Clip,
      lambda size: {"input_ids": torch.randint(4, 98, (SIZES[size], LENGTHS[size]), generator=random(size)),
                    "pixel_values": torch.randn(SIZES[size], 3, 64, 64, generator=random(size)),
                    "attention_mask": torch.ones(SIZES[size], LENGTHS[size], dtype=torch.int64)},
      {"input_ids": {0: "batch", 1: "sequence"}, "pixel_values": {0: "batch"},
       "attention_mask": {0: "batch", 1: "sequence"}})


class Recommender(torch.nn.Module):
    """DLRM (Naumov et al., 2019): embeddings of categories, products of all pairs, two perceptrons."""

    def __init__(self, categories=8, rows=200, width=16):
        super().__init__()
        torch.manual_seed(3)
        self.tables = torch.nn.ModuleList(torch.nn.Embedding(rows, width) for _ in range(categories))
        self.bottom = torch.nn.Sequential(torch.nn.Linear(13, 64), torch.nn.ReLU(), torch.nn.Linear(64, width),
                                          torch.nn.ReLU())
        pairs = (categories + 1) * categories // 2
        self.top = torch.nn.Sequential(torch.nn.Linear(width + pairs, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
        self.register_buffer("row", torch.tril_indices(categories + 1, categories + 1, -1)[0])
        self.register_buffer("column", torch.tril_indices(categories + 1, categories + 1, -1)[1])

    def forward(self, dense, sparse):
        dense = self.bottom(dense)
        vectors = [dense] + [table(sparse[:, i]) for i, table in enumerate(self.tables)]
        stacked = torch.stack(vectors, 1)
        products = torch.bmm(stacked, stacked.transpose(1, 2))[:, self.row, self.column]
        return torch.sigmoid(self.top(torch.cat([dense, products], 1)))


entry("dlrm", "recommender", Recommender,
      lambda size: {"dense": torch.rand([4, 1, 33][size], 13, generator=random(size)),
                    "sparse": torch.randint(0, 200, ([4, 1, 33][size], 8), generator=random(size))},
      {"dense": {0: "batch"}, "sparse": {0: "batch"}})


class Tagger(torch.nn.Module):
    """A bidirectional LSTM over embeddings, as sequence labelling had it before transformers, and a GRU behind it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.embedding = torch.nn.Embedding(100, 32)
        self.lstm = torch.nn.LSTM(32, 48, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = torch.nn.GRU(96, 40, batch_first=True)
        self.out = torch.nn.Linear(40, 9)

    def forward(self, input_ids):
        hidden, _ = self.lstm(self.embedding(input_ids))
        hidden, _ = self.gru(hidden)
        return self.out(hidden)


entry("lstm_tagger", "encoder", Tagger, text([IDS]), text_axes([IDS]))
