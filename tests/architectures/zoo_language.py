"""More networks of transformers that read, write and listen; decoders also one step at a time."""
import torch
import transformers as hf
from zoo import (BART, GROUPED, IDS, LAST, MASK, NO_CACHE, PAIR, SIZES, SPEECH, TINY, VISION, entry, random, seen,
                 transformer)

PADDED = {**TINY, "pad_token_id": 0}


def encoder(name, network, config, names=(IDS, MASK)):
    transformer(name, "encoder", network, config, list(names), LAST)


encoder("xlm_roberta", hf.XLMRobertaModel, lambda: hf.XLMRobertaConfig(**TINY))
encoder("funnel", hf.FunnelModel,
        lambda: hf.FunnelConfig(vocab_size=100, block_sizes=[1, 1], d_model=64, n_head=4, d_head=16, d_inner=128,
                                num_decoder_layers=1))
encoder("convbert", hf.ConvBertModel, lambda: hf.ConvBertConfig(embedding_size=64, **PADDED))
encoder("squeezebert", hf.SqueezeBertModel, lambda: hf.SqueezeBertConfig(embedding_size=64, **PADDED))
encoder("mobilebert", hf.MobileBertModel,
        lambda: hf.MobileBertConfig(embedding_size=32, intra_bottleneck_size=32, **PADDED))
transformer("xlnet", "encoder", hf.XLNetModel,
            lambda: hf.XLNetConfig(vocab_size=100, d_model=64, n_layer=2, n_head=4, d_inner=128), [IDS, MASK], LAST,
            {"use_mems": False})
encoder("roformer", hf.RoFormerModel, lambda: hf.RoFormerConfig(embedding_size=64, **PADDED))
encoder("ibert", hf.IBertModel, lambda: hf.IBertConfig(**PADDED))
encoder("eurobert", hf.EuroBertModel, lambda: hf.EuroBertConfig(num_key_value_heads=2, **PADDED))
encoder("esm", hf.EsmModel, lambda: hf.EsmConfig(position_embedding_type="rotary", mask_token_id=3, **PADDED))

TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SHARED = {**GROUPED, **TOKENS}


def experts(network):
    """The form of a mixture of experts that both exporters take."""
    def make(config):
        made = network(config)
        made.set_experts_implementation("batched_mm")
        return made
    return make


def decoder(name, network, config, names=(IDS, MASK)):
    transformer(name, "decoder", network, config, list(names), ["logits"], NO_CACHE)


decoder("gpt_neox", hf.GPTNeoXForCausalLM, lambda: hf.GPTNeoXConfig(**TINY))
decoder("gptj", hf.GPTJForCausalLM,
        lambda: hf.GPTJConfig(vocab_size=100, n_embd=64, n_layer=2, n_head=4, n_positions=64, rotary_dim=8))
decoder("gpt_neo", hf.GPTNeoForCausalLM,
        lambda: hf.GPTNeoConfig(vocab_size=100, hidden_size=64, num_layers=2, num_heads=4, intermediate_size=128,
                                attention_types=[[["global", "local"], 1]], max_position_embeddings=64, window_size=8))
decoder("bloom", hf.BloomForCausalLM, lambda: hf.BloomConfig(vocab_size=100, hidden_size=64, n_layer=2, n_head=4))
decoder("falcon", hf.FalconForCausalLM,
        lambda: hf.FalconConfig(vocab_size=100, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
                                new_decoder_architecture=True, num_kv_heads=2))
decoder("mpt", hf.MptForCausalLM,
        lambda: hf.MptConfig(vocab_size=100, d_model=64, n_layers=2, n_heads=4, max_seq_len=64))
decoder("phi", hf.PhiForCausalLM, lambda: hf.PhiConfig(**SHARED))
decoder("qwen3", hf.Qwen3ForCausalLM, lambda: hf.Qwen3Config(head_dim=16, **SHARED))
decoder("qwen2_moe", experts(hf.Qwen2MoeForCausalLM),
        lambda: hf.Qwen2MoeConfig(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32,
                                  shared_expert_intermediate_size=64, **SHARED))
decoder("mixtral", experts(hf.MixtralForCausalLM), lambda: hf.MixtralConfig(num_local_experts=4, **SHARED))
decoder("gemma", hf.GemmaForCausalLM, lambda: hf.GemmaConfig(head_dim=16, **SHARED))
decoder("gemma3", hf.Gemma3ForCausalLM,
        lambda: hf.Gemma3TextConfig(head_dim=16, sliding_window=8, **{**SHARED, "num_hidden_layers": 6}))
decoder("stablelm", hf.StableLmForCausalLM, lambda: hf.StableLmConfig(**SHARED))
decoder("starcoder2", hf.Starcoder2ForCausalLM, lambda: hf.Starcoder2Config(**SHARED))
decoder("olmo2", hf.Olmo2ForCausalLM, lambda: hf.Olmo2Config(**SHARED))
decoder("granite", hf.GraniteForCausalLM, lambda: hf.GraniteConfig(**SHARED))
decoder("codegen", hf.CodeGenForCausalLM,
        lambda: hf.CodeGenConfig(vocab_size=100, n_embd=64, n_layer=2, n_head=4, n_positions=64, rotary_dim=8))
decoder("xglm", hf.XGLMForCausalLM,
        lambda: hf.XGLMConfig(vocab_size=100, d_model=64, num_layers=2, attention_heads=4, ffn_dim=128,
                              max_position_embeddings=64))
decoder("lfm2", hf.Lfm2ForCausalLM, lambda: hf.Lfm2Config(layer_types=["conv", "full_attention"], **SHARED))
decoder("persimmon", hf.PersimmonForCausalLM, lambda: hf.PersimmonConfig(**TINY))
decoder("nemotron", hf.NemotronForCausalLM, lambda: hf.NemotronConfig(head_dim=16, **SHARED))
decoder("smollm3", hf.SmolLM3ForCausalLM, lambda: hf.SmolLM3Config(**SHARED))


class Step(torch.nn.Module):
    """One step of decoding: the keys and values of what came before go in, all of them come out."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, *tensors):
        input_ids, attention_mask, *past = tensors
        cache = hf.DynamicCache([(past[i], past[i + 1]) for i in range(0, len(past), 2)])
        result = self.network(input_ids=input_ids, attention_mask=attention_mask, past_key_values=cache, use_cache=True)
        kept = [tensor for layer in result.past_key_values.layers for tensor in (layer.keys, layer.values)]
        return (result.logits, *kept)


def step(name, network, config, heads, width=16, layers=2):
    past = [f"past_{what}_{layer}" for layer in range(layers) for what in ("key", "value")]

    def make():
        torch.manual_seed(3)
        return Step(network(config()))

    def inputs(size):
        batch, length = SIZES[size], [7, 5, 11][size]
        result = {IDS: torch.randint(4, 100, (batch, 1), generator=random(size)),
                  MASK: torch.ones(batch, length + 1, dtype=torch.int64)}
        for i, key in enumerate(past):
            result[key] = torch.randn(batch, heads, length, width, generator=random(size + 10 * i))
        return result
    entry(name, "decoder", make, inputs, {IDS: {0: "batch"}, MASK: {0: "batch", 1: "total"},
                                          **{key: {0: "batch", 2: "past"} for key in past}})


step("llama_step", hf.LlamaForCausalLM, lambda: hf.LlamaConfig(**SHARED), 2)
step("gpt2_step", hf.GPT2LMHeadModel,
     lambda: hf.GPT2Config(vocab_size=100, n_embd=64, n_layer=2, n_head=4, n_positions=64), 4)
step("qwen2_step", hf.Qwen2ForCausalLM, lambda: hf.Qwen2Config(**SHARED), 2)
step("gemma3_step", hf.Gemma3ForCausalLM, lambda: hf.Gemma3TextConfig(head_dim=16, sliding_window=64, **SHARED), 2)


def pair(name, network, config):
    transformer(name, "encoder-decoder", network, config, PAIR, ["logits"], NO_CACHE)


pair("pegasus", hf.PegasusForConditionalGeneration, lambda: hf.PegasusConfig(pad_token_id=0, **BART))
pair("mbart", hf.MBartForConditionalGeneration, lambda: hf.MBartConfig(**BART))
pair("m2m100", hf.M2M100ForConditionalGeneration, lambda: hf.M2M100Config(**BART))
pair("longt5", hf.LongT5ForConditionalGeneration,
     lambda: hf.LongT5Config(vocab_size=100, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, local_radius=4))
pair("prophetnet", hf.ProphetNetForConditionalGeneration,
     lambda: hf.ProphetNetConfig(vocab_size=100, hidden_size=64, encoder_ffn_dim=128, num_encoder_layers=2,
                                 num_encoder_attention_heads=4, decoder_ffn_dim=128, num_decoder_layers=2,
                                 num_decoder_attention_heads=4, max_position_embeddings=64))

WAVE = {0: "batch", 1: "samples"}


def samples(size):
    return SIZES[size], [1600, 1200, 2000][size]


seen("wavlm", "speech", hf.WavLMModel, lambda: hf.WavLMConfig(**SPEECH), "input_values", samples, WAVE, LAST)
seen("data2vec_audio", "speech", hf.Data2VecAudioModel, lambda: hf.Data2VecAudioConfig(**SPEECH), "input_values",
     samples, WAVE, LAST)
seen("wav2vec2_conformer", "speech", hf.Wav2Vec2ConformerModel, lambda: hf.Wav2Vec2ConformerConfig(**SPEECH),
     "input_values", samples, WAVE, LAST)
seen("ast", "speech", hf.ASTModel,
     lambda: hf.ASTConfig(num_mel_bins=32, max_length=64, frequency_stride=10, time_stride=10,
                          **{k: v for k, v in VISION.items() if k != "image_size"}), "input_values",
     lambda size: (SIZES[size], 64, 32), {0: "batch"}, LAST)
