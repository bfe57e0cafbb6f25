// The 2:4 products of NVIDIA GPUs against sums in double. Needs a GPU; without one every test is skipped.
//
// Sums of small integers are exact in f32 in any order, so that results must equal the rounded reference bit for bit.
// Results and what follows them in memory are filled with NaN first: what is not written, or written beyond, shows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "src/kernels/cuda/device_test.h"
#include "src/kernels/gemm/cuda/gemm24_launch.h"
#include "src/kernels/gemm/sparse_tiles.h"

namespace tamis::cuda {
namespace {

enum class Family { kWgmma, kMma };

double Reference(Activation kind, double x, double low, double high) {
  switch (kind) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kClip:
      return std::min(std::max(x, low), high);
    case Activation::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kHardSwish:
      return x * std::min(std::max(x / 6 + 0.5, 0.0), 1.0);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kLeakyRelu:
      return x < 0 ? low * x : x;
    case Activation::kElu:
      return x < 0 ? low * std::expm1(x) : x;
    case Activation::kHardSigmoid:
      return std::min(std::max(low * x + high, 0.0), 1.0);
    case Activation::kSwish:
      return x / (1 + std::exp(-low * x));
    case Activation::kMish:
      return x * std::tanh(std::log1p(std::exp(x)));
  }
  return x;
}

struct Case {
  int64_t rows, outputs, depth;
  bool bf16;
  bool integers;
  std::vector<uint16_t> x, residual;
  std::vector<float> bias;
  Tensor weight;
  std::vector<double> sums, magnitudes;  // magnitudes: sums of |x w|

  Case(int64_t rows_of_x, int64_t outputs_of_w, int64_t depth_of_both, bool is_bf16, bool of_integers, unsigned seed)
      : rows(rows_of_x), outputs(outputs_of_w), depth(depth_of_both), bf16(is_bf16), integers(of_integers) {
    std::mt19937 random(seed);
    const auto draw = [&](int limit) {
      if (integers) return static_cast<float>(static_cast<int>(random() % (2 * limit + 1)) - limit);
      return std::normal_distribution<float>(0, 1)(random);
    };
    x.resize(static_cast<size_t>(rows * depth));
    for (uint16_t& v : x) v = Narrow(draw(4), bf16);
    residual.resize(static_cast<size_t>(rows * outputs));
    for (uint16_t& v : residual) v = Narrow(draw(9), bf16);
    bias.resize(static_cast<size_t>(outputs));
    for (float& v : bias) v = draw(9);
    weight = Tensor(bf16 ? DType::kBFloat16 : DType::kFloat16, {outputs, depth});
    uint16_t* w = weight.Data<uint16_t>();
    const float scale = integers ? 1.0f : 1.0f / std::sqrt(static_cast<float>(depth) / 2);
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t k = 0; k < depth; k += 4) {
        for (int64_t i = k; i < std::min(depth, k + 4); ++i) w[o * depth + i] = random() % 2 == 0 ? 0x8000 : 0;
        for (int kept = 0; kept < 2; ++kept) {  // at times the same position twice: fewer than two non-zeros
          const int64_t at = k + static_cast<int64_t>(random() % 4);
          if (at < depth) w[o * depth + at] = Narrow(draw(4) * scale, bf16);
        }
      }
    }
    sums.resize(residual.size());
    magnitudes.resize(residual.size());
    std::vector<float> wide(x.size());
    for (size_t i = 0; i < x.size(); ++i) wide[i] = Widen(x[i], bf16);
    std::vector<std::pair<int64_t, double>> kept;
    for (int64_t o = 0; o < outputs; ++o) {
      kept.clear();
      for (int64_t k = 0; k < depth; ++k) {
        const float v = Widen(w[o * depth + k], bf16);
        if (v != 0) kept.push_back({k, v});
      }
      for (int64_t r = 0; r < rows; ++r) {
        double sum = 0, magnitude = 0;
        const float* row = wide.data() + r * depth;
        for (const auto& [k, v] : kept) {
          sum += v * row[k];
          magnitude += std::abs(v * row[k]);
        }
        sums[static_cast<size_t>(r * outputs + o)] = sum;
        magnitudes[static_cast<size_t>(r * outputs + o)] = magnitude;
      }
    }
  }
};

struct EpilogueCase {
  Activation activation = Activation::kNone;
  bool bias = false, residual = false;
};

void Check(Case& c, Family family, const std::vector<EpilogueCase>& epilogues, bool overlap) {
  const TestDevice device = FindTestDevice();
  std::vector<std::byte> packed(SparseTilesBytes(c.outputs, 1, c.depth));
  const auto order = family == Family::kWgmma ? SparseTileOrder::kWarpgroup : SparseTileOrder::kWarp;
  ASSERT_TRUE(PackSparseTiles(c.weight, c.weight.dtype(), order, packed.data()).ok());
  TestBuffer x, weight, bias, residual, y;
  x.Fill(c.x.data(), c.x.size() * 2);
  weight.Fill(packed.data(), packed.size());
  bias.Fill(c.bias.data(), c.bias.size() * 4);
  residual.Fill(c.residual.data(), c.residual.size() * 2);
  const std::vector<uint16_t> poison(c.residual.size() + kGuard / 2, 0xffff);
  y.Fill(poison.data(), poison.size() * 2);
  Gemm24Problem problem{c.rows, c.outputs, c.depth, c.bf16, {}, {}};
  const auto tactics = family == Family::kWgmma ? Gemm24WgmmaTactics(problem, device.multiprocessors)
                                                : Gemm24MmaTactics(problem, device.multiprocessors);
  ASSERT_FALSE(tactics.empty());
  for (const EpilogueCase& epilogue : epilogues) {
    const bool of_alpha = epilogue.activation >= Activation::kLeakyRelu;  // and beta; else bounds
    problem.activation = {epilogue.activation, of_alpha ? 0.3f : -2.5f, of_alpha ? 0.5f : 3.0f};
    // What each element must be, and by how much it may differ.
    std::vector<float> expected(c.sums.size()), tolerance(c.sums.size());
    for (size_t i = 0; i < c.sums.size(); ++i) {
      double exact = c.sums[i];
      double magnitude = c.magnitudes[i];
      if (epilogue.bias) {
        exact += c.bias[i % static_cast<size_t>(c.outputs)];
        magnitude += std::abs(c.bias[i % static_cast<size_t>(c.outputs)]);
      }
      if (epilogue.residual) {
        exact += Widen(c.residual[i], c.bf16);
        magnitude += std::abs(Widen(c.residual[i], c.bf16));
      }
      const double value = Reference(epilogue.activation, exact, problem.activation.low, problem.activation.high);
      expected[i] = static_cast<float>(value);
      if (c.integers && epilogue.activation <= Activation::kRelu) {
        expected[i] = Widen(Narrow(expected[i], c.bf16), c.bf16);
        continue;
      }
      // Each of depth / 2 additions may truncate by 2^-22 of the partial sum (tensor cores don't round to nearest); no
      // activation is steeper than 1.13. GELU, SiLU and Swish are x / 2 * (1 + t), where t is off by 2^-10.9 of itself
      // and, for GELU, x * t / 2 by 3e-5 more; the others are good to 2^-19. Half a unit in the last place of the
      // result, or of its smallest numbers, comes from storing it.
      const bool by_tanh = epilogue.activation == Activation::kSwish ||
                           (epilogue.activation >= Activation::kGelu && epilogue.activation <= Activation::kSilu);
      const double approximation = by_tanh ? 0x1p-12 * 1.07 * std::abs(exact) + 3e-5 : 0x1p-19 * (1 + std::abs(exact));
      const double unit = c.bf16 ? 0x1p-8 : 0x1p-11;
      tolerance[i] = static_cast<float>(1.13 * (static_cast<double>(c.depth) / 2 + 3) * 0x1p-22 * magnitude +
                                        approximation + unit * std::abs(value) * 1.01 + 0x1p-25);
    }
    for (const Gemm24Tactic& tactic : tactics) {
      SCOPED_TRACE(
          testing::Message() << (c.bf16 ? "bf16 " : "f16 ") << c.rows << " rows, " << c.outputs << " outputs, depth "
                             << c.depth << ", activation " << static_cast<int>(epilogue.activation)
                             << (epilogue.bias ? " bias" : "") << (epilogue.residual ? " residual" : "") << ", "
                             << (family == Family::kWgmma ? Gemm24WgmmaName(problem, tactic) : Gemm24MmaName(tactic)));
      ASSERT_CUDA(cudaMemcpy(y.data(), poison.data(), poison.size() * 2, cudaMemcpyHostToDevice));
      const Gemm24Operands operands{x.data(), weight.data(), epilogue.bias ? static_cast<float*>(bias.data()) : nullptr,
                                    epilogue.residual ? residual.data() : nullptr, y.data()};
      ASSERT_CUDA((family == Family::kWgmma ? AllowGemm24Wgmma : AllowGemm24Mma)(problem, tactic));
      ASSERT_CUDA((family == Family::kWgmma ? Gemm24Wgmma : Gemm24Mma)(problem, tactic, operands, overlap,
                                                                       cudaStreamPerThread));
      ASSERT_CUDA(cudaDeviceSynchronize());
      std::vector<uint16_t> result(poison.size());
      ASSERT_CUDA(cudaMemcpy(result.data(), y.data(), result.size() * 2, cudaMemcpyDeviceToHost));
      for (size_t i = c.residual.size(); i < result.size(); ++i) {
        ASSERT_EQ(result[i], 0xffff) << "written beyond the end, at " << i - c.residual.size();
      }
      int64_t wrong = 0;
      size_t first_wrong = 0;
      for (size_t i = 0; i < c.residual.size(); ++i) {
        if (std::abs(Widen(result[i], c.bf16) - expected[i]) <= tolerance[i]) continue;  // false for NaN
        if (wrong++ == 0) first_wrong = i;
      }
      ASSERT_EQ(wrong, 0) << "first in row " << first_wrong / static_cast<size_t>(c.outputs) << ", output "
                          << first_wrong % static_cast<size_t>(c.outputs) << ": " << Widen(result[first_wrong], c.bf16)
                          << " instead of " << expected[first_wrong];
    }
  }
}

const std::vector<EpilogueCase> kPlain = {{Activation::kNone, false, false}};
const std::vector<EpilogueCase> kAll = {
    {Activation::kNone, true, false},      {Activation::kRelu, true, true},
    {Activation::kClip, false, true},      {Activation::kGelu, true, false},
    {Activation::kGeluTanh, true, false},  {Activation::kSilu, true, true},
    {Activation::kHardSwish, true, false}, {Activation::kSigmoid, false, false},
    {Activation::kTanh, true, true},       {Activation::kLeakyRelu, true, false},
    {Activation::kElu, true, true},        {Activation::kHardSigmoid, true, false},
    {Activation::kSwish, false, true},     {Activation::kMish, true, true},
};

class Gemm24Cuda : public testing::TestWithParam<std::tuple<Family, bool>> {
 protected:
  void SetUp() override {
    const TestDevice device = FindTestDevice();
    if (device.compute == 0) GTEST_SKIP() << "no NVIDIA GPU";
    if (family() == Family::kWgmma && device.compute != 90) GTEST_SKIP() << "not a Hopper GPU";
  }
  static Family family() { return std::get<0>(GetParam()); }
  static bool bf16() { return std::get<1>(GetParam()); }
};

TEST_P(Gemm24Cuda, IsExactOnIntegers) {
  // Whole tiles, tails of every kind, one tile of depth, more blocks than multiprocessors, few rows.
  const int64_t shapes[][3] = {{64, 64, 64},    {256, 256, 256}, {300, 328, 328}, {1, 512, 1024},  {7, 136, 1096},
                               {16, 320, 2048}, {33, 64, 1000},  {130, 1000, 72}, {513, 768, 192}, {2, 8, 8}};
  for (const auto& [rows, outputs, depth] : shapes) {
    Case c(rows, outputs, depth, bf16(), true, 7);
    Check(c, family(), kPlain, false);
    if (HasFatalFailure()) return;
  }
}

// Enough tiles that persistent blocks compute several each.
TEST_P(Gemm24Cuda, IsExactOnManyTiles) {
  const int64_t shapes[][3] = {{2100, 1544, 136}, {1300, 2312, 520}};
  for (const auto& [rows, outputs, depth] : shapes) {
    Case c(rows, outputs, depth, bf16(), true, 12);
    Check(c, family(), {{Activation::kNone, false, false}, {Activation::kRelu, true, true}}, true);
    if (HasFatalFailure()) return;
  }
}

TEST_P(Gemm24Cuda, TakesAnyDepthAndOutputs) {
  if (family() != Family::kMma) GTEST_SKIP() << "multiples of 8 only";
  const int64_t shapes[][3] = {{5, 10, 13}, {70, 33, 99}, {200, 129, 301}, {1, 1, 1}};
  for (const auto& [rows, outputs, depth] : shapes) {
    Case c(rows, outputs, depth, bf16(), true, 8);
    Check(c, family(), {{Activation::kNone, false, false}, {Activation::kRelu, true, true}}, false);
    if (HasFatalFailure()) return;
  }
}

TEST_P(Gemm24Cuda, FusesBiasResidualAndActivation) {
  const int64_t shapes[][3] = {{300, 328, 200}, {12, 264, 1032}};
  for (const auto& [rows, outputs, depth] : shapes) {
    for (const bool integers : {true, false}) {
      Case c(rows, outputs, depth, bf16(), integers, 9);
      Check(c, family(), kAll, false);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(Gemm24Cuda, WaitsForThePreviousKernelWhenItOverlaps) {
  Case c(40, 264, 520, bf16(), true, 10);
  Check(c, family(), {{Activation::kRelu, true, true}}, true);
}

// Each product reads what the one before wrote. One that began too early, or let the next one begin too early, would
// read or leave old values.
TEST_P(Gemm24Cuda, AChainOfOverlappingProductsStaysInOrder) {
  Case c(200, 520, 520, bf16(), true, 11);
  std::vector<std::byte> packed(SparseTilesBytes(c.outputs, 1, c.depth));
  const auto order = family() == Family::kWgmma ? SparseTileOrder::kWarpgroup : SparseTileOrder::kWarp;
  ASSERT_TRUE(PackSparseTiles(c.weight, c.weight.dtype(), order, packed.data()).ok());
  TestBuffer x, weight, one, other;
  x.Fill(c.x.data(), c.x.size() * 2);
  one.Fill(c.x.data(), c.x.size() * 2);
  other.Fill(c.x.data(), c.x.size() * 2);
  weight.Fill(packed.data(), packed.size());
  Gemm24Problem problem{c.rows, c.outputs, c.depth, c.bf16, {Activation::kClip, -3.0f, 2.0f}, {}};
  const int multiprocessors = FindTestDevice().multiprocessors;
  const auto tactics = family() == Family::kWgmma ? Gemm24WgmmaTactics(problem, multiprocessors)
                                                  : Gemm24MmaTactics(problem, multiprocessors);
  for (const Gemm24Tactic& tactic : tactics) {
    SCOPED_TRACE(family() == Family::kWgmma ? Gemm24WgmmaName(problem, tactic) : Gemm24MmaName(tactic));
    ASSERT_CUDA((family() == Family::kWgmma ? AllowGemm24Wgmma : AllowGemm24Mma)(problem, tactic));
    std::vector<uint16_t> results[2];
    for (const bool overlap : {false, true}) {
      ASSERT_CUDA(cudaMemcpy(one.data(), x.data(), c.x.size() * 2, cudaMemcpyDeviceToDevice));
      for (int link = 0; link < 21; ++link) {
        TestBuffer &from = link % 2 == 0 ? one : other, &to = link % 2 == 0 ? other : one;
        const Gemm24Operands operands{from.data(), weight.data(), nullptr, nullptr, to.data()};
        ASSERT_CUDA((family() == Family::kWgmma ? Gemm24Wgmma : Gemm24Mma)(problem, tactic, operands, overlap,
                                                                           cudaStreamPerThread));
        if (!overlap) {
          ASSERT_CUDA(cudaDeviceSynchronize());
        }
      }
      ASSERT_CUDA(cudaDeviceSynchronize());
      results[overlap].resize(c.x.size());
      ASSERT_CUDA(cudaMemcpy(results[overlap].data(), other.data(), c.x.size() * 2, cudaMemcpyDeviceToHost));
    }
    ASSERT_EQ(results[0], results[1]);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Gemm24Cuda,
                         testing::Combine(testing::Values(Family::kWgmma, Family::kMma), testing::Bool()),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param) == Family::kWgmma ? "wgmma" : "mma") +
                                  (std::get<1>(info.param) ? "_bf16" : "_f16");
                         });

}  // namespace
}  // namespace tamis::cuda
