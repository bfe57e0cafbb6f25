// Pieces that data-movement operators share.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "src/ops/op_rule.h"

namespace tamis {

// Results above this many elements are refused rather than allocated.
inline constexpr int64_t kMaxElements = int64_t{1} << 33;
// Error of the node if the product overflows or passes kMaxElements.
Status CheckSize(const EvalContext& context, const Dims& dims);

// Axes of an operator that took them as an attribute before some opset and takes them as an input since. nullopt: none
// were given. Error if they are given but not constant.
Result<std::optional<std::vector<int64_t>>> AxesOf(const InferContext& context, size_t input);
std::optional<std::vector<int64_t>> AxesOf(const EvalContext& context, size_t input);
// Resolves negative axes, sorts them; error if one is out of range or double.
Result<std::vector<size_t>> ResolveAxes(const std::vector<int64_t>& axes, size_t rank);

// Row-major strides in elements.
Dims StridesOf(const Dims& dims);

// Copies elements of `size` bytes: out[i] = in[source(i)] for i in order.
template <class F>
void CopyElements(const Tensor& in, Tensor* out, F&& source) {
  const size_t size = ByteSize(in.dtype(), 1);
  std::byte* to = out->raw();
  for (int64_t i = 0, n = out->NumElements(); i < n; ++i, to += size) {
    std::memcpy(to, in.raw() + static_cast<size_t>(source(i)) * size, size);
  }
}

// For operators whose output has the input's dtype and dimensions.
Status InferSame(InferContext& context);
// As InferSame, and the contents pass through.
Status InferSameContents(InferContext& context);

}  // namespace tamis
