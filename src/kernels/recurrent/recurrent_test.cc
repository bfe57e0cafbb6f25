// RNN, GRU and LSTM kernels against the operators' reference evaluation in double.
#include <gtest/gtest.h>

#include "src/kernels/family_test.h"
#include "src/ops/op_def.h"

namespace tamis {
namespace {

using namespace kernel_test;  // NOLINT: the helpers of the families' tests

struct Sizes {
  int64_t steps = 5, batch = 3, input = 7, hidden = 19;
};

// All operands that the attributes allow; `optional` leaves out all that may be.
KernelCase MakeCase(const std::string& op, Sizes sizes, std::map<std::string, Attribute> attributes, bool optional,
                    uint64_t seed) {
  const int64_t gates = op == "RNN" ? 1 : op == "GRU" ? 3 : 4;
  const bool lstm = op == "LSTM";
  const auto direction = attributes.find("direction");
  const bool both = direction != attributes.end() && std::get<std::string>(direction->second) == "bidirectional";
  const int64_t d = both ? 2 : 1, h = sizes.hidden, rows = gates * h;
  const bool batch_first = attributes.count("layout") != 0;
  const auto random = [&](Dims dims) { return RandomTensor(DType::kFloat32, std::move(dims), ++seed, -0.5, 0.5); };
  const Dims state = batch_first ? Dims{sizes.batch, d, h} : Dims{d, sizes.batch, h};
  KernelCase c;
  c.name = op + " seed " + std::to_string(seed);
  c.node = {op, "", std::move(attributes)};
  c.inputs = {
      random(batch_first ? Dims{sizes.batch, sizes.steps, sizes.input} : Dims{sizes.steps, sizes.batch, sizes.input}),
      random({d, rows, sizes.input}), random({d, rows, h})};
  c.constants = {1, 2};
  if (!optional) {
    Tensor lengths(DType::kInt32, {sizes.batch});
    for (int64_t i = 0; i < sizes.batch; ++i) {
      lengths.Data<int32_t>()[i] = static_cast<int32_t>(sizes.steps - i % (sizes.steps + 1));
    }
    c.inputs.insert(c.inputs.end(), {random({d, 2 * rows}), lengths, random(state)});
    if (lstm) c.inputs.insert(c.inputs.end(), {random(state), random({d, 3 * h})});
  }
  Node node;
  node.op = op;
  node.attributes = c.node.attributes;
  std::vector<const Tensor*> operands;
  for (const Tensor& input : c.inputs) {
    operands.push_back(&input);
    node.inputs.push_back(static_cast<ValueId>(operands.size()));
  }
  node.outputs = {20, 21};
  if (lstm) node.outputs.push_back(22);
  const auto results = EvaluateNode(node, 21, operands);
  EXPECT_TRUE(results.ok()) << results.status().message();
  for (const Tensor& result : *results) {
    c.outputs.emplace_back(DType::kFloat32, result.dims());
    c.expected.push_back(Doubles(result));
  }
  // Sums of input + hidden products below 1/4 in f32, through at most `steps` cells whose slopes are below 1.
  c.absolute = static_cast<double>((sizes.input + h) * sizes.steps) * 0x1p-24;
  return c;
}

TEST(RecurrentTest, AgreesWithTheReference) {
  std::vector<KernelCase> cases;
  const Attribute both = std::string("bidirectional"), reverse = std::string("reverse"), one = int64_t{1};
  uint64_t seed = 100;
  for (const char* op : {"RNN", "GRU", "LSTM"}) {
    cases.push_back(MakeCase(op, {}, {}, true, seed += 100));
    cases.push_back(MakeCase(op, {}, {{"direction", both}}, false, seed += 100));
    cases.push_back(MakeCase(op, {4, 1, 64, 64}, {{"direction", reverse}, {"layout", one}}, false, seed += 100));
    cases.push_back(MakeCase(op, {1, 8, 3, 5}, {{"clip", 0.25f}, {"layout", one}}, false, seed += 100));
  }
  cases.push_back(MakeCase("GRU", {}, {{"linear_before_reset", one}, {"direction", both}}, false, seed += 100));
  cases.push_back(MakeCase("LSTM", {}, {{"input_forget", one}}, false, seed += 100));
  // Weights enough that threads share every step.
  cases.push_back(MakeCase("GRU", {3, 1, 8, 217}, {}, false, seed += 100));
  cases.push_back(MakeCase("LSTM", {3, 2, 8, 190}, {}, true, seed += 100));
  cases.push_back(
      MakeCase("GRU", {2, 1, 8, 217}, {{"linear_before_reset", one}, {"direction", both}}, false, seed += 100));
  const std::vector<std::string> functions = {"HardSigmoid", "Softsign", "ScaledTanh"};
  cases.push_back(MakeCase("LSTM", {}, {{"activations", functions}}, false, seed += 100));
  for (const char* function : {"Relu", "Affine", "LeakyRelu", "ThresholdedRelu"}) {
    cases.push_back(MakeCase("RNN", {}, {{"activations", std::vector<std::string>{function}}}, false, seed += 100));
  }
  for (size_t i = 0, count = cases.size(); i < count; ++i) {
    KernelCase late = cases[i];
    late.name += ", weights known at the run";
    late.constants = i % 2 == 0 ? std::vector<size_t>{} : std::vector<size_t>{1};
    cases.push_back(std::move(late));
  }
  CheckFamily("recurrent", cases);
}

TEST(RecurrentTest, Refusals) {
  ExpectRefused("recurrent", MakeCase("RNN", {}, {{"activations", std::vector<std::string>{"Elu"}}}, true, 8), "Elu");
}

TEST(RecurrentTest, LengthsAreChecked) {
  KernelCase c = MakeCase("GRU", {}, {}, false, 9);
  c.inputs[4].Data<int32_t>()[1] = 6;
  ExpectCheckFails("recurrent", c);
}

}  // namespace
}  // namespace tamis
