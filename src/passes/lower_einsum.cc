// lower_einsum: an Einsum of two operands that is a product of matrices becomes a MatMul, with the operands' axes put
// into order by Transposes and, where several axes play one part, taken together by Reshapes. Labels play four parts:
// in both operands and in the result (batch), in both and summed (depth), or in one of them and in the result (rows of
// the left, columns of the right). An axis that is broadcast, summed within one operand or read as a diagonal has no
// part, and the node stays.
#include <algorithm>
#include <optional>

#include "src/ops/op_einsum.h"
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

using Labels = std::vector<int>;

bool Has(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

bool AllDifferent(Labels labels) {
  std::sort(labels.begin(), labels.end());
  return std::adjacent_find(labels.begin(), labels.end()) == labels.end();
}

Labels Joined(const std::vector<Labels>& parts) {
  Labels all;
  for (const Labels& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// How a tensor whose axes are `from` is transposed so that they are `to`.
std::vector<int64_t> Permutation(const Labels& from, const Labels& to) {
  std::vector<int64_t> order;
  for (int label : to) order.push_back(std::find(from.begin(), from.end(), label) - from.begin());
  return order;
}

class EinsumLowerer {
 public:
  EinsumLowerer(Graph& graph, const PassOptions& options) : graph_(graph), options_(options), rewriter_(graph) {}

  void Convert(NodeId id) {
    const Node& node = graph_.node(id);
    if (node.removed || !node.Is("Einsum") || node.inputs.size() != 2) return;
    const ValueId result = node.outputs[0];
    const ValueId left = node.inputs[0], right = node.inputs[1];
    const Shape* a = ShapeOf(graph_, left);
    const Shape* b = ShapeOf(graph_, right);
    if (a == nullptr || b == nullptr || !IsFloat(DTypeOf(graph_, left))) return;
    NodeProblems problems;
    const EinsumEquation equation = ParseEinsum(node.String("equation", ""), {a->size(), b->size()}, &problems);
    if (!problems.empty()) return;
    if (!Sort(equation, *a, *b)) return options_.Missed(graph_, result, "product of matrices", why_);

    const bool merged = rows_.size() != 1 || columns_.size() != 1 || depth_.size() != 1;
    const auto m = Merged(rows_), n = Merged(columns_), k = Merged(depth_);
    if (merged && (!k || (!m && rows_.size() != 1) || (!n && columns_.size() != 1) || !Splits(rows_, columns_))) {
      return options_.Missed(graph_, result, "product of matrices", "several dynamic axes play one part");
    }
    const std::string name = node.name.empty() ? graph_.value(result).name : node.name;
    const auto attributes = node.attributes;
    const ValueId x = Arranged(left, equation.inputs[0], {batch_, rows_, depth_}, merged, m, k, name + "_left");
    const ValueId y = Arranged(right, equation.inputs[1], {batch_, depth_, columns_}, merged, k, n, name + "_right");
    const Labels product = Joined({batch_, rows_, columns_});
    const bool moved = product != equation.output;
    options_.Matched(graph_, result, "product of matrices");
    ValueId value = kNoValue;
    if (!merged && !moved) {
      rewriter_.Replace(id, MakeNode("MatMul", "", {x, y}, {result}, {}, name));
      return;
    }
    value = rewriter_.Append("MatMul", "", {x, y}, {}, name + "_product");
    if (merged) {
      std::vector<int64_t> target(batch_.size(), 0);
      for (const Labels& part : {rows_, columns_}) {
        for (int label : part) target.push_back(sizes_.at(label).Constant().value_or(-1));
      }
      const ValueId shape = rewriter_.AddConstant(name + "_axes", Tensor::Int64s(target));
      if (!moved) {
        rewriter_.Replace(id, MakeNode("Reshape", "", {value, shape}, {result}, {}, name));
        return;
      }
      value = rewriter_.Append("Reshape", "", {value, shape}, {}, name + "_apart");
    }
    rewriter_.Replace(
        id, MakeNode("Transpose", "", {value}, {result}, {{"perm", Permutation(product, equation.output)}}, name));
  }

 private:
  // Gives every label its part; false with the reason in why_.
  bool Sort(const EinsumEquation& equation, const Shape& a, const Shape& b) {
    const Labels& left = equation.inputs[0];
    const Labels& right = equation.inputs[1];
    sizes_.clear();
    batch_.clear(), rows_.clear(), columns_.clear(), depth_.clear();
    why_ = "an operand names an axis twice";
    if (!AllDifferent(left) || !AllDifferent(right)) return false;
    for (size_t i = 0; i < left.size(); ++i) sizes_.emplace(left[i], a[i]);
    why_ = "an axis may be broadcast";
    for (size_t i = 0; i < right.size(); ++i) {
      if (!(sizes_.emplace(right[i], b[i]).first->second == b[i])) return false;
    }
    why_ = "an axis is summed within one operand";
    for (int label : left) {
      if (!Has(right, label) && !Has(equation.output, label)) return false;
      if (Has(right, label) && !Has(equation.output, label)) depth_.push_back(label);
    }
    for (int label : right) {
      if (!Has(left, label) && !Has(equation.output, label)) return false;
    }
    for (int label : equation.output) {
      (Has(left, label) && Has(right, label) ? batch_ : Has(left, label) ? rows_ : columns_).push_back(label);
    }
    why_ = "nothing is summed";
    return !depth_.empty();
  }

  // The number of elements of axes taken together; nullopt if it is dynamic.
  std::optional<int64_t> Merged(const Labels& labels) const {
    int64_t product = 1;
    for (int label : labels) {
      const auto size = sizes_.at(label).Constant();
      if (!size) return std::nullopt;
      product *= *size;
    }
    return product;
  }

  // Whether one Reshape can take the product's rows and columns apart: at most one of them is dynamic.
  bool Splits(const Labels& rows, const Labels& columns) const {
    int dynamic = 0;
    for (int label : Joined({rows, columns})) dynamic += sizes_.at(label).IsConstant() ? 0 : 1;
    return dynamic <= 1;
  }

  // The operand with its axes in the order of `parts`, the last two parts as one axis each where `merged`.
  ValueId Arranged(ValueId value, const Labels& labels, const std::vector<Labels>& parts, bool merged,
                   std::optional<int64_t> first, std::optional<int64_t> second, const std::string& name) {
    const Labels wanted = Joined(parts);
    if (labels != wanted) {
      value = rewriter_.Append("Transpose", "", {value}, {{"perm", Permutation(labels, wanted)}}, name);
    }
    if (!merged || (parts[1].size() == 1 && parts[2].size() == 1)) return value;
    std::vector<int64_t> target(parts[0].size(), 0);
    target.push_back(first.value_or(-1));
    target.push_back(second.value_or(-1));
    return rewriter_.Append("Reshape", "", {value, rewriter_.AddConstant(name + "_axes", Tensor::Int64s(target))}, {},
                            name + "_matrix");
  }

  Graph& graph_;
  const PassOptions& options_;
  Rewriter rewriter_;
  std::map<int, Dim> sizes_;
  Labels batch_, rows_, columns_, depth_;
  std::string why_;
};

}  // namespace

Status LowerEinsum(Graph& graph, const PassOptions& options) {
  EinsumLowerer lowerer(graph, options);
  for (NodeId id : graph.NodeIds()) lowerer.Convert(id);
  TAMIS_RETURN_IF_ERROR(graph.Sort());
  graph.Compact();
  return {};
}

}  // namespace tamis
