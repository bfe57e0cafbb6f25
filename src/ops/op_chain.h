// The program of an ElementwiseChain (op_tamis.h): steps that each compute one value from inputs and earlier steps.
#pragma once

#include <string_view>
#include <vector>

#include "src/ir/graph.h"
#include "tamis/status.h"

namespace tamis {

constexpr size_t kMaxChainInputs = 6;
constexpr size_t kMaxChainSteps = 12;

enum class ChainOp : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMin,
  kMax,
  kAffine,  // alpha * x + beta; the first of one operand
  kRelu,
  kGelu,
  kGeluTanh,
  kTanh,
  kSigmoid,
  kClip,  // to [alpha, beta]
  kHardSwish,
  kErf,
  kExp,
  kSqrt,
  kNeg,
  kHardSigmoid,  // clamp(alpha * x + beta, 0, 1)
  kLeakyRelu,    // alpha * x below 0
  kElu,          // alpha * (exp(x * gamma) - 1) below 0, beta * x above
  kSoftplus,
  kSoftsign,
  kMish,
  kSwish,  // x * sigmoid(alpha * x)
  kAbs,
  kReciprocal,
};

std::string_view Name(ChainOp op);  // "Add", "Affine", ...
std::optional<ChainOp> ChainOpFromName(std::string_view name);
inline bool IsBinary(ChainOp op) {
  return op < ChainOp::kAffine;
}

struct ChainStep {
  ChainOp op = ChainOp::kAdd;
  // Of inputs 0, 1, ..., then the steps before this one; right is of binary ones only.
  int64_t left = 0, right = 0;
  float alpha = 0, beta = 0, gamma = 0;
};

// Reads and checks the attributes; an error says what is wrong with them.
Result<std::vector<ChainStep>> ReadChain(const Node& node);
void WriteChain(const std::vector<ChainStep>& steps, Node* node);
// The value of one step in double, for references.
double ApplyStep(const ChainStep& step, double left, double right);

}  // namespace tamis
