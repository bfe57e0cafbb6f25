#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

TEST(ScanKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  const Tensor inputs[] = {RandomTensor(DType::kFloat32, {3, 70, 2}, 1),
                           RandomIndices(DType::kInt32, {5, 40}, 2, -9, 9),
                           RandomIndices(DType::kInt64, {5, 40}, 3, -9, 9)};
  for (const Tensor& x : inputs) {
    for (const int64_t axis : {0, -1, 1}) {
      for (const int64_t flag : {0, 1}) {
        cases.push_back(ReferenceCase({"CumSum", "", {{"exclusive", flag}, {"reverse", int64_t{1} - flag}}},
                                      {x, Int64Tensor({}, {axis})}, {1}));
        cases.push_back(ReferenceCase({"CumSum", "", {{"exclusive", flag}, {"reverse", flag}}},
                                      {x, Int64Tensor({1}, {axis})}, {1}));
      }
    }
  }
  for (const int64_t axis : {0, 1, 2}) {
    for (const int64_t exclusive : {0, 1}) {
      const NodeSpec sum = {"CumSum", "", {{"exclusive", exclusive}}};
      cases.push_back(
          ReferenceCase(sum, {RandomTensor(DType::kFloat32, {7, 90, 65}, 4), Int64Tensor({}, {axis})}, {1}));
      cases.back().absolute = 1e-6;
    }
  }
  for (const DType dtype : {DType::kFloat64, DType::kFloat32, DType::kInt8, DType::kUInt16, DType::kInt64}) {
    const Tensor x = Converted(RandomIndices(DType::kInt64, {5, 6}, 5, 0, 3), dtype);
    for (const char* op : {"CumSum", "CumProd"}) {
      cases.push_back(ReferenceCase({op, "", {}}, {x, Int64Tensor({}, {1})}, {1}, 1, 0, 26));
      cases.push_back(ReferenceCase({op, "", {{"reverse", int64_t{1}}}}, {x, Int64Tensor({}, {0})}, {1}, 1, 0, 26));
    }
  }
  CheckFamily("scan", cases);
}

}  // namespace
}  // namespace tamis::kernel_test
