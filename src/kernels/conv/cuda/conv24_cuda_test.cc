// The convolutions of Hopper, 2:4 and dense, against sums in double, exactly, on small integers. Skipped without such a
// GPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "src/kernels/cuda/device_test.h"
#include "src/kernels/gemm/cuda/gemm24_launch.h"
#include "src/kernels/gemm/dense_tiles.h"
#include "src/kernels/gemm/sparse_tiles.h"

namespace tamis::cuda {
namespace {

ImageSource Image(int batch, int in_h, int in_w, int channels, int kernel, int stride, int pad, int dilation) {
  ImageSource image;
  image.batch = batch, image.in_h = in_h, image.in_w = in_w, image.channels = channels;
  image.kernel_h = image.kernel_w = kernel;
  image.stride_h = image.stride_w = stride;
  image.pad_h = image.pad_w = pad;
  image.dilation_h = image.dilation_w = dilation;
  image.out_h = (in_h + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
  image.out_w = (in_w + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
  return image;
}

enum class Weight { kSparse, kSparseBf16, kDense };

// With a residual, too, where `adds` says so.
void Check(const ImageSource& image, int outputs, Weight kind, bool adds = false) {
  const bool bf16 = kind == Weight::kSparseBf16, dense = kind == Weight::kDense;
  SCOPED_TRACE(testing::Message() << (dense  ? "dense "
                                      : bf16 ? "2:4 bf16 "
                                             : "2:4 f16 ")
                                  << image.batch << " images of " << image.in_h << " x " << image.in_w << " x "
                                  << image.channels << ", " << outputs << " outputs, kernel " << image.kernel_h << " x "
                                  << image.kernel_w << ", stride " << image.stride_h << ", padding " << image.pad_h
                                  << ", dilation " << image.dilation_h);
  std::mt19937 random(5);
  const auto draw = [&] { return static_cast<float>(static_cast<int>(random() % 9) - 4); };
  const int64_t taps = image.kernel_h * image.kernel_w, depth = taps * image.channels;
  std::vector<float> x(static_cast<size_t>(image.batch) * image.in_h * image.in_w * image.channels);
  for (float& v : x) v = draw();
  std::vector<float> w(static_cast<size_t>(outputs * depth));
  for (size_t g = 0; g < w.size(); g += 4) {
    for (size_t kept = 0; kept < (dense ? 4 : 2); ++kept) w[g + (dense ? kept : random() % 4)] = draw();
  }
  const int64_t rows = int64_t{image.batch} * image.out_h * image.out_w;
  std::vector<float> expected(static_cast<size_t>(rows * outputs)), residual(adds ? expected.size() : 0);
  for (float& v : residual) v = draw();
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t q = row % image.out_w, p = row / image.out_w % image.out_h, b = row / image.out_w / image.out_h;
    std::vector<double> sums(static_cast<size_t>(outputs));
    for (int r = 0; r < image.kernel_h; ++r) {
      for (int s = 0; s < image.kernel_w; ++s) {
        const int64_t h = p * image.stride_h - image.pad_h + r * image.dilation_h;
        const int64_t v = q * image.stride_w - image.pad_w + s * image.dilation_w;
        if (h < 0 || h >= image.in_h || v < 0 || v >= image.in_w) continue;
        const float* pixel = x.data() + ((b * image.in_h + h) * image.in_w + v) * image.channels;
        for (int o = 0; o < outputs; ++o) {
          const float* weights = w.data() + o * depth + (r * image.kernel_w + s) * image.channels;
          for (int c = 0; c < image.channels; ++c) sums[static_cast<size_t>(o)] += double{pixel[c]} * weights[c];
        }
      }
    }
    for (int o = 0; o < outputs; ++o) {
      const auto at = static_cast<size_t>(row * outputs + o);
      const double sum = sums[static_cast<size_t>(o)] + (adds ? double{residual[at]} : 0.0);
      expected[at] = Widen(Narrow(static_cast<float>(sum), bf16), bf16);
    }
  }
  const auto narrow = [&](const std::vector<float>& from, uint16_t* to) {
    std::transform(from.begin(), from.end(), to, [&](float v) { return Narrow(v, bf16); });
  };
  std::vector<uint16_t> x_bits(x.size()), residual_bits(residual.size());
  narrow(x, x_bits.data());
  narrow(residual, residual_bits.data());
  Tensor weight(bf16 ? DType::kBFloat16 : DType::kFloat16, {outputs, taps, image.channels});
  narrow(w, weight.Data<uint16_t>());
  std::vector<std::byte> packed(dense ? DenseTilesBytes(outputs, taps, image.channels)
                                      : SparseTilesBytes(outputs, taps, image.channels));
  if (dense) {
    PackDenseTiles(weight.Data<uint16_t>(), outputs, taps, image.channels, packed.data());
  } else {
    ASSERT_TRUE(PackSparseTiles(weight, weight.dtype(), SparseTileOrder::kWarpgroup, packed.data()).ok());
  }
  const std::vector<uint16_t> poison(expected.size() + kGuard / 2, 0xffff);
  TestBuffer device_x, device_w, device_residual, y;
  device_x.Fill(x_bits.data(), x_bits.size() * 2);
  device_w.Fill(packed.data(), packed.size());
  if (adds) device_residual.Fill(residual_bits.data(), residual_bits.size() * 2);
  y.Fill(poison.data(), poison.size() * 2);
  const Gemm24Problem problem{rows, outputs, image.channels, bf16, {}, image, dense};
  const auto tactics = Gemm24WgmmaTactics(problem, FindTestDevice().multiprocessors);
  ASSERT_FALSE(tactics.empty());
  for (const Gemm24Tactic& tactic : tactics) {
    SCOPED_TRACE(Gemm24WgmmaName(problem, tactic));
    ASSERT_CUDA(cudaMemcpy(y.data(), poison.data(), poison.size() * 2, cudaMemcpyHostToDevice));
    ASSERT_CUDA(AllowGemm24Wgmma(problem, tactic));
    const Gemm24Operands operands{device_x.data(), device_w.data(), nullptr, adds ? device_residual.data() : nullptr,
                                  y.data()};
    ASSERT_CUDA(Gemm24Wgmma(problem, tactic, operands, true, cudaStreamPerThread));
    ASSERT_CUDA(cudaDeviceSynchronize());
    std::vector<uint16_t> result(poison.size());
    ASSERT_CUDA(cudaMemcpy(result.data(), y.data(), result.size() * 2, cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(Widen(result[i], bf16), expected[i])
          << "pixel " << i / static_cast<size_t>(outputs) << ", output " << i % static_cast<size_t>(outputs);
    }
    for (size_t i = expected.size(); i < result.size(); ++i) {
      ASSERT_EQ(result[i], 0xffff) << "written beyond the end, at " << i - expected.size();
    }
  }
}

TEST(Conv24Cuda, IsExactOnIntegers) {
  if (FindTestDevice().compute != 90) GTEST_SKIP() << "no Hopper GPU";
  for (const Weight kind : {Weight::kSparse, Weight::kSparseBf16, Weight::kDense}) {
    Check(Image(2, 14, 14, 64, 3, 1, 1, 1), 64, kind);
    Check(Image(3, 9, 11, 72, 3, 1, 1, 1), 40, kind);
    Check(Image(2, 15, 12, 136, 3, 2, 1, 1), 72, kind);
    Check(Image(2, 20, 19, 64, 3, 1, 2, 2), 48, kind);
    Check(Image(5, 14, 14, 128, 1, 2, 0, 1), 96, kind);
    Check(Image(1, 30, 31, 8, 7, 2, 3, 1), 16, kind);
    Check(Image(40, 28, 28, 64, 3, 1, 1, 1), 136, kind);
    if (HasFatalFailure()) return;
  }
}

// Lines that stay in shared memory: several whole images a block and a remainder of them, lines that don't divide an
// image, padding of one side only and none, more runs of channels than buffers, residuals.
TEST(ConvLinesCuda, IsExactOnIntegers) {
  if (FindTestDevice().compute != 90) GTEST_SKIP() << "no Hopper GPU";
  for (const Weight kind : {Weight::kSparse, Weight::kDense}) {
    Check(Image(7, 7, 7, 328, 3, 1, 1, 1), 136, kind, true);
    Check(Image(3, 13, 29, 64, 3, 1, 1, 1), 72, kind, true);
    Check(Image(2, 56, 56, 64, 3, 1, 1, 1), 64, kind);
    Check(Image(4, 10, 9, 200, 3, 1, 0, 1), 128, kind);
    Check(Image(5, 6, 8, 72, 5, 1, 2, 1), 64, kind);
    ImageSource one_sided = Image(3, 12, 17, 136, 3, 1, 0, 1);
    one_sided.pad_h = 2, one_sided.out_h = 12;  // causal along the lines
    one_sided.out_w = 17;                       // padded behind the last pixels only
    Check(one_sided, 192, kind);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace tamis::cuda
