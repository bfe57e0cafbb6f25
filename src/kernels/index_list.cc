#include "src/kernels/index_list.h"

namespace tamis {

Status CheckIndexList(const Operand& operand, std::string_view what) {
  if (operand.dtype == DType::kInt64 || operand.dtype == DType::kInt32) return {};
  return UserError("{} is {}; int64 and int32 are supported", what, Name(operand.dtype));
}

IndexList MakeIndexList(const Operand& operand) {
  return {operand.dtype == DType::kInt64, Elements(operand)};
}

Status CheckIndices(const IndexList& list, const void* indices, const Dims& sizes, std::string_view op) {
  for (int64_t i = 0; i < list.count; ++i) {
    const int64_t index = list.At(indices, i), size = sizes[static_cast<size_t>(i) % sizes.size()];
    if (index >= -size && index < size) continue;
    return UserError("{}: index {} at position {} is out of range; the axis has {} elements, so {} to {} would work",
                     op, index, i, size, -size, size - 1);
  }
  return {};
}

}  // namespace tamis
