// Generated code of chains. Compiled where NVRTC is installed, which needs no GPU; that it computes the right numbers
// is seen on one (src/cuda/cuda_kernels_test.cc).
#include <gtest/gtest.h>

#include "src/kernels/chain/cuda/cuda_chain.h"
#include "src/kernels/cuda/nvrtc.h"
#include "src/ops/op_chain.h"
#include "src/ops/op_tamis.h"

namespace tamis::cuda {
namespace {

struct ChainCase {
  Node node;
  Problem problem;

  // Three operands of different types: whole, a row, a column, so that there are two loops.
  ChainCase(const std::vector<ChainStep>& steps, int64_t columns) {
    node.op = "ElementwiseChain";
    node.domain = kTamisDomain;
    WriteChain(steps, &node);
    node.inputs = {0, 1, 2};
    node.outputs = {3};
    problem.node = &node;
    problem.inputs.resize(3);
    problem.outputs.resize(1);
    problem.inputs[0].dtype = DType::kFloat16, problem.inputs[0].dims = {5, columns};
    problem.inputs[1].dtype = DType::kFloat32, problem.inputs[1].dims = {columns};
    problem.inputs[2].dtype = DType::kBFloat16, problem.inputs[2].dims = {5, 1};
    problem.outputs[0].dtype = DType::kBFloat16, problem.outputs[0].dims = {5, columns};
  }
};

std::vector<ChainStep> EveryStep(size_t from) {
  std::vector<ChainStep> steps;
  for (auto op = static_cast<int>(from);
       ChainOpFromName(Name(static_cast<ChainOp>(op))) && steps.size() < kMaxChainSteps; ++op) {
    const int64_t last = steps.empty() ? 0 : static_cast<int64_t>(2 + steps.size());
    steps.push_back({static_cast<ChainOp>(op), last, 1 + op % 2, 0.5f, 1.5f, 1});
    if (op == static_cast<int>(ChainOp::kReciprocal)) break;
  }
  return steps;
}

TEST(ChainSource, EveryStepCompilesForEveryWidth) {
  const auto nvrtc = Nvrtc::Get();
  if (!nvrtc.ok()) GTEST_SKIP() << nvrtc.status().message();
  for (const int64_t columns : {24, 12, 7}) {
    for (size_t from = 0; from <= static_cast<size_t>(ChainOp::kReciprocal); from += kMaxChainSteps) {
      const ChainCase c(EveryStep(from), columns);
      const auto args = ReadCudaChain(c.problem);
      ASSERT_TRUE(args.ok()) << args.status().message();
      EXPECT_EQ(args->neighbours, columns == 24 ? 8 : columns == 12 ? 4 : 1);
      for (const int compute : {80, 90}) {
        const ChainSource source = WriteChainSource(*args, compute == 90);
        const auto code = (*nvrtc)->Compile(source.text, compute);
        ASSERT_TRUE(code.ok()) << code.status().message() << source.text;
        EXPECT_GT(code->size(), 0u);
      }
    }
  }
}

TEST(ChainSource, TellsWhatTheCompilerSays) {
  const auto nvrtc = Nvrtc::Get();
  if (!nvrtc.ok()) GTEST_SKIP() << nvrtc.status().message();
  const auto code = (*nvrtc)->Compile("__global__ void chain() { missing(); }", 90);
  ASSERT_FALSE(code.ok());
  EXPECT_NE(code.status().message().find("missing"), std::string::npos) << code.status().message();
}

TEST(ChainSource, HasABlockForEveryItem) {
  const ChainCase c({{ChainOp::kAdd, 0, 1}}, 24);
  const auto args = ReadCudaChain(c.problem);
  ASSERT_TRUE(args.ok()) << args.status().message();
  const ChainSource source = WriteChainSource(*args, false);
  EXPECT_EQ(source.blocks, 1u);  // 15 items of 8
  EXPECT_EQ(source.text.find("griddepcontrol"), std::string::npos);
}

}  // namespace
}  // namespace tamis::cuda
