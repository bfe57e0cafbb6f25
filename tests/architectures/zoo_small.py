"""timm's and transformers' own networks of further kinds, with small configurations."""
import timm
import transformers as hf
from zoo import BATCH, GROUPED, IDS, IMAGE, MASK, NO_CACHE, PAIR, SIZES, TINY, entry, picture, seen, transformer

LAST = ["last_hidden_state"]
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}

for name, side, vary in [
        ("xcit_nano_12_p16_224", 64, False), ("poolformer_s12", 64, True), ("mixer_s32_224", 224, False),
        ("crossvit_tiny_240", 240, False), ("mvitv2_tiny", 224, False), ("res2net50d", 64, True),
        ("resnest14d", 64, True), ("skresnet18", 64, True), ("ghostnetv2_100", 64, True),
        ("tiny_vit_5m_224", 224, False),
        ("convmixer_768_32", 64, True), ("gcvit_xxtiny", 224, False), ("coatnet_nano_rw_224", 224, False),
        ("efficientvit_b0", 64, True), ("convnextv2_atto", 64, True), ("eva02_tiny_patch14_224", 224, False),
        ("lambda_resnet26t", 256, False), ("starnet_s1", 64, True)]:
    entry(f"timm_{name}", "classification",
          lambda name=name: timm.create_model(name, pretrained=False, num_classes=10, exportable=True),
          picture(side, vary=vary), IMAGE if vary else BATCH)


def more(name, kind, network, config, names=(IDS, MASK), pick=LAST, fixed=None):
    transformer(name, kind, network, config, list(names), pick, fixed)


PADDED = {**TINY, **TOKENS}
more("fnet", "encoder", hf.FNetModel, lambda: hf.FNetConfig(vocab_size=100, hidden_size=64, num_hidden_layers=2,
                                                            intermediate_size=128, max_position_embeddings=64), (IDS,))
more("nystromformer", "encoder", hf.NystromformerModel,
     lambda: hf.NystromformerConfig(num_landmarks=4, segment_means_seq_len=4, **PADDED))
more("deberta", "encoder", hf.DebertaModel,
     lambda: hf.DebertaConfig(relative_attention=True, pos_att_type=["c2p", "p2c"], max_relative_positions=32,
                              **PADDED))
more("rembert", "encoder", hf.RemBertModel,
     lambda: hf.RemBertConfig(input_embedding_size=32, output_embedding_size=32, **PADDED))
more("layoutlm", "encoder", hf.LayoutLMModel, lambda: hf.LayoutLMConfig(**PADDED))
SHARED = {**GROUPED, **TOKENS}
LOGITS = ["logits"]
CACHELESS = {"names": (IDS, MASK), "pick": LOGITS, "fixed": NO_CACHE}
more("gpt_bigcode", "decoder", hf.GPTBigCodeForCausalLM,
     lambda: hf.GPTBigCodeConfig(vocab_size=100, n_embd=64, n_layer=2, n_head=4, n_positions=64), **CACHELESS)
more("olmo", "decoder", hf.OlmoForCausalLM, lambda: hf.OlmoConfig(**SHARED), **CACHELESS)
more("deepseek_v3", "decoder", hf.DeepseekV3ForCausalLM,
     lambda: hf.DeepseekV3Config(**{**SHARED, "num_key_value_heads": 4}, q_lora_rank=16, kv_lora_rank=16,
                                 qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=16, n_routed_experts=4,
                                 num_experts_per_tok=2, moe_intermediate_size=32, n_group=1, topk_group=1,
                                 first_k_dense_replace=2), **CACHELESS)
more("umt5", "encoder-decoder", hf.UMT5ForConditionalGeneration,
     lambda: hf.UMT5Config(vocab_size=100, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4), PAIR, LOGITS,
     NO_CACHE)


def looks(name, kind, network, config, pick, side=64, vary=False, fixed=None):
    seen(name, kind, network, config, "pixel_values",
         lambda size: (SIZES[size], 3, [side, side + 32, side][size] if vary else side, side),
         {0: "batch", 2: "height", 3: "width"} if vary else {0: "batch"}, pick, fixed)


PYRAMID = {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1]}
looks("pvt_v2", "encoder", hf.PvtV2Model,
      lambda: hf.PvtV2Config(image_size=64, num_attention_heads=[1, 2, 4, 8], **PYRAMID), LAST)
looks("hiera", "encoder", hf.HieraModel,
      lambda: hf.HieraConfig(image_size=[64, 64], embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8]), LAST)
looks("swiftformer", "encoder", hf.SwiftFormerModel,
      lambda: hf.SwiftFormerConfig(image_size=64, depths=[1, 1, 1, 1], embed_dims=[16, 24, 32, 48]), LAST, vary=True)
looks("perceiver_image", "encoder", hf.PerceiverForImageClassificationLearned,
      lambda: hf.PerceiverConfig(num_latents=16, d_latents=32, d_model=64, num_blocks=1, num_self_attends_per_block=2,
                                 num_self_attention_heads=4, num_cross_attention_heads=1, image_size=16, num_labels=5),
      LOGITS, side=16)


def waves(name, network, config, pick, fixed=None):
    seen(name, "speech", network, config, "input_values", lambda size: (SIZES[size], 1, [1600, 1280, 1920][size]),
         {0: "batch", 2: "samples"}, pick, fixed)


waves("dac", hf.DacModel,
      lambda: hf.DacConfig(encoder_hidden_size=8, decoder_hidden_size=32, hidden_size=32, downsampling_ratios=[2, 4],
                           upsampling_ratios=[4, 2], codebook_size=32, codebook_dim=4, n_codebooks=2),
      ["audio_values"])
seen("wav2vec2_bert", "speech", hf.Wav2Vec2BertModel,
     lambda: hf.Wav2Vec2BertConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
                                   feature_projection_input_dim=16, left_max_position_embeddings=8,
                                   right_max_position_embeddings=4), "input_features",
     lambda size: (SIZES[size], [40, 30, 57][size], 16), {0: "batch", 1: "frames"}, LAST)
