// Maps from labels to labels, each of any type that ONNX has for them: strings, integers, floats.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "src/ops/op_def.h"

namespace tamis {

class LabelMap {
 public:
  // keys[i] becomes values[i]; what is no key becomes the one element of `otherwise`. Both tensors of values have one
  // dtype; of equal keys the last counts. NaN is a key like any other.
  static Result<LabelMap> Make(const Tensor& keys, const Tensor& values, const Tensor& otherwise);

  bool TakesStrings() const { return takes_strings_; }
  DType result() const { return values_.dtype(); }
  // Every element of `labels`, which are strings if the keys are and numbers if not, to that of `results`.
  void Map(const Tensor& labels, Tensor* results) const;

 private:
  bool takes_strings_ = false;
  std::unordered_map<std::string, int64_t> texts_;
  std::unordered_map<uint64_t, int64_t> numbers_;
  Tensor values_;  // in the order of the keys, the last is for what is no key
};

// The map of a node whose operand has the dtype.
using LabelMapReader = Result<LabelMap> (*)(const Node& node, DType operand);
// The rules of an operator that maps every element of its one operand.
Status InferLabels(InferContext& context, LabelMapReader read);
Status EvalLabels(EvalContext& context, LabelMapReader read);

// [n] of the three types of labels.
Tensor LabelStrings(const std::vector<std::string>& values);
Tensor LabelInts(const std::vector<int64_t>& values);
Tensor LabelFloats(const std::vector<float>& values);

}  // namespace tamis
