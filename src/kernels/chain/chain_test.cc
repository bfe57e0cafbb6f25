#include <gtest/gtest.h>

#include "src/kernels/reference_case.h"
#include "src/ops/op_chain.h"

namespace tamis::kernel_test {
namespace {

KernelCase ChainCase(const std::vector<ChainStep>& steps, const std::vector<Dims>& dims, DType in, DType out) {
  Node program;
  WriteChain(steps, &program);
  program.attributes["output_dtype"] = static_cast<int64_t>(out);
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < dims.size(); ++i) inputs.push_back(RandomTensor(in, dims[i], 70 + i, 0.25, 2));
  KernelCase c = ReferenceCase({"ElementwiseChain", std::string(kTamisDomain), program.attributes}, inputs);
  for (const ChainStep& step : steps) c.name += fmt::format(" {}", Name(step.op));
  c.name += fmt::format(" to {}", Name(out));
  c.outputs[0].first = out;
  // A few roundings and the errors of the functions; with bf16, expected values are rounded to it themselves.
  const bool bf16 = in == DType::kBFloat16 || out == DType::kBFloat16;
  c.absolute = 1e-5;
  c.relative = 1e-5 + (bf16 ? 1.0 / 128 : 0);
  return c;
}

std::vector<KernelCase> ChainCases() {
  std::vector<KernelCase> cases;
  const std::vector<ChainStep> gated = {
      {ChainOp::kMul, 0, 1}, {ChainOp::kSigmoid, 3}, {ChainOp::kMul, 3, 4}, {ChainOp::kSub, 5, 2}};
  const std::vector<std::vector<Dims>> shapes = {
      {{3, 1700}, {1700}, {3, 1}},          {{2, 3, 5}, {1}, {3, 1}},           {{3, 1}, {2, 1, 1}, {2, 3, 40}},
      {{70, 4, 333}, {4, 1}, {70, 4, 333}}, {{400, 3}, {3}, {400, 1}},          {{9, 50, 7}, {9, 1, 7}, {50, 1}},
      {{20011, 3}, {3}, {20011, 1}},        {{6, 40, 127}, {40, 1}, {6, 1, 1}}, {{0, 4}, {4}, {4}}};
  for (const DType in : {DType::kFloat32, DType::kBFloat16}) {
    for (const DType out : {DType::kFloat32, DType::kBFloat16}) {
      for (const auto& dims : shapes) cases.push_back(ChainCase(gated, dims, in, out));
    }
  }
  const std::vector<ChainStep> gates = {{ChainOp::kMul, 0, 1},
                                        {ChainOp::kMul, 2, 3},
                                        {ChainOp::kMul, 4, 5},
                                        {ChainOp::kAdd, 6, 7},
                                        {ChainOp::kAdd, 9, 8}};
  for (const DType in : {DType::kFloat32, DType::kBFloat16}) {
    for (const int64_t width : {7, 300}) {
      const Dims whole = {4, 9, width}, gate = {4, 9, 1};
      cases.push_back(ChainCase(gates, {whole, gate, whole, gate, {4, 1, width}, {width}}, in, DType::kFloat32));
    }
  }
  for (int op = 0; op <= static_cast<int>(ChainOp::kReciprocal); ++op) {
    cases.push_back(ChainCase({{static_cast<ChainOp>(op), 0, 1, 0.3f, 0.9f, 0.7f}, {ChainOp::kAffine, 2, 0, 2, 1}},
                              {{5, 37}, {5, 37}}, DType::kFloat32, DType::kFloat32));
  }
  return cases;
}

TEST(ChainKernels, MatchTheReference) {
  CheckFamily("chain", ChainCases());
}

}  // namespace
}  // namespace tamis::kernel_test
