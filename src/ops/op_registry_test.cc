// What holds for every operator: its file's name is its name, it has both functions, and its shape rule agrees with
// its evaluation on its own test cases, for constant operands, for operands of which only the type is known, and for
// symbolic dimensions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "src/ops/op_def.h"

namespace tamis {

#define TAMIS_OP(name) extern const OpDef op_##name;
#include "src/ops/ops_list.inc"
#undef TAMIS_OP

namespace {

enum class Known { kElements, kDims, kSymbols };

std::string Plain(std::string_view name) {
  std::string plain;
  for (char c : name) {
    if (c != '_') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return plain;
}

std::vector<const Tensor*> Pointers(const OpTestCase& test) {
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : test.inputs) pointers.push_back(input.Defined() ? &input : nullptr);
  return pointers;
}

// A graph of one node with the case's operands, as far as they are known.
NodeId MakeGraph(const OpDef& op, const OpTestCase& test, Known known, Graph* graph,
                 std::map<std::string, int64_t>* binding) {
  graph->opsets[std::string(op.domain)] = 21;
  Node node;
  node.op = op.name;
  node.domain = op.domain;
  node.attributes = test.attributes;
  for (size_t i = 0; i < test.inputs.size(); ++i) {
    const Tensor& input = test.inputs[i];
    const std::string name = "x" + std::to_string(i);
    if (!input.Defined()) {
      node.inputs.push_back(kNoValue);
    } else if (known == Known::kElements) {
      node.inputs.push_back(graph->AddConstant(name, input));
    } else {
      Shape shape = ToShape(input.dims());
      for (size_t axis = 0; known == Known::kSymbols && axis < shape.size(); ++axis) {
        const std::string symbol = name + "_" + std::to_string(axis);
        if (input.dims()[axis] > 0) (*binding)[symbol] = input.dims()[axis], shape[axis] = Dim::Symbol(symbol);
      }
      node.inputs.push_back(graph->AddValue(name, Type::Tensor(input.dtype(), shape)));
    }
  }
  node.outputs.push_back(graph->AddValue("y"));
  return graph->AddNode(std::move(node));
}

TEST(OpRegistry, FileNamesAreOperatorNames) {
  const std::vector<std::pair<std::string, const OpDef*>> files = {
#define TAMIS_OP(name) {#name, &op_##name},
#include "src/ops/ops_list.inc"
#undef TAMIS_OP
  };
  ASSERT_GT(files.size(), 70u);
  for (const auto& [file, op] : files) {
    // Where a fused operator has the name of an ONNX one, the latter's file says so.
    const bool shared = op->domain.empty() && FindOp(op->name, kTamisDomain) != nullptr;
    EXPECT_EQ(Plain(file), (shared ? "onnx" : "") + Plain(op->name)) << "src/ops/" << file << ".cc";
  }
}

TEST(OpRegistry, EveryOperatorIsCompleteAndUnique) {
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const OpDef* op : AllOps()) {
    const std::set<std::string_view> domains = {"", kTamisDomain, "ai.onnx.preview", "ai.onnx.ml"};
    EXPECT_TRUE(domains.contains(op->domain)) << op->name;
    EXPECT_TRUE(op->infer != nullptr && (op->eval != nullptr || op->eval_data != nullptr)) << op->name;
    EXPECT_GE(op->since_opset, 1) << op->name;
    EXPECT_TRUE(names.insert({op->name, op->domain}).second) << op->name << " is defined twice";
    EXPECT_EQ(FindOp(op->name, op->domain), op);
  }
  EXPECT_EQ(FindOp("NoSuchOperator", ""), nullptr);
  EXPECT_EQ(FindOp("Add", "ai.onnx"), FindOp("Add", ""));
}

TEST(OpRegistry, ShapeRulesAgreeWithEvaluations) {
  for (const OpDef* op : AllOps()) {
    if (op->test_cases == nullptr) continue;
    const auto cases = op->test_cases();
    EXPECT_FALSE(cases.empty()) << op->name;
    for (size_t c = 0; c < cases.size(); ++c) {
      for (Known known : {Known::kElements, Known::kDims, Known::kSymbols}) {
        SCOPED_TRACE(std::string(op->name) + " case " + std::to_string(c) + " knowing " +
                     std::to_string(static_cast<int>(known)));
        Graph graph;
        std::map<std::string, int64_t> binding;
        const NodeId id = MakeGraph(*op, cases[c], known, &graph, &binding);
        const auto results = EvaluateNode(graph.node(id), 21, Pointers(cases[c]));
        ASSERT_TRUE(results.ok()) << results.status().message();
        const Tensor& result = (*results)[0];
        const Status status = InferNode(graph, id);
        ASSERT_TRUE(status.ok()) << status.message();
        const Type& type = graph.value(graph.node(id).outputs[0]).type;
        EXPECT_EQ(Name(type.dtype), Name(result.dtype()));
        EXPECT_TRUE(known != Known::kElements || type.has_rank);
        if (!type.has_rank) continue;
        ASSERT_EQ(type.shape.size(), result.dims().size());
        Dims dims;
        for (size_t axis = 0; axis < type.shape.size(); ++axis) {
          // What depends on data has a symbol of its own; everything else follows from the operands.
          const bool data = type.shape[axis] == Dim::Symbol(fmt::format("y.dim{}", axis));
          dims.push_back(data ? result.dims()[axis] : type.shape[axis].Evaluate(binding).value_or(-1));
        }
        EXPECT_EQ(ToString(dims), ToString(result.dims())) << ToString(type.shape);
      }
    }
  }
}

// Contents that a rule tracks are what the evaluation computes.
TEST(OpRegistry, TrackedContentsAgreeWithEvaluations) {
  int tracked = 0;
  for (const OpDef* op : AllOps()) {
    if (op->test_cases == nullptr) continue;
    for (const OpTestCase& test : op->test_cases()) {
      Graph graph;
      const NodeId id = MakeGraph(*op, test, Known::kElements, &graph, nullptr);
      const auto results = EvaluateNode(graph.node(id), 21, Pointers(test));
      ASSERT_TRUE(results.ok() && InferNode(graph, id).ok()) << op->name;
      const auto& contents = graph.value(graph.node(id).outputs[0]).contents;
      const DType dtype = (*results)[0].dtype();
      if (!contents || !(IsInteger(dtype) || dtype == DType::kBool)) continue;
      ++tracked;
      EXPECT_EQ(ConstantDims(*contents), (*results)[0].ToInt64s()) << op->name;
    }
  }
  EXPECT_GT(tracked, 10);
}

// A node that lacks all that it needs is an error in both functions, never a crash.
TEST(OpRegistry, MissingInputsAreErrors) {
  for (const OpDef* op : AllOps()) {
    const std::set<std::string_view> need_nothing = {"Constant", "SequenceEmpty", "Optional", "OptionalHasElement"};
    if (need_nothing.count(op->name) != 0) continue;
    Graph graph;
    const NodeId id = MakeGraph(*op, {}, Known::kElements, &graph, nullptr);
    EXPECT_FALSE(InferNode(graph, id).ok()) << op->name;
    EXPECT_FALSE(EvaluateNode(graph.node(id), 21, {}).ok()) << op->name;
  }
}

}  // namespace
}  // namespace tamis
