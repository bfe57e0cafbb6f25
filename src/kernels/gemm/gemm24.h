// Linear with a 2:4 weight, driven by any Panel24 routine: what the gemm24_* kernels have in common.
#pragma once

#include "src/kernels/gemm/gemm_shape.h"
#include "src/kernels/gemm/panel24.h"

namespace tamis {

Status Gemm24Supported(const Problem& problem, DType dtype);
double Gemm24Cost(const Problem& problem, Isa isa);
Result<std::unique_ptr<PreparedKernel>> PrepareGemm24(const Problem& problem, PackCache& cache, Panel24 panel);

// How work on rows x panels is cut for `threads`: a grid of row_parts x panel_parts, and blocks of rows whose elements
// stay in the second-level cache while all panels of a part pass over them.
struct Grid24 {
  int64_t row_parts = 1;
  int64_t panel_parts = 1;
  int64_t block_rows = 1;
};
Grid24 CutGrid24(int64_t rows, int64_t panels, int64_t bytes_per_row, int threads);
// [begin, end) of part `index` of `parts` over `count` items, sizes differing by at most one.
struct Span24 {
  int64_t begin = 0;
  int64_t end = 0;
};
inline Span24 PartOf(int64_t count, int64_t parts, int64_t index) {
  return {count * index / parts, count * (index + 1) / parts};
}

}  // namespace tamis
