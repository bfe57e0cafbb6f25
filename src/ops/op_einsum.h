// The equation of Einsum: "ij,jk->ik", the implicit form "ij,jk", ellipses "...ij,...jk->...ik".
#pragma once

#include <string>
#include <vector>

#include "src/ops/op_rule.h"

namespace tamis {

// A label stands for one axis of the sum. Letters keep their character; axes of an ellipsis are numbers from the right.
struct EinsumEquation {
  std::vector<std::vector<int>> inputs;
  std::vector<int> output;
};

// `ranks`: of the operands. A problem names the part of the equation that is wrong.
EinsumEquation ParseEinsum(const std::string& equation, const std::vector<size_t>& ranks, NodeProblems* problems);

}  // namespace tamis
