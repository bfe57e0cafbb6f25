// Packs 2:4 weights of s8 codes for sparse tensor cores, in the format of sparse_code_format.h.
#pragma once

#include "src/kernels/gemm/sparse_code_format.h"
#include "tamis/status.h"

namespace tamis {

// Where outputs lie in a tile: as code_tiles.h says, or one after the other, as products of float8 want them.
enum class CodeRows { kByTurns, kInOrder };

// Writes SparseCodeTilesBytes() to `packed`. `weight` is [outputs][runs][run], of codes that are 0 only for the number
// 0. A user error names the first group with more than two non-zeros.
Status PackSparseCodeTiles(const int8_t* weight, int64_t outputs, int64_t runs, int64_t run, std::byte* packed,
                           CodeRows rows = CodeRows::kByTurns);

}  // namespace tamis
