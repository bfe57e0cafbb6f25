"""Architectures that appeared late or are met seldom: state spaces beside attention, latent attention, documents and
tables, promptable segmentation, poses, depth, codecs of speech, and forecasts."""
import torch
import transformers as hf
from torch import nn
from zoo import (BART, GROUPED, IDS, LAST, LENGTHS, MASK, NO_CACHE, PAIR, SIZES, SPEECH, TINY, VISION, entry, random,
                 seen, transformer)

TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
PADDED = {**TINY, "pad_token_id": 0}
SHARED = {**GROUPED, **TOKENS}


def made(network, config):
    """With the form of a mixture of experts that both exporters take, where it has one."""
    built = network(config)
    if getattr(built, "_can_set_experts_implementation", lambda: False)():
        built.set_experts_implementation("batched_mm")
    return built


def encoder(name, network, config, names=(IDS, MASK), pick=LAST):
    transformer(name, "encoder", network, config, list(names), list(pick))


def decoder(name, network, config):
    transformer(name, "decoder", lambda c: made(network, c), config, [IDS, MASK], ["logits"], NO_CACHE)


def translator(name, network, config):
    transformer(name, "encoder-decoder", lambda c: made(network, c), config, PAIR, ["logits"], NO_CACHE)


encoder("rembert", hf.RemBertModel,
        lambda: hf.RemBertConfig(input_embedding_size=32, output_embedding_size=32, **PADDED))
encoder("nomic_bert", hf.NomicBertModel, lambda: hf.NomicBertConfig(**PADDED))
encoder("xmod", hf.XmodModel, lambda: hf.XmodConfig(default_language="en_XX", languages=["en_XX"], **PADDED))
encoder("luke", hf.LukeModel, lambda: hf.LukeConfig(entity_vocab_size=50, entity_emb_size=32, **PADDED))
encoder("splinter", hf.SplinterModel, lambda: hf.SplinterConfig(**PADDED))
encoder("megatron_bert", hf.MegatronBertModel, lambda: hf.MegatronBertConfig(**PADDED))
encoder("flaubert", hf.FlaubertModel,
        lambda: hf.FlaubertConfig(vocab_size=100, emb_dim=64, n_layers=2, n_heads=4, max_position_embeddings=64))
encoder("yoso", hf.YosoModel, lambda: hf.YosoConfig(use_expectation=True, **PADDED))

decoder("olmoe", hf.OlmoeForCausalLM, lambda: hf.OlmoeConfig(num_experts=4, num_experts_per_tok=2, **SHARED))
decoder("qwen3_moe", hf.Qwen3MoeForCausalLM,
        lambda: hf.Qwen3MoeConfig(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, head_dim=16,
                                  **SHARED))
decoder("falcon_h1", hf.FalconH1ForCausalLM,
        lambda: hf.FalconH1Config(mamba_d_ssm=64, mamba_n_heads=4, mamba_d_head=16, mamba_n_groups=1, mamba_d_state=16,
                                  mamba_chunk_size=8, **SHARED))
decoder("bamba", hf.BambaForCausalLM,
        lambda: hf.BambaConfig(attn_layer_indices=[1], mamba_n_heads=8, mamba_d_head=16, mamba_d_state=16,
                               mamba_chunk_size=8, **SHARED))
decoder("zamba2", hf.Zamba2ForCausalLM,
        lambda: hf.Zamba2Config(layers_block_type=["mamba", "hybrid"], mamba_d_state=16, n_mamba_heads=4,
                                mamba_ngroups=1, chunk_size=8, num_mem_blocks=1, use_mem_rope=True, adapter_rank=8,
                                **{k: v for k, v in SHARED.items() if k != "num_key_value_heads"}))
decoder("minicpm3", hf.MiniCPM3ForCausalLM,
        lambda: hf.MiniCPM3Config(kv_lora_rank=16, q_lora_rank=32, qk_rope_head_dim=8, qk_nope_head_dim=16,
                                  v_head_dim=16, **{**SHARED, "num_key_value_heads": 4}))
decoder("diffllama", hf.DiffLlamaForCausalLM, lambda: hf.DiffLlamaConfig(head_dim=16, **SHARED))
decoder("doge", hf.DogeForCausalLM, lambda: hf.DogeConfig(**SHARED))
decoder("exaone4", hf.Exaone4ForCausalLM,
        lambda: hf.Exaone4Config(sliding_window=8, layer_types=["sliding_attention", "full_attention"], **SHARED))
decoder("ernie4_5", hf.Ernie4_5ForCausalLM, lambda: hf.Ernie4_5Config(head_dim=16, **SHARED))
decoder("hunyuan", hf.HunYuanDenseV1ForCausalLM, lambda: hf.HunYuanDenseV1Config(head_dim=16, **SHARED))
decoder("granitemoe", hf.GraniteMoeForCausalLM,
        lambda: hf.GraniteMoeConfig(num_local_experts=4, num_experts_per_tok=2, **SHARED))
decoder("gpt_bigcode", hf.GPTBigCodeForCausalLM,
        lambda: hf.GPTBigCodeConfig(vocab_size=100, n_embd=64, n_layer=2, n_head=4, n_positions=64))
decoder("biogpt", hf.BioGptForCausalLM, lambda: hf.BioGptConfig(**PADDED))
decoder("nemotron_h", hf.NemotronHForCausalLM,
        lambda: hf.NemotronHConfig(layers_block_type=["mamba", "attention"], mamba_num_heads=4, mamba_head_dim=16,
                                   ssm_state_size=16, n_groups=1, chunk_size=8, head_dim=16, **SHARED))

translator("blenderbot", hf.BlenderbotForConditionalGeneration, lambda: hf.BlenderbotConfig(**BART))
translator("plbart", hf.PLBartForConditionalGeneration, lambda: hf.PLBartConfig(**BART))
translator("nllb_moe", hf.NllbMoeForConditionalGeneration,
           lambda: hf.NllbMoeConfig(num_experts=4, encoder_sparse_step=2, decoder_sparse_step=2, **BART))
translator("umt5", hf.UMT5ForConditionalGeneration,
           lambda: hf.UMT5Config(vocab_size=100, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4))
translator("fsmt", hf.FSMTForConditionalGeneration,
           lambda: hf.FSMTConfig(langs=["en", "de"], src_vocab_size=100, tgt_vocab_size=100,
                                 **{k: v for k, v in BART.items() if k != "vocab_size"}))


class Fed(nn.Module):
    """A network whose arguments go by name, with several outputs."""

    def __init__(self, network, config, names, pick, fixed=None):
        super().__init__()
        torch.manual_seed(3)
        self.network, self.names, self.pick, self.fixed = made(network, config), names, pick, fixed or {}

    def forward(self, *tensors):
        result = self.network(**dict(zip(self.names, tensors)), **self.fixed)
        return tuple(getattr(result, key) for key in self.pick)


def fed(name, kind, network, config, inputs, pick, axes=None, fixed=None):
    names = list(inputs(0))
    entry(name, kind, lambda: Fed(network, config(), names, pick, fixed), inputs,
          axes or {key: {0: "batch"} for key in names})


def ids(size, length=None, low=4, high=98):
    return torch.randint(low, high, (SIZES[size], length or LENGTHS[size]), generator=random(size))


def pictures(size):
    return torch.randn(SIZES[size], 3, 64, 64, generator=random(size))


def boxes(size, length):
    corners = torch.randint(0, 500, (SIZES[size], length, 2), generator=random(size + 30))
    return torch.cat([corners, corners + torch.randint(1, 400, corners.shape, generator=random(size + 31))], 2)


TOKEN_AXES = {0: "batch", 1: "sequence"}
fed("layoutlm", "document", hf.LayoutLMModel, lambda: hf.LayoutLMConfig(max_2d_position_embeddings=1024, **PADDED),
    lambda s: {IDS: ids(s), "bbox": boxes(s, LENGTHS[s])}, LAST, {IDS: TOKEN_AXES, "bbox": TOKEN_AXES})
fed("layoutlmv3", "document", hf.LayoutLMv3Model,
    lambda: hf.LayoutLMv3Config(input_size=64, patch_size=16, max_2d_position_embeddings=1024, coordinate_size=11,
                                shape_size=10, **TOKENS, **TINY),
    lambda s: {IDS: ids(s, 12), "bbox": boxes(s, 12), "pixel_values": pictures(s)}, LAST)
fed("lilt", "document", hf.LiltModel,
    lambda: hf.LiltConfig(max_2d_position_embeddings=1024, **{**PADDED, "hidden_size": 48}),
    lambda s: {IDS: ids(s), "bbox": boxes(s, LENGTHS[s]), MASK: torch.ones(SIZES[s], LENGTHS[s], dtype=torch.int64)},
    LAST, {IDS: TOKEN_AXES, "bbox": TOKEN_AXES, MASK: TOKEN_AXES})
fed("tapas", "table", hf.TapasModel, lambda: hf.TapasConfig(type_vocab_sizes=[3, 16, 16, 2, 2, 10, 10], **PADDED),
    lambda s: {IDS: ids(s), "token_type_ids": torch.randint(0, 2, (SIZES[s], LENGTHS[s], 7), generator=random(s + 5))},
    LAST, {IDS: TOKEN_AXES, "token_type_ids": TOKEN_AXES})
fed("lxmert", "multimodal", hf.LxmertModel,
    lambda: hf.LxmertConfig(l_layers=2, x_layers=2, r_layers=1, visual_feat_dim=32,
                            **{k: v for k, v in PADDED.items() if k != "num_hidden_layers"}),
    lambda s: {IDS: ids(s, 12), "visual_feats": torch.randn(SIZES[s], 6, 32, generator=random(s)),
               "visual_pos": torch.rand(SIZES[s], 6, 4, generator=random(s + 1))}, ["language_output", "vision_output"])
fed("visual_bert", "multimodal", hf.VisualBertModel, lambda: hf.VisualBertConfig(visual_embedding_dim=32, **PADDED),
    lambda s: {IDS: ids(s, 12), "visual_embeds": torch.randn(SIZES[s], 6, 32, generator=random(s))}, LAST)
CLIP_TEXT = {**TINY, "projection_dim": 32, "eos_token_id": 99, "bos_token_id": 98, "pad_token_id": 0}
fed("groupvit", "multimodal", hf.GroupViTModel,
    lambda: hf.GroupViTConfig(text_config=CLIP_TEXT, projection_dim=32, projection_intermediate_dim=64,
                              vision_config={**VISION, "depths": [2, 2, 1], "num_group_tokens": [8, 4, 0],
                                             "num_output_groups": [8, 4, 0]}),
    lambda s: {IDS: ids(s, 12), "pixel_values": pictures(s), MASK: torch.ones(SIZES[s], 12, dtype=torch.int64)},
    ["logits_per_image"])
fed("bridgetower", "multimodal", hf.BridgeTowerModel,
    lambda: hf.BridgeTowerConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
                                 text_config={**PADDED, "hidden_size": 64},
                                 vision_config={"hidden_size": 64, "num_hidden_layers": 2, "image_size": 64,
                                                "patch_size": 16}),
    lambda s: {IDS: ids(s, 12), MASK: torch.ones(SIZES[s], 12, dtype=torch.int64), "pixel_values": pictures(s)},
    ["pooler_output"])
fed("git", "multimodal", hf.GitForCausalLM, lambda: hf.GitConfig(vision_config=VISION, **PADDED),
    lambda s: {IDS: ids(s, 12), MASK: torch.ones(SIZES[s], 12, dtype=torch.int64), "pixel_values": pictures(s)},
    ["logits"], fixed=NO_CACHE)

fed("sam", "segmentation", hf.SamModel,
    lambda: hf.SamConfig(vision_config={"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
                                        "image_size": 64, "patch_size": 16, "output_channels": 256, "window_size": 2,
                                        "global_attn_indexes": [1], "mlp_dim": 128},
                         prompt_encoder_config={"hidden_size": 256, "image_size": 64, "patch_size": 16,
                                                "mask_input_channels": 8},
                         mask_decoder_config={"hidden_size": 256, "mlp_dim": 64, "num_attention_heads": 4,
                                              "iou_head_hidden_dim": 32, "iou_head_depth": 2}),
    lambda s: {"pixel_values": pictures(s), "input_points": 64 * torch.rand(SIZES[s], 1, 2, 2, generator=random(s))},
    ["pred_masks", "iou_scores"], {"pixel_values": {0: "batch"}, "input_points": {0: "batch"}})


def vision(name, kind, network, config, pick, side=64):
    seen(name, kind, network, config, "pixel_values", lambda size: (SIZES[size], 3, side, side), {0: "batch"}, pick)


vision("swiftformer", "classification", hf.SwiftFormerForImageClassification,
       lambda: hf.SwiftFormerConfig(depths=[1, 1, 1, 1], embed_dims=[16, 32, 48, 64]), ["logits"])
vision("vitdet", "features", hf.VitDetModel,
       lambda: hf.VitDetConfig(window_size=2, use_relative_position_embeddings=True, window_block_indices=[0], **VISION),
       LAST)
vision("ijepa", "features", hf.IJepaModel, lambda: hf.IJepaConfig(**VISION), LAST)
vision("mobilevitv2", "classification", hf.MobileViTV2ForImageClassification,
       lambda: hf.MobileViTV2Config(width_multiplier=0.5, n_attn_blocks=[1, 1, 1]), ["logits"])
vision("bit", "classification", hf.BitForImageClassification,
       lambda: hf.BitConfig(embedding_size=32, hidden_sizes=[32, 64], depths=[1, 1], num_groups=8), ["logits"])
vision("textnet", "classification", hf.TextNetForImageClassification, lambda: hf.TextNetConfig(), ["logits"])
DETECTOR = {"use_timm_backbone": False, "backbone": None, "use_pretrained_backbone": False, "d_model": 64,
            "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
            "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "num_queries": 10}


def small_resnet(*stages):
    return hf.ResNetConfig(embedding_size=16, hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1], layer_type="basic",
                           out_features=list(stages))


vision("table_transformer", "detection", hf.TableTransformerForObjectDetection,
       lambda: hf.TableTransformerConfig(backbone_config=small_resnet("stage4"), **DETECTOR), ["logits", "pred_boxes"])
vision("dab_detr", "detection", hf.DabDetrForObjectDetection,
       lambda: hf.DabDetrConfig(backbone_config=small_resnet("stage4"),
                                **{k: v for k, v in DETECTOR.items() if k != "d_model"}, hidden_size=64),
       ["logits", "pred_boxes"])
vision("depth_anything", "depth", hf.DepthAnythingForDepthEstimation,
       lambda: hf.DepthAnythingConfig(backbone_config=hf.Dinov2Config(**VISION, out_indices=[1, 2],
                                                                     reshape_hidden_states=False),
                                      patch_size=16, reassemble_hidden_size=64, reassemble_factors=[2, 1],
                                      neck_hidden_sizes=[16, 32], fusion_hidden_size=16, head_hidden_size=8),
       ["predicted_depth"])
vision("vitpose", "pose", hf.VitPoseForPoseEstimation,
       lambda: hf.VitPoseConfig(backbone_config={"model_type": "vitpose_backbone", "image_size": [64, 64],
                                                 "patch_size": [16, 16], "hidden_size": 64, "num_hidden_layers": 2,
                                                 "num_attention_heads": 4, "out_indices": [2]}, num_labels=5),
       ["heatmaps"])
vision("donut_swin", "features", hf.DonutSwinModel,
       lambda: hf.DonutSwinConfig(image_size=64, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4), LAST)

fed("trocr", "text in pictures", hf.VisionEncoderDecoderModel,
    lambda: hf.VisionEncoderDecoderConfig(
        encoder=hf.ViTConfig(**VISION).to_dict(),
        decoder=hf.TrOCRConfig(vocab_size=100, d_model=64, decoder_layers=2, decoder_attention_heads=4,
                               decoder_ffn_dim=128, max_position_embeddings=64, cross_attention_hidden_size=64,
                               use_cache=False, is_decoder=True, add_cross_attention=True).to_dict()),
    lambda s: {"pixel_values": pictures(s), "decoder_input_ids": ids(s)}, ["logits"],
    {"pixel_values": {0: "batch"}, "decoder_input_ids": TOKEN_AXES}, NO_CACHE)
seen("unispeech_sat", "speech", hf.UniSpeechSatForCTC, lambda: hf.UniSpeechSatConfig(**SPEECH), "input_values",
     lambda size: (SIZES[size], [1600, 1200, 2000][size]), {0: "batch", 1: "samples"}, ["logits"])
fed("speech_to_text", "speech", hf.Speech2TextForConditionalGeneration,
    lambda: hf.Speech2TextConfig(input_feat_per_channel=16, input_channels=1, conv_channels=32,
                                 max_source_positions=200, max_target_positions=64,
                                 **{k: v for k, v in BART.items() if k != "max_position_embeddings"}),
    lambda s: {"input_features": torch.randn(SIZES[s], 40, 16, generator=random(s)), "decoder_input_ids": ids(s)},
    ["logits"], {"input_features": {0: "batch"}, "decoder_input_ids": TOKEN_AXES}, NO_CACHE)
seen("dac", "codec", hf.DacModel,
     lambda: hf.DacConfig(encoder_hidden_size=8, decoder_hidden_size=64, downsampling_ratios=[2, 4], n_codebooks=3,
                          upsampling_ratios=[4, 2], codebook_size=32, hidden_size=16), "input_values",
     lambda size: (SIZES[size], 1, 640), {0: "batch"}, ["audio_values"])


def past(size):
    times = torch.rand(SIZES[size], 30, 2, generator=random(size + 3))
    return {"past_values": torch.rand(SIZES[size], 30, generator=random(size)) + 1, "past_time_features": times,
            "past_observed_mask": torch.ones(SIZES[size], 30),
            "future_values": torch.rand(SIZES[size], 8, generator=random(size + 1)) + 1,
            "future_time_features": torch.rand(SIZES[size], 8, 2, generator=random(size + 2))}


FORECAST = {"prediction_length": 8, "context_length": 24, "lags_sequence": [1, 2, 6], "num_time_features": 2,
            "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
            "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
fed("time_series_transformer", "forecast", hf.TimeSeriesTransformerModel,
    lambda: hf.TimeSeriesTransformerConfig(**FORECAST), past, LAST, fixed=NO_CACHE)
fed("decision_transformer", "control", hf.DecisionTransformerModel,
    lambda: hf.DecisionTransformerConfig(state_dim=11, act_dim=3, hidden_size=32, max_ep_len=50, n_layer=2, n_head=4,
                                         n_positions=64),
    lambda s: {"states": torch.randn(SIZES[s], 10, 11, generator=random(s)),
               "actions": torch.randn(SIZES[s], 10, 3, generator=random(s + 1)),
               "returns_to_go": torch.rand(SIZES[s], 10, 1, generator=random(s + 2)),
               "timesteps": torch.randint(0, 50, (SIZES[s], 10), generator=random(s + 3)),
               MASK: torch.ones(SIZES[s], 10, dtype=torch.int64)},
    ["state_preds", "action_preds", "return_preds"])
seen("perceiver", "classification", hf.PerceiverForImageClassificationLearned,
     lambda: hf.PerceiverConfig(num_latents=16, d_latents=32, d_model=288, num_self_attends_per_block=2,
                                num_self_attention_heads=4, num_cross_attention_heads=1, image_size=32, num_labels=5),
     "inputs", lambda size: (SIZES[size], 3, 32, 32), {0: "batch"}, ["logits"])
