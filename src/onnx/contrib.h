// The operators that onnxruntime's own tools write and ONNX has not: its optimizer's, its quantisers' (com.microsoft).
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
std::span<const ContribRule> QuantizedRules();

}  // namespace tamis
