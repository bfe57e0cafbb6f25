#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPass = {{"drop_identity", DropIdentity}};

TEST(DropIdentity, RemovesWhatChangesNothing) {
  TestGraph t;
  const Dim n = Dim::Symbol("n");
  ValueId x = t.Input("x", {n, 3, 4});
  x = t.Op("Relu", {x});
  x = t.Op("Identity", {x});
  x = t.Op("Dropout", {x});
  x = t.Op("Cast", {x}, {{"to", int64_t{1}}});
  x = t.Op("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 1, 2}}});
  x = t.Op("Reshape", {x, t.Ints({0, 3, 4})});
  x = t.Op("Pad", {x, t.Ints({0, 0, 0, 0, 0, 0})});
  x = t.Op("Concat", {x}, {{"axis", int64_t{1}}});
  x = t.Op("Expand", {x, t.Ints({1, 1, 4})});
  x = t.Op("Slice", {x, t.Ints({0, -4}), t.Ints({3, 1 << 20}), t.Ints({1, 2}), t.Ints({1, 1})});
  x = t.Op("Mul", {t.Scalar(1), x});
  t.Output(t.Op("Sub", {x, t.Scalar(0)}));
  const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({2, 3, 4}, 1)}}, 0);
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"Relu", 1}}));
}

TEST(DropIdentity, ResizesToTheSameSize) {
  TestGraph t;
  ValueId x = t.Input("x", {1, 3, 4, 5});
  const auto resize = [&](ValueId from, const std::string& mode, const std::string& coordinates) {
    return t.Op("Resize", {from, kNoValue, kNoValue, t.Ints({1, 3, 4, 5})},
                {{"mode", mode}, {"coordinate_transformation_mode", coordinates}});
  };
  x = t.Op("Relu", {x});
  for (const std::string coordinates : {"half_pixel", "align_corners", "asymmetric"}) {
    for (const std::string mode : {"nearest", "linear", "cubic"}) x = resize(x, mode, coordinates);
  }
  t.Output(x);
  const ValueId scales = t.graph.AddConstant("scales", Tensor(DType::kFloat32, {4}));
  for (const int axis : {0, 1, 2, 3}) t.graph.value(scales).constant->Data<float>()[axis] = axis < 3 ? 1 : 1.1f;
  t.Output(t.Op("Resize", {x, kNoValue, scales}));  // five columns again, but not from the same places
  const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({1, 3, 4, 5}, 3)}}, 0);
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"Relu", 1}, {"Resize", 1}}));
}

TEST(DropIdentity, MergesPairs) {
  TestGraph t;
  ValueId x = t.Input("x", {Dim::Symbol("n"), 3, 4});
  x = t.Op("Transpose", {x}, {{"perm", std::vector<int64_t>{2, 0, 1}}});
  x = t.Op("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  x = t.Op("Unsqueeze", {x, t.Ints({0})});
  x = t.Op("Squeeze", {x, t.Ints({0})});
  t.Output(t.Op("Relu", {x}));
  const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({2, 3, 4}, 2)}}, 0);
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"Relu", 1}, {"Transpose", 1}}));
}

TEST(DropIdentity, KeepsWhatMatters) {
  TestGraph t;
  const ValueId x = t.Input("x", {2, 3});
  t.Output(t.Op("Identity", {x}));  // an output under another name needs a node
  t.Output(t.Op("Cast", {x}, {{"to", int64_t{11}}}));
  t.Output(t.Op("Expand", {x, t.Ints({4, 2, 3})}));
  t.Output(t.Op("Reshape", {x, t.Ints({3, 2})}));
  t.Output(t.Op("Slice", {x, t.Ints({-1}), t.Ints({-100}), t.Ints({1}), t.Ints({-1})}));  // backwards
  const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({2, 3}, 3)}}, 0);
  EXPECT_EQ(after.NumNodes(), 5u);
}

TEST(DropIdentity, OutputTakesTheNameOver) {
  TestGraph t;
  ValueId x = t.Op("Relu", {t.Input("x", {2, 3})});
  x = t.Op("Identity", {x});
  t.graph.value(x).name = "result";
  t.Output(x);
  const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({2, 3}, 4)}}, 0);
  EXPECT_EQ(after.NumNodes(), 1u);
  EXPECT_EQ(after.value(after.outputs[0]).name, "result");
}

}  // namespace
}  // namespace tamis
