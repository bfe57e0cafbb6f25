// Reductions of f32 (sums and means also of bf16) over any axes: ReduceSum, Mean, Max, Min, Prod, L1, L2, SumSquare,
// LogSum, LogSumExp, and the pools over whole planes.
//
// Axes that are reduced, and axes that stay, are merged with their neighbours. If the last of them is reduced, its runs
// are contiguous and each gives a number; else its elements are columns, which are computed a vector at a time. A
// result is folded over `terms` loops, of rows `row_stride` apart.
#pragma once

#include "src/kernels/range_kernel.h"

namespace tamis {

enum class ReduceKind : uint8_t { kSum, kSquares, kMagnitudes, kProduct, kMaximum, kMinimum, kLogSumExp };
enum class ReduceFinish : uint8_t { kNone, kScale, kRoot, kLog };

constexpr int kMaxReduceLoops = 4;

struct ReduceLoops {
  int rank = 0;
  int64_t count = 1;
  int64_t dims[kMaxReduceLoops] = {}, strides[kMaxReduceLoops] = {};
};

struct ReduceArgs {
  ReduceKind kind = ReduceKind::kSum;
  ReduceFinish finish = ReduceFinish::kNone;
  float factor = 1;          // of kScale
  ReduceLoops outer, terms;  // of what stays, of what is reduced beside the rows
  int64_t rows = 1, row_stride = 0;
  int64_t run = 1;  // contiguous elements of a row that are reduced; 1 where there are columns
  int64_t columns = 1;
  int64_t chunk = 1, chunks = 1;  // columns of an item, items of one outer entry
  bool bf16_input = false, bf16_output = false;
};

using ReduceBody = RangeBody<ReduceArgs>;

// f32, and bf16 for sums and means.
Status SupportsReduce(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareReduce(const Problem& problem, ReduceBody body);
double ReduceFlops(const Problem& problem);

// The same for kernels of other element types: what is checked beside the dtype, and the loops of an item.
Status CheckReduce(const Problem& problem);
Result<ReduceArgs> MakeReduceArgs(const Problem& problem);
int64_t ReduceItems(const ReduceArgs& args);
int64_t ReduceGrain(const ReduceArgs& args);

}  // namespace tamis
