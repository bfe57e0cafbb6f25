// ElementwiseChain of domain "tamis": the arguments of its bodies and the part that does not depend on the ISA. Items
// are elements of the result. A piece of them goes through all steps before the next one is read, so that what stands
// between two steps never leaves the L1 cache; every step is the body of the operator of its own.
#pragma once

#include "src/kernels/elementwise/elementwise.h"
#include "src/ops/op_chain.h"

namespace tamis {

struct ChainStepArgs {
  ChainOp op = ChainOp::kAdd;
  BinaryKind binary = BinaryKind::kAdd;
  UnaryArgs unary;
  int left = 0, right = 0;
};

struct ChainArgs {
  BroadcastLoops loops;
  int inputs = 0, count = 0;
  bool bf16[kMaxOperands] = {};
  bool bf16_output = false;
  ChainStepArgs steps[kMaxChainSteps];
};

using ChainBody = RangeBody<ChainArgs>;

Status SupportsChain(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareChain(const Problem& problem, ChainBody body);
double ChainFlops(const Problem& problem);

}  // namespace tamis
