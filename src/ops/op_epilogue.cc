#include "src/ops/op_epilogue.h"

namespace tamis {

void CheckTamisFloat(const Operands& operands, size_t i, NodeProblems* problems) {
  operands.CheckDType(i, {DType::kFloat32, DType::kBFloat16, DType::kFloat16}, problems);
}

DType TamisOutputDType(const Operands& operands, NodeProblems* problems) {
  const DType x = operands.dtype(0);
  if (!operands.node().Has("output_dtype")) return x;
  const int64_t number = operands.node().Int("output_dtype", -1);
  for (DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kFloat16}) {
    if (number == static_cast<int64_t>(dtype)) return dtype;
  }
  problems->Add("attribute 'output_dtype' is {} but must be {} (float32), {} (bfloat16) or {} (float16)", number,
                static_cast<int>(DType::kFloat32), static_cast<int>(DType::kBFloat16),
                static_cast<int>(DType::kFloat16));
  return x;
}

void CheckEpilogue(const Operands& operands, const Shape& y, NodeProblems* problems) {
  operands.CheckDType(2, {DType::kFloat32}, problems);
  operands.CheckShape(2, {y.back()}, problems);
  CheckTamisFloat(operands, 3, problems);
  operands.CheckShape(3, y, problems);
  const Node& node = operands.node();
  const std::string name = node.String("activation", "");
  const auto activation = ActivationFromName(name);
  if (!activation) {
    problems->Add("attribute 'activation' is '{}', which is not an activation", name);
  } else if (*activation == Activation::kClip) {
    const float least = node.Float("clip_min", 0);
    const float most = node.Float("clip_max", 0);
    if (!node.Has("clip_min") || !node.Has("clip_max")) {
      problems->Add("activation 'Clip' needs the attributes 'clip_min' and 'clip_max'");
    } else if (!(least <= most)) {
      problems->Add("attribute 'clip_min' {} must not be greater than 'clip_max' {}", least, most);
    }
  } else if (HasParameters(*activation) && !node.Has("alpha")) {
    problems->Add("activation '{}' needs the attribute 'alpha'", name);
  }
}

EpilogueReference::EpilogueReference(const EvalContext& context) : epilogue_(EpilogueOf(context.node)) {
  const Tensor* bias = context.input(2);
  const Tensor* residual = context.input(3);
  if (bias != nullptr && bias->Defined()) bias_ = bias->Data<float>();
  if (residual != nullptr && residual->Defined()) residual_ = residual->Data<float>();
}

}  // namespace tamis
