// Random numbers that depend on a seed and a position only.
//
// With the attribute `seed` every evaluation of a node draws the same numbers; without it every evaluation draws new
// ones. Neither is folded into a constant (IsRandom).
#pragma once

#include <functional>
#include <optional>

#include "src/ops/op_bind.h"

namespace tamis {

class RandomNumbers {
 public:
  explicit RandomNumbers(const Node& node);
  explicit RandomNumbers(std::optional<float> seed);
  // In [0, 1), the same for the same index.
  double Uniform(int64_t index) const;
  // Mean 0 and deviation 1, from the uniform numbers 2 * index and 2 * index + 1.
  double Normal(int64_t index) const;

 private:
  uint64_t seed_;
};

// RandomNormal and RandomUniform: dimensions and dtype are attributes. RandomNormalLike and RandomUniformLike: the
// input's, unless the attribute dtype says otherwise.
Status InferRandom(InferContext& context);
Status InferRandomLike(InferContext& context);
// Fills the allocated output 0 with number(random, i) for every element i.
Status EvalRandom(EvalContext& context, const std::function<double(const RandomNumbers&, int64_t)>& number);
// The numbers of the two distributions, by the node's attributes.
Status EvalRandomNormal(EvalContext& context);
Status EvalRandomUniform(EvalContext& context);

// The dtype that attribute `dtype` names, `fallback` without it; an error unless it is of the kind `allowed`.
Result<DType> RandomDType(const InferContext& context, DType fallback, unsigned allowed);

}  // namespace tamis
