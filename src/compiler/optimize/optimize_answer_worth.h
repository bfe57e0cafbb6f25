// What a changed answer costs where there are no labels.
#pragma once

#include <vector>

#include "tamis/tensor.h"

namespace tamis {

struct AnswerWorth {
  // Whether the scores say how sure the network is. They don't where the best two are so close in the mean that it
  // would hardly know any answer: cosines, or sigmoids of several classes. Then a changed answer counts as a lost one.
  bool by_probabilities = false;
  std::vector<double> of_samples;  // from 0 to 1
};

// `dense` are class scores [samples][classes >= 2] of the dense network, f32: logarithms of probabilities but for a
// constant a row, or probabilities.
//
// The answers that change are those the dense network was unsure of, and there its own answer is hardly more often
// right than the one beside it: to count each as lost says three to ten times what labels say. If the right class is
// one of the best two, whose probabilities are p and q, going from the one to the other costs (p - q) / (p + q) answers
// in the mean. How near that comes to labels: docs/optimize.md. What moves it: a network that is surer than it is right
// (Guo et al. 2017), and that the compressed network's answer is evidence, too, that is not heard, make it too much; a
// network that is less sure than it is right, trained on mixtures or smoothed labels, too little.
AnswerWorth WorthOfAnswers(const Tensor& dense);

}  // namespace tamis
