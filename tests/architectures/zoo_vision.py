"""More networks that see: of torchvision, timm and transformers."""
import timm
import torch
import torchvision
import transformers as hf
from zoo import BATCH, IMAGE, MASK, IDS, SIZES, TINY, VISION, Outputs, entry, picture, random, seen

for name, vary in (("regnet_x_400mf", True), ("vgg11_bn", True), ("swin_v2_t", False)):
    entry(name, "classification", lambda name=name: getattr(torchvision.models, name)(weights=None),
          picture(64, vary=vary), IMAGE if vary else BATCH)
entry("swin3d_t", "video", lambda: torchvision.models.video.swin3d_t(weights=None),
      lambda size: {"video": torch.randn([1, 2, 1][size], 3, 16, 64, 64, generator=random(size))},
      {"video": {0: "batch"}})

for name, side, vary in [
        ("levit_128s", 224, False), ("nfnet_l0", 64, True), ("fastvit_t8", 64, True), ("davit_tiny", 64, False),
        ("focalnet_tiny_srf", 64, True), ("sequencer2d_s", 224, False), ("mobilenetv4_conv_small", 64, True),
        ("hgnetv2_b0", 64, True), ("hrnet_w18_small", 64, True), ("botnet26t_256", 256, False),
        ("repvit_m0_9", 64, True), ("edgenext_xx_small", 64, True), ("volo_d1_224", 224, False)]:
    entry(f"timm_{name}", "classification",
          lambda name=name: timm.create_model(name, pretrained=False, num_classes=10, exportable=True),
          picture(side, vary=vary), IMAGE if vary else BATCH)


class Flow(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.network = torchvision.models.optical_flow.raft_small(weights=None)

    def forward(self, before, after):
        return self.network(before, after, num_flow_updates=2)[-1]


entry("raft_small", "optical flow", Flow,
      lambda size: {"before": torch.rand(SIZES[size], 3, 128, 128, generator=random(size)),
                    "after": torch.rand(SIZES[size], 3, 128, 128, generator=random(size + 5))},
      {"before": {0: "batch"}, "after": {0: "batch"}})


def vision(name, kind, network, config, pick, side=64, vary=False):
    seen(name, kind, network, config, "pixel_values",
         lambda size: (SIZES[size], 3, [side, side + 32, side][size] if vary else side, side),
         {0: "batch", 2: "height", 3: "width"} if vary else {0: "batch"}, pick)


LAST = ["last_hidden_state"]
BOXES = ["logits", "pred_boxes"]
STAGES = {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1]}
PYRAMID = {**STAGES, "num_attention_heads": [1, 2, 3, 4]}
vision("dinov2", "encoder", hf.Dinov2Model, lambda: hf.Dinov2Config(**VISION), LAST, vary=True)
vision("dinov3", "encoder", hf.DINOv3ViTModel, lambda: hf.DINOv3ViTConfig(**VISION), LAST)
vision("beit", "encoder", hf.BeitModel, lambda: hf.BeitConfig(use_relative_position_bias=True, **VISION), LAST)
vision("swinv2", "encoder", hf.Swinv2Model,
       lambda: hf.Swinv2Config(image_size=64, embed_dim=32, depths=[2, 2], num_heads=[2, 4], window_size=4), LAST)
vision("pvt", "encoder", hf.PvtModel, lambda: hf.PvtConfig(image_size=64, **PYRAMID), LAST)
vision("cvt", "encoder", hf.CvtModel,
       lambda: hf.CvtConfig(embed_dim=[16, 32, 48], depth=[1, 1, 2], num_heads=[1, 2, 3]), LAST, vary=True)
vision("convnextv2", "encoder", hf.ConvNextV2Model, lambda: hf.ConvNextV2Config(**STAGES), LAST, vary=True)
vision("mobilevit", "encoder", hf.MobileViTModel,
       lambda: hf.MobileViTConfig(image_size=64, hidden_sizes=[32, 32, 32],
                                  neck_hidden_sizes=[8, 8, 16, 24, 32, 32, 64]), LAST)
vision("dpt", "depth", hf.DPTForDepthEstimation,
       lambda: hf.DPTConfig(**{**VISION, "num_hidden_layers": 4}, backbone_out_indices=[0, 1, 2, 3],
                            neck_hidden_sizes=[16, 16, 32, 32], fusion_hidden_size=32, backbone_config=None,
                            is_hybrid=False), ["predicted_depth"])
vision("glpn", "depth", hf.GLPNForDepthEstimation, lambda: hf.GLPNConfig(decoder_hidden_size=32, **PYRAMID),
       ["predicted_depth"], vary=True)
vision("swin2sr", "super-resolution", hf.Swin2SRForImageSuperResolution,
       lambda: hf.Swin2SRConfig(image_size=64, embed_dim=32, depths=[2], num_heads=[2], window_size=8),
       ["reconstruction"], vary=True)
SMALL_DETR = {"d_model": 64, "encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 4,
              "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "num_queries": 10}
OWN_BACKBONE = {"use_timm_backbone": False, "use_pretrained_backbone": False, "backbone": None}


def stages(names):
    return hf.ResNetConfig(embedding_size=16, layer_type="basic", out_features=names, **STAGES)


vision("deformable_detr", "detection", hf.DeformableDetrForObjectDetection,
       lambda: hf.DeformableDetrConfig(backbone_config=stages(["stage2", "stage3", "stage4"]), **OWN_BACKBONE,
                                       **SMALL_DETR), BOXES, side=96)
vision("conditional_detr", "detection", hf.ConditionalDetrForObjectDetection,
       lambda: hf.ConditionalDetrConfig(backbone_config=stages(["stage4"]), **OWN_BACKBONE, **SMALL_DETR), BOXES)
HYBRID = {"encoder_hidden_dim": 32, "encoder_layers": 1, "encoder_ffn_dim": 64, "encoder_attention_heads": 4,
          "d_model": 32, "decoder_in_channels": [32, 32, 32], "num_queries": 10, "decoder_ffn_dim": 64,
          "decoder_layers": 2, "decoder_attention_heads": 4, "num_denoising": 0}
vision("rt_detr", "detection", hf.RTDetrForObjectDetection,
       lambda: hf.RTDetrConfig(backbone_config=hf.RTDetrResNetConfig(
                                   embedding_size=16, layer_type="basic",
                                   out_features=["stage2", "stage3", "stage4"], **STAGES),
                               encoder_in_channels=[32, 48, 64], feat_strides=[8, 16, 32], anchor_image_size=None,
                               **HYBRID), BOXES)
vision("d_fine", "detection", hf.DFineForObjectDetection, lambda: hf.DFineConfig(**HYBRID), BOXES)
seen("timesformer", "video", hf.TimesformerModel, lambda: hf.TimesformerConfig(num_frames=4, **VISION), "pixel_values",
     lambda size: (SIZES[size], 4, 3, 64, 64), {0: "batch"}, LAST)
seen("vivit", "video", hf.VivitModel,
     lambda: hf.VivitConfig(num_frames=4, tubelet_size=[2, 16, 16],
                            **{k: v for k, v in VISION.items() if k != "patch_size"}), "pixel_values",
     lambda size: (SIZES[size], 4, 3, 64, 64), {0: "batch"}, LAST)


def both(name, network, config, pick, names=(IDS, MASK, "pixel_values")):
    def make():
        torch.manual_seed(3)
        return Outputs(network(config()), names, pick)

    def inputs(size):
        made = {IDS: torch.randint(4, 98, (SIZES[size], 12), generator=random(size)),
                MASK: torch.ones(SIZES[size], 12, dtype=torch.int64),
                "pixel_values": torch.randn(SIZES[size], 3, 64, 64, generator=random(size))}
        return {key: made[key] for key in names}
    entry(name, "text and picture", make, inputs, {key: {0: "batch"} for key in names})


both("siglip", hf.SiglipModel,
     lambda: hf.SiglipConfig(text_config={**TINY, "projection_size": 64}, vision_config=VISION), ["logits_per_image"],
     (IDS, "pixel_values"))
both("blip", hf.BlipForImageTextRetrieval,
     lambda: hf.BlipConfig(text_config={**TINY, "encoder_hidden_size": 64, "pad_token_id": 0, "bos_token_id": 1,
                                        "sep_token_id": 2}, vision_config=VISION, projection_dim=32,
                           image_text_hidden_size=32), ["itm_score"])
both("clipseg", hf.CLIPSegForImageSegmentation,
     lambda: hf.CLIPSegConfig(text_config={**TINY, "eos_token_id": 99},
                              vision_config={**VISION, "num_hidden_layers": 3}, projection_dim=32,
                              extract_layers=[0, 1, 2], reduce_dim=16, decoder_num_attention_heads=4,
                              decoder_intermediate_size=32, conditional_layer=0), ["logits"])
