// lower_ml: what operators of ai.onnx.ml that move, compare and encode numbers say in operators of ONNX, which have
// kernels and fuse: ArrayFeatureExtractor as Gather, Binarizer and OneHotEncoder as comparisons. Those of strings stay.
#include <algorithm>

#include "src/ops/ml/op_ml.h"
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

std::map<std::string, Attribute> To(DType dtype) {
  return {{"to", static_cast<int64_t>(dtype)}};
}

class Lowering {
 public:
  Lowering(Rewriter& rewriter, NodeId id) : rewriter_(rewriter), graph_(rewriter.graph()), id_(id) {
    const Node& node = graph_.node(id);
    node_ = MakeNode(node.op, node.domain, node.inputs, node.outputs, node.attributes, node.name);
  }

  // Whether the node was of a form that can be written so.
  bool Run() {
    if (node_.op == "ArrayFeatureExtractor") return LowerExtractor();
    const DType dtype = DTypeOf(graph_, node_.inputs[0]);
    if (dtype == DType::kUndefined || dtype == DType::kString) return false;
    if (node_.op == "Binarizer") return LowerBinarizer(dtype);
    return node_.op == "OneHotEncoder" && LowerEncoder();
  }

 private:
  const Type& TypeOf(size_t input) const { return graph_.value(node_.inputs[input]).type; }
  ValueId Append(const std::string& op, std::vector<ValueId> inputs, std::map<std::string, Attribute> attributes = {}) {
    return rewriter_.Append(op, "", std::move(inputs), std::move(attributes), Name(op));
  }
  std::string Name(const std::string& part) const { return graph_.value(node_.outputs[0]).name + "_" + part; }
  ValueId Ints(const std::string& name, const std::vector<int64_t>& values) {
    return rewriter_.AddConstant(Name(name), Tensor::Int64s(values));
  }
  bool Finish(const std::string& op, std::vector<ValueId> inputs, std::map<std::string, Attribute> attributes = {}) {
    rewriter_.Replace(id_, MakeNode(op, "", std::move(inputs), node_.outputs, std::move(attributes), node_.name));
    return true;
  }

  // Indices of any rank count as a list; a vector is one row.
  bool LowerExtractor() {
    if (!TypeOf(0).has_rank || TypeOf(0).shape.empty() || !TypeOf(1).has_rank) return false;
    const bool is_vector = TypeOf(0).shape.size() == 1, is_list = TypeOf(1).shape.size() == 1;
    const ValueId indices = is_list ? node_.inputs[1] : Append("Reshape", {node_.inputs[1], Ints("list", {-1})});
    const std::map<std::string, Attribute> last = {{"axis", int64_t{-1}}};
    if (!is_vector) return Finish("Gather", {node_.inputs[0], indices}, last);
    return Finish("Reshape", {Append("Gather", {node_.inputs[0], indices}, last), Ints("row", {1, -1})});
  }

  bool LowerBinarizer(DType dtype) {
    const ValueId threshold = rewriter_.AddConstant(Name("threshold"), Tensor::Float(node_.Float("threshold", 0)));
    const ValueId x =
        dtype == DType::kFloat32 ? node_.inputs[0] : Append("Cast", {node_.inputs[0]}, To(DType::kFloat32));
    return Finish("Cast", {Append("Greater", {x, threshold})}, To(dtype));
  }

  // An element that is no category, where that is an error, is for the reference evaluation to tell.
  bool LowerEncoder() {
    if (node_.Int("zeros", 1) == 0 || !TypeOf(0).has_rank) return false;
    std::vector<int64_t> columns(TypeOf(0).shape.size() + 1, 0);
    columns.back() = 1;
    const ValueId whole = Append("Cast", {node_.inputs[0]}, To(DType::kInt64));
    const ValueId column = Append("Reshape", {whole, Ints("columns", columns)});
    const ValueId equal = Append("Equal", {column, Ints("categories", node_.Ints("cats_int64s"))});
    return Finish("Cast", {equal}, To(DType::kFloat32));
  }

  Rewriter& rewriter_;
  Graph& graph_;
  const NodeId id_;
  Node node_;  // a copy: the graph grows
};

}  // namespace

Status LowerMl(Graph& graph, const PassOptions& options) {
  const std::vector<NodeId> ids = graph.NodeIds();
  if (std::none_of(ids.begin(), ids.end(), [&](NodeId id) { return graph.node(id).domain == kMlDomain; })) return {};
  Rewriter rewriter(graph, options);
  for (const NodeId id : ids) {
    const Node& node = graph.node(id);
    if (node.removed || node.domain != kMlDomain) continue;
    const std::string op = node.op;
    const ValueId output = node.outputs[0];
    if (Lowering(rewriter, id).Run()) options.Matched(graph, output, op);
  }
  return {};
}

}  // namespace tamis
