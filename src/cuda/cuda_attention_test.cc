// Attention of the CUDA backend.
#include "src/cuda/cuda_kernel_check.h"

namespace tamis {
namespace {

TEST_F(CudaKernels, Attention) {
  CudaRandom random(2027);
  struct Shape {
    int64_t batch, heads, kv_heads, queries, keys, depth;
    Dims mask;
    int64_t causal = 0, causal_offset = 0;
    bool apart = false;  // [batch, heads, rows, depth]
  };
  int tried = 0;
  for (const Shape& s : {Shape{1, 12, 12, 128, 128, 64, {1, 1, 1, 128}}, Shape{2, 3, 3, 77, 200, 64, {}},
                         Shape{2, 2, 2, 50, 33, 32, {2, 1, 1, 33}}, Shape{1, 2, 2, 130, 65, 128, {130, 65}},
                         Shape{2, 4, 4, 150, 150, 64, {}, 1}, Shape{1, 6, 2, 70, 200, 64, {}, 1, 130},
                         Shape{2, 4, 1, 40, 90, 32, {2, 1, 40, 90}, 1, 50, true}, Shape{1, 8, 4, 33, 130, 128, {}},
                         Shape{1, 2, 2, 90, 40, 64, {}, 1, -20},
                         // More than the card computes at once: blocks that take several.
                         Shape{40, 12, 12, 70, 70, 64, {40, 1, 1, 70}}, Shape{25, 16, 4, 70, 100, 32, {}, 1, 30},
                         Shape{20, 16, 16, 70, 65, 128, {}}}) {
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16, DType::kFloat32}) {
      const bool zero_masked = dtype == DType::kBFloat16;
      CudaCase c;
      c.op = "Attention";
      c.domain = kTamisDomain;
      c.attributes = {{"num_heads", s.heads},
                      {"kv_heads", s.kv_heads},
                      {"causal", s.causal},
                      {"causal_offset", s.causal_offset},
                      {"zero_masked", int64_t{zero_masked}},
                      {"scale", 1 / std::sqrt(static_cast<float>(s.depth))},
                      {"output_dtype", static_cast<int64_t>(dtype)}};
      if (dtype == DType::kFloat32) c.attributes["tf32"] = int64_t{1};
      const auto rows = [&](int64_t heads, int64_t count) {
        return random.Floats(dtype,
                             s.apart ? Dims{s.batch, heads, count, s.depth} : Dims{s.batch, count, heads * s.depth});
      };
      c.inputs = {rows(s.heads, s.queries), rows(s.kv_heads, s.keys), rows(s.kv_heads, s.keys)};
      if (!s.mask.empty()) {
        c.inputs.push_back(random.Floats(DType::kFloat32, s.mask, 3));
        // Some keys are closed; with them all of the first step, where the running maximum is still -infinity.
        float* mask = c.inputs.back().Data<float>();
        for (int64_t i = 0; i < std::min<int64_t>(64, s.mask.back() - 1); ++i) {
          mask[i] = -std::numeric_limits<float>::infinity();
        }
      }
      c.output_dtypes = {dtype};
      tried += Check(c);
      ASSERT_FALSE(HasFailure());
    }
  }
  EXPECT_GE(tried, 36 * 3);
  std::printf("%d runs\n", tried);
}

// Hidden by the lowest finite number, as DeBERTa's padding is: all keys of some queries, and all of the first step.
TEST_F(CudaKernels, AttentionOfKeysThatTheLowestNumberHides) {
  constexpr int64_t kBatch = 2, kHeads = 3, kQueries = 40, kKeys = 100, kDepth = 64;
  CudaRandom random(2031);
  int tried = 0;
  for (const Dims& dims : {Dims{kBatch, 1, 1, kKeys}, Dims{kBatch, 1, kQueries, kKeys}}) {
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16, DType::kFloat32}) {
      CudaCase c;
      c.op = "Attention";
      c.domain = kTamisDomain;
      c.attributes = {{"num_heads", kHeads}, {"scale", 0.125f}, {"output_dtype", static_cast<int64_t>(dtype)}};
      if (dtype == DType::kFloat32) c.attributes["tf32"] = int64_t{1};
      c.inputs = {random.Floats(dtype, {kBatch, kQueries, kHeads * kDepth}),
                  random.Floats(dtype, {kBatch, kKeys, kHeads * kDepth}),
                  random.Floats(dtype, {kBatch, kKeys, kHeads * kDepth}), Tensor(DType::kFloat32, dims)};
      const auto mask = c.inputs.back().Span<float>();
      std::fill(mask.begin(), mask.end(), 0.0f);
      std::fill_n(mask.begin(), 64, std::numeric_limits<float>::lowest());
      std::fill(mask.end() - kKeys, mask.end(), std::numeric_limits<float>::lowest());
      c.output_dtypes = {dtype};
      tried += Check(c);
      ASSERT_FALSE(HasFailure());
    }
  }
  EXPECT_GE(tried, 6);
}

TEST_F(CudaKernels, PackedAttention) {
  CudaRandom random(2030);
  for (const DType dtype : {DType::kFloat16, DType::kFloat32}) {
    for (const int64_t depth : {32, 64, 128}) {
      constexpr int64_t kBatch = 2, kRows = 70, kHeads = 3;
      const int64_t width = kHeads * depth;
      CudaCase c;
      c.op = "PackedAttention";
      c.domain = kTamisDomain;
      c.attributes = {{"num_heads", kHeads}, {"scale", 0.2f}, {"output_dtype", static_cast<int64_t>(dtype)}};
      if (dtype == DType::kFloat32) c.attributes["tf32"] = int64_t{1};
      c.inputs = {random.Floats(dtype, {kBatch, kRows, 3 * width}),
                  random.Floats(DType::kFloat32, {kBatch, 1, 1, kRows})};
      c.output_dtypes = {dtype};
      const size_t element = ByteSize(dtype, 1);
      std::vector<Tensor> parts;
      for (int64_t part = 0; part < 3; ++part) {
        parts.emplace_back(dtype, Dims{kBatch, kRows, width});
        for (int64_t row = 0; row < kBatch * kRows; ++row) {
          std::copy_n(c.inputs[0].raw() + static_cast<size_t>((row * 3 + part) * width) * element,
                      static_cast<size_t>(width) * element,
                      parts.back().raw() + static_cast<size_t>(row * width) * element);
        }
      }
      parts.push_back(c.inputs[1]);
      c.expected = Reference(c, "Attention", parts).value();
      EXPECT_GT(Check(c), 0);
      ASSERT_FALSE(HasFailure());
    }
  }
}

// What FuseForCuda makes of one that is only quantised.
TEST_F(CudaKernels, QuantizedPackedAttention) {
  CudaRandom random(2036);
  for (const int64_t depth : {32, 64, 128}) {
    for (const DType y : {DType::kUInt8, DType::kInt8}) {
      constexpr int64_t kBatch = 2, kRows = 70, kHeads = 3;
      const int64_t width = kHeads * depth;
      const int zero = y == DType::kUInt8 ? 120 : -9, low = y == DType::kUInt8 ? 0 : -128;
      CudaCase c;
      c.op = "QuantizedPackedAttention";
      c.domain = kTamisDomain;
      c.codes = true;
      c.attributes = {{"num_heads", kHeads}, {"scale", 0.2f}, {"y_zero_point", int64_t{zero}}};
      c.inputs = {random.Floats(DType::kFloat16, {kBatch, kRows, 3 * width}),
                  depth == 32 ? Tensor() : random.Floats(DType::kFloat32, {kBatch, 1, 1, kRows}),
                  random.Floats(DType::kFloat32, {width}, 12)};
      c.output_dtypes = {y};
      std::vector<Tensor> parts;
      for (int64_t part = 0; part < 3; ++part) {
        parts.emplace_back(DType::kFloat32, Dims{kBatch, kRows, width});
        const Tensor rows = c.inputs[0].ToFloat32();
        for (int64_t i = 0; i < parts.back().NumElements(); ++i) {
          parts.back().Data<float>()[i] = rows.Data<float>()[i / width * 3 * width + part * width + i % width];
        }
      }
      parts.push_back(c.inputs[1]);
      CudaCase wide;
      wide.domain = kTamisDomain;
      wide.attributes = {{"num_heads", kHeads}, {"scale", 0.2f}, {"output_dtype", kFull}};
      wide.output_dtypes = {DType::kFloat32};
      const auto numbers = Reference(wide, "Attention", parts);
      ASSERT_TRUE(numbers.ok()) << numbers.status().message();
      Tensor codes(y, {kBatch, kRows, width});
      for (int64_t i = 0; i < codes.NumElements(); ++i) {
        const float value = (*numbers)[0].Data<float>()[i] * c.inputs[2].Data<float>()[i % width];
        codes.raw()[i] = static_cast<std::byte>(static_cast<int>(std::clamp(
            std::nearbyint(value) + static_cast<float>(zero), static_cast<float>(low), static_cast<float>(low + 255))));
      }
      c.expected = {codes};
      EXPECT_GT(Check(c), 0);
      ASSERT_FALSE(HasFailure());
    }
  }
}

}  // namespace
}  // namespace tamis
