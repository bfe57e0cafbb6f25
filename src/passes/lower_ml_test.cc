#include "src/ops/ml/op_ml.h"
#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPass = {{"lower_ml", LowerMl}};
using Counts = std::map<std::string, int>;

Tensor Integers(Dims dims, int64_t below) {
  Tensor tensor(DType::kInt64, std::move(dims));
  for (int64_t i = 0; i < tensor.NumElements(); ++i) tensor.Data<int64_t>()[i] = i * i % below;
  return tensor;
}

Counts Lower(const std::string& op, const Tensor& x, std::vector<int64_t> columns, Attributes attributes) {
  TestGraph t;
  t.graph.opsets[std::string(kMlDomain)] = 1;
  Shape shape = ToShape(x.dims());
  if (shape.size() > 1) shape[0] = Dim::Symbol("n");
  std::vector<ValueId> inputs = {t.Input("x", shape, x.dtype())};
  if (!columns.empty()) inputs.push_back(t.Ints(columns));
  t.Output(t.Op(op, inputs, std::move(attributes), kMlDomain));
  return CountOps(RewriteAndCompare(t.graph, kPass, {{"x", x}}, 0));
}

TEST(LowerMl, ExtractorIsGather) {
  EXPECT_EQ(Lower("ArrayFeatureExtractor", RandomTensor({3, 5}, 1), {4, 0, 4}, {}), (Counts{{"Gather", 1}}));
  EXPECT_EQ(Lower("ArrayFeatureExtractor", RandomTensor({5}, 2), {2}, {}), (Counts{{"Gather", 1}, {"Reshape", 1}}));
}

TEST(LowerMl, ExtractorByAMatrixOfIndices) {
  TestGraph t;
  t.graph.opsets[std::string(kMlDomain)] = 1;
  const Tensor matrix = Tensor::Int64s(std::vector<int64_t>{1, 0}).Reshaped({1, 2});
  const ValueId picks = t.graph.AddConstant("picks", matrix);
  t.Output(t.Op("ArrayFeatureExtractor", {t.Input("x", {3, 5}), picks}, {}, kMlDomain));
  const auto counts = CountOps(RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({3, 5}, 5)}}, 0));
  EXPECT_EQ(counts, (Counts{{"Gather", 1}, {"Reshape", 1}}));
}

TEST(LowerMl, BinarizerCompares) {
  EXPECT_EQ(Lower("Binarizer", RandomTensor({3, 5}, 3), {}, {{"threshold", 0.25F}}),
            (Counts{{"Cast", 1}, {"Greater", 1}}));
  EXPECT_EQ(Lower("Binarizer", Integers({2, 4}, 3), {}, {{"threshold", 0.5F}}), (Counts{{"Cast", 2}, {"Greater", 1}}));
}

TEST(LowerMl, EncoderOfNumbersCompares) {
  const Counts counts = {{"Cast", 2}, {"Equal", 1}, {"Reshape", 1}};
  EXPECT_EQ(Lower("OneHotEncoder", Integers({3, 2}, 5), {}, {{"cats_int64s", Dims{4, 0, 1}}}), counts);
  EXPECT_EQ(Lower("OneHotEncoder", RandomTensor({4, 1}, 4, 0, 3), {}, {{"cats_int64s", Dims{0, 1, 2}}}), counts);
}

TEST(LowerMl, AnUnknownCategoryThatIsAnErrorStays) {
  EXPECT_EQ(Lower("OneHotEncoder", Integers({4}, 2), {}, {{"cats_int64s", Dims{0, 1}}, {"zeros", int64_t{0}}}),
            (Counts{{"ai.onnx.ml.OneHotEncoder", 1}}));
}

}  // namespace
}  // namespace tamis
