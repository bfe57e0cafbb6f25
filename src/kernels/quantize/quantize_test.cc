#include <gtest/gtest.h>

#include <cmath>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

constexpr int64_t kOpset = 25;

// Values whose quotients by powers of two are exact, ties among them.
Tensor Eighths(Dims dims, uint64_t seed) {
  Tensor x = Converted(RandomIndices(DType::kInt64, std::move(dims), seed, -900, 900), DType::kFloat32);
  for (float& value : x.Span<float>()) value /= 8;
  return x;
}

Tensor PowersOfTwo(Dims dims, uint64_t seed) {
  Tensor scale = Converted(RandomIndices(DType::kInt64, std::move(dims), seed, 0, 3), DType::kFloat32);
  for (float& value : scale.Span<float>()) value = std::ldexp(0.25f, static_cast<int>(value));
  return scale;
}

Tensor Zeros(DType dtype, const Dims& dims, uint64_t seed) {
  return Converted(RandomIndices(DType::kInt64, dims, seed, 0, 7), dtype);
}

struct Scaling {
  Dims x, scale;
  int64_t axis = 1, block = 0;
};

const Scaling kScalings[] = {{{3, 700}, {}},
                             {{70000}, {1}, 0},
                             {{5, 130}, {130}, 1},
                             {{5, 130}, {5}, 0},
                             {{2, 7, 5, 3}, {7}, 1},
                             {{4, 36}, {4, 3}, 1, 12},
                             {{3, 35}, {3, 3}, 1, 16},
                             {{20, 33}, {5, 33}, 0, 4},
                             {{2, 9, 33}, {2, 3, 33}, 1, 4},
                             {{0, 4}, {}}};

TEST(QuantizeKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  for (const DType dtype : {DType::kUInt8, DType::kInt8, DType::kUInt16, DType::kInt16}) {
    for (const Scaling& s : kScalings) {
      const std::map<std::string, Attribute> attributes = {{"axis", s.axis}, {"block_size", s.block}};
      const Tensor scale = PowersOfTwo(s.scale, 2);
      auto wanted = attributes;
      wanted["output_dtype"] = static_cast<int64_t>(dtype);
      cases.push_back(ReferenceCase({"QuantizeLinear", "", wanted}, {Eighths(s.x, 1), scale}, {}, 1, 0, kOpset));
      cases.push_back(ReferenceCase({"QuantizeLinear", "", attributes},
                                    {Eighths(s.x, 1), scale, Zeros(dtype, s.scale, 3)}, {}, 1, 0, kOpset));
      const Tensor codes = Converted(RandomIndices(DType::kInt64, s.x, 4, 0, 120), dtype);
      cases.push_back(ReferenceCase({"DequantizeLinear", "", attributes}, {codes, scale}, {}, 1, 0, kOpset));
      cases.push_back(ReferenceCase({"DequantizeLinear", "", attributes}, {codes, scale, Zeros(dtype, s.scale, 5)}, {},
                                    1, 0, kOpset));
    }
  }
  const Tensor wide = Converted(RandomIndices(DType::kInt64, {5, 130}, 6, -90000, 90000), DType::kInt32);
  cases.push_back(ReferenceCase({"DequantizeLinear", "", {}}, {wide, PowersOfTwo({130}, 7)}, {}, 1, 0, kOpset));
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{{-3, 9}, {1, 7}, {-5, -2}, {0, 0}}) {
    for (const Dims& dims : {Dims{3, 7}, Dims{300, 701}}) {
      Tensor x = RandomTensor(DType::kFloat32, dims, 8, low, high);
      cases.push_back(ReferenceCase({"DynamicQuantizeLinear", "", {}}, {x}, {}, 3));
    }
  }
  Tensor edges = RandomTensor(DType::kFloat32, {19}, 9, -9, 9);
  const float infinity = std::numeric_limits<float>::infinity();
  edges.Data<float>()[2] = std::nanf("");
  edges.Data<float>()[3] = infinity;
  edges.Data<float>()[4] = -infinity;
  cases.push_back(ReferenceCase({"QuantizeLinear", "", {}}, {edges, Tensor::Float(0.5f), Zeros(DType::kUInt8, {}, 1)},
                                {}, 1, 0, kOpset));
  CheckFamily("quantize", cases);
}

// Codes of less than a byte and small floats: quantised and read again, on both sides.
TEST(QuantizeKernels, SmallCodesMatchTheReference) {
  for (const DType dtype : {DType::kInt4, DType::kUInt4, DType::kInt2, DType::kFloat8E4M3, DType::kFloat8E5M2,
                            DType::kFloat8E4M3Fnuz, DType::kFloat4E2M1}) {
    std::vector<KernelCase> cases;
    for (const Scaling& s : kScalings) {
      const Tensor scale = PowersOfTwo(s.scale, 2);
      const Tensor codes = Converted(RandomTensor(DType::kFloat32, s.x, 3, IsInteger(dtype) ? 0 : -6, 2), dtype);
      std::map<std::string, Attribute> attributes = {{"axis", s.axis}, {"block_size", s.block}};
      cases.push_back(ReferenceCase({"DequantizeLinear", "", attributes}, {codes, scale}, {}, 1, 0, kOpset));
      attributes["output_dtype"] = static_cast<int64_t>(dtype);
      cases.push_back(ReferenceCase({"QuantizeLinear", "", attributes}, {Eighths(s.x, 4), scale}, {}, 1, 0, kOpset));
    }
    CheckFamily("quantize", cases);
  }
}

TEST(QuantizeKernels, RefuseWhatTheyCannotCompute) {
  KernelCase c = ReferenceCase({"QuantizeLinear", "", {}}, {Eighths({3, 5}, 1), Tensor::Float(0.5f)});
  c.inputs[0] = Converted(c.inputs[0], DType::kFloat16);
  ExpectRefused("quantize", c, "float32 is supported");
}

}  // namespace
}  // namespace tamis::kernel_test
