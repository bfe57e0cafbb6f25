// ChannelsLastConvTranspose kernels against the operator's reference, which sums in double.
#include <gtest/gtest.h>

#include "src/kernels/reference_case.h"
#include "src/ops/op_def.h"

namespace tamis::kernel_test {
namespace {

struct Case {
  Dims x, weight;
  Dims strides, dilations, pads, output_padding;
  int64_t group = 1;
  bool bias = true;
};

KernelCase MakeCase(const Case& c) {
  Node node;
  node.op = "ChannelsLastConvTranspose";
  node.domain = std::string(kTamisDomain);
  node.attributes = {{"strides", c.strides},
                     {"dilations", c.dilations},
                     {"pads", c.pads},
                     {"output_padding", c.output_padding},
                     {"group", c.group}};
  KernelCase result;
  result.name = fmt::format("x {} weight {} strides {} pads {} group {}", ToString(c.x), ToString(c.weight),
                            ToString(c.strides), ToString(c.pads), c.group);
  result.node = {node.op, node.domain, node.attributes};
  result.inputs = {RandomTensor(DType::kFloat32, c.x, 1), RandomTensor(DType::kFloat32, c.weight, 2)};
  if (c.bias) result.inputs.push_back(RandomTensor(DType::kFloat32, {c.weight[1] * c.group}, 3));
  result.constants = {1};
  std::vector<const Tensor*> operands;
  for (const Tensor& input : result.inputs) {
    node.inputs.push_back(static_cast<ValueId>(operands.size()));
    operands.push_back(&input);
  }
  node.outputs = {0};
  const auto outputs = EvaluateNode(node, 1, operands);
  EXPECT_TRUE(outputs.ok()) << outputs.status().message();
  if (!outputs.ok()) return result;
  result.outputs = {{DType::kFloat32, (*outputs)[0].dims()}};
  result.expected = {Doubles((*outputs)[0])};
  // |x w| <= 4, at most channels x taps terms to an output.
  const auto terms = static_cast<double>(NumElements(c.weight) / c.weight[1] / c.group);
  result.absolute = 4e-7 * 4 * terms;
  return result;
}

KernelCase ChannelsFirstCase(Dims x, Dims weight, std::map<std::string, Attribute> attributes, bool bias,
                             uint64_t seed) {
  const auto group = attributes.find("group");
  const int64_t groups = group == attributes.end() ? 1 : std::get<int64_t>(group->second);
  // Every result sums at most channels * taps products below 1 in f32.
  const double terms = static_cast<double>(NumElements(weight)) / static_cast<double>(weight[1]);
  std::vector<Tensor> inputs = {RandomTensor(DType::kFloat32, std::move(x), seed, -1, 1),
                                RandomTensor(DType::kFloat32, weight, seed + 1, -1, 1)};
  if (bias) inputs.push_back(RandomTensor(DType::kFloat32, {weight[1] * groups}, seed + 2, -1, 1));
  return ReferenceCase({"ConvTranspose", "", std::move(attributes)}, std::move(inputs), {1}, 1, terms * 0x1p-22);
}

std::vector<KernelCase> ChannelsFirstCases() {
  using Ints = std::vector<int64_t>;
  std::vector<KernelCase> cases;
  cases.push_back(ChannelsFirstCase({1, 3, 4, 5}, {3, 2, 3, 3}, {}, true, 10));
  cases.push_back(ChannelsFirstCase({2, 16, 13, 21}, {16, 24, 2, 2}, {{"strides", Ints{2, 2}}}, true, 20));
  cases.push_back(ChannelsFirstCase({2, 8, 17, 18}, {8, 5, 4, 4}, {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}},
                                    false, 30));
  cases.push_back(ChannelsFirstCase({2, 4, 5, 3}, {4, 3, 3, 2},
                                    {{"group", int64_t{2}}, {"strides", Ints{2, 3}}, {"pads", Ints{1, 0, 0, 1}}}, true,
                                    40));
  cases.push_back(ChannelsFirstCase(
      {1, 2, 300}, {2, 3, 4},
      {{"strides", Ints{3}}, {"output_padding", Ints{2}}, {"dilations", Ints{2}}, {"pads", Ints{2, 1}}}, true, 50));
  cases.push_back(ChannelsFirstCase({1, 2, 3, 4}, {2, 2, 4, 3},
                                    {{"strides", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}}, false, 60));
  cases.push_back(ChannelsFirstCase({1, 2, 3, 4}, {2, 2, 4, 3},
                                    {{"strides", Ints{2, 2}}, {"auto_pad", std::string("SAME_LOWER")}}, false, 65));
  cases.push_back(ChannelsFirstCase({1, 2, 3, 4}, {2, 2, 3, 3},
                                    {{"strides", Ints{3, 2}}, {"output_shape", Ints{10, 8}}}, true, 70));
  cases.push_back(ChannelsFirstCase({1, 6, 4, 5, 7}, {6, 70, 2, 3, 3}, {{"strides", Ints{1, 2, 1}}}, true, 80));
  cases.push_back(ChannelsFirstCase({1, 2, 9, 9}, {2, 1, 3, 3}, {{"pads", Ints{2, 2, 2, 2}}}, false, 90));
  return cases;
}

TEST(ConvTransposeKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  cases.push_back(MakeCase({{3, 7, 5, 16}, {16, 8, 2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}, {0, 0}}));
  cases.push_back(MakeCase({{1, 6, 6, 24}, {24, 16, 4, 4}, {2, 2}, {1, 1}, {1, 1, 1, 1}, {0, 0}, 1, false}));
  cases.push_back(MakeCase({{2, 5, 4, 8}, {8, 3, 3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, {1, 1}}));
  cases.push_back(MakeCase({{2, 5, 3, 4}, {4, 3, 3, 2}, {2, 3}, {1, 2}, {1, 0, 0, 1}, {1, 2}, 2, false}));
  cases.push_back(MakeCase({{1, 6, 2}, {2, 3, 4}, {3}, {2}, {2, 1}, {2}}));
  cases.push_back(MakeCase({{1, 2, 3, 2, 8}, {8, 4, 2, 2, 3}, {1, 2, 1}, {1, 1, 1}, Dims(6, 0), {0, 0, 0}}));
  for (KernelCase& c : ChannelsFirstCases()) cases.push_back(std::move(c));
  CheckFamily("conv_transpose", cases);
}

TEST(ConvTransposeKernels, RefuseWhatTheyCannotCompute) {
  KernelCase c = MakeCase({{1, 3, 3, 4}, {4, 2, 2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}, {0, 0}});
  c.constants = {};
  ExpectRefused("conv_transpose", c, "must be constant");
  c.constants = {1};
  c.node.attributes["group"] = int64_t{3};
  ExpectRefused("conv_transpose", c, "do not fit");
}

TEST(ConvTransposeKernels, ChannelsFirstNeedsAConstantWeight) {
  KernelCase c = ChannelsFirstCase({1, 3, 4, 5}, {3, 2, 3, 3}, {}, true, 10);
  c.constants = {};
  ExpectRefused("conv_transpose", c, "not constant");
}

}  // namespace
}  // namespace tamis::kernel_test
