#include <gtest/gtest.h>

#include <cstring>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

KernelCase GatherCase(const Tensor& data, const Tensor& indices, int64_t axis) {
  KernelCase c;
  c.name = fmt::format("Gather {}{} by {}{} axis {}", Name(data.dtype()), ToString(data.dims()), Name(indices.dtype()),
                       ToString(indices.dims()), axis);
  c.node = {"Gather", "", {{"axis", axis}}};
  c.inputs = {data, indices};
  const auto at = static_cast<size_t>(axis < 0 ? axis + data.rank() : axis);
  Dims out(data.dims().begin(), data.dims().begin() + static_cast<int64_t>(at));
  out.insert(out.end(), indices.dims().begin(), indices.dims().end());
  out.insert(out.end(), data.dims().begin() + static_cast<int64_t>(at) + 1, data.dims().end());
  c.outputs = {{data.dtype(), out}};
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < data.dims().size(); ++i) (i < at ? outer : inner) *= i == at ? 1 : data.dims()[i];
  const auto x = Doubles(data), picks = Doubles(indices);
  const int64_t dim = data.dims()[at];
  c.expected = {{}};
  for (int64_t o = 0; o < outer; ++o) {
    for (const double pick : picks) {
      const int64_t row = o * dim + static_cast<int64_t>(pick) + (pick < 0 ? dim : 0);
      for (int64_t i = 0; i < inner; ++i) c.expected[0].push_back(x[static_cast<size_t>(row * inner + i)]);
    }
  }
  return c;
}

Tensor Int32Tensor(Dims dims, std::vector<int32_t> values) {
  return Tensor::Of<int32_t>(DType::kInt32, std::move(dims), values);
}

TEST(GatherKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const Tensor table = RandomTensor(dtype, {7, 33}, 5);
    cases.push_back(GatherCase(table, Int64Tensor({2, 3}, {0, 6, -1, -7, 3, 3}), 0));
    cases.push_back(GatherCase(table, Int32Tensor({4}, {32, -33, 0, -1}), 1));
    cases.push_back(GatherCase(RandomTensor(dtype, {3, 5, 2, 4}, 6), Int64Tensor({}, {-2}), -3));
    cases.push_back(GatherCase(table, Int64Tensor({0}, {}), 0));
    std::vector<int64_t> many;
    for (int64_t i = 0; i < 1500; ++i) many.push_back(i * 13 % 100);
    cases.push_back(GatherCase(RandomTensor(dtype, {100, 384}, 6), Int64Tensor({2, 750}, many), 0));
  }
  cases.push_back(GatherCase(Int64Tensor({3}, {5, 6, 7}), Int64Tensor({2}, {2, 0}), 0));
  uint64_t seed = 500;
  for (const DType index : {DType::kInt64, DType::kInt32}) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      const Tensor data = RandomTensor(dtype, {3, 4, 5}, ++seed);
      cases.push_back(ReferenceCase({"GatherElements", "", {{"axis", int64_t{1}}}},
                                    {data, RandomIndices(index, {2, 6, 5}, ++seed, -4, 3)}));
      cases.push_back(ReferenceCase({"GatherElements", "", {{"axis", int64_t{-1}}}},
                                    {data, RandomIndices(index, {3, 4, 9}, ++seed, -5, 4)}));
      // Known indices, all slabs alike, all different, and along the first axis.
      const Tensor one = RandomIndices(index, {1, 4, 9}, ++seed, -5, 4);
      Tensor alike(index, {3, 4, 9});
      for (size_t slab = 0; slab < 3; ++slab) {
        std::memcpy(alike.raw() + slab * one.NumBytes(), one.raw(), one.NumBytes());
      }
      const Tensor apart = RandomIndices(index, {3, 4, 700}, ++seed, -5, 4);
      for (const auto& [indices, axis] : {std::pair(alike, int64_t{2}), {apart, int64_t{-1}}, {one, int64_t{0}}}) {
        const Tensor wide = RandomTensor(dtype, {axis == 0 ? 5 : 3, 4, axis == 0 ? 9 : 5}, ++seed);
        cases.push_back(ReferenceCase({"GatherElements", "", {{"axis", axis}}}, {wide, indices}));
        cases.back().constants = {1};
      }
      cases.push_back(ReferenceCase({"GatherND", "", {}}, {data, RandomIndices(index, {7, 2}, ++seed, -3, 2)}));
      cases.push_back(ReferenceCase({"GatherND", "", {{"batch_dims", int64_t{1}}}},
                                    {data, RandomIndices(index, {3, 6, 1}, ++seed, -4, 3)}));
    }
    for (const int64_t axis : {0, 1, -1}) {
      cases.push_back(ReferenceCase({"OneHot", "", {{"axis", axis}}},
                                    {RandomIndices(index, {5, 3}, ++seed, -8, 8), Int64Tensor({}, {6}),
                                     RandomTensor(DType::kFloat32, {2}, ++seed)}));
    }
  }
  CheckFamily("gather", cases);
}

TEST(GatherKernels, OutOfRangeIndicesAreAnError) {
  const Tensor table = RandomTensor(DType::kFloat32, {7, 3}, 5);
  KernelCase c = GatherCase(table, Int64Tensor({2}, {0, 6}), 0);
  for (const int64_t bad : {7L, -8L, INT64_MAX, INT64_MIN}) {
    c.inputs[1] = Int64Tensor({2}, {0, bad});
    ExpectCheckFails("gather", c);
  }
  c.inputs[1] = Int32Tensor({2}, {7, 0});
  ExpectCheckFails("gather", c);
}

TEST(GatherKernels, RefuseWhatTheyCannotCompute) {
  KernelCase c = GatherCase(RandomTensor(DType::kFloat32, {7, 3}, 5), Int64Tensor({1}, {0}), 0);
  c.node.attributes["axis"] = int64_t{2};
  ExpectRefused("gather", c, "does not lie within [7, 3]");
}

}  // namespace
}  // namespace tamis::kernel_test
