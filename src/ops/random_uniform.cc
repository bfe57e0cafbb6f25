#include "src/ops/op_elementwise.h"
#include "src/ops/op_random_numbers.h"

namespace tamis {
namespace {

std::vector<OpTestCase> Cases() {
  return {{{}, {{"shape", std::vector<int64_t>{3, 5}}, {"seed", 3.0f}, {"dtype", int64_t{11}}}}};
}

}  // namespace

extern const OpDef op_random_uniform = {.name = "RandomUniform",
                                        .domain = "",
                                        .since_opset = 1,
                                        .infer = InferRandom,
                                        .eval = EvalRandomUniform,
                                        .test_cases = Cases,
                                        .widen_half = false};

}  // namespace tamis
