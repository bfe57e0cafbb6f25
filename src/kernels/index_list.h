// Indices that a kernel reads at run time: int64 or int32, negative ones counted from the end.
#pragma once

#include "src/kernels/operand_check.h"

namespace tamis {

struct IndexList {
  bool wide = true;  // int64
  int64_t count = 0;

  // As it stands in the tensor.
  int64_t At(const void* indices, int64_t i) const {
    return wide ? static_cast<const int64_t*>(indices)[i] : static_cast<const int32_t*>(indices)[i];
  }
  // In [0, size) if Check passed.
  int64_t At(const void* indices, int64_t i, int64_t size) const {
    const int64_t index = At(indices, i);
    return index < 0 ? index + size : index;
  }
};

// OK if the operand holds int64 or int32.
Status CheckIndexList(const Operand& operand, std::string_view what);
IndexList MakeIndexList(const Operand& operand);
// What every kernel of GatherElements asks: domain, outputs, indices, equal ranks, and an axis within them.
Status CheckGatherElements(const Problem& problem);
// Index i is an index into sizes[i % sizes.size()] elements; an error names the first that isn't.
Status CheckIndices(const IndexList& list, const void* indices, const Dims& sizes, std::string_view op);

}  // namespace tamis
