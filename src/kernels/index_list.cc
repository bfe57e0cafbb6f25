#include "src/kernels/index_list.h"

namespace tamis {

Status CheckIndexList(const Operand& operand, std::string_view what) {
  if (operand.dtype == DType::kInt64 || operand.dtype == DType::kInt32) return {};
  return UserError("{} is {}; int64 and int32 are supported", what, Name(operand.dtype));
}

IndexList MakeIndexList(const Operand& operand) {
  return {operand.dtype == DType::kInt64, Elements(operand)};
}

Status CheckGatherElements(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckIndexList(problem.input(1), "input 1 (indices)"));
  const Dims& dims = problem.input(0).dims;
  if (dims.size() != problem.input(1).dims.size() || dims.empty()) {
    return UserError("the ranks of {} and {} must be equal and not 0", ToString(dims), ToString(problem.input(1).dims));
  }
  if (NormalizeAxis(problem.node->Int("axis", 0), dims.size()) < 0) {
    return UserError("the axis does not lie within {}", ToString(dims));
  }
  return {};
}

namespace {

// Without branches, so that compilers use vectors where one size holds for all.
template <class I>
bool AllInside(const I* indices, int64_t count, const Dims& sizes) {
  bool outside = false;
  if (sizes.size() == 1) {
    // The distances to both ends: the sign of one of them is set where an index is outside. No comparisons, for plain
    // x86-64 has none of 64 bits.
    const auto size = static_cast<uint64_t>(sizes[0]);
    uint64_t signs = 0;
    for (int64_t i = 0; i < count; ++i) {
      const auto index = static_cast<uint64_t>(static_cast<int64_t>(indices[i]));
      signs |= (index + size) | (size - 1 - index);
    }
    return signs >> 63 == 0;
  }
  for (int64_t i = 0; i < count;) {
    for (size_t d = 0; d < sizes.size() && i < count; ++d, ++i) {
      outside |= indices[i] < -sizes[d] || indices[i] >= sizes[d];
    }
  }
  return !outside;
}

}  // namespace

Status CheckIndices(const IndexList& list, const void* indices, const Dims& sizes, std::string_view op) {
  const bool inside = list.wide ? AllInside(static_cast<const int64_t*>(indices), list.count, sizes)
                                : AllInside(static_cast<const int32_t*>(indices), list.count, sizes);
  if (inside) return {};
  for (int64_t i = 0; i < list.count; ++i) {
    const int64_t index = list.At(indices, i), size = sizes[static_cast<size_t>(i) % sizes.size()];
    if (index >= -size && index < size) continue;
    return UserError("{}: index {} at position {} is out of range; the axis has {} elements, so {} to {} would work",
                     op, index, i, size, -size, size - 1);
  }
  return {};
}

}  // namespace tamis
