#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

TEST(PadKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  const Tensor x = RandomTensor(DType::kFloat32, {2, 3, 4, 37}, 1);
  for (const char* mode : {"constant", "edge", "reflect", "wrap"}) {
    const std::map<std::string, Attribute> attributes = {{"mode", std::string(mode)}};
    cases.push_back(ReferenceCase({"Pad", "", attributes}, {x, Int64Tensor({8}, {0, 1, 2, 3, 1, 0, 3, 5})}, {1}));
    cases.push_back(ReferenceCase({"Pad", "", attributes}, {x, Int64Tensor({8}, {0, -1, 2, -3, 0, 2, -1, -4})}, {1}));
    cases.push_back(ReferenceCase({"Pad", "", attributes},
                                  {x, Int64Tensor({2}, {2, 3}), Tensor(), Int64Tensor({1}, {-1})}, {1, 3}));
    cases.push_back(ReferenceCase({"Pad", "", attributes},
                                  {RandomTensor(DType::kBFloat16, {5, 9}, 2), Int64Tensor({4}, {1, 2, 3, 4})}, {1}));
  }
  cases.push_back(
      ReferenceCase({"Pad", "", {}}, {x, Int64Tensor({2}, {1, 1}), Tensor::Float(7), Int64Tensor({1}, {2})}, {1, 3}));
  cases.push_back(ReferenceCase(
      {"Pad", "", {}}, {Tensor(DType::kFloat32, {0, 3}), Int64Tensor({4}, {1, 0, 1, 2}), Tensor::Float(3)}, {1}));
  cases.push_back(
      ReferenceCase({"Pad", "", {}}, {RandomIndices(DType::kInt64, {7}, 3, -9, 9), Int64Tensor({2}, {3, 2})}, {1}));
  CheckFamily("pad", cases);
}

TEST(PadKernels, Refusals) {
  const KernelCase c =
      ReferenceCase({"Pad", "", {}}, {RandomTensor(DType::kFloat32, {3}, 1), Int64Tensor({2}, {1, 1})});
  ExpectRefused("pad", c, "not constant");
}

}  // namespace
}  // namespace tamis::kernel_test
