#include <algorithm>
#include <limits>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// Inputs: boxes [batch, n, 4], scores [batch, class, n], most boxes of a class?, threshold of overlap?, of score?.
// Output: [selected, 3], each batch, class and box.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 5));
  const Shape* boxes = context.InputShape(0);
  const Shape* scores = context.InputShape(1);
  for (size_t i : {0, 1}) {
    if (context.InputDType(i) != DType::kUndefined && context.InputDType(i) != DType::kFloat32) {
      return context.Error(fmt::format("input {} is {}, must be float32", i, Name(context.InputDType(i))));
    }
    const Shape* shape = context.InputShape(i);
    if (shape != nullptr && shape->size() != 3) {
      return context.Error(fmt::format("input {} must have three dimensions, has {}", i, ToString(*shape)));
    }
  }
  const auto differ = [](const Dim& a, const Dim& b) { return a.IsConstant() && b.IsConstant() && !(a == b); };
  if (boxes != nullptr && differ((*boxes)[2], Dim(4))) {
    return context.Error(fmt::format("boxes of shape {} must have four coordinates", ToString(*boxes)));
  }
  if (boxes != nullptr && scores != nullptr &&
      (differ((*boxes)[0], (*scores)[0]) || differ((*boxes)[1], (*scores)[2]))) {
    return context.Error(
        fmt::format("boxes {} and scores {} do not fit together", ToString(*boxes), ToString(*scores)));
  }
  return SetShape(context, 0, DType::kInt64, {context.DataDim(0, 0), Dim(3)});
}

struct Box {
  float top, left, bottom, right, area;
};

Box ReadBox(const float* from, bool center) {
  Box box{};
  if (center) {  // x, y, width, height
    box.top = from[1] - from[3] / 2;
    box.bottom = from[1] + from[3] / 2;
    box.left = from[0] - from[2] / 2;
    box.right = from[0] + from[2] / 2;
  } else {  // two corners that lie opposite: y, x, y, x
    std::tie(box.top, box.bottom) = std::minmax({from[0], from[2]});
    std::tie(box.left, box.right) = std::minmax({from[1], from[3]});
  }
  box.area = (box.bottom - box.top) * (box.right - box.left);
  return box;
}

// Boxes by coordinate, so that one is compared with several at a time. What is missing in the last block has no area.
class KeptBoxes {
 public:
  void Add(const Box& box) {
    if (count_ % kBlock == 0) blocks_.emplace_back();
    Block& block = blocks_.back();
    const size_t i = count_++ % kBlock;
    block.top[i] = box.top;
    block.left[i] = box.left;
    block.bottom[i] = box.bottom;
    block.right[i] = box.right;
    block.area[i] = box.area;
  }
  // Whether the box shares more than `threshold` of the union with one of them.
  bool Hide(const Box& box, float threshold) const {
    if (box.area <= 0) return false;
    for (const Block& block : blocks_) {
      int hidden = 0;
      for (size_t i = 0; i < kBlock; ++i) {
        const float height = std::min(block.bottom[i], box.bottom) - std::max(block.top[i], box.top);
        const float width = std::min(block.right[i], box.right) - std::max(block.left[i], box.left);
        const float common = std::max(height, 0.0f) * std::max(width, 0.0f);
        const float share = common / (block.area[i] + box.area - common);
        hidden |=
            static_cast<int>(common > 0) & static_cast<int>(block.area[i] > 0) & static_cast<int>(share > threshold);
      }
      if (hidden != 0) return true;
    }
    return false;
  }

 private:
  static constexpr size_t kBlock = 8;
  struct Block {
    float top[kBlock] = {}, left[kBlock] = {}, bottom[kBlock] = {}, right[kBlock] = {}, area[kBlock] = {};
  };
  std::vector<Block> blocks_;
  size_t count_ = 0;
};

// The boxes of one class that are kept, best first.
std::vector<int64_t> Select(const std::vector<Box>& boxes, const float* scores, float least_score, float threshold,
                            int64_t most) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (scores[i] > least_score) order.push_back(static_cast<int64_t>(i));
  }
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  std::vector<int64_t> kept;
  KeptBoxes better;
  for (int64_t candidate : order) {
    if (static_cast<int64_t>(kept.size()) >= most) break;
    const Box& box = boxes[static_cast<size_t>(candidate)];
    if (better.Hide(box, threshold)) continue;
    better.Add(box);
    kept.push_back(candidate);
  }
  return kept;
}

Result<float> ReadThreshold(const EvalContext& context, size_t input, float fallback) {
  const Tensor* tensor = context.input(input);
  if (tensor == nullptr) return fallback;
  if (tensor->dtype() != DType::kFloat32 || tensor->NumElements() != 1) {
    return context.Error(fmt::format("input {} must be one float32", input));
  }
  return *tensor->Data<float>();
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindInputs(context).status());
  const Tensor& boxes = *context.input(0);
  const Tensor& scores = *context.input(1);
  int64_t most = 0;
  if (const Tensor* given = context.input(2)) {
    if (!IsInteger(given->dtype()) || given->NumElements() != 1) return context.Error("input 2 must be one integer");
    most = given->ToInt64s()[0];
  }
  TAMIS_ASSIGN_OR_RETURN(const float threshold, ReadThreshold(context, 3, 0));
  TAMIS_ASSIGN_OR_RETURN(const float least_score, ReadThreshold(context, 4, -std::numeric_limits<float>::infinity()));
  if (!(threshold >= 0 && threshold <= 1)) {
    return context.Error(fmt::format("the threshold of overlap is {}, must be within [0, 1]", threshold));
  }
  const bool center = context.node.Int("center_point_box", 0) != 0;
  const int64_t n = boxes.dim(1);
  std::vector<int64_t> selected;
  std::vector<Box> of_batch(static_cast<size_t>(n));
  for (int64_t batch = 0; batch < boxes.dim(0) && most > 0; ++batch) {
    for (int64_t i = 0; i < n; ++i) {
      of_batch[static_cast<size_t>(i)] = ReadBox(boxes.Data<float>() + (batch * n + i) * 4, center);
    }
    for (int64_t label = 0; label < scores.dim(1); ++label) {
      const float* row = scores.Data<float>() + (batch * scores.dim(1) + label) * n;
      for (int64_t box : Select(of_batch, row, least_score, threshold, most)) {
        selected.insert(selected.end(), {batch, label, box});
      }
    }
  }
  context.outputs[0] = Tensor::Int64s(selected).Reshaped({static_cast<int64_t>(selected.size()) / 3, 3});
  return {};
}

std::vector<OpTestCase> Cases() {
  const int64_t most = 3;
  return {{{SampleFloats(1, {1, 6, 4}), SampleFloats(2, {1, 2, 6}),
            Tensor::Of<int64_t>(DType::kInt64, {1}, std::span<const int64_t>(&most, 1)), Tensor::Float(0.5f)},
           {}}};
}

}  // namespace

extern const OpDef op_non_max_suppression = {.name = "NonMaxSuppression",
                                             .domain = "",
                                             .since_opset = 10,
                                             .infer = Infer,
                                             .eval = Eval,
                                             .test_cases = Cases,
                                             .widen_half = false};

}  // namespace tamis
