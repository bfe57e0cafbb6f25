#include "src/runtime/arrange_inputs.h"

#include <gtest/gtest.h>

#include "src/runtime/specialize.h"

namespace tamis {
namespace {

// Two inputs of n rows, n up to 8.
Graph Inputs() {
  Graph graph;
  graph.inputs = {graph.AddValue("x", Type::Tensor(DType::kFloat32, {Dim::Symbol("n"), 4})),
                  graph.AddValue("ids", Type::Tensor(DType::kInt64, {Dim::Symbol("n")}))};
  return graph;
}

Result<std::vector<Datum>> Arrange(const NamedData& inputs) {
  const Graph graph = Inputs();
  const Profile profile = {{"n", {.min = 1, .opt = 2, .max = 8, .bounded = true}}};
  return ArrangeInputs(graph, InputSpecs(graph), {profile}, inputs);
}

TEST(ArrangeInputs, GivesThemInTheGraphsOrder) {
  const auto arranged = Arrange({{"ids", Tensor(DType::kInt64, {3})}, {"x", Tensor(DType::kFloat32, {3, 4})}});
  ASSERT_TRUE(arranged.ok()) << arranged.status().message();
  ASSERT_EQ(arranged->size(), 2U);
  EXPECT_EQ((*arranged)[0].tensor().dtype(), DType::kFloat32);
  EXPECT_EQ((*arranged)[1].tensor().dtype(), DType::kInt64);
}

TEST(ArrangeInputs, TellsAllThatIsWrong) {
  const auto names = Arrange({{"y", Tensor(DType::kFloat32, {3})}, {"x", Tensor(DType::kFloat64, {3, 4})}});
  ASSERT_FALSE(names.ok());
  EXPECT_EQ(names.status().message(),
            "unknown input 'y'; the network has 'x', 'ids'; input 'x' is a tensor of float64, the network wants "
            "tensor(float); input 'ids' is missing");
  const auto sizes = Arrange({{"ids", Tensor(DType::kInt64, {9})}, {"x", Tensor(DType::kFloat32, {9, 4})}});
  ASSERT_FALSE(sizes.ok());
  EXPECT_NE(sizes.status().message().find("9"), std::string::npos) << sizes.status().message();
  const auto differ = Arrange({{"ids", Tensor(DType::kInt64, {2})}, {"x", Tensor(DType::kFloat32, {3, 4})}});
  ASSERT_FALSE(differ.ok());
  EXPECT_NE(differ.status().message().find("they must agree"), std::string::npos) << differ.status().message();
}

}  // namespace
}  // namespace tamis
