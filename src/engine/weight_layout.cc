#include "src/engine/weight_layout.h"

#include <algorithm>

#include "tamis/tensor.h"

namespace tamis {
namespace {

template <class T>
void Transpose(const T* in, const TransposeExtent& e, T* out) {
  constexpr int64_t kTile = 32;  // both sides of a tile stay in the first-level cache
  for (int64_t b = 0; b < e.batches; ++b, in += e.rows * e.columns, out += e.rows * e.columns) {
    for (int64_t r0 = 0; r0 < e.rows; r0 += kTile) {
      for (int64_t c0 = 0; c0 < e.columns; c0 += kTile) {
        for (int64_t c = c0; c < std::min(c0 + kTile, e.columns); ++c) {
          for (int64_t r = r0; r < std::min(r0 + kTile, e.rows); ++r) out[c * e.rows + r] = in[r * e.columns + c];
        }
      }
    }
  }
}

}  // namespace

std::optional<TransposeExtent> ExtentOf(WeightTransform transform, std::span<const int64_t> dims) {
  if (transform == WeightTransform::kTransposed2D && dims.size() == 2) return TransposeExtent{1, dims[0], dims[1]};
  if (transform == WeightTransform::kOihwToOhwi && dims.size() >= 2) {
    const int64_t spatial = NumElements(dims.subspan(2));
    if (spatial >= 0) return TransposeExtent{dims[0], dims[1], spatial};
  }
  return std::nullopt;
}

void TransposeBatches(const void* in, const TransposeExtent& extent, size_t element_bytes, void* out) {
  switch (element_bytes) {
    case 1:
      return Transpose(static_cast<const uint8_t*>(in), extent, static_cast<uint8_t*>(out));
    case 2:
      return Transpose(static_cast<const uint16_t*>(in), extent, static_cast<uint16_t*>(out));
    case 4:
      return Transpose(static_cast<const uint32_t*>(in), extent, static_cast<uint32_t*>(out));
    case 8:
      return Transpose(static_cast<const uint64_t*>(in), extent, static_cast<uint64_t*>(out));
    default:
      TAMIS_ASSERT(false);
  }
}

}  // namespace tamis
