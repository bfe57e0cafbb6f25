// Every kernel of the CUDA backend on the operators' own cases, and the kernels without families of their own.
#include "src/cuda/cuda_kernel_check.h"
#include "src/ops/op_chain.h"

namespace tamis {
namespace {

TEST_F(CudaKernels, TheOperatorsOwnCases) {
  std::map<std::string, int> runs;
  for (const OpDef* op : AllOps()) {
    if (op->test_cases == nullptr) continue;
    for (const OpTestCase& own : op->test_cases()) {
      for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16}) {
        const bool half = dtype != DType::kFloat32;
        CudaCase c;
        c.op = op->name;
        c.domain = op->domain;
        c.attributes = own.attributes;
        const bool product = c.op == "Linear" || c.op == "ChannelsLastConv";
        const bool quantized = c.op == "QuantizedLinear" || c.op == "QuantizedConv" || c.op == "QuantizeLinear" ||
                               c.op == "DequantizeLinear";
        c.codes = quantized || c.op == "QuantizedBinary" || c.op == "QuantizedGlobalAveragePool";
        bool any = false;
        for (size_t i = 0; i < own.inputs.size(); ++i) {
          const Tensor& input = own.inputs[i];
          const bool table = c.op == "Rotary" && i > 0;
          const bool narrow = half && input.dtype() == DType::kFloat32 && !(product && i == 2) &&
                              !(c.op == "Attention" && i == 3) && !table;
          any = any || narrow;
          c.inputs.push_back(narrow ? Narrowed(input, dtype) : input);
          const bool steers =
              quantized ? i > 0 && i < 4 : i > 0 && (product || c.op == "Clip" || !IsFloat(input.dtype()));
          if (input.Defined() && steers && c.op != "Gather") c.constants.insert(i);
        }
        if (half && !any) continue;
        if (half && c.domain == kTamisDomain) c.attributes["output_dtype"] = static_cast<int64_t>(dtype);
        if (c.op == "Split" || c.op == "Cast") continue;           // below
        if (half && !Reference(c, c.op, c.inputs).ok()) continue;  // not every operator knows 16 bits
        const int tried = Check(c);
        runs[c.op] += tried;
        if (dtype == DType::kBFloat16) runs[c.op + " in bf16"] += tried;
        if (HasFailure()) return;
      }
    }
  }
  std::string text;
  for (const auto& [name, count] : runs) {
    if (count > 0) text += " " + name + ":" + std::to_string(count);
  }
  std::printf("runs of kernels by operator:%s\n", text.c_str());
  for (const char* name : {"Linear",
                           "ChannelsLastConv",
                           "Attention",
                           "LayerNormalization",
                           "Softmax",
                           "Add",
                           "Gelu",
                           "Transpose",
                           "Gather",
                           "ChannelsLastMaxPool",
                           "ChannelsLastGlobalAveragePool",
                           "Concat",
                           "QuantizedLinear",
                           "QuantizedConv",
                           "QuantizedBinary",
                           "QuantizedLookup",
                           "QuantizedGlobalAveragePool",
                           "QuantizeLinear",
                           "DequantizeLinear",
                           "ElementwiseChain",
                           "RMSNormalization",
                           "Rotary",
                           "Swish",
                           "Linear in bf16",
                           "Attention in bf16",
                           "LayerNormalization in bf16",
                           "RMSNormalization in bf16",
                           "Rotary in bf16",
                           "ElementwiseChain in bf16",
                           "Softmax in bf16",
                           "Add in bf16"}) {
    EXPECT_GT(runs[name], 0) << name;
  }
}

// Of images that one block sums, and of those that many do.
TEST_F(CudaKernels, GlobalAverages) {
  CudaRandom random(2063);
  for (const Dims& dims :
       {Dims{1, 112, 112, 32}, Dims{2, 60, 55, 40}, Dims{3, 7, 7, 1280}, Dims{1, 300, 13}, Dims{2, 5, 8}}) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16}) {
      for (const DType result : {dtype, DType::kFloat32}) {
        CudaCase c;
        c.op = "ChannelsLastGlobalAveragePool";
        c.domain = kTamisDomain;
        c.attributes = {{"output_dtype", static_cast<int64_t>(result)}};
        c.inputs = {random.Floats(dtype, dims)};
        c.output_dtypes = {result};
        EXPECT_EQ(Check(c), 1);
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

// Interpreted and generated: every step behind another, on operands of three types, whole, a row and a column.
TEST_F(CudaKernels, ChainsOfEveryStep) {
  CudaRandom random(2051);
  for (int op = 0; op <= static_cast<int>(ChainOp::kReciprocal); ++op) {
    for (const int64_t columns : {24, 12, 7}) {
      Node node;
      const auto tested = static_cast<ChainOp>(op);
      WriteChain({{ChainOp::kAdd, 0, 1}, {tested, 3, 2, 0.5f, 1.5f, 1}, {ChainOp::kMul, 4, 3}}, &node);
      CudaCase c;
      c.op = "ElementwiseChain";
      c.domain = kTamisDomain;
      for (const auto& [key, value] : node.attributes) c.attributes[key] = value;
      // The column is what is divided by: away from zero.
      Tensor column = random.Floats(DType::kFloat32, {5, 1}, 0.1f);
      for (float& x : column.Span<float>()) x += 1;
      c.inputs = {random.Floats(DType::kFloat16, {5, columns}), random.Floats(DType::kFloat32, {columns}),
                  Narrowed(column, DType::kBFloat16)};
      c.attributes["output_dtype"] = kBrain;
      c.output_dtypes = {DType::kBFloat16};
      EXPECT_GE(Check(c), 1) << Name(tested);
      ASSERT_FALSE(HasFailure()) << Name(tested) << " " << columns;
    }
  }
}

TEST_F(CudaKernels, CastsAndSplits) {
  CudaRandom random(2029);
  for (const DType from :
       {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kInt64, DType::kInt32, DType::kBool}) {
    for (const DType to : {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kInt64, DType::kInt32,
                           DType::kInt8, DType::kUInt8, DType::kBool}) {
      CudaCase c;
      c.op = "Cast";
      c.attributes = {{"to", static_cast<int64_t>(to)}};
      Tensor x = random.Integers(DType::kFloat32, {5, 16}, 100);
      if (from == DType::kFloat16 || from == DType::kBFloat16) x = Narrowed(x, from);
      if (!IsFloat(from)) {
        x = Tensor(from, {5, 16});
        for (int64_t i = 0; i < 80; ++i) x.raw()[static_cast<size_t>(i) * ByteSize(from, 1)] = std::byte(i % 2);
      }
      const bool negative_to_unsigned = IsFloat(from) && to == DType::kUInt8;  // ONNX leaves it open
      if (negative_to_unsigned) continue;
      c.inputs = {x};
      c.output_dtypes = {to};
      c.exact = true;
      EXPECT_EQ(Check(c), 1);
      ASSERT_FALSE(HasFailure());
    }
  }
  CudaCase split;
  split.op = "Split";
  split.attributes = {{"axis", int64_t{1}}};
  split.inputs = {random.Floats(DType::kFloat16, {3, 9, 5}), Tensor::Int64s(std::vector<int64_t>{2, 4, 3})};
  split.constants = {1};
  split.output_dtypes = {DType::kFloat16, DType::kFloat16, DType::kFloat16};
  split.exact = true;
  EXPECT_EQ(Check(split), 1);
}

TEST_F(CudaKernels, AProblemThatNobodyTakesHasReasons) {
  Node node;
  node.op = "Linear";
  node.domain = kTamisDomain;
  node.inputs = {0, 1};
  node.outputs = {2};
  Problem problem;
  problem.node = &node;
  problem.inputs.resize(2);
  problem.inputs[0].dtype = problem.inputs[1].dtype = DType::kFloat32;
  problem.inputs[0].dims = problem.inputs[1].dims = {4, 8};
  problem.outputs.resize(1);
  problem.outputs[0].dtype = DType::kFloat32;
  problem.outputs[0].dims = {4, 4};
  const auto candidates = device_->Candidates(problem);
  ASSERT_TRUE(candidates.ok());
  ASSERT_FALSE(candidates->empty());
  for (const CudaCandidate& candidate : *candidates) {
    EXPECT_EQ(candidate.variants, 0);
    EXPECT_FALSE(candidate.reason.empty());
  }
}

}  // namespace
}  // namespace tamis
