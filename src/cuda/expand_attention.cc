#include <algorithm>
#include <limits>
#include <optional>

#include "src/cuda/fuse_parts.h"
#include "src/ops/op_tamis.h"
#include "src/ops/op_tf32.h"

namespace tamis {
namespace {

// One Attention of f32 for which there is no kernel, as products, a softmax and what moves heads.
class AttentionParts {
 public:
  AttentionParts(Graph& graph, NodeId id) : graph_(graph), id_(id) {}

  void Run() {
    const Node& node = graph_.node(id_);
    if (!Readable(node)) return;
    const bool tf32 = AllowsTf32(node);
    name_ = graph_.value(node.outputs[0]).name;
    const std::vector<ValueId> operands = node.inputs, results = node.outputs;
    const float scale = node.Float("scale", 1), cap = node.Float("softcap", 0);
    const AttentionSight sight = SightOf(node, queries_, keys_);
    const bool sees_all = node.Int("causal", 0) == 0 && node.Int("windowed", 0) == 0;
    const bool causal = node.Int("causal", 0) != 0, windowed = node.Int("windowed", 0) != 0;
    graph_.RemoveNode(id_);

    // Heads that share keys are rows of one product: [batch, kv_heads, heads of each * queries, depth].
    const int64_t shared = heads_ / kv_heads_;
    ValueId q = Apart(operands[0], "q", heads_, queries_, depth_);
    q = Multiplied(q, "q_scaled", {batch_, heads_, queries_, depth_}, cap == 0 ? scale : scale / cap);
    q = Viewed(q, "q_rows", {batch_, kv_heads_, shared * queries_, depth_});
    ValueId k = Apart(operands[1], "k", kv_heads_, keys_, depth_);
    k = Add("Transpose", {k}, "k_columns", {batch_, kv_heads_, depth_, keys_}, {{"perm", Dims{0, 1, 3, 2}}});
    const ValueId v = Apart(operands[2], "v", kv_heads_, keys_, width_);
    const std::map<std::string, Attribute> product =
        tf32 ? std::map<std::string, Attribute>{{"tf32", int64_t{1}}} : std::map<std::string, Attribute>{};
    const Dims grouped = {batch_, kv_heads_, shared * queries_, keys_}, apart = {batch_, heads_, queries_, keys_};
    ValueId scores = Viewed(Add("MatMul", {q, k}, "products", grouped, product), "scores", apart);
    if (cap != 0) scores = Multiplied(Add("Tanh", {scores}, "tanh", apart, {}), "capped", apart, cap);
    if (operands.size() > 3 && operands[3] != kNoValue) {
      scores = Add("Add", {scores, operands[3]}, "masked", apart, {});
    }
    if (!sees_all) {
      Tensor closed(DType::kFloat32, {queries_, keys_});
      for (int64_t s = 0; s < queries_; ++s) {
        for (int64_t t = 0; t < keys_; ++t) {
          const bool seen = (!causal || t <= s + sight.last) && (!windowed || t >= s + sight.first);
          closed.Data<float>()[s * keys_ + t] = seen ? 0 : -std::numeric_limits<float>::infinity();
        }
      }
      scores = Add("Add", {scores, AddHashed(graph_, name_ + "_sight", std::move(closed))}, "seen", apart, {});
    }
    const ValueId weights =
        Viewed(Add("Softmax", {scores}, "softmax", apart, {{"axis", int64_t{-1}}}), "weights", grouped);
    const ValueId rows = Add("MatMul", {weights, v}, "sums", {batch_, kv_heads_, shared * queries_, width_}, product);
    const ValueId sums = Viewed(rows, "heads", {batch_, heads_, queries_, width_});
    const ValueId together =
        Add("Transpose", {sums}, "together", {batch_, queries_, heads_, width_}, {{"perm", Dims{0, 2, 1, 3}}});
    Node last;
    last.op = "Reshape";
    last.inputs = {together, Sizes({batch_, queries_, heads_ * width_})};
    last.outputs = results;
    graph_.AddNode(std::move(last));
  }

 private:
  // Fills the dimensions; false if the node is for its own kernel, or for the CPU.
  bool Readable(const Node& node) {
    for (size_t i = 0; i < 3; ++i) {
      if (graph_.value(node.inputs[i]).type.dtype != DType::kFloat32) return false;
    }
    // Rows that see no key: a softmax of the parts would give NaN.
    if (node.Int("zero_masked", 0) != 0 || node.Int("mean_masked", 0) != 0) return false;
    if (node.input(3) != kNoValue && graph_.value(node.inputs[3]).type.dtype != DType::kFloat32) return false;
    const auto dims = [&](ValueId value) { return ConstantDims(graph_.value(value).type.shape); };
    const auto q = dims(node.inputs[0]), k = dims(node.inputs[1]), v = dims(node.inputs[2]);
    if (!q || !k || !v || NumElements(*q) == 0 || NumElements(*k) == 0 || NumElements(*v) == 0) return false;
    heads_ = node.Int("num_heads", 1), kv_heads_ = node.Int("kv_heads", heads_);
    const auto rows = [](const Dims& d) { return d.size() == 4 ? d[2] : d[1]; };
    const auto depth = [](const Dims& d, int64_t heads) { return d.size() == 4 ? d[3] : d[2] / heads; };
    batch_ = (*q)[0], queries_ = rows(*q), keys_ = rows(*k);
    depth_ = depth(*q, heads_), width_ = depth(*v, kv_heads_);
    return !HasKernel(node);
  }

  // What attention_flash computes in tf32.
  bool HasKernel(const Node& node) const {
    return AllowsTf32(node) && IsFlashDepth(depth_) && width_ == depth_ && node.Int("windowed", 0) == 0 &&
           node.Float("softcap", 0) == 0;
  }

  // Heads apart, [batch, heads, rows, depth].
  ValueId Apart(ValueId value, const std::string& what, int64_t heads, int64_t rows, int64_t depth) {
    if (graph_.value(value).type.shape.size() == 4) return value;
    const ValueId split = Viewed(value, what + "_split", {batch_, rows, heads, depth});
    return Add("Transpose", {split}, what + "_apart", {batch_, heads, rows, depth}, {{"perm", Dims{0, 2, 1, 3}}});
  }

  ValueId Multiplied(ValueId value, const std::string& what, const Dims& dims, float factor) {
    if (factor == 1) return value;
    Tensor scalar(DType::kFloat32, {});
    scalar.Data<float>()[0] = factor;
    return Add("Mul", {value, AddHashed(graph_, name_ + "_" + what + "_by", std::move(scalar))}, what, dims, {});
  }

  ValueId Viewed(ValueId value, const std::string& what, const Dims& dims) {
    if (ConstantDims(graph_.value(value).type.shape) == dims) return value;
    return Add("Reshape", {value, Sizes(dims)}, what, dims, {});
  }

  ValueId Sizes(const Dims& dims) {
    return AddHashed(graph_, name_ + "_sizes", Tensor::Int64s(std::vector<int64_t>(dims.begin(), dims.end())));
  }

  ValueId Add(const char* op, std::vector<ValueId> inputs, const std::string& what, const Dims& dims,
              const std::map<std::string, Attribute>& attributes) {
    Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    for (const auto& [key, value] : attributes) node.attributes[key] = value;
    Shape shape;
    for (const int64_t dim : dims) shape.push_back(Dim(dim));
    const ValueId made =
        graph_.AddValue(StableName(graph_, name_ + "_" + what), Type::Tensor(DType::kFloat32, std::move(shape)));
    node.outputs = {made};
    graph_.AddNode(std::move(node));
    return made;
  }

  Graph& graph_;
  NodeId id_;
  std::string name_;
  int64_t batch_ = 0, queries_ = 0, keys_ = 0, heads_ = 0, kv_heads_ = 0, depth_ = 0, width_ = 0;
};

}  // namespace

void ExpandFullAttention(Graph& graph) {
  for (const NodeId id : graph.NodeIds()) {
    if (graph.node(id).IsTamis("Attention")) AttentionParts(graph, id).Run();
  }
}

}  // namespace tamis
