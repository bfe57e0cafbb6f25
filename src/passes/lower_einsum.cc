// lower_einsum: an Einsum becomes the MatMul, the product of elements or the Transpose that it is, two operands at a
// time. The operands' axes are put into order by Transposes and, where several axes play one part, taken together by
// Reshapes. Labels play four parts: in both operands and kept (batch), in both and summed (depth), or in one of them
// and kept (rows of the left, columns of the right). What only one operand names and nobody keeps is summed beforehand.
// Where an operand reads a diagonal, or a summed axis of one operand is known to be repeated along that of another, the
// node stays.
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

// A tensor of the sum: the label of each of its axes, and their sizes where they are constants.
struct Term {
  ValueId value = kNoValue;
  Labels labels;
  std::vector<std::optional<int64_t>> sizes;

  std::optional<int64_t> Size(int label) const {
    return sizes[static_cast<size_t>(std::find(labels.begin(), labels.end(), label) - labels.begin())];
  }
  // Elements of axes taken together; nullopt if that is dynamic.
  std::optional<int64_t> Size(const Labels& together) const {
    int64_t product = 1;
    for (int label : together) {
      const auto size = Size(label);
      if (!size) return std::nullopt;
      product *= *size;
    }
    return product;
  }
};

// How two terms become one.
struct Contraction {
  Labels lead;  // rows that go in front of the batch, where the right term is repeated along them
  Labels batch, rows, columns, depth;
  bool swapped = false;      // the second term is the left one
  bool merges_rows = false;  // into one axis; otherwise there is one
  Term result;               // of no value yet
};

class EinsumLowerer {
 public:
  EinsumLowerer(Graph& graph, const PassOptions& options)
      : graph_(graph), options_(options), rewriter_(graph, options) {}

  void Convert(NodeId id) {
    const Node& node = graph_.node(id);
    if (node.removed || !node.Is("Einsum") || node.inputs.empty()) return;
    const ValueId result = node.outputs[0];
    std::vector<size_t> ranks;
    for (ValueId input : node.inputs) {
      const Shape* shape = ShapeOf(graph_, input);
      if (shape == nullptr || !IsFloat(DTypeOf(graph_, input))) return;
      ranks.push_back(shape->size());
    }
    NodeProblems problems;
    const EinsumEquation equation = ParseEinsum(node.String("equation", ""), ranks, &problems);
    if (!problems.empty()) return;
    std::vector<Term> terms;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      Term term{node.inputs[i], equation.inputs[i], {}};
      if (!AllDifferent(term.labels)) {
        return options_.Missed(graph_, result, "products", "an operand names an axis twice");
      }
      for (const Dim& dim : *ShapeOf(graph_, term.value)) term.sizes.push_back(dim.Constant());
      terms.push_back(std::move(term));
    }
    order_ = equation.output;
    for (const Labels& labels : equation.inputs) {
      for (int label : labels) {
        if (!Has(order_, label)) order_.push_back(label);
      }
    }
    const std::string name = node.name.empty() ? graph_.value(result).name : node.name;
    const auto plan = Plan(terms, equation.output);
    if (!plan) return options_.Missed(graph_, result, "products", why_);
    Term term = Summed(terms, 0, equation.output, name);
    for (size_t i = 0; i < plan->size(); ++i) {
      const Contraction& step = (*plan)[i];
      const Term next = Summed(terms, i + 1, equation.output, name);
      term = step.swapped ? Contract(step, next, term, name) : Contract(step, term, next, name);
    }
    options_.Matched(graph_, result, "products");
    if (term.labels != equation.output) {
      const auto permutation = Permutation(term.labels, equation.output);
      rewriter_.Replace(id, MakeNode("Transpose", "", {term.value}, {result}, {{"perm", permutation}}, name));
      return;
    }
    graph_.value(term.value).type = graph_.value(result).type;  // Einsums behind it ask for its shape
    if (!rewriter_.ReplaceUses(result, term.value)) {
      rewriter_.Replace(id, MakeNode("Identity", "", {term.value}, {result}, {}, name));
    }
  }

 private:
  // The labels of a term that another term or the result needs.
  static Labels Needed(const std::vector<Term>& terms, size_t term, const Labels& output) {
    Labels needed;
    for (int label : terms[term].labels) {
      bool other = Has(output, label);
      for (size_t i = 0; i < terms.size(); ++i) other = other || (i != term && Has(terms[i].labels, label));
      if (other) needed.push_back(label);
    }
    return needed;
  }

  static Term Without(const Term& term, const Labels& needed) {
    Term left{term.value, needed, {}};
    for (int label : needed) left.sizes.push_back(term.Size(label));
    return left;
  }

  // From left to right; nullopt with the reason in why_. Nothing is changed.
  std::optional<std::vector<Contraction>> Plan(const std::vector<Term>& terms, const Labels& output) {
    std::vector<Contraction> plan;
    Term first = Without(terms[0], Needed(terms, 0, output));
    for (size_t i = 1; i < terms.size(); ++i) {
      Labels kept = output;
      for (size_t j = i + 1; j < terms.size(); ++j) kept = Joined({kept, terms[j].labels});
      const Term second = Without(terms[i], Needed(terms, i, output));
      auto contraction = PlanTwo(first, second, kept);
      if (!contraction) {
        contraction = PlanTwo(second, first, kept);
        if (!contraction) return std::nullopt;
        contraction->swapped = true;
      }
      first = contraction->result;
      plan.push_back(std::move(*contraction));
    }
    return plan;
  }

  std::optional<Contraction> PlanTwo(const Term& left, const Term& right, const Labels& kept) {
    Contraction c;
    for (int label : order_) {
      const bool in_left = Has(left.labels, label), in_right = Has(right.labels, label);
      if (!in_left && !in_right) continue;
      if (in_left && in_right && !Has(kept, label)) {
        c.depth.push_back(label);
      } else {
        (in_left && in_right ? c.batch : in_left ? c.rows : c.columns).push_back(label);
      }
    }
    for (int label : c.depth) {
      const auto a = left.Size(label), b = right.Size(label);
      why_ = "an axis is repeated along another";
      if (a != b && (a == 1 || b == 1 || (a && b))) return std::nullopt;
    }
    if (!c.depth.empty()) {
      if (c.rows.size() > 1 && (c.batch.empty() || !left.Size(c.rows))) {
        c.lead.assign(c.rows.begin(), c.rows.end() - 1);
        c.rows = {c.rows.back()};
      }
      c.merges_rows = c.rows.size() != 1;
      why_ = "several dynamic axes play one part";
      if (c.depth.size() > 1 && (!left.Size(c.depth) || !right.Size(c.depth))) return std::nullopt;
      if (c.columns.size() > 1 && !right.Size(c.columns)) return std::nullopt;
    }
    c.result.labels = Joined({c.lead, c.batch, c.rows, c.columns});
    for (int label : c.result.labels) {
      const auto a = Has(left.labels, label) ? left.Size(label) : 1,
                 b = Has(right.labels, label) ? right.Size(label) : 1;
      c.result.sizes.push_back(a == 1 ? b : b == 1 || a == b ? a : std::nullopt);
    }
    return c;
  }

  // The term without the labels that only it names.
  Term Summed(const std::vector<Term>& terms, size_t index, const Labels& output, const std::string& name) {
    const Labels needed = Needed(terms, index, output);
    Term term = Without(terms[index], needed);
    std::vector<int64_t> axes;
    for (size_t i = 0; i < terms[index].labels.size(); ++i) {
      if (!Has(needed, terms[index].labels[i])) axes.push_back(static_cast<int64_t>(i));
    }
    if (axes.empty()) return term;
    term.value = Along("ReduceSum", term.value, axes, {{"keepdims", int64_t{0}}}, name + "_sum");
    return term;
  }

  // The node's axes are an attribute before opset 13.
  ValueId Along(const std::string& op, ValueId value, const std::vector<int64_t>& axes,
                std::map<std::string, Attribute> attributes, const std::string& name) {
    if (graph_.Opset("") < 13) {
      attributes["axes"] = axes;
      return rewriter_.Append(op, "", {value}, std::move(attributes), name);
    }
    const ValueId list = rewriter_.AddConstant(name + "_axes", Tensor::Int64s(axes));
    return rewriter_.Append(op, "", {value, list}, std::move(attributes), name);
  }

  Term Contract(const Contraction& c, const Term& left, const Term& right, const std::string& name) {
    Term result = c.result;
    if (c.depth.empty()) {
      ValueId x = Ordered(left, Joined({c.batch, c.rows}), name + "_left");
      ValueId y = Ordered(right, Joined({c.batch, c.columns}), name + "_right");
      if (!c.columns.empty()) x = Spread(x, c.batch.size() + c.rows.size(), c.columns.size(), name + "_left");
      if (!c.rows.empty() && !c.batch.empty()) y = Spread(y, c.batch.size(), c.rows.size(), name + "_right");
      result.value = rewriter_.Append("Mul", "", {x, y}, {}, name + "_product");
      return result;
    }
    const size_t apart = c.lead.size() + c.batch.size() + (c.merges_rows ? 0 : 1);  // axes of the left that stay
    const auto m = left.Size(c.rows), n = right.Size(c.columns), k = left.Size(c.depth);
    const bool merged = c.merges_rows || c.columns.size() != 1;
    std::vector<int64_t> left_axes(apart, 0), right_axes(c.batch.size(), 0);
    if (c.merges_rows) left_axes.push_back(m.value_or(-1));
    left_axes.push_back(k.value_or(-1));
    right_axes.push_back(c.depth.size() > 1 ? *k : right.Size(c.depth).value_or(0));
    right_axes.push_back(n.value_or(-1));
    ValueId x = Ordered(left, Joined({c.lead, c.batch, c.rows, c.depth}), name + "_left");
    ValueId y = Ordered(right, Joined({c.batch, c.depth, c.columns}), name + "_right");
    if (c.merges_rows || c.depth.size() != 1) x = Reshaped(x, left_axes, name + "_left_matrix");
    if (c.columns.size() != 1 || c.depth.size() != 1) y = Reshaped(y, right_axes, name + "_right_matrix");
    result.value = rewriter_.Append("MatMul", "", {x, y}, {}, name + "_product");
    if (!merged) return result;
    std::vector<int64_t> target(apart, 0);
    for (int label : c.merges_rows ? c.rows : Labels{}) target.push_back(left.Size(label).value_or(-1));
    for (int label : c.columns) target.push_back(right.Size(label).value_or(-1));
    result.value = Reshaped(result.value, target, name + "_apart");
    return result;
  }

  ValueId Ordered(const Term& term, const Labels& wanted, const std::string& name) {
    if (term.labels == wanted) return term.value;
    return rewriter_.Append("Transpose", "", {term.value}, {{"perm", Permutation(term.labels, wanted)}}, name);
  }

  // `count` axes of size one in front of axis `at`.
  ValueId Spread(ValueId value, size_t at, size_t count, const std::string& name) {
    std::vector<int64_t> axes;
    for (size_t i = 0; i < count; ++i) axes.push_back(static_cast<int64_t>(at + i));
    return Along("Unsqueeze", value, axes, {}, name + "_spread");
  }

  ValueId Reshaped(ValueId value, const std::vector<int64_t>& target, const std::string& name) {
    const ValueId shape = rewriter_.AddConstant(name + "_axes", Tensor::Int64s(target));
    return rewriter_.Append("Reshape", "", {value, shape}, {}, name);
  }

  Graph& graph_;
  const PassOptions& options_;
  Rewriter rewriter_;
  Labels order_;  // of all labels: those of the result as they stand there, then as operands name them
  std::string why_;
};

}  // namespace

Status LowerEinsum(Graph& graph, const PassOptions& options) {
  EinsumLowerer lowerer(graph, options);
  for (NodeId id : graph.NodeIds()) lowerer.Convert(id);
  return {};
}

}  // namespace tamis
