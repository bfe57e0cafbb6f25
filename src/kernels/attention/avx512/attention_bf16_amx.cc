// Attention in bf16 by tiles. Keys and values packed in pairs are tiles as they lie, [steps][lanes] with the pitch of a
// packed row; numerators, rounded to bf16, are the other operand. Scores and softmax are in f32, as everywhere.
#include <cstring>

#include "src/kernels/attention/avx512/pair_attention.h"
#include "src/kernels/gemm/avx512/amx_tiles.h"
#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

using Tiles = AmxTiles<TileType::kBf16>;

struct TileAttention : PairAttention {
  using State = TileState;
  static constexpr int64_t kRows = 2 * kTileRows;
  static constexpr int64_t kKeyUnit = 2 * kTileSteps;  // a tile of values; two of scores

  // In scratch, rows one after the other: tiles of rows that lie a power of two apart would share few cache sets.
  static const Pair* Queries(const AttentionArgs& args, const Bf16* q, int64_t rows, std::byte* scratch,
                             int64_t* stride) {
    auto* packed = reinterpret_cast<Bf16*>(scratch + args.query_at);
    for (int64_t r = 0; r < rows; ++r) std::memcpy(packed + r * args.depth, q + r * args.q.row, args.depth * 2);
    *stride = args.depth / 2;
    return reinterpret_cast<const Pair*>(packed);
  }
  static void PackValues(const AttentionArgs& args, const Bf16* v, uint32_t* out) {
    PairAttention::PackValues(args, v, out);
    const int64_t filled = (args.keys + 1) / 2, all = RoundUp(args.keys, kKeyUnit) / 2;
    std::memset(out + filled * args.value_pad, 0, (all - filled) * args.value_pad * sizeof(uint32_t));
  }

  // Strides and depth in pairs; `depth` as TileSteps or a multiple of kTileSteps.
  static void Multiply(int64_t rows, int64_t columns, int64_t depth, const Pair* a, int64_t a_stride, const uint32_t* b,
                       int64_t b_stride, float* c, int64_t c_stride, TileState* state) {
    const int64_t steps = TileSteps(2 * depth);
    const auto upper = static_cast<int>(rows <= kTileRows ? rows : (rows + 1) / 2);
    const int lower = static_cast<int>(rows) - upper;
    ShapeTiles<Tiles>(upper, lower, steps, state);
    const Operands o = {.upper = a,
                        .lower = a + upper * a_stride,
                        .a_pitch = a_stride * 4,
                        .b_stride = b_stride,
                        .depth = depth,
                        .steps = steps,
                        .lower_sums = upper * c_stride,
                        .c_pitch = c_stride * 4};
    const auto pairs = lower > 0 ? Block<true, true> : Block<false, true>;
    const auto last = lower > 0 ? Block<true, false> : Block<false, false>;
    int64_t column = 0;
    for (; column + 32 <= columns; column += 32) pairs(o, b + column, c + column);
    if (column < columns) last(o, b + column, c + column);
  }

 private:
  struct Operands {
    const Pair* upper;
    const Pair* lower;
    int64_t a_pitch;  // bytes
    int64_t b_stride;
    int64_t depth, steps;
    int64_t lower_sums;  // elements behind the upper ones
    int64_t c_pitch;     // bytes
  };

  // One or two tiles of rows by one or two of lanes.
  template <bool kLower, bool kRight>
  static void Block(const Operands& o, const uint32_t* b, float* c) {
    Tiles::Zero<0>();
    if constexpr (kRight) Tiles::Zero<1>();
    if constexpr (kLower) Tiles::Zero<2>();
    if constexpr (kLower && kRight) Tiles::Zero<3>();
    for (int64_t k = 0; k < o.depth; k += o.steps, b += o.steps * o.b_stride) {
      Tiles::Load<6>(o.upper + k, o.a_pitch);
      Tiles::Load<4>(b, o.b_stride * 4);
      Tiles::Multiply<0, 6, 4>();
      if constexpr (kRight) {
        Tiles::Load<5>(b + 16, o.b_stride * 4);
        Tiles::Multiply<1, 6, 5>();
      }
      if constexpr (kLower) {
        Tiles::Load<7>(o.lower + k, o.a_pitch);
        Tiles::Multiply<2, 7, 4>();
        if constexpr (kRight) Tiles::Multiply<3, 7, 5>();
      }
    }
    Tiles::Store<0>(c, o.c_pitch);
    if constexpr (kRight) Tiles::Store<1>(c + 16, o.c_pitch);
    if constexpr (kLower) Tiles::Store<2>(c + o.lower_sums, o.c_pitch);
    if constexpr (kLower && kRight) Tiles::Store<3>(c + o.lower_sums + 16, o.c_pitch);
  }
};

constexpr AttentionBlocks kBlocks = {.rows = TileAttention::kRows, .key_unit = TileAttention::kKeyUnit};

}  // namespace

extern const KernelDef kernel_attention_bf16_amx;
const KernelDef kernel_attention_bf16_amx = {
    .name = "attention_bf16_amx",
    .family = "attention",
    .ops = {"Attention"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAmx,
    .supports = SupportsAttentionByTiles,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, AttentionFlops(problem) / 6); },
    .prepare = [](const Problem& problem,
                  PackCache&) { return PrepareAttention(problem, Attend<TileAttention>, kBlocks); },
};

}  // namespace tamis
