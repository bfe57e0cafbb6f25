#include "src/kernels/elementwise/broadcast.h"

#include <algorithm>
#include <iterator>

namespace tamis {

Result<BroadcastLoops> MakeBroadcastLoops(const Dims& out, std::span<const Dims* const> operands) {
  TAMIS_ASSERT(operands.size() <= kMaxOperands);
  struct Loop {
    int64_t dim;
    int64_t strides[kMaxOperands];
  };
  std::vector<Loop> loops;  // innermost first
  int64_t running[kMaxOperands];
  std::fill(std::begin(running), std::end(running), 1);
  for (size_t axis = out.size(); axis-- > 0;) {
    Loop loop{out[axis], {}};
    for (size_t i = 0; i < operands.size(); ++i) {
      const Dims& dims = *operands[i];
      if (dims.size() > out.size()) return UserError("{} doesn't broadcast to {}", ToString(dims), ToString(out));
      const size_t from_end = out.size() - axis;
      const int64_t dim = from_end <= dims.size() ? dims[dims.size() - from_end] : 1;
      if (dim != 1 && dim != out[axis]) return UserError("{} doesn't broadcast to {}", ToString(dims), ToString(out));
      loop.strides[i] = dim == 1 ? 0 : running[i];
      running[i] *= dim;
    }
    if (loop.dim == 1) continue;
    bool merges = !loops.empty();
    for (size_t i = 0; merges && i < operands.size(); ++i) {
      merges = loop.strides[i] == loops.back().strides[i] * loops.back().dim;
    }
    if (merges) {
      loops.back().dim *= loop.dim;
    } else {
      loops.push_back(loop);
    }
  }
  if (loops.empty()) loops.push_back({1, {}});
  if (loops.size() > kMaxLoops) return UserError("more than {} loops are left after merging dimensions", kMaxLoops);
  BroadcastLoops result;
  result.rank = static_cast<int>(loops.size());
  result.count = NumElements(out);
  for (size_t i = 0; i < loops.size(); ++i) {
    const Loop& loop = loops[loops.size() - 1 - i];
    result.dims[i] = loop.dim;
    for (size_t operand = 0; operand < kMaxOperands; ++operand) result.strides[operand][i] = loop.strides[operand];
  }
  return result;
}

Result<BroadcastLoops> MakeBroadcastLoops(const Problem& problem, size_t operands) {
  std::vector<const Dims*> dims;
  for (size_t i = 0; i < operands; ++i) dims.push_back(&problem.input(i).dims);
  return MakeBroadcastLoops(problem.outputs[0].dims, dims);
}

void RowOffsets(const BroadcastLoops& loops, int64_t row, int64_t (&offsets)[kMaxOperands]) {
  for (int64_t& offset : offsets) offset = 0;
  for (int axis = loops.rank - 2; axis >= 0; --axis) {
    const int64_t index = row % loops.dims[axis];
    row /= loops.dims[axis];
    for (size_t i = 0; i < kMaxOperands; ++i) offsets[i] += index * loops.strides[i][axis];
  }
}

}  // namespace tamis
