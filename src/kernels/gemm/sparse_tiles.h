// Packs 2:4 weights for sparse tensor cores, in the format of sparse_tile_format.h.
#pragma once

#include "src/kernels/gemm/sparse_tile_format.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

// Writes SparseTilesBytes() to `packed`. `weight` is [outputs, ..., run] in f32, f16 or bf16 and is rounded to
// `element`, f16 or bf16. A user error names the first group with more than two non-zeros, or an element that `element`
// can't hold.
Status PackSparseTiles(const Tensor& weight, DType element, SparseTileOrder order, std::byte* packed);

}  // namespace tamis
