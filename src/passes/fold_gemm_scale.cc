// fold_gemm_scale: alpha and beta of a Gemm go into its constant weight and addend.
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

// Scales input `index` if it is a constant f32 tensor; false if it is not.
bool ScaleInput(Rewriter& rewriter, NodeId id, size_t index, double factor) {
  Graph& graph = rewriter.graph();
  const Tensor* constant = graph.ConstantInput(graph.node(id), index);
  if (constant == nullptr || constant->dtype() != DType::kFloat32) return false;
  Tensor scaled(DType::kFloat32, constant->dims());
  for (int64_t i = 0; i < constant->NumElements(); ++i) {
    scaled.Data<float>()[i] = static_cast<float>(constant->Data<float>()[i] * factor);
  }
  rewriter.SetInput(id, index, rewriter.ChangedConstant(graph.node(id).input(index), std::move(scaled)));
  return true;
}

}  // namespace

Status FoldGemmScale(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).Is("Gemm")) continue;
    const double alpha = graph.node(id).Float("alpha", 1);
    const double beta = graph.node(id).Float("beta", 1);
    if (alpha != 1 && (ScaleInput(rewriter, id, 1, alpha) || ScaleInput(rewriter, id, 0, alpha))) {
      graph.node(id).attributes["alpha"] = 1.0f;
    }
    if (beta != 1 && (graph.node(id).input(2) == kNoValue || ScaleInput(rewriter, id, 2, beta))) {
      graph.node(id).attributes["beta"] = 1.0f;
    }
  }
  return {};
}

}  // namespace tamis
