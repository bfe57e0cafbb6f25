// Symbolic shapes through the operators, as exporters write shape computations.
#include <gtest/gtest.h>

#include <array>

#include "src/ops/op_def.h"

namespace tamis {
namespace {

const Dim kBatch = Dim::Symbol("b");
const Dim kLength = Dim::Symbol("n");

// Builds a graph node by node and infers each at once.
class ShapeProgram {
 public:
  explicit ShapeProgram(int64_t opset = 17) { graph_.opsets[""] = opset; }
  ValueId Input(Shape shape, DType dtype = DType::kFloat32) {
    return graph_.AddValue(graph_.FreshName("x"), Type::Tensor(dtype, std::move(shape)));
  }
  ValueId Ints(std::vector<int64_t> values) {
    return graph_.AddConstant(graph_.FreshName("c"), Tensor::Int64s(values));
  }
  ValueId Int(int64_t value) {
    return graph_.AddConstant(graph_.FreshName("c"), Tensor::Of<int64_t>(DType::kInt64, {}, std::array{value}));
  }
  ValueId Constant(Tensor tensor) { return graph_.AddConstant(graph_.FreshName("c"), std::move(tensor)); }
  std::vector<ValueId> Add(const std::string& op, std::vector<ValueId> inputs,
                           std::map<std::string, Attribute> attributes, size_t outputs) {
    Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    for (size_t i = 0; i < outputs; ++i) node.outputs.push_back(graph_.AddValue(graph_.FreshName("y")));
    const auto ids = node.outputs;
    const NodeId id = graph_.AddNode(std::move(node));
    status_ = InferNode(graph_, id);
    return ids;
  }
  ValueId Add(const std::string& op, std::vector<ValueId> inputs, std::map<std::string, Attribute> attributes = {}) {
    return Add(op, std::move(inputs), std::move(attributes), 1)[0];
  }
  std::string TypeOf(ValueId id) const { return status_.ok() ? graph_.value(id).type.ToString() : status_.message(); }
  std::string ContentsOf(ValueId id) const {
    if (!status_.ok()) return status_.message();
    return graph_.value(id).contents ? ToString(*graph_.value(id).contents) : "unknown";
  }
  const Status& status() const { return status_; }

 private:
  Graph graph_;
  Status status_;
};

TEST(OpShape, HeadsAreSplitAndMerged) {
  // view(b, n, 12, 64).transpose(1, 2), then transpose back and view(b, n, 768)
  ShapeProgram p;
  const ValueId x = p.Input({kBatch, kLength, 768});
  const ValueId shape = p.Add("Shape", {x});
  EXPECT_EQ(p.ContentsOf(shape), "[b, n, 768]");
  const ValueId b = p.Add("Gather", {shape, p.Int(0)});
  const ValueId n = p.Add("Gather", {shape, p.Int(1)});
  EXPECT_EQ(p.TypeOf(b), "int64[]");
  const auto unsqueeze = [&](ValueId v) { return p.Add("Unsqueeze", {v, p.Ints({0})}); };
  const std::map<std::string, Attribute> axis0 = {{"axis", int64_t{0}}};
  const ValueId split = p.Add("Concat", {unsqueeze(b), unsqueeze(n), p.Ints({12}), p.Ints({64})}, axis0);
  EXPECT_EQ(p.ContentsOf(split), "[b, n, 12, 64]");
  const ValueId heads = p.Add("Reshape", {x, split});
  EXPECT_EQ(p.TypeOf(heads), "float32[b, n, 12, 64]");
  const ValueId moved = p.Add("Transpose", {heads}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  EXPECT_EQ(p.TypeOf(moved), "float32[b, 12, n, 64]");
  const ValueId back = p.Add("Transpose", {moved}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  const ValueId merged = p.Add("Concat", {unsqueeze(b), unsqueeze(n), p.Ints({-1})}, axis0);
  EXPECT_EQ(p.TypeOf(p.Add("Reshape", {back, merged})), "float32[b, n, 768]");
  EXPECT_EQ(p.TypeOf(p.Add("Reshape", {x, p.Ints({0, -1, 12, 64})})), "float32[b, n, 12, 64]");
  EXPECT_EQ(p.TypeOf(p.Add("Reshape", {x, p.Ints({-1, 768})})), "float32[b*n, 768]");
}

TEST(OpShape, ReshapeSolvesWhatDoesNotDivide) {
  ShapeProgram p;
  EXPECT_EQ(p.TypeOf(p.Add("Reshape", {p.Input({kBatch, 6}), p.Ints({-1, 4})})), "float32[floor(6*b / 4), 4]");
  EXPECT_EQ(p.TypeOf(p.Add("Reshape", {p.Input({2, 3}), p.Ints({-1})})), "float32[6]");
  p.Add("Reshape", {p.Input({2, 3}), p.Ints({4, -1})});
  EXPECT_FALSE(p.status().ok());
  p.Add("Reshape", {p.Input({2, 3}), p.Ints({-1, -1})});
  EXPECT_FALSE(p.status().ok());
  p.Add("Reshape", {p.Input({2, 3}), p.Ints({5})});
  EXPECT_FALSE(p.status().ok());
  EXPECT_EQ(p.TypeOf(p.Add("Reshape", {p.Input({2, 0}), p.Ints({0, 7})}, {{"allowzero", int64_t{1}}})),
            "float32[0, 7]");
}

TEST(OpShape, ExpandAsExportersWriteIt) {
  // where(shape == -1, ones, shape) is what expand's shape goes through
  ShapeProgram p;
  const ValueId shape = p.Add("Shape", {p.Input({kBatch, kLength})});
  const ValueId target = p.Add("Concat", {shape, p.Ints({-1})}, {{"axis", int64_t{0}}});
  const ValueId size = p.Add("Reshape", {target, p.Ints({-1})});
  const ValueId rank = p.Add("Shape", {size});
  const ValueId ones = p.Add("ConstantOfShape", {rank}, {{"value", Tensor::Int64s(std::array<int64_t, 1>{1})}});
  const ValueId minus = p.Add("Mul", {ones, p.Int(-1)});
  const ValueId equal = p.Add("Equal", {size, minus});
  EXPECT_EQ(p.ContentsOf(equal), "[0, 0, 1]");
  const ValueId chosen = p.Add("Where", {equal, ones, size});
  EXPECT_EQ(p.ContentsOf(chosen), "[b, n, 1]");
  EXPECT_EQ(p.TypeOf(p.Add("Expand", {p.Input({1, kLength, 5}), chosen})), "float32[b, n, 5]");
}

TEST(OpShape, PositionsFromRange) {
  ShapeProgram p;
  const ValueId n = p.Add("Gather", {p.Add("Shape", {p.Input({kBatch, kLength})}), p.Int(-1)});
  const ValueId end = p.Add("Cast", {p.Add("Cast", {n}, {{"to", int64_t{1}}})}, {{"to", int64_t{7}}});
  const ValueId range = p.Add("Range", {p.Int(0), end, p.Int(1)});
  EXPECT_EQ(p.TypeOf(range), "int64[n]");
  EXPECT_EQ(p.TypeOf(p.Add("Unsqueeze", {range, p.Ints({0})})), "int64[1, n]");
  EXPECT_EQ(p.TypeOf(p.Add("Range", {p.Int(1), p.Add("Add", {n, p.Int(1)}), p.Int(1)})), "int64[n]");
  EXPECT_EQ(p.ContentsOf(p.Add("Range", {p.Int(5), p.Int(-1), p.Int(-2)})), "[5, 3, 1]");
}

TEST(OpShape, SlicesWithSymbolicBounds) {
  ShapeProgram p;
  const ValueId x = p.Input({kBatch, kLength, 8});
  const ValueId n = p.Add("Slice", {p.Add("Shape", {x}), p.Ints({1}), p.Ints({2})});
  EXPECT_EQ(p.ContentsOf(n), "[n]");
  const auto slice = [&](ValueId data, ValueId start, ValueId end, int64_t axis, int64_t step = 1) {
    return p.TypeOf(p.Add("Slice", {data, start, end, p.Ints({axis}), p.Ints({step})}));
  };
  // A buffer of positions cut to the sequence's length, and the sequence cut to its own.
  EXPECT_EQ(slice(p.Input({1, 512}), p.Ints({0}), n, 1), "float32[1, min(n, 512)]");
  EXPECT_EQ(slice(x, p.Ints({0}), n, 1), "float32[b, n, 8]");
  EXPECT_EQ(slice(x, p.Ints({0}), p.Ints({INT64_MAX}), 1), "float32[b, n, 8]");
  EXPECT_EQ(slice(x, p.Ints({-1}), p.Ints({INT64_MAX}), 1), "float32[b, 1, 8]");
  EXPECT_EQ(slice(x, p.Ints({1}), p.Ints({INT64_MAX}), 1), "float32[b, n - 1, 8]");
  EXPECT_EQ(slice(x, p.Ints({0}), p.Ints({-1}), 1), "float32[b, n - 1, 8]");
  EXPECT_EQ(slice(x, p.Ints({0}), p.Ints({1}), 1), "float32[b, 1, 8]");
  EXPECT_EQ(slice(x, p.Ints({-1}), p.Ints({-INT64_MAX}), 1, -1), "float32[b, n, 8]");
  EXPECT_EQ(slice(x, p.Ints({0}), p.Ints({INT64_MAX}), 1, 2), "float32[b, floor((n + 1) / 2), 8]");
  const ValueId half = p.Add("Div", {n, p.Ints({2})});
  EXPECT_EQ(slice(x, p.Ints({0}), half, 1), "float32[b, floor(n / 2), 8]");
  EXPECT_EQ(slice(x, half, n, 1), "float32[b, n - floor(n / 2), 8]");
}

TEST(OpShape, BroadcastingKeepsWhatItKnows) {
  ShapeProgram p;
  const auto add = [&](Shape a, Shape b) {
    return p.TypeOf(p.Add("Add", {p.Input(std::move(a)), p.Input(std::move(b))}));
  };
  EXPECT_EQ(add({kBatch, 1, kLength}, {12, 1}), "float32[b, 12, n]");
  EXPECT_EQ(add({kBatch}, {kBatch}), "float32[b]");
  EXPECT_EQ(add({kBatch}, {5}), "float32[5]");
  EXPECT_EQ(add({kBatch}, {kLength}), "float32[max(b, n)]");
  EXPECT_EQ(add({kLength}, {Dim::Min(kLength, Dim(512))}), "float32[n]");
  EXPECT_NE(add({3}, {4}).find("do not broadcast"), std::string::npos);
}

TEST(OpShape, ArithmeticOnLengths) {
  ShapeProgram p;
  const ValueId shape = p.Add("Shape", {p.Input({kBatch, kLength, 8})});
  EXPECT_EQ(p.ContentsOf(p.Add("ReduceProd", {shape}, {{"keepdims", int64_t{0}}})), "[8*b*n]");
  EXPECT_EQ(p.ContentsOf(p.Add("Mul", {shape, p.Ints({2, 1, 3})})), "[2*b, n, 24]");
  EXPECT_EQ(p.ContentsOf(p.Add("Sub", {shape, p.Int(1)})), "[b - 1, n - 1, 7]");
  EXPECT_EQ(p.ContentsOf(p.Add("Max", {shape, p.Int(1)})), "[b, n, 8]");
  EXPECT_EQ(p.ContentsOf(p.Add("Mod", {shape, p.Int(3)})), "[mod(b, 3), mod(n, 3), 2]");
  EXPECT_EQ(p.ContentsOf(p.Add("Less", {p.Int(-1), shape})), "[1, 1, 1]");
  EXPECT_EQ(p.ContentsOf(p.Add("Less", {p.Int(0), shape})), "unknown");  // an input may have no elements
  EXPECT_EQ(p.ContentsOf(p.Add("Greater", {shape, p.Int(4)})), "unknown");
  EXPECT_EQ(p.ContentsOf(p.Add("Squeeze", {p.Add("Slice", {shape, p.Ints({-1}), p.Ints({INT64_MAX})})})), "[8]");
  EXPECT_EQ(p.ContentsOf(p.Add("Size", {p.Input({kBatch, 2, kLength})})), "[2*b*n]");
}

TEST(OpShape, SplitOfSymbolsAndContents) {
  ShapeProgram p(18);
  const ValueId x = p.Input({kBatch, Dim(6) * kLength});
  const auto parts = p.Add("Split", {x}, {{"axis", int64_t{1}}, {"num_outputs", int64_t{3}}}, 3);
  for (ValueId part : parts) EXPECT_EQ(p.TypeOf(part), "float32[b, 2*n]");
  const auto shapes = p.Add("Split", {p.Add("Shape", {x}), p.Ints({1, 1})}, {}, 2);
  EXPECT_EQ(p.ContentsOf(shapes[1]), "[6*n]");
  const auto odd = p.Add("Split", {p.Input({7})}, {{"num_outputs", int64_t{3}}}, 3);
  EXPECT_EQ(p.TypeOf(odd[0]), "float32[3]");
  EXPECT_EQ(p.TypeOf(odd[2]), "float32[1]");
}

TEST(OpShape, ResultsBeyondTheLimitAreErrors) {
  ShapeProgram p;
  const int64_t large = int64_t{1} << 40;
  for (ValueId shape : {p.Ints({large}), p.Ints({large, large}), p.Ints({0, large}), p.Ints({-2})}) {
    p.Add("ConstantOfShape", {shape});
    EXPECT_FALSE(p.status().ok());
    p.Add("Expand", {p.Input({1}), shape});
    EXPECT_FALSE(p.status().ok());
  }
  p.Add("Range", {p.Int(INT64_MIN), p.Int(INT64_MAX), p.Int(1)});
  EXPECT_FALSE(p.status().ok());
  p.Add("Tile", {p.Input({3}), p.Ints({large})});
  EXPECT_FALSE(p.status().ok());
  p.Add("Pad", {p.Input({3}), p.Ints({large, 0})});
  EXPECT_FALSE(p.status().ok());
}

// An expression that doubles with each step stops being tracked instead of growing without bound.
TEST(OpShape, GrowthOfContentsIsBounded) {
  ShapeProgram p;
  ValueId v = p.Add("Shape", {p.Input({kBatch, kLength})});
  v = p.Add("Add", {v, p.Add("Gather", {v, p.Ints({1, 0})})});
  for (int i = 0; i < 40; ++i) v = p.Add("Mul", {v, v});
  EXPECT_EQ(p.ContentsOf(v), "unknown");
}

TEST(OpShape, ExpressionsWithoutEndGiveWayToSymbols) {
  Dim large(1);
  for (int i = 0; i < 10; ++i) large = large * (Dim::Symbol("s" + std::to_string(i)) + Dim(1));
  ASSERT_GT(large.Size(), 1000u);
  Graph graph;
  graph.opsets[""] = 17;
  Node node;
  node.op = "Flatten";
  node.inputs = {graph.AddValue("x", Type::Tensor(DType::kFloat32, {Dim(2), large, large}))};
  node.outputs = {graph.AddValue("y")};
  const NodeId id = graph.AddNode(std::move(node));
  ASSERT_TRUE(InferNode(graph, id).ok());
  const Type& type = graph.value(graph.node(id).outputs[0]).type;
  ASSERT_TRUE(type.has_rank);
  EXPECT_EQ(ToString(type.shape), "[2, y.dim1]");
}

}  // namespace
}  // namespace tamis
