#include <string>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_scatter.h"

namespace tamis {
namespace {

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {4, 3}), SampleInts(2, {2, 3}, -4, 3), SampleFloats(3, {2, 3})}, {}},
          {{SampleInts(4, {4, 3}, 0, 9), SampleInts(5, {4, 2}, 0, 2), SampleInts(6, {4, 2}, 0, 9)},
           {{"axis", int64_t{-1}}, {"reduction", std::string("max")}}}};
}

}  // namespace

extern const OpDef op_scatter_elements = {.name = "ScatterElements",
                                          .domain = "",
                                          .since_opset = 11,
                                          .infer = InferScatterElements,
                                          .eval = EvalMoved<EvalScatterElements>,
                                          .test_cases = Cases,
                                          .widen_half = false};

}  // namespace tamis
