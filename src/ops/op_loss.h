// Losses over classes: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.
//
// x[N, C, ...], labels[N, ...], weight[C]?; the loss has the labels' dimensions (reduction none) or is a scalar.
#pragma once

#include <vector>

#include "src/ops/op_rule.h"

namespace tamis {

// The types of the loss and of what has the dimensions of x.
Result<std::vector<Type>> LossTypes(const Operands& operands);
// Fills output 0 from the log-probabilities [N, C, ...].
Status ComputeLoss(EvalContext& context, const std::vector<double>& log_probabilities);
std::vector<OpTestCase> LossCases();

}  // namespace tamis
