#include <gtest/gtest.h>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

KernelCase MatMulCase(const Dims& a_batch, const Dims& b_batch, const Dims& batch, int64_t m, int64_t k, int64_t n,
                      DType a_type, DType b_type, DType out) {
  const auto with = [](Dims dims, int64_t p, int64_t q) {
    dims.push_back(p);
    dims.push_back(q);
    return dims;
  };
  KernelCase c;
  c.node = {"MatMul", "", {}};
  c.inputs = {RandomTensor(a_type, with(a_batch, m, k), 51), RandomTensor(b_type, with(b_batch, k, n), 52)};
  c.outputs = {{out, with(batch, m, n)}};
  c.name = fmt::format("MatMul {}{} {}{} to {}", Name(a_type), ToString(c.inputs[0].dims()), Name(b_type),
                       ToString(c.inputs[1].dims()), Name(out));
  const auto a = Doubles(c.inputs[0]), b = Doubles(c.inputs[1]);
  const auto matrix = [&](const Dims& dims, int64_t entry) {
    int64_t index = 0, stride = 1;
    for (size_t i = 0; i < batch.size(); ++i) {
      const int64_t dim = batch[batch.size() - 1 - i];
      const int64_t own = i < dims.size() ? dims[dims.size() - 1 - i] : 1;
      if (own != 1) index += entry % dim * stride;
      stride *= own;
      entry /= dim;
    }
    return index;
  };
  c.expected = {{}};
  for (int64_t entry = 0; entry < NumElements(batch); ++entry) {
    const double* left = a.data() + matrix(a_batch, entry) * m * k;
    const double* right = b.data() + matrix(b_batch, entry) * k * n;
    for (int64_t i = 0; i < m * n; ++i) {
      double sum = 0;
      for (int64_t t = 0; t < k; ++t) sum += left[i / n * k + t] * right[t * n + i % n];
      c.expected[0].push_back(sum);
    }
  }
  c.absolute = 2.4e-7 * 4 * static_cast<double>(k + 1);
  return c;
}

TEST(MatMulKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  const DType f32 = DType::kFloat32, bf16 = DType::kBFloat16;
  for (const auto& [a, b, out] : std::vector<std::array<DType, 3>>{
           {f32, f32, f32}, {bf16, bf16, bf16}, {f32, bf16, f32}, {bf16, f32, f32}, {f32, f32, bf16}}) {
    cases.push_back(MatMulCase({}, {}, {}, 1, 1, 1, a, b, out));
    cases.push_back(MatMulCase({}, {}, {}, 50, 33, 131, a, b, out));
    cases.push_back(MatMulCase({}, {}, {}, 101, 64, 300, a, b, out));
    cases.push_back(MatMulCase({2, 3}, {2, 3}, {2, 3}, 17, 32, 17, a, b, out));
    cases.push_back(MatMulCase({3}, {}, {3}, 7, 5, 20, a, b, out));
    cases.push_back(MatMulCase({2, 1}, {3}, {2, 3}, 4, 9, 48, a, b, out));
    cases.push_back(MatMulCase({}, {2}, {2}, 3, 0, 4, a, b, out));
    cases.push_back(MatMulCase({3, 1}, {2}, {3, 2}, 55, 37, 1, a, b, out));
    cases.push_back(MatMulCase({5}, {5}, {5}, 6, 64, 1, a, b, out));
    cases.push_back(MatMulCase({2}, {}, {2}, 3, 0, 1, a, b, out));
  }
  for (const DType dtype : {DType::kFloat64, DType::kInt64, DType::kInt32, DType::kUInt32, DType::kUInt64}) {
    for (const auto& [a, b] : std::vector<std::pair<Dims, Dims>>{
             {{9, 33}, {33, 70}}, {{2, 1, 5, 7}, {3, 7, 40}}, {{1, 300}, {300, 130}}, {{4, 0}, {0, 3}}}) {
      const Tensor x = Converted(RandomIndices(DType::kInt64, a, 1, 0, 9), dtype);
      const Tensor y = Converted(RandomIndices(DType::kInt64, b, 2, 0, 9), dtype);
      cases.push_back(ReferenceCase({"MatMul", "", {}}, {x, y}));
    }
  }
  CheckFamily("matmul", cases);
}

TEST(MatMulKernels, RefuseWhatTheyCannotCompute) {
  KernelCase c = MatMulCase({}, {}, {}, 3, 4, 5, DType::kFloat32, DType::kFloat32, DType::kFloat32);
  c.inputs[1] = RandomTensor(DType::kFloat32, {4}, 1);
  ExpectRefused("matmul", c, "rank below 2");
  c.inputs[1] = RandomTensor(DType::kFloat32, {3, 5}, 1);
  ExpectRefused("matmul", c, "don't agree");
}

}  // namespace
}  // namespace tamis::kernel_test
