// float8 products of the CUDA backend, and what makes their codes.
#include "src/cuda/cuda_kernel_check.h"
#include "src/ops/op_float8.h"

namespace tamis {
namespace {

constexpr auto kFloat8 = DType::kFloat8E4M3;

Tensor Encoded(const Tensor& numbers) {
  Tensor codes(kFloat8, numbers.dims());
  for (int64_t i = 0; i < numbers.NumElements(); ++i) {
    codes.raw()[i] = static_cast<std::byte>(EncodeFloat8(numbers.Data<float>()[i]));
  }
  return codes;
}

Tensor Decoded(const Tensor& codes) {
  Tensor numbers(DType::kFloat32, codes.dims());
  for (int64_t i = 0; i < codes.NumElements(); ++i) {
    numbers.Data<float>()[i] = DecodeFloat8(static_cast<uint8_t>(codes.raw()[i]));
  }
  return numbers;
}

// Rows of codes times their scales.
Tensor Scaled(const Tensor& codes, const Tensor& scales) {
  Tensor numbers = Decoded(codes);
  const int64_t depth = codes.dims().back();
  for (int64_t i = 0; i < numbers.NumElements(); ++i) numbers.Data<float>()[i] *= scales.Data<float>()[i / depth];
  return numbers;
}

// Two of four become 0, others in each row.
void MakeTwoFour(Tensor& codes) {
  for (int64_t i = 0; i < codes.NumElements(); ++i) {
    const int64_t row = i / codes.dims().back(), keep = (i / 4 + row) % 3;
    if (i % 4 == keep || i % 4 == 3) codes.raw()[i] = std::byte{0};
  }
}

struct Float8Case {
  int64_t rows, outputs, depth;
  DType y = DType::kFloat16;
  const char* activation = "";
  bool bias = true, residual = false, sparse = false, exact = false;
};

CudaCase MakeCase(const Float8Case& f, CudaRandom& random) {
  CudaCase c;
  c.op = "Float8Linear";
  c.domain = kTamisDomain;
  c.exact = f.exact;
  c.attributes = {{"activation", std::string(f.activation)}, {"output_dtype", static_cast<int64_t>(f.y)}};
  const auto numbers = [&](Dims dims) {
    return f.exact ? random.Integers(DType::kFloat32, std::move(dims), 2)
                   : random.Floats(DType::kFloat32, std::move(dims));
  };
  Tensor weight = Encoded(numbers({f.outputs, f.depth}));
  if (f.sparse) MakeTwoFour(weight), c.weight = Pattern::kTwoFour;
  Tensor scales(DType::kFloat32, {f.outputs});
  for (int64_t i = 0; i < f.outputs; ++i) {
    scales.Data<float>()[i] =
        f.exact ? 1 : (1 + 0.02f * static_cast<float>(i % 50)) / std::sqrt(static_cast<float>(f.depth));
  }
  c.inputs = {Encoded(numbers({f.rows, f.depth})), weight, scales,
              f.bias ? random.Integers(DType::kFloat32, {f.outputs}, 2) : Tensor()};
  if (f.residual) c.inputs.push_back(random.Integers(f.y, {f.rows, f.outputs}, 2));
  c.constants = {1, 2, 3};
  c.output_dtypes = {f.y};
  // Each of the tensor cores' additions cuts off what is 2^-13 of its largest term, none of which is larger than all of
  // a result may be.
  c.cut = f.exact ? 0 : static_cast<double>(f.depth) / 32 * 0x1p-13;
  CudaCase wide = c;
  wide.attributes["output_dtype"] = kFull;
  wide.output_dtypes = {DType::kFloat32};
  std::vector<Tensor> operands = {Decoded(c.inputs[0]), Scaled(weight, scales), c.inputs[3]};
  if (f.residual) operands.push_back(c.inputs[4].ToFloat32());
  const auto expected = Reference(wide, "Linear", operands);
  EXPECT_TRUE(expected.ok()) << expected.status().message();
  if (expected.ok()) c.expected = {f.y == DType::kFloat32 ? (*expected)[0] : Narrowed((*expected)[0], f.y)};
  return c;
}

TEST_F(CudaKernels, ProductsOfFloat8) {
  if (device_->Compute() < kFloat8Compute) GTEST_SKIP() << "the GPU has no products of float8";
  CudaRandom random(2041);
  int tried = 0;
  for (const Float8Case& f : {
           Float8Case{128, 768, 768},
           {128, 768, 768, DType::kBFloat16, "Gelu", true, true},
           {77, 96, 160, DType::kFloat16, "Relu", true, true},
           {300, 272, 512, DType::kFloat16, "Silu", false, false},
           {1, 1024, 2048, DType::kFloat16, "", true, true},
           {5, 16, 16, DType::kBFloat16, "", false},
           {33, 144, 3072, DType::kFloat32, "Gelu", true, true},
           {200, 256, 96, DType::kFloat16, "HardSwish"},
           {130, 320, 224, DType::kFloat16, "", true, true, false, true},
           {130, 320, 224, DType::kFloat16, "Relu", true, true, true, true},
           {1, 512, 1024, DType::kFloat16, "", true, false, true, true},
           {257, 400, 208, DType::kBFloat16, "", true, true, true, true},
           {300, 768, 768, DType::kFloat16, "Gelu", true, true, true},
           {16, 64, 3072, DType::kBFloat16, "", true, false, true},
       }) {
    tried += Check(MakeCase(f, random));
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(tried, 14 * 4);
  std::printf("%d runs\n", tried);
}

TEST_F(CudaKernels, CodesOfFloat8) {
  CudaRandom random(2042);
  for (const DType numbers : {DType::kFloat16, DType::kBFloat16, DType::kFloat32}) {
    for (const int64_t count : {1, 8, 1000, 4099}) {
      CudaCase c;
      c.op = "QuantizeLinear";
      c.exact = true;
      c.inputs = {random.Floats(numbers, {count}, 3), Tensor::Float(0.017f), Tensor(kFloat8, Dims{})};
      c.constants = {1, 2};
      c.output_dtypes = {kFloat8};
      const auto codes = Reference(c, "QuantizeLinear", {c.inputs[0].ToFloat32(), c.inputs[1], c.inputs[2]});
      ASSERT_TRUE(codes.ok()) << codes.status().message();
      c.expected = *codes;
      EXPECT_EQ(Check(c), 1);
      CudaCase back = c;
      back.op = "DequantizeLinear";
      back.exact = false;  // f16 and bf16 round
      back.inputs[0] = (*codes)[0];
      back.output_dtypes = {DType::kFloat32};
      const auto decoded = Reference(back, "DequantizeLinear", back.inputs);
      ASSERT_TRUE(decoded.ok()) << decoded.status().message();
      back.expected = {numbers == DType::kFloat32 ? (*decoded)[0] : Narrowed((*decoded)[0], numbers)};
      EXPECT_EQ(Check(back), 1);
      ASSERT_FALSE(HasFailure());
    }
  }
}

}  // namespace
}  // namespace tamis
