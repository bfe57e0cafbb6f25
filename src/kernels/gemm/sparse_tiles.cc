#include "src/kernels/gemm/sparse_tiles.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "src/base/float16.h"
#include "src/kernels/gemm/kept_positions.h"

namespace tamis {
namespace {

float Source(const Tensor& weight, int64_t at) {
  switch (weight.dtype()) {
    case DType::kFloat32:
      return weight.Data<float>()[at];
    case DType::kFloat16:
      return HalfToFloat(weight.Data<uint16_t>()[at]);
    default:
      return Bf16ToFloat(weight.Data<uint16_t>()[at]);
  }
}

// Row `row` of the weight as bits of `element`, which is not its dtype.
Status RoundRow(const Tensor& weight, int64_t row, DType element, std::vector<uint16_t>& bits) {
  const uint16_t infinity = element == DType::kFloat16 ? 0x7c00 : 0x7f80;
  const auto depth = static_cast<int64_t>(bits.size());
  for (int64_t k = 0; k < depth; ++k) {
    const float v = Source(weight, row * depth + k);
    const uint16_t rounded = element == DType::kFloat16 ? FloatToHalf(v) : FloatToBf16(v);
    if ((rounded & 0x7fff) == infinity && std::isfinite(v)) {
      return UserError("the element in row {}, column {} is beyond the range of {}", row, k, Name(element));
    }
    bits[static_cast<size_t>(k)] = rounded;
  }
  return {};
}

// Byte of the two kept elements of group `g` of quarter `q` (16 inputs) of row `r` in a tile.
int64_t PairAt(SparseTileOrder order, int64_t r, int64_t q, int64_t g) {
  if (order == SparseTileOrder::kWarpgroup) return r * 64 + (q ^ (r / 2 % 4)) * 16 + g * 4;
  // A lane holds, of its 16 x 16 values of a step: two at row l / 4, two at the row eight below, then the same eight
  // values further.
  return r / 16 * kSparseWarpBytes + q / 2 * 512 + (r % 8 * 4 + g) * 16 + q % 2 * 8 + r % 16 / 8 * 4;
}

// Byte of the 16-bit half word that codes quarter `q` of row `r` in a tile.
int64_t CodesAt(SparseTileOrder order, int64_t r, int64_t q) {
  const int64_t warp = r / 16, lane = r % 8 * 4 + q;
  const int64_t in_warp = lane * 4 + r % 16 / 8 * 2;
  if (order == SparseTileOrder::kWarpgroup) return kSparseTileValues + warp * 128 + in_warp;
  return warp * kSparseWarpBytes + kSparseWarpValues + in_warp;
}

// Packs row `r` of a tile. The first input of a group with more than two non-zeros, -1 if there is none.
template <SparseTileOrder order>
int64_t PackRow(const uint16_t (&inputs)[kSparseTile], int64_t r, std::byte* tile) {
  for (int64_t q = 0; q < 4; ++q) {
    unsigned codes = 0;
    for (int64_t g = 0; g < 4; ++g) {
      const uint16_t* four = inputs + q * 16 + g * 4;
      unsigned set = 0;
      for (unsigned i = 0; i < 4; ++i) set |= static_cast<unsigned>((four[i] & 0x7fff) != 0) << i;
      const KeptPositions kept = kKeptPositions[set];
      if (kept.broken) return q * 16 + g * 4;
      codes |= kept.Code() << (g * 4);
      // A kept position without a non-zero may hold a negative zero.
      const uint16_t pair[2] = {static_cast<uint16_t>((set >> kept.first & 1) != 0 ? four[kept.first] : 0),
                                static_cast<uint16_t>((set >> kept.second & 1) != 0 ? four[kept.second] : 0)};
      std::memcpy(tile + PairAt(order, r, q, g), pair, 4);
    }
    const auto half_word = static_cast<uint16_t>(codes);
    std::memcpy(tile + CodesAt(order, r, q), &half_word, 2);
  }
  return -1;
}

}  // namespace

Status PackSparseTiles(const Tensor& weight, DType element, SparseTileOrder order, std::byte* packed) {
  TAMIS_ASSERT(weight.rank() >= 2 && weight.NumElements() > 0 &&
               (element == DType::kFloat16 || element == DType::kBFloat16));
  TAMIS_ASSERT(weight.dtype() == DType::kFloat32 || weight.dtype() == DType::kFloat16 ||
               weight.dtype() == DType::kBFloat16);
  const int64_t outputs = weight.dim(0), run = weight.dim(-1);
  const int64_t depth = weight.NumElements() / outputs;
  const int64_t run_tiles = SparseTileCount(run);
  const int64_t tiles = depth / run * run_tiles;
  std::vector<uint16_t> rounded(weight.dtype() == element ? 0 : static_cast<size_t>(depth));
  for (int64_t row = 0; row < SparseTileCount(outputs) * kSparseTile; ++row) {
    const uint16_t* elements = nullptr;  // of this row; none beyond the last
    if (row < outputs && weight.dtype() == element) elements = weight.Data<uint16_t>() + row * depth;
    if (row < outputs && weight.dtype() != element) {
      TAMIS_RETURN_IF_ERROR(RoundRow(weight, row, element, rounded));
      elements = rounded.data();
    }
    const int64_t r = row % kSparseTile;
    for (int64_t tile = 0; tile < tiles; ++tile) {
      std::byte* to = packed + (row / kSparseTile * tiles + tile) * kSparseTileBytes;
      const int64_t in_run = tile % run_tiles * kSparseTile;
      const int64_t begin = tile / run_tiles * run + in_run;
      const int64_t present = elements == nullptr ? 0 : std::min(run - in_run, kSparseTile);
      uint16_t inputs[kSparseTile] = {};
      if (present > 0) std::memcpy(inputs, elements + begin, static_cast<size_t>(present) * 2);
      const int64_t broken = order == SparseTileOrder::kWarp ? PackRow<SparseTileOrder::kWarp>(inputs, r, to)
                                                             : PackRow<SparseTileOrder::kWarpgroup>(inputs, r, to);
      if (broken >= 0) {
        return UserError("row {} breaks the 2:4 pattern in the group at column {}", row, begin + broken);
      }
    }
  }
  return {};
}

}  // namespace tamis
