// GRU: update, reset and candidate gates in this order.
#include "src/ops/op_case.h"
#include "src/ops/op_recurrent.h"

namespace tamis {
namespace {

std::vector<OpTestCase> Cases() {
  CaseMaker make(0x7e02);
  const auto floats = [&](Dims dims) { return make.Floats(std::move(dims), -0.5f, 0.5f); };
  std::vector<OpTestCase> cases;
  cases.push_back({{floats({4, 2, 3}), floats({1, 15, 3}), floats({1, 15, 5})}, {{"hidden_size", int64_t{5}}}});
  cases.push_back(
      {{floats({3, 2, 4}), floats({2, 9, 4}), floats({2, 9, 3}), floats({2, 18}), Tensor(), floats({2, 2, 3})},
       {{"direction", std::string("bidirectional")}, {"linear_before_reset", int64_t{1}}}});
  cases.push_back(
      {{floats({2, 3, 4}), floats({1, 9, 4}), floats({1, 9, 3}), floats({1, 18}), Tensor(), floats({2, 1, 3})},
       {{"layout", int64_t{1}},
        {"direction", std::string("reverse")},
        {"clip", 0.25f},
        {"activations", std::vector<std::string>{"HardSigmoid", "Softsign"}}}});
  return cases;
}

}  // namespace

extern const OpDef op_gru = {
    .name = "GRU", .domain = "", .since_opset = 7, .infer = InferRecurrent, .eval = EvalRecurrent, .test_cases = Cases};

}  // namespace tamis
