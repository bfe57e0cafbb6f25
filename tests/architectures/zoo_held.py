"""Architectures that were held out until the others agreed: what a stranger may bring next."""
import torch
import torchvision
import transformers as hf
from zoo import (BART, DETECTION, GROUPED, IDS, LAST, MASK, NO_CACHE, SIZES, SPEECH, TINY, VISION, Pictures, entry,
                 one_picture, picture, random, seen, sharpen)
from zoo_wider import TOKENS, decoder, encoder, fed, ids, translator

PADDED = {**TINY, "pad_token_id": 0}
SHARED = {**GROUPED, **TOKENS}
BATCH = {0: "batch"}

# Detection and segmentation.
for name, keys in [("keypointrcnn_resnet50_fpn", ("boxes", "labels", "scores", "keypoints")),
                   ("ssd300_vgg16", ("boxes", "labels", "scores"))]:
    def detector(name=name, keys=keys):
        sizes = {} if name.startswith("ssd") else {"min_size": 160, "max_size": 256}
        limit = {"detections_per_img": 20} if name.startswith("ssd") else {"box_detections_per_img": 20,
                                                                          "box_score_thresh": 0.01}
        network = getattr(DETECTION, name)(weights=None, weights_backbone=None, **sizes, **limit)
        return Pictures(sharpen(network), keys, True)
    entry(name, "detection", detector, one_picture(160), {"image": {2: "height", 3: "width"}})
entry("deeplabv3_resnet50", "segmentation",
      lambda: Pictures(torchvision.models.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None,
                                                                          aux_loss=False), ("out",), False),
      picture(64), {"image": {0: "batch", 2: "height", 3: "width"}})


def vision(name, kind, network, config, pick, side=64, fixed=None):
    seen(name, kind, network, config, "pixel_values", lambda size: (SIZES[size], 3, side, side), BATCH, pick, fixed)


vision("rt_detr_v2", "detection", hf.RTDetrV2ForObjectDetection,
       lambda: hf.RTDetrV2Config(backbone_config=hf.RTDetrResNetConfig(
           embedding_size=16, hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1], layer_type="basic",
           out_features=["stage2", "stage3", "stage4"]), use_timm_backbone=False, backbone=None,
           use_pretrained_backbone=False, encoder_hidden_dim=32, encoder_in_channels=[32, 48, 64], d_model=32,
           encoder_ffn_dim=64, decoder_ffn_dim=64, num_queries=12, decoder_layers=2, decoder_attention_heads=4,
           encoder_attention_heads=4, decoder_in_channels=[32, 32, 32], anchor_image_size=[64, 64]),
       ["logits", "pred_boxes"])
vision("zoedepth", "depth", hf.ZoeDepthForDepthEstimation,
       lambda: hf.ZoeDepthConfig(backbone_config=hf.BeitConfig(
           **{**VISION, "num_hidden_layers": 4}, out_indices=[1, 2, 3, 4], reshape_hidden_states=False,
           out_features=["stage1", "stage2", "stage3", "stage4"]), neck_hidden_sizes=[16, 32, 48, 64],
           fusion_hidden_size=16, bottleneck_features=16, bin_embedding_dim=16, num_relative_features=16,
           backbone_hidden_size=64), ["predicted_depth"])
entry("efficientnet_v2_s", "classification", lambda: torchvision.models.efficientnet_v2_s(weights=None), picture(160),
      {"image": {0: "batch", 2: "height", 3: "width"}})

# Video.
for name in ("mc3_18", "r2plus1d_18"):
    entry(name, "video", lambda name=name: getattr(torchvision.models.video, name)(weights=None),
          lambda s: {"video": torch.randn(SIZES[s], 3, 8, 32, 32, generator=random(s))}, {"video": BATCH})

# Encoders, decoders, both.
encoder("big_bird", hf.BigBirdModel, lambda: hf.BigBirdConfig(attention_type="original_full", **PADDED))
encoder("canine", hf.CanineModel,
        lambda: hf.CanineConfig(num_hash_buckets=64, num_hash_functions=4, local_transformer_stride=8, **{
            k: v for k, v in PADDED.items() if k != "vocab_size"}, type_vocab_size=2, downsampling_rate=4),
        names=(IDS, MASK))
encoder("roc_bert", hf.RoCBertModel,
        lambda: hf.RoCBertConfig(enable_pronunciation=False, enable_shape=False, **PADDED))
encoder("markuplm", hf.MarkupLMModel, lambda: hf.MarkupLMConfig(**PADDED))
encoder("longformer", hf.LongformerModel, lambda: hf.LongformerConfig(attention_window=8, **PADDED))
decoder("cohere", hf.CohereForCausalLM, lambda: hf.CohereConfig(**SHARED))
decoder("cohere2", hf.Cohere2ForCausalLM,
        lambda: hf.Cohere2Config(sliding_window=8, layer_types=["sliding_attention", "full_attention"], **SHARED))
decoder("glm4", hf.Glm4ForCausalLM, lambda: hf.Glm4Config(head_dim=16, **SHARED))
decoder("helium", hf.HeliumForCausalLM, lambda: hf.HeliumConfig(head_dim=16, **SHARED))
decoder("olmo3", hf.Olmo3ForCausalLM, lambda: hf.Olmo3Config(sliding_window=8, **SHARED))
decoder("gpt_oss", hf.GptOssForCausalLM,
        lambda: hf.GptOssConfig(num_local_experts=4, num_experts_per_tok=2, head_dim=16, sliding_window=8, **SHARED))
decoder("mamba", hf.MambaForCausalLM, lambda: hf.MambaConfig(vocab_size=100, hidden_size=32, num_hidden_layers=2,
                                                            state_size=8, **TOKENS))
decoder("mamba2", hf.Mamba2ForCausalLM,
        lambda: hf.Mamba2Config(vocab_size=100, hidden_size=32, num_hidden_layers=2, state_size=16, num_heads=4,
                                head_dim=16, n_groups=1, chunk_size=8, **TOKENS))
decoder("recurrent_gemma", hf.RecurrentGemmaForCausalLM,
        lambda: hf.RecurrentGemmaConfig(lru_width=64, attention_window_size=8, **SHARED))
decoder("jetmoe", hf.JetMoeForCausalLM,
        lambda: hf.JetMoeConfig(num_local_experts=4, num_experts_per_tok=2, kv_channels=16, **{
            k: v for k, v in SHARED.items() if k not in ("num_attention_heads",)}))
decoder("ctrl", hf.CTRLLMHeadModel,
        lambda: hf.CTRLConfig(vocab_size=100, n_positions=64, n_embd=64, dff=128, n_layer=2, n_head=4))
decoder("xlstm", hf.xLSTMForCausalLM,
        lambda: hf.xLSTMConfig(vocab_size=100, hidden_size=64, num_hidden_layers=2, num_heads=2, chunk_size=8,
                               **TOKENS))
translator("led", hf.LEDForConditionalGeneration,
           lambda: hf.LEDConfig(attention_window=8, max_encoder_position_embeddings=64,
                                max_decoder_position_embeddings=64,
                                **{k: v for k, v in BART.items() if k != "max_position_embeddings"}))
translator("mvp", hf.MvpForConditionalGeneration, lambda: hf.MvpConfig(**BART))
translator("bigbird_pegasus", hf.BigBirdPegasusForConditionalGeneration,
           lambda: hf.BigBirdPegasusConfig(attention_type="original_full", **BART))
translator("pegasus_x", hf.PegasusXForConditionalGeneration,
           lambda: hf.PegasusXConfig(num_global_tokens=4, block_size=8, **BART))
translator("mt5", hf.MT5ForConditionalGeneration,
           lambda: hf.MT5Config(vocab_size=100, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4))
translator("switch_transformers", hf.SwitchTransformersForConditionalGeneration,
           lambda: hf.SwitchTransformersConfig(vocab_size=100, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4,
                                               num_sparse_encoder_layers=1, num_sparse_decoder_layers=1,
                                               num_experts=4))

# Speech and sound.
for name, network, config in [("sew", hf.SEWForCTC, hf.SEWConfig), ("unispeech", hf.UniSpeechForCTC, hf.UniSpeechConfig)]:
    seen(name, "speech", network, lambda config=config: config(**SPEECH), "input_values",
         lambda size: (SIZES[size], [1600, 1200, 2000][size]), {0: "batch", 1: "samples"}, ["logits"])
seen("encodec", "codec", hf.EncodecModel,
     lambda: hf.EncodecConfig(num_filters=4, hidden_size=16, upsampling_ratios=[4, 2], codebook_size=32,
                              codebook_dim=16, num_lstm_layers=1, normalize=False), "input_values",
     lambda size: (SIZES[size], 1, 640), BATCH, ["audio_values"])
seen("mimi", "codec", hf.MimiModel,
     lambda: hf.MimiConfig(num_filters=4, hidden_size=32, upsampling_ratios=[4, 2], codebook_size=32, codebook_dim=16,
                           vector_quantization_hidden_dimension=16, upsample_groups=32, num_hidden_layers=1,
                           num_attention_heads=2, num_key_value_heads=2, head_dim=16, intermediate_size=64,
                           num_quantizers=4, sliding_window=16), "input_values",
     lambda size: (SIZES[size], 1, 640), BATCH, ["audio_values"])
fed("moonshine", "speech", hf.MoonshineForConditionalGeneration,
    lambda: hf.MoonshineConfig(encoder_num_hidden_layers=2, decoder_num_hidden_layers=2,
                               encoder_num_attention_heads=4, decoder_num_attention_heads=4, **{
                                   k: v for k, v in TINY.items() if k not in ("num_hidden_layers", "num_attention_heads")}),
    lambda s: {"input_values": torch.randn(SIZES[s], 3200, generator=random(s)), "decoder_input_ids": ids(s)},
    ["logits"], {"input_values": BATCH, "decoder_input_ids": {0: "batch", 1: "target"}}, NO_CACHE)

# Classification and features.
vision("levit", "classification", hf.LevitForImageClassification,
       lambda: hf.LevitConfig(image_size=64, hidden_sizes=[32, 48, 64], num_attention_heads=[2, 3, 4], depths=[1, 1, 1],
                              key_dim=[8, 8, 8]), ["logits"])
vision("hgnet_v2", "classification", hf.HGNetV2ForImageClassification, lambda: hf.HGNetV2Config(), ["logits"])
vision("dinov2_with_registers", "features", hf.Dinov2WithRegistersModel,
       lambda: hf.Dinov2WithRegistersConfig(**VISION), LAST)

# Forecasts.
seen("patchtst", "forecast", hf.PatchTSTForPrediction,
     lambda: hf.PatchTSTConfig(num_input_channels=3, context_length=32, patch_length=8, patch_stride=4, d_model=32,
                               num_hidden_layers=2, num_attention_heads=4, ffn_dim=64, prediction_length=8),
     "past_values", lambda size: (SIZES[size], 32, 3), BATCH, ["prediction_outputs"])
seen("patchtsmixer", "forecast", hf.PatchTSMixerForPrediction,
     lambda: hf.PatchTSMixerConfig(num_input_channels=3, context_length=32, patch_length=8, patch_stride=4, d_model=16,
                                   num_layers=2, prediction_length=8), "past_values",
     lambda size: (SIZES[size], 32, 3), BATCH, ["prediction_outputs"])
