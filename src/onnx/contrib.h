// Operators outside ai.onnx that others define: those that onnxruntime's own tools write, its optimizer's and its
// quantisers' (com.microsoft), those of classic models (ai.onnx.ml) and what converters leave behind, as far as
// operators of ONNX say the same.
#pragma once

#include <onnx-ml.pb.h>

#include <span>
#include <string_view>

namespace tamis {

class ContribNode;

// Replaces them, in the main graph and in nested ones, by what defines them in operators of ONNX; the passes make fused
// and int8 kernels of these again. A node of another form than its rule knows stays as it is and is refused by its
// name.
void ExpandContribOperators(onnx::ModelProto* model);

// How one operator is expanded: false, and nothing emitted, where the node is of a form that the rule does not know.
struct ContribRule {
  std::string_view op;
  bool (*expand)(ContribNode& node);
};
std::span<const ContribRule> AttentionRules();
std::span<const ContribRule> ExpertRules();
std::span<const ContribRule> FusedRules();
std::span<const ContribRule> GroupQueryRules();
std::span<const ContribRule> LowBitRules();
std::span<const ContribRule> NormRules();
std::span<const ContribRule> PackedRules();
std::span<const ContribRule> PlainRules();
std::span<const ContribRule> PositionRules();
std::span<const ContribRule> QuantizedRules();
// Of ai.onnx by their domain, though it has none of the name.
std::span<const ContribRule> StrayRules();
// Of ai.onnx.ml.
std::span<const ContribRule> MlFeatureRules();
std::span<const ContribRule> MlLinearRules();
std::span<const ContribRule> MlSvmRules();
std::span<const ContribRule> MlTreeRules();

}  // namespace tamis
