// Sums and means over neighbouring axes: ReduceMean and ReduceSum of ONNX, and ChannelsLastGlobalAveragePool. The input
// is seen as [outer, rows, columns] and the rows are reduced; columns = 1 reduces last axes.
#pragma once

#include "src/kernels/range_kernel.h"

namespace tamis {

struct ReduceArgs {
  int64_t rows = 0, columns = 0;
  int64_t chunk = 0, chunks = 0;  // columns of an item, items of one outer entry
  float factor = 1;               // 1, or 1 / rows
  bool bf16_input = false, bf16_output = false;
};

using ReduceBody = RangeBody<ReduceArgs>;

Status SupportsReduce(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareReduce(const Problem& problem, ReduceBody body);
double ReduceFlops(const Problem& problem);

}  // namespace tamis
