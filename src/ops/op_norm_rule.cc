#include "src/ops/op_norm_rule.h"

namespace tamis {

std::optional<size_t> CheckNormalisedRows(const Operands& operands, const Shape& x, NodeProblems* problems) {
  const int64_t axis = operands.node().Int("axis", -1);
  const auto first = ResolveAxis(axis, x.size());
  if (!first) problems->Add("attribute 'axis' is {} but the input {} has {} dimensions", axis, ToString(x), x.size());
  for (size_t i = 1; i < 3; ++i) {
    const Shape* parameter = operands.shape(i);
    if (parameter == nullptr || BroadcastsTo(*parameter, x)) continue;
    problems->Add("input {} {} doesn't broadcast to the input {}", i, ToString(*parameter), ToString(x));
  }
  return first;
}

}  // namespace tamis
