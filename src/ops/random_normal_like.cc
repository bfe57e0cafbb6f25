#include "src/ops/op_elementwise.h"
#include "src/ops/op_random_numbers.h"

namespace tamis {
namespace {

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {{"seed", 3.0f}}},
          {{SampleInts(1, {3}, 0, 1)}, {{"seed", 3.0f}, {"dtype", int64_t{1}}}}};
}

}  // namespace

extern const OpDef op_random_normal_like = {.name = "RandomNormalLike",
                                            .domain = "",
                                            .since_opset = 1,
                                            .infer = InferRandomLike,
                                            .eval = EvalRandomNormal,
                                            .test_cases = Cases,
                                            .widen_half = false};

}  // namespace tamis
