#include <cmath>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

TEST(SelectKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  Tensor with_nan = RandomTensor(DType::kFloat32, {4, 9}, 3);
  with_nan.Data<float>()[11] = with_nan.Data<float>()[15] = std::nanf("");
  std::vector<Tensor> inputs = {RandomTensor(DType::kFloat32, {3, 70, 2}, 1), with_nan};
  for (const DType dtype : {DType::kInt32, DType::kInt64}) inputs.push_back(RandomIndices(dtype, {5, 40}, 2, -9, 9));
  for (const Tensor& x : inputs) {
    for (const int64_t flag : {0, 1}) {
      for (const int64_t k : {int64_t{1}, int64_t{4}, x.dim(1)}) {
        cases.push_back(
            ReferenceCase({"TopK", "", {{"axis", int64_t{1}}, {"largest", flag}}}, {x, Int64Tensor({1}, {k})}, {1}, 2));
      }
      for (const char* op : {"ArgMax", "ArgMin"}) {
        cases.push_back(ReferenceCase({op, "", {{"axis", int64_t{1}}, {"select_last_index", flag}}}, {x}));
        cases.push_back(ReferenceCase({op, "", {{"axis", int64_t{-2}}, {"keepdims", flag}}}, {x}));
      }
    }
  }
  const Tensor ties = RandomIndices(DType::kInt64, {2, 100}, 4, 0, 3);
  cases.push_back(ReferenceCase({"TopK", "", {}}, {ties, Int64Tensor({1}, {40})}, {1}, 2));
  for (const int64_t largest : {0, 1}) {  // rows longer than what is kept of them
    cases.push_back(ReferenceCase({"TopK", "", {{"largest", largest}}},
                                  {RandomIndices(DType::kInt64, {2, 1000}, 5, 0, 99), Int64Tensor({1}, {40})}, {1}, 2));
    cases.push_back(ReferenceCase({"TopK", "", {{"largest", largest}, {"axis", int64_t{0}}}},
                                  {RandomTensor(DType::kFloat32, {3000, 3}, 6), Int64Tensor({1}, {100})}, {1}, 2));
  }
  // Rows and columns longer than a block, with ties, NaNs, and other types.
  for (const int64_t axis : {0, 1, 2}) {
    for (const int64_t last : {0, 1}) {
      Tensor x = Converted(RandomIndices(DType::kInt64, {5, 130, 77}, 7, -30, 30), DType::kFloat32);
      for (const bool nan : {false, true}) {
        for (int64_t i = 500; nan && i < x.NumElements(); i += 3001) x.Data<float>()[i] = std::nanf("");
        for (const char* op : {"ArgMax", "ArgMin"}) {
          cases.push_back(ReferenceCase({op, "", {{"axis", axis}, {"select_last_index", last}}}, {x.Clone()}));
        }
      }
    }
  }
  for (const DType dtype : {DType::kFloat64, DType::kInt8, DType::kUInt8, DType::kInt16}) {
    const Tensor x = Converted(RandomIndices(DType::kInt64, {3, 50}, 8, 0, 99), dtype);
    cases.push_back(ReferenceCase({"ArgMax", "", {{"axis", int64_t{1}}}}, {x}));
    cases.push_back(ReferenceCase({"TopK", "", {}}, {x, Int64Tensor({1}, {4})}, {1}, 2));
  }
  CheckFamily("select", cases);
}

}  // namespace
}  // namespace tamis::kernel_test
