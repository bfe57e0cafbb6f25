#include <gtest/gtest.h>

#include <cmath>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

TEST(FourierKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  const auto number = [](int64_t n) { return Tensor::Int64s(std::vector<int64_t>{n}).Reshaped({}); };
  // Every radix, primes, and lengths that pad or cut. Sums of n values below 2: errors of some sqrt(n) epsilons.
  for (const int64_t n : {1, 2, 3, 4, 5, 7, 8, 12, 30, 64, 97, 128, 400, 441, 512, 1024}) {
    const double absolute = 3e-6 * std::sqrt(static_cast<double>(n)) + 1e-6 * static_cast<double>(n);
    for (const int64_t parts : {1, 2}) {
      const Tensor x = RandomTensor(DType::kFloat32, {3, n, parts}, 1);
      for (const int64_t flag : {0, 1}) {
        if (parts == 1 || flag == 0) {
          cases.push_back(ReferenceCase({"DFT", "", {{"onesided", flag}}}, {x, Tensor(), number(1)}, {2}, 1, absolute));
        }
        if (parts == 2 && n > 1) {
          cases.push_back(ReferenceCase({"DFT", "", {{"inverse", int64_t{1}}, {"onesided", flag}}},
                                        {x, Tensor(), number(1)}, {2}, 1, absolute));
        }
      }
    }
  }
  const Tensor image = RandomTensor(DType::kFloat32, {2, 12, 9, 2}, 2);
  for (const int64_t axis : {0, 1, 2}) {
    for (const int64_t length : {5, 9, 20}) {
      cases.push_back(ReferenceCase({"DFT", "", {}}, {image, number(length), number(axis)}, {1, 2}, 1, 1e-4));
    }
  }
  const Tensor sound = RandomTensor(DType::kFloat32, {2, 1000, 1}, 3), window = RandomTensor(DType::kFloat32, {100}, 4);
  cases.push_back(ReferenceCase({"STFT", "", {}}, {sound, number(40), window}, {1}, 1, 2e-4));
  cases.push_back(ReferenceCase({"STFT", "", {{"onesided", int64_t{0}}}}, {sound, number(7), window, number(100)},
                                {1, 3}, 1, 2e-4));
  cases.push_back(ReferenceCase({"STFT", "", {{"onesided", int64_t{0}}}},
                                {RandomTensor(DType::kFloat32, {1, 60, 2}, 5), number(3), Tensor(), number(16)}, {1, 3},
                                1, 2e-4));
  cases.push_back(ReferenceCase({"STFT", "", {}}, {sound.Reshaped({2, 1000}), number(40), window}, {1}, 1, 2e-4));
  CheckFamily("fourier", cases);
}

TEST(FourierKernels, RefuseWhatTheyCannotCompute) {
  const Tensor x = RandomTensor(DType::kFloat32, {1, 8, 2, 1}, 1);
  const KernelCase c = ReferenceCase({"DFT", "", {}}, {x});
  ExpectRefused("fourier", c, "depends on the opset");
}

}  // namespace
}  // namespace tamis::kernel_test
