// Support vector machines of ai.onnx.ml.
#pragma once

#include <cstdint>
#include <vector>

#include "src/ops/op_def.h"

namespace tamis {

struct SvmModel {
  enum class Kernel : uint8_t { kLinear, kPolynomial, kRadial, kSigmoid };
  Kernel kernel = Kernel::kLinear;
  float gamma = 0, offset = 0, degree = 0;
  int64_t features = 0, vectors = 0;  // no vectors: coefficients are weights of features
  std::vector<float> support;         // [vectors, features]
  // Regression: [vectors] or [features]. Classification: [classes - 1, vectors], where row r holds what the vectors of
  // class c say for the pair of c and the r-th of the other classes; or [classes, features].
  std::vector<float> coefficients;
  std::vector<float> rho;  // one for each pair of classes; regression has one
  bool one_class = false;  // the result is 1 or -1

  // Classification only.
  std::vector<int64_t> labels;
  std::vector<int64_t> first;         // vector of each class, and their number
  std::vector<float> prob_a, prob_b;  // Platt's scaling of each pair, or none
  int64_t classes() const { return static_cast<int64_t>(labels.size()); }
  int64_t pairs() const { return classes() * (classes() - 1) / 2; }
  // One score for each pair without probabilities, and both signs of it where there is one pair only.
  int64_t scores() const;
};

Result<SvmModel> ReadSvmRegressor(const Node& node);
Result<SvmModel> ReadSvmClassifier(const Node& node);

// [N, C] or [C] to [N, 1]; to labels [N] and scores.
Status InferSvm(InferContext& context, const SvmModel& model);
Status EvalSvm(EvalContext& context, const SvmModel& model);

// Computes in W, float or double.
template <class W>
class Svm {
 public:
  explicit Svm(const SvmModel& model);
  size_t ScratchElements() const;  // of W, that the functions below need
  const SvmModel& model() const { return model_; }
  void Regress(const W* x, int64_t rows, W* scratch, float* y) const;
  void Classify(const W* x, int64_t rows, W* scratch, int64_t* labels, float* scores) const;

 private:
  W Kernel(const W* x, const W* vector) const;
  void KernelRow(const W* x, W* values) const;
  // Of the pairs of classes; returns the class with most votes.
  int64_t PairScores(const W* kernels, W* pair_scores, W* votes) const;
  // Probabilities of the classes from those of pairs (Wu, Lin, Weng 2004). `work` holds classes * (2 * classes + 1).
  void Couple(const W* pair_scores, float* work, float* probabilities) const;

  SvmModel model_;
  std::vector<W> support_;
};

}  // namespace tamis
