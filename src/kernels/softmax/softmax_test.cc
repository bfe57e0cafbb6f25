#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

KernelCase SoftmaxCase(const Tensor& x, DType out) {
  KernelCase c;
  c.name = fmt::format("Softmax {}{} to {}", Name(x.dtype()), ToString(x.dims()), Name(out));
  c.node = {"Softmax", "", {{"axis", int64_t{-1}}}};
  c.inputs = {x};
  c.outputs = {{out, x.dims()}};
  std::vector<double> values = Doubles(x);
  const auto n = static_cast<size_t>(x.dims().back());
  for (size_t row = 0; row < values.size(); row += n) {
    double top = -std::numeric_limits<double>::infinity(), sum = 0;
    for (size_t i = 0; i < n; ++i) top = std::max(top, values[row + i]);
    for (size_t i = 0; i < n; ++i) sum += values[row + i] = std::exp(values[row + i] - top);
    for (size_t i = 0; i < n; ++i) values[row + i] /= sum;
  }
  c.expected = {values};
  c.relative = 1e-6 * std::sqrt(static_cast<double>(n) + 16);
  c.absolute = 1e-12;
  return c;
}

TEST(SoftmaxKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  for (const DType in : {DType::kFloat32, DType::kBFloat16}) {
    for (const DType out : {DType::kFloat32, DType::kBFloat16}) {
      for (const Dims& dims : {Dims{1}, Dims{5, 3}, Dims{2, 3, 128}, Dims{100, 197}, Dims{1, 1000}, Dims{3, 17}}) {
        cases.push_back(SoftmaxCase(RandomTensor(in, dims, 41, -10, 10), out));
      }
    }
  }
  Tensor masked = RandomTensor(DType::kFloat32, {2, 40}, 42);
  for (int64_t i = 3; i < 40; ++i) masked.Data<float>()[i] = -std::numeric_limits<float>::infinity();
  for (int64_t i = 40; i < 80; ++i) masked.Data<float>()[i] = std::numeric_limits<float>::lowest();
  cases.push_back(SoftmaxCase(masked, DType::kFloat32));
  CheckFamily("softmax", cases);
}

TEST(SoftmaxKernels, AnyAxisAndLogarithms) {
  std::vector<KernelCase> cases;
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      const auto add = [&](const Dims& dims, int64_t axis) {
        cases.push_back(ReferenceCase({op, "", {{"axis", axis}}}, {RandomTensor(dtype, dims, 43, -10, 10)}));
        // The expected values of bf16 are rounded to it themselves.
        cases.back().relative = 1e-5 + (dtype == DType::kBFloat16 ? 1.0 / 256 : 0);
        cases.back().absolute = 1e-5;
      };
      for (const int64_t axis : {0, 1, 2, 3}) add({3, 5, 7, 21}, axis);
      for (const int64_t beside : {2, 3, 4, 5, 8, 9}) {
        for (const int64_t columns : {1, 2, 5, 49}) add({3, columns, beside}, 1);
      }
    }
  }
  CheckFamily("softmax", cases);
}

TEST(SoftmaxKernels, RefuseWhatTheyCannotCompute) {
  KernelCase c = SoftmaxCase(RandomTensor(DType::kFloat32, {4, 5, 6}, 1), DType::kFloat32);
  c.node.attributes.clear();
  ExpectRefused("softmax", c, "only rank 2");
}

}  // namespace
}  // namespace tamis::kernel_test
