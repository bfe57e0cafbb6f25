// RNN: h = f(W x + R h + bias), step by step.
#include "src/ops/op_case.h"
#include "src/ops/op_recurrent.h"

namespace tamis {
namespace {

std::vector<OpTestCase> Cases() {
  CaseMaker make(0x7e01);
  const auto floats = [&](Dims dims) { return make.Floats(std::move(dims), -0.5f, 0.5f); };
  std::vector<OpTestCase> cases;
  cases.push_back({{floats({4, 2, 3}), floats({1, 5, 3}), floats({1, 5, 5})}, {{"hidden_size", int64_t{5}}}});
  cases.push_back(
      {{floats({3, 2, 4}), floats({2, 3, 4}), floats({2, 3, 3}), floats({2, 6}), Tensor(), floats({2, 2, 3})},
       {{"direction", std::string("bidirectional")}, {"clip", 0.25f}}});
  cases.push_back(
      {{floats({2, 3, 4}), floats({1, 3, 4}), floats({1, 3, 3}), floats({1, 6}), Tensor(), floats({2, 1, 3})},
       {{"layout", int64_t{1}},
        {"direction", std::string("reverse")},
        {"activations", std::vector<std::string>{"LeakyRelu"}},
        {"activation_alpha", std::vector<float>{0.25f}}}});
  return cases;
}

}  // namespace

extern const OpDef op_rnn = {
    .name = "RNN", .domain = "", .since_opset = 7, .infer = InferRecurrent, .eval = EvalRecurrent, .test_cases = Cases};

}  // namespace tamis
