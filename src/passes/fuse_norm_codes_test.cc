#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Counts = std::map<std::string, int>;

struct Norm {
  TestGraph t{17};
  ValueId normal = kNoValue, zero = kNoValue;

  Norm(int64_t axis, const Dims& scale, bool bias, float epsilon) {
    Tensor code(DType::kUInt8, Dims{});
    code.raw()[0] = std::byte{117};
    zero = t.graph.AddConstant("zero", code);
    std::vector<ValueId> inputs = {t.Input("x", {Dim::Symbol("n"), 5, 12}), t.Weight(scale, 0.5f, 2)};
    if (bias) inputs.push_back(t.Weight(scale));
    normal = t.Op("LayerNormalization", inputs, {{"axis", axis}, {"epsilon", epsilon}});
  }
  ValueId Codes() { return t.Op("QuantizeLinear", {normal, t.Scalar(0.03f), zero}); }
  // What is left; its codes are those of the graph before, but for ties.
  Graph Run() {
    Graph after = t.graph.Clone();
    const std::vector<Pass> passes = {{"fuse_norm_codes", FuseNormCodes}};
    EXPECT_TRUE(RunPasses(after, passes, {}).ok());
    const Feeds feeds = {{"x", RandomTensor({3, 5, 12}, 4, -2, 2)}};
    const auto expected = Evaluate(t.graph, feeds), actual = Evaluate(after, feeds);
    EXPECT_EQ(expected.size(), actual.size());
    if (expected.size() != actual.size()) return after;
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(expected[i].dtype(), actual[i].dtype());
      const Tensor a = expected[i].ToFloat32(), b = actual[i].ToFloat32();
      int64_t moved = 0;
      for (int64_t e = 0; e < a.NumElements(); ++e) {
        const float step = std::abs(a.Data<float>()[e] - b.Data<float>()[e]);
        EXPECT_LE(step, 1);
        moved += step > 0 ? 1 : 0;
      }
      EXPECT_LE(moved, a.NumElements() / 100);
    }
    return after;
  }
};

TEST(FuseNormCodes, ANormWritesTheCodesOfItsOnlyReader) {
  for (const bool bias : {false, true}) {
    Norm last(-1, {12}, bias, 1e-3f), two(1, {5, 12}, bias, 1e-12f);
    for (Norm* norm : {&last, &two}) {
      norm->t.Output(norm->Codes());
      EXPECT_EQ(CountOps(norm->Run()), (Counts{{"tamis.QuantizedLayerNorm", 1}}));
    }
  }
}

TEST(FuseNormCodes, ANormThatOthersReadStays) {
  Norm output(-1, {12}, true, 1e-5f), both(-1, {12}, true, 1e-5f);
  output.t.Output(output.Codes());
  output.t.Output(output.normal);
  both.t.Output(both.Codes());
  both.t.Output(both.t.Op("Relu", {both.normal}));
  for (Norm* norm : {&output, &both}) {
    EXPECT_EQ(CountOps(norm->Run()).count("tamis.QuantizedLayerNorm"), 0u);
  }
}

TEST(FuseNormCodes, NormsOfHalfPrecisionStay) {
  for (const DType dtype : {DType::kBFloat16, DType::kFloat16}) {
    TestGraph t{21};
    const ValueId x = t.Op("Cast", {t.Input("x", {Dim::Symbol("n"), 12})}, {{"to", static_cast<int64_t>(dtype)}});
    const ValueId scale = t.Op("Cast", {t.Weight({12})}, {{"to", static_cast<int64_t>(dtype)}});
    const ValueId normal = t.Op("LayerNormalization", {x, scale});
    const ValueId step = t.Op("Cast", {t.Scalar(0.03f)}, {{"to", static_cast<int64_t>(dtype)}});
    t.Output(t.Op("QuantizeLinear", {normal, step, t.graph.AddConstant("zero", Tensor(DType::kUInt8, Dims{}))}));
    Graph after = t.graph.Clone();
    const std::vector<Pass> passes = {{"fold_constants", FoldConstants}, {"fuse_norm_codes", FuseNormCodes}};
    ASSERT_TRUE(RunPasses(after, passes, {}).ok());
    EXPECT_EQ(CountOps(after).count("LayerNormalization"), 1u) << Name(dtype);
  }
}

// Kernels take a scale for each column and nothing else.
TEST(FuseNormCodes, AScaleThatIsBroadcastStays) {
  Norm norm(1, {12}, true, 1e-5f);
  norm.t.Output(norm.Codes());
  EXPECT_EQ(CountOps(norm.Run()).count("LayerNormalization"), 1u);
}

TEST(FuseNormCodes, ScalesAlongAnAxisStay) {
  Norm norm(-1, {12}, true, 1e-5f);
  norm.t.Output(norm.t.Op(
      "QuantizeLinear",
      {norm.normal, norm.t.Weight({12}, 0.02f, 0.04f), norm.t.graph.AddConstant("zeros", Tensor(DType::kUInt8, {12}))},
      {{"axis", int64_t{2}}}));
  EXPECT_EQ(CountOps(norm.Run()).count("LayerNormalization"), 1u);
}

}  // namespace
}  // namespace tamis
