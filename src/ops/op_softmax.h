// Softmax and LogSoftmax differ in their last step only.
#pragma once

#include "src/ops/op_rule.h"

namespace tamis {

// Since opset 13 along `axis` (default -1); before, over all dimensions from `axis` (default 1) on, flattened.
Result<std::vector<Type>> SoftmaxType(const Operands& operands);
// The rows of input 0, which is not empty, that are normalised: `size` elements, `step` apart.
struct SoftmaxRows {
  int64_t size = 0;
  int64_t step = 0;
};
SoftmaxRows SoftmaxRowsOf(const EvalContext& context);

enum class SoftmaxKind : uint8_t { kPlain, kLog };
// Fills output 0, allocated by AllocateBy. Half-precision operands are taken as they are.
void ComputeSoftmax(EvalContext& context, SoftmaxKind kind);
// The cases of both.
std::vector<OpTestCase> SoftmaxTestCases();

}  // namespace tamis
