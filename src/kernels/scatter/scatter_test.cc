#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

TEST(ScatterKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  uint64_t seed = 900;
  for (const DType index : {DType::kInt64, DType::kInt32}) {
    for (const char* reduction : {"none", "add", "mul", "max", "min"}) {
      const Attribute how = std::string(reduction);
      const double absolute = 1e-5;  // up to 12 f32 factors or terms below 2
      cases.push_back(ReferenceCase(
          {"ScatterElements", "", {{"axis", int64_t{1}}, {"reduction", how}}},
          {RandomTensor(DType::kFloat32, {3, 4, 5}, ++seed), RandomIndices(index, {2, 4, 5}, ++seed, -4, 3),
           RandomTensor(DType::kFloat32, {2, 4, 5}, ++seed)},
          {}, 1, absolute));
      cases.push_back(
          ReferenceCase({"ScatterND", "", {{"reduction", how}}},
                        {RandomTensor(DType::kFloat32, {3, 4, 5}, ++seed), RandomIndices(index, {6, 2}, ++seed, -3, 2),
                         RandomTensor(DType::kFloat32, {6, 5}, ++seed)},
                        {}, 1, absolute));
      cases.push_back(
          ReferenceCase({"ScatterND", "", {{"reduction", how}}},
                        {RandomIndices(DType::kInt64, {7}, ++seed, -9, 9), RandomIndices(index, {4, 1}, ++seed, 0, 6),
                         RandomIndices(DType::kInt64, {4}, ++seed, -9, 9)}));
    }
  }
  cases.push_back(
      ReferenceCase({"ScatterElements", "", {{"axis", int64_t{-1}}}},
                    {RandomTensor(DType::kBFloat16, {2, 6}, ++seed), RandomIndices(DType::kInt64, {2, 3}, ++seed, 0, 5),
                     RandomTensor(DType::kBFloat16, {2, 3}, ++seed)}));
  // Rows large enough for several threads, targets that repeat, integers of other widths.
  for (const int64_t axis : {0, 1, 2}) {
    const Tensor data = RandomTensor(DType::kFloat32, {33, 40, 50}, ++seed);
    const Tensor updates = RandomTensor(DType::kFloat32, {30, 40, 45}, ++seed);
    const Tensor indices = RandomIndices(DType::kInt64, {30, 40, 45}, ++seed, -30, 29);
    cases.push_back(ReferenceCase({"ScatterElements", "", {{"axis", axis}, {"reduction", std::string("add")}}},
                                  {data, indices, updates}, {}, 1, 1e-4));
    cases.push_back(ReferenceCase({"ScatterElements", "", {{"axis", axis}}}, {data, indices, updates}));
  }
  for (const DType dtype : {DType::kInt8, DType::kUInt16, DType::kFloat64}) {
    cases.push_back(ReferenceCase({"ScatterElements", "", {{"reduction", std::string("add")}}},
                                  {Converted(RandomIndices(DType::kInt64, {9, 4}, ++seed, 0, 50), dtype),
                                   RandomIndices(DType::kInt64, {6, 4}, ++seed, 0, 8),
                                   Converted(RandomIndices(DType::kInt64, {6, 4}, ++seed, 0, 5), dtype)}));
  }
  constexpr int64_t kOpset = 24;
  const Tensor cache = RandomTensor(DType::kFloat32, {2, 3, 50, 64}, ++seed);
  const Tensor update = RandomTensor(DType::kFloat32, {2, 3, 7, 64}, ++seed);
  cases.push_back(ReferenceCase({"TensorScatter", "", {}}, {cache, update}, {}, 1, 0, kOpset));
  cases.push_back(
      ReferenceCase({"TensorScatter", "", {}}, {cache, update, Int64Tensor({2}, {43, 0})}, {}, 1, 0, kOpset));
  cases.push_back(ReferenceCase({"TensorScatter", "", {{"mode", std::string("circular")}}},
                                {cache, update, Int64Tensor({2}, {48, 99})}, {}, 1, 0, kOpset));
  CheckFamily("scatter", cases);
}

TEST(ScatterKernels, OutOfRangeIndicesAreAnError) {
  const Tensor data = RandomTensor(DType::kFloat32, {3, 4}, 1), updates = RandomTensor(DType::kFloat32, {2, 4}, 2);
  KernelCase c = ReferenceCase({"ScatterND", "", {}}, {data, Int64Tensor({2, 1}, {0, 2}), updates});
  c.inputs[1] = Int64Tensor({2, 1}, {0, 3});
  ExpectCheckFails("scatter", c);
}

}  // namespace
}  // namespace tamis::kernel_test
