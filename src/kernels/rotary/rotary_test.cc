#include <gtest/gtest.h>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

struct Given {
  Dims x;
  int64_t heads, turned;
  Dims table;
};

KernelCase RotaryCase(const Given& given, bool interleaved, DType in, DType out) {
  const std::map<std::string, Attribute> attributes = {{"num_heads", given.heads},
                                                       {"rotary_dim", given.turned},
                                                       {"interleaved", int64_t{interleaved}},
                                                       {"output_dtype", static_cast<int64_t>(out)}};
  KernelCase c = ReferenceCase({"Rotary", std::string(kTamisDomain), attributes},
                               {RandomTensor(in, given.x, 51), RandomTensor(DType::kFloat32, given.table, 52, -1, 1),
                                RandomTensor(DType::kFloat32, given.table, 53, -1, 1)});
  c.name += fmt::format(" turned {} interleaved {} to {}", given.turned, interleaved, Name(out));
  c.outputs[0].first = out;
  // Two products and a sum of magnitudes up to 2; with bf16, expected values are rounded to it themselves.
  const bool bf16 = in == DType::kBFloat16 || out == DType::kBFloat16;
  c.absolute = 1e-6 + (bf16 ? 4.0 / 256 : 0);
  return c;
}

TEST(RotaryKernels, MatchTheReference) {
  const std::vector<Given> all = {{{2, 5, 96}, 3, 32, {1, 5, 32}},      {{2, 5, 96}, 3, 32, {2, 5, 16}},
                                  {{1, 7, 130}, 2, 34, {7, 34}},        {{2, 3, 5, 64}, 3, 64, {2, 5, 64}},
                                  {{2, 3, 5, 64}, 3, 64, {5, 32}},      {{3, 1, 4, 26}, 1, 26, {1, 4, 13}},
                                  {{1, 2, 3, 300}, 2, 290, {3, 290}},   {{1, 2, 3, 300}, 2, 290, {3, 145}},
                                  {{1, 200, 8 * 64}, 8, 64, {200, 64}}, {{0, 5, 96}, 3, 32, {1, 5, 32}}};
  std::vector<KernelCase> cases;
  for (const Given& given : all) {
    for (const bool interleaved : {false, true}) {
      for (const DType in : {DType::kFloat32, DType::kBFloat16}) {
        for (const DType out : {DType::kFloat32, DType::kBFloat16}) {
          cases.push_back(RotaryCase(given, interleaved, in, out));
        }
      }
    }
  }
  CheckFamily("rotary", cases);
}

TEST(RotaryKernels, RefusesTablesThatDontFit) {
  KernelCase c = RotaryCase({{2, 5, 96}, 3, 32, {1, 5, 32}}, false, DType::kFloat32, DType::kFloat32);
  c.inputs[1] = c.inputs[2] = RandomTensor(DType::kFloat32, {1, 4, 32}, 54);
  ExpectRefused("rotary", c, "don't fit");
}

}  // namespace
}  // namespace tamis::kernel_test
