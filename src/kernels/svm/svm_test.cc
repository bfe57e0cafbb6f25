#include "src/kernels/reference_case.h"
#include "src/ops/ml/op_ml.h"

namespace tamis::kernel_test {
namespace {

TEST(SvmKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  for (const char* op : {"SVMRegressor", "SVMClassifier"}) {
    const bool classifies = op == std::string("SVMClassifier");
    for (const OpTestCase& c : FindOp(op, kMlDomain)->test_cases()) {
      for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kInt64}) {
        const Tensor x = Converted(c.inputs[0], dtype);
        // Kernels of up to 9 products of numbers within 2, cubed; sums of up to 7 of them.
        cases.push_back(ReferenceCase({op, std::string(kMlDomain), c.attributes}, {x}, {}, classifies ? 2 : 1, 1e-4));
      }
    }
  }
  CheckFamily("svm", cases);
}

}  // namespace
}  // namespace tamis::kernel_test
