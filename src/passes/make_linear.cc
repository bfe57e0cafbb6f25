// make_linear: MatMul with a constant 2-D weight, and Gemm with one, become Linear with the weight as [N, K]; a
// constant addend of N elements behind it becomes the bias. A weight that several nodes read is turned around once.
#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "src/base/large_tensor.h"
#include "src/base/thread_pool.h"
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

constexpr int64_t kTile = 16;  // floats in a cache line: every line is read once and written once

// to[j][i] = from[i][j] for up to kTile rows and columns.
void TransposeTile(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to,
                   int64_t to_stride) {
  float tile[kTile][kTile];
  if (rows < kTile || columns < kTile) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) to[j * to_stride + i] = from[i * from_stride + j];
    }
    return;
  }
  for (int64_t i = 0; i < kTile; ++i) {
    for (int64_t j = 0; j < kTile; ++j) tile[j][i] = from[i * from_stride + j];
  }
  for (int64_t j = 0; j < kTile; ++j) std::memcpy(to + j * to_stride, tile[j], sizeof(tile[j]));
}

Tensor Transposed(const Tensor& weight, ThreadPool* pool) {
  const int64_t rows = weight.dim(0), columns = weight.dim(1);
  Tensor result = LargeTensor(DType::kFloat32, {columns, rows});
  const float* from = weight.Data<float>();
  float* to = result.Data<float>();
  const auto panels = [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < rows; i += kTile) {
      for (int64_t j = begin * kTile; j < std::min(columns, end * kTile); j += kTile) {
        TransposeTile(from + i * columns + j, columns, std::min(kTile, rows - i), std::min(kTile, columns - j),
                      to + j * rows + i, rows);
      }
    }
  };
  const int64_t count = (columns + kTile - 1) / kTile;
  if (pool == nullptr) {
    panels(0, count);
  } else {
    pool->ParallelFor(count, 1, panels);
  }
  return result;
}

bool IsWeight(const Graph& graph, ValueId id) {
  return id != kNoValue && graph.value(id).IsConstant() && graph.value(id).constant->dtype() == DType::kFloat32 &&
         graph.value(id).constant->rank() == 2;
}

// A constant that adds one number a column: [N] or [1, ..., N]. Returned as [N].
std::optional<Tensor> AsBias(const Graph& graph, ValueId id, int64_t columns, int64_t rank) {
  if (id == kNoValue || !graph.value(id).IsConstant()) return std::nullopt;
  const Tensor& tensor = *graph.value(id).constant;
  if (tensor.dtype() != DType::kFloat32 || tensor.rank() < 1 || tensor.rank() > rank || tensor.dim(-1) != columns ||
      tensor.NumElements() != columns) {
    return std::nullopt;
  }
  return tensor.Reshaped({columns});
}

class LinearMaker {
 public:
  LinearMaker(Graph& graph, const PassOptions& options) : graph_(graph), rewriter_(graph, options) {}

  void Convert(NodeId id) {
    const Node& node = graph_.node(id);
    const bool gemm = node.Is("Gemm");
    if ((!gemm && !node.Is("MatMul")) || !IsWeight(graph_, node.input(1))) return;
    if (gemm && (node.Int("transA", 0) != 0 || node.Float("alpha", 1) != 1)) return;
    if (DTypeOf(graph_, node.input(0)) != DType::kFloat32 || RankOf(graph_, node.input(0)) < (gemm ? 2 : 1)) return;
    const ValueId addend = gemm ? node.input(2) : kNoValue;
    if (addend != kNoValue && node.Float("beta", 1) != 1) return;
    const bool transposed = gemm && node.Int("transB", 0) != 0;
    const ValueId x = node.input(0), original = node.input(1), output = node.outputs[0];
    const std::string name = node.name;
    const int64_t columns = graph_.value(original).constant->dim(transposed ? 0 : 1);
    const ValueId weight = WeightOf(original, !transposed);
    std::vector<ValueId> inputs = {x, weight};
    const auto bias = AsBias(graph_, addend, columns, 2);
    if (bias) inputs.push_back(BiasOf(addend, *bias));
    if (addend == kNoValue || bias) {
      rewriter_.Replace(id, MakeNode("Linear", kTamisDomain, inputs, {output}, {}, name));
      JoinBias(id);
      return;
    }
    // An addend of another form stays an Add; it may become a residual later.
    const ValueId product = graph_.AddValue(rewriter_.FreeName(graph_.value(output).name + "_product"),
                                            Type::Tensor(DType::kFloat32, *ShapeOf(graph_, output)));
    rewriter_.Replace(id, MakeNode("Add", "", {product, addend}, {output}));
    rewriter_.Append(MakeNode("Linear", kTamisDomain, inputs, {product}, {}, name));
  }

 private:
  // The [N, K] form of a weight, made once.
  ValueId WeightOf(ValueId original, bool transpose) {
    if (!transpose) {
      graph_.value(original).origin = WeightOrigin{graph_.value(original).name, WeightTransform::kNone};
      return original;
    }
    const auto [found, inserted] = transposed_.emplace(original, kNoValue);
    if (inserted) {
      const std::string name = graph_.value(original).name;
      found->second =
          rewriter_.AddConstant(name + "_rows", Transposed(*graph_.value(original).constant, PoolFor(original)));
      graph_.value(found->second).origin = WeightOrigin{name, WeightTransform::kTransposed2D};
    }
    return found->second;
  }

  // Threads for the weights that are large enough to be worth them.
  ThreadPool* PoolFor(ValueId weight) {
    constexpr int64_t kWorthThreads = int64_t{1} << 18;
    if (graph_.value(weight).constant->NumElements() < kWorthThreads) return nullptr;
    if (!pool_) pool_.emplace(0);
    return &*pool_;
  }

  // The constant itself where it is [N] already.
  ValueId BiasOf(ValueId id, const Tensor& bias) {
    if (graph_.value(id).constant->rank() == 1) return id;
    return rewriter_.AddConstant(graph_.value(id).name + "_flat", bias);
  }

  // Linear without a bias, read by nothing but an Add of one.
  void JoinBias(NodeId id) {
    const Node& linear = graph_.node(id);
    const ValueId output = linear.outputs[0];
    if (linear.input(2) != kNoValue || !rewriter_.SingleUse(output)) return;
    const NodeId reader = rewriter_.Users(output)[0];
    const Node& add = graph_.node(reader);
    if (!add.Is("Add")) return;
    const auto other = OtherOperand(add, output);
    if (!other) return;
    const int64_t columns = graph_.value(linear.input(1)).constant->dim(0);
    const auto bias = AsBias(graph_, *other, columns, RankOf(graph_, output));
    if (!bias) return;
    Node joined = MakeNode("Linear", kTamisDomain, {linear.input(0), linear.input(1), BiasOf(*other, *bias)},
                           add.outputs, {}, linear.name);
    rewriter_.Replace(reader, std::move(joined));
  }

  Graph& graph_;
  Rewriter rewriter_;
  std::map<ValueId, ValueId> transposed_;
  std::optional<ThreadPool> pool_;
};

}  // namespace

Status MakeLinear(Graph& graph, const PassOptions& options) {
  LinearMaker maker(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).removed) maker.Convert(id);
  }
  return {};
}

}  // namespace tamis
