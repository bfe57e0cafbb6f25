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
  CheckFamily("scan", cases);
}

}  // namespace
}  // namespace tamis::kernel_test
