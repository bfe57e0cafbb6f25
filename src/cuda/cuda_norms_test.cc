// Norms of the CUDA backend, alone and with what stands before them.
#include <tuple>

#include "src/cuda/cuda_kernel_check.h"

namespace tamis {
namespace {

TEST_F(CudaKernels, LinearNorm) {
  CudaRandom random(2032);
  struct Shape {
    int64_t rows, outputs, depth;
    bool residual, bias;
  };
  int tried = 0;
  for (const Shape& s :
       {Shape{128, 768, 768, true, true}, Shape{77, 768, 3072, true, true}, Shape{1, 1024, 256, false, true},
        Shape{300, 256, 136, true, false}, Shape{130, 384, 64, false, false}, Shape{40, 72, 40, true, true}}) {
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
      CudaCase c;
      c.op = "LinearNorm";
      c.domain = kTamisDomain;
      c.attributes = {{"output_dtype", static_cast<int64_t>(dtype)}, {"epsilon", 1e-5f}};
      const float scale = 1 / std::sqrt(static_cast<float>(s.depth));
      c.inputs = {random.Floats(dtype, {s.rows, s.depth}),
                  random.Floats(dtype, {s.outputs, s.depth}, scale),
                  s.bias ? random.Floats(DType::kFloat32, {s.outputs}) : Tensor(),
                  s.residual ? random.Floats(dtype, {s.rows, s.outputs}) : Tensor(),
                  random.Floats(dtype, {s.outputs}),
                  random.Floats(dtype, {s.outputs})};
      c.constants = {1, 2, 4, 5};
      c.output_dtypes = {dtype};
      CudaCase linear;
      linear.domain = kTamisDomain;
      linear.attributes = {{"output_dtype", kFull}};
      linear.output_dtypes = {DType::kFloat32};
      const auto sums = Reference(linear, "Linear", {c.inputs.begin(), c.inputs.begin() + 4});
      ASSERT_TRUE(sums.ok()) << sums.status().message();
      CudaCase norm;
      norm.attributes = {{"axis", int64_t{-1}}, {"epsilon", 1e-5f}};
      norm.output_dtypes = {DType::kFloat32};
      const auto expected =
          Reference(norm, "LayerNormalization", {(*sums)[0], c.inputs[4].ToFloat32(), c.inputs[5].ToFloat32()});
      ASSERT_TRUE(expected.ok()) << expected.status().message();
      c.expected = {Narrowed((*expected)[0], dtype)};
      tried += Check(c);
      ASSERT_FALSE(HasFailure());
    }
  }
  std::printf("%d runs\n", tried);
}

TEST_F(CudaKernels, EmbeddingNorm) {
  CudaRandom random(2033);
  for (const int64_t columns : {8, 72, 768, 2048}) {
    for (const DType dtype : {DType::kFloat16, DType::kFloat32}) {
      constexpr int64_t kBatch = 3, kRows = 50, kTable = 17;
      CudaCase c;
      c.op = "EmbeddingNorm";
      c.domain = kTamisDomain;
      c.attributes = {{"epsilon", 1e-5f}};
      std::vector<int64_t> indices;
      for (int64_t i = 0; i < kBatch * kRows; ++i) indices.push_back(i * 7 % (2 * kTable) - kTable);
      c.inputs = {random.Floats(DType::kFloat32, {kTable, columns}), Tensor::Int64s(indices).Reshaped({kBatch, kRows}),
                  random.Floats(DType::kFloat32, {kRows, columns}), random.Floats(DType::kFloat32, {columns}),
                  random.Floats(DType::kFloat32, {columns})};
      c.constants = {0, 2, 3, 4};
      c.output_dtypes = {dtype};
      Tensor rows(DType::kFloat32, {kBatch, kRows, columns});
      for (int64_t i = 0; i < rows.NumElements(); ++i) {
        const int64_t index = (indices[static_cast<size_t>(i / columns)] + kTable) % kTable;
        rows.Data<float>()[i] =
            c.inputs[0].Data<float>()[index * columns + i % columns] + c.inputs[2].Data<float>()[i % (kRows * columns)];
      }
      CudaCase norm;
      norm.attributes = {{"axis", int64_t{-1}}, {"epsilon", 1e-5f}};
      norm.output_dtypes = {DType::kFloat32};
      const auto expected = Reference(norm, "LayerNormalization", {rows, c.inputs[3], c.inputs[4]});
      ASSERT_TRUE(expected.ok()) << expected.status().message();
      c.expected = {dtype == DType::kFloat16 ? Halves((*expected)[0]) : (*expected)[0]};
      EXPECT_EQ(Check(c), 1);
      ASSERT_FALSE(HasFailure());
    }
  }
}

TEST_F(CudaKernels, NormsOfManyWidths) {
  CudaRandom random(2028);
  for (const int64_t columns : {8, 768, 1024, 1536, 2048, 4096, 77}) {
    for (const DType dtype : {DType::kFloat16, DType::kFloat32, DType::kBFloat16}) {
      for (const int64_t rows : {3, 1200}) {
        CudaCase c;
        c.op = "LayerNormalization";
        c.inputs = {random.Floats(dtype, {rows, columns}, 2), random.Floats(dtype, {columns}),
                    random.Floats(dtype, {columns})};
        c.attributes = {{"axis", int64_t{-1}}};
        c.output_dtypes = {dtype};
        EXPECT_EQ(Check(c), 1);
        c.op = "RMSNormalization";
        c.inputs.pop_back();
        EXPECT_EQ(Check(c), 1);
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

// What FuseForCuda makes of a norm that is only quantised.
TEST_F(CudaKernels, QuantizedLayerNorm) {
  CudaRandom random(2034);
  for (const int64_t columns : {8, 72, 768, 2048}) {
    for (const DType x : {DType::kFloat16, DType::kFloat32}) {
      for (const DType y : {DType::kUInt8, DType::kInt8}) {
        CudaCase c;
        c.op = "QuantizedLayerNorm";
        c.domain = kTamisDomain;
        c.codes = true;
        c.attributes = {
            {"epsilon", 1e-5f}, {"y_scale", 0.02f}, {"y_zero_point", int64_t{y == DType::kUInt8 ? 120 : -9}}};
        c.inputs = {random.Floats(x, {45, columns}, 2), random.Floats(DType::kFloat32, {columns}),
                    random.Floats(DType::kFloat32, {columns})};
        CudaCase norm;
        norm.attributes = {{"axis", int64_t{-1}}, {"epsilon", 1e-5f}};
        norm.output_dtypes = {DType::kFloat32};
        const auto normal = Reference(norm, "LayerNormalization", {c.inputs[0].ToFloat32(), c.inputs[1], c.inputs[2]});
        ASSERT_TRUE(normal.ok()) << normal.status().message();
        Tensor expected(y, {45, columns});
        const int zero = y == DType::kUInt8 ? 120 : -9, low = y == DType::kUInt8 ? 0 : -128;
        for (int64_t i = 0; i < expected.NumElements(); ++i) {
          const int code = static_cast<int>(std::nearbyint((*normal)[0].Data<float>()[i] / 0.02f)) + zero;
          expected.raw()[i] = static_cast<std::byte>(std::clamp(code, low, low + 255));
        }
        c.expected = {expected};
        c.output_dtypes = {y};
        EXPECT_EQ(Check(c), 1);
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

// With what balancing adds: a residual, factors for the codes of each column, and the norm itself beside its codes.
TEST_F(CudaKernels, QuantizedLayerNormWithResidual) {
  CudaRandom random(2035);
  for (const int64_t columns : {8, 768, 1032}) {
    for (const auto& [x, residual, numbers] : {std::tuple(DType::kFloat16, DType::kFloat16, DType::kFloat16),
                                               {DType::kFloat16, DType::kFloat32, DType::kFloat32},
                                               {DType::kFloat32, DType::kFloat16, DType::kUndefined},
                                               {DType::kFloat32, DType::kUndefined, DType::kFloat32}}) {
      for (const int64_t rows : {3, 1100}) {
        CudaCase c;
        c.op = "QuantizedLayerNorm";
        c.domain = kTamisDomain;
        c.codes = true;
        c.attributes = {{"epsilon", 1e-5f}, {"y_zero_point", int64_t{120}}};
        const bool adds = residual != DType::kUndefined;
        c.inputs = {random.Floats(x, {rows, columns}, 2), random.Floats(DType::kFloat32, {columns}),
                    random.Floats(DType::kFloat32, {columns}),
                    adds ? random.Floats(residual, {rows, columns}, 2) : Tensor(),
                    random.Floats(DType::kFloat32, {columns}, 20)};
        Tensor sums = c.inputs[0].ToFloat32().Clone();
        if (adds) {
          const Tensor more = c.inputs[3].ToFloat32();
          for (int64_t i = 0; i < sums.NumElements(); ++i) sums.Data<float>()[i] += more.Data<float>()[i];
        }
        CudaCase norm;
        norm.attributes = {{"axis", int64_t{-1}}, {"epsilon", 1e-5f}};
        norm.output_dtypes = {DType::kFloat32};
        const auto normal = Reference(norm, "LayerNormalization", {sums, c.inputs[1], c.inputs[2]});
        ASSERT_TRUE(normal.ok()) << normal.status().message();
        Tensor codes(DType::kUInt8, {rows, columns});
        for (int64_t i = 0; i < codes.NumElements(); ++i) {
          const float value = (*normal)[0].Data<float>()[i] * c.inputs[4].Data<float>()[i % columns];
          codes.Data<uint8_t>()[i] = static_cast<uint8_t>(std::clamp(std::nearbyint(value) + 120, 0.0f, 255.0f));
        }
        c.expected = {codes};
        c.output_dtypes = {DType::kUInt8};
        if (numbers != DType::kUndefined) {
          c.expected.push_back(numbers == DType::kFloat16 ? Halves((*normal)[0]) : (*normal)[0]);
          c.output_dtypes.push_back(numbers);
        }
        EXPECT_EQ(Check(c), 1);
        ASSERT_FALSE(HasFailure());
        if (!adds || numbers == DType::kUndefined) continue;
        c.op = "ResidualLayerNorm";
        c.inputs.resize(4);
        c.expected = {c.expected[1]};
        c.output_dtypes = {numbers};
        EXPECT_EQ(Check(c), 1);
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

}  // namespace
}  // namespace tamis
