#include "src/kernels/gemm/sparse_tiles.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "src/base/float16.h"

namespace tamis {
namespace {

struct Positions {
  uint8_t first, second;
};

// The two positions kept of a group, by the set of its non-zeros.
constexpr std::array<Positions, 16> MakePositions() {
  std::array<Positions, 16> table = {};
  for (unsigned set = 0; set < 16; ++set) {
    unsigned kept = set;
    for (unsigned free = ~set & 15; std::popcount(kept) < 2; free &= free - 1) kept |= free & -free;
    const int first = std::countr_zero(kept);
    table[set] = {static_cast<uint8_t>(first), static_cast<uint8_t>(std::countr_zero(kept & (kept - 1)))};
  }
  return table;
}
constexpr std::array<Positions, 16> kPositions = MakePositions();

uint16_t Round(float v, DType element) {
  return element == DType::kFloat16 ? FloatToHalf(v) : FloatToBf16(v);
}

// Reads one element as bits of `element`.
uint16_t Element(const Tensor& weight, int64_t at, DType element) {
  if (weight.dtype() == element) return weight.Data<uint16_t>()[at];
  if (weight.dtype() == DType::kFloat32) return Round(weight.Data<float>()[at], element);
  const uint16_t bits = weight.Data<uint16_t>()[at];
  return Round(weight.dtype() == DType::kFloat16 ? HalfToFloat(bits) : Bf16ToFloat(bits), element);
}

bool SourceIsFinite(const Tensor& weight, int64_t at) {
  switch (weight.dtype()) {
    case DType::kFloat32:
      return std::isfinite(weight.Data<float>()[at]);
    case DType::kFloat16:
      return std::isfinite(HalfToFloat(weight.Data<uint16_t>()[at]));
    default:
      return std::isfinite(Bf16ToFloat(weight.Data<uint16_t>()[at]));
  }
}

// Byte of value `v` (0 .. 31, two a group) of row `r` (0 .. 63) in a tile.
int64_t ValueAt(SparseTileOrder order, int64_t r, int64_t v) {
  if (order == SparseTileOrder::kWarpgroup) return r * 64 + ((v / 8) ^ (r / 2 % 4)) * 16 + v % 8 * 2;
  // A lane holds, of its 16 x 16 values of a step: two at row l / 4, two at the row eight below, then the same eight
  // values further.
  const int64_t step = v / 16, column = v % 16;
  const int64_t lane = r % 8 * 4 + column % 8 / 2;
  const int64_t slot = column / 8 * 4 + r % 16 / 8 * 2 + column % 2;
  return r / 16 * kSparseWarpBytes + step * 512 + lane * 16 + slot * 2;
}

// Byte of the 16-bit half word that codes inputs 16 q .. 16 q + 15 of row `r` in a tile.
int64_t CodesAt(SparseTileOrder order, int64_t r, int64_t q) {
  const int64_t warp = r / 16, lane = r % 8 * 4 + q;
  const int64_t in_warp = lane * 4 + r % 16 / 8 * 2;
  if (order == SparseTileOrder::kWarpgroup) return kSparseTileValues + warp * 128 + in_warp;
  return warp * kSparseWarpBytes + kSparseWarpValues + in_warp;
}

}  // namespace

Status PackSparseTiles(const Tensor& weight, DType element, SparseTileOrder order, std::byte* packed) {
  TAMIS_ASSERT(weight.rank() >= 2 && weight.NumElements() > 0 && (element == DType::kFloat16 || element == DType::kBFloat16));
  TAMIS_ASSERT(weight.dtype() == DType::kFloat32 || weight.dtype() == DType::kFloat16 ||
               weight.dtype() == DType::kBFloat16);
  const int64_t outputs = weight.dim(0), run = weight.dim(-1);
  const int64_t depth = weight.NumElements() / outputs;
  const int64_t run_tiles = SparseTileCount(run);
  const int64_t tiles = depth / run * run_tiles;
  const uint16_t infinity = element == DType::kFloat16 ? 0x7c00 : 0x7f80;
  for (int64_t row = 0; row < SparseTileCount(outputs) * kSparseTile; ++row) {
    for (int64_t tile = 0; tile < tiles; ++tile) {
      std::byte* to = packed + (row / kSparseTile * tiles + tile) * kSparseTileBytes;
      const int64_t r = row % kSparseTile;
      for (int64_t quarter = 0; quarter < 4; ++quarter) {
        uint16_t codes = 0;
        for (int64_t g = 0; g < 4; ++g) {
          const int64_t in_run = tile % run_tiles * kSparseTile + quarter * 16 + g * 4;
          const int64_t begin = tile / run_tiles * run + in_run;
          const int64_t present = row < outputs ? std::clamp<int64_t>(run - in_run, 0, 4) : 0;
          uint16_t four[4] = {};
          unsigned set = 0;
          for (int64_t i = 0; i < present; ++i) {
            const int64_t at = row * depth + begin + i;
            const uint16_t bits = Element(weight, at, element);
            if ((bits & 0x7fff) == infinity && SourceIsFinite(weight, at)) {
              return UserError("the element in row {}, column {} is beyond the range of {}", row, begin + i,
                               Name(element));
            }
            if ((bits & 0x7fff) == 0) continue;
            four[i] = bits;
            set |= 1u << i;
          }
          if (std::popcount(set) > 2) {
            return UserError("row {} breaks the 2:4 pattern in the group at column {}", row, begin);
          }
          const Positions kept = kPositions[set];
          codes = static_cast<uint16_t>(codes | (kept.first | kept.second << 2) << (g * 4));
          const int64_t v = quarter * 8 + g * 2;
          std::memcpy(to + ValueAt(order, r, v), &four[kept.first], 2);
          std::memcpy(to + ValueAt(order, r, v + 1), &four[kept.second], 2);
        }
        std::memcpy(to + CodesAt(order, r, quarter), &codes, 2);
      }
    }
  }
  return {};
}

}  // namespace tamis
