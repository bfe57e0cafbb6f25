#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

TEST(RandomKernels, DrawTheNumbersOfTheReference) {
  std::vector<KernelCase> cases;
  for (const Dims& dims : {Dims{0, 3}, Dims{7}, Dims{3, 70, 11}, Dims{1024}, Dims{5000}}) {
    cases.push_back(ReferenceCase({"RandomNormal", "", {{"shape", dims}, {"seed", 3.0f}}}, {}));
    cases.push_back(ReferenceCase({"RandomUniform", "", {{"shape", dims}, {"seed", 4.0f}, {"low", -2.0f}}}, {}));
    const Tensor like = RandomTensor(DType::kFloat32, dims, 1);
    cases.push_back(
        ReferenceCase({"RandomNormalLike", "", {{"seed", 5.0f}, {"mean", 1.5f}, {"scale", 0.25f}}}, {like}));
    cases.push_back(ReferenceCase({"RandomUniformLike", "", {{"seed", 6.0f}, {"high", 9.0f}, {"dtype", int64_t{1}}}},
                                  {Converted(like, DType::kInt64)}));
  }
  CheckFamily("random", cases);
}

// Without a seed no two runs draw the same, and the numbers are still of the distribution.
TEST(RandomKernels, DrawNewNumbersWithoutASeed) {
  constexpr int64_t kCount = 100000;
  Node node;
  node.op = "RandomNormal";
  node.attributes = {{"shape", std::vector<int64_t>{kCount}}, {"mean", 2.0f}, {"scale", 3.0f}};
  Problem problem;
  problem.node = &node;
  problem.outputs = {{.dtype = DType::kFloat32, .dims = {kCount}}};
  problem.threads = 2;
  const auto kernels = CandidateKernels(problem, nullptr);
  ASSERT_EQ(kernels.size(), 1u);
  PackCache cache;
  const auto prepared = kernels[0]->prepare(problem, cache);
  ASSERT_TRUE(prepared.ok()) << prepared.status().message();
  ThreadPool pool(2);
  Tensor first(DType::kFloat32, {kCount}), second(DType::kFloat32, {kCount});
  for (Tensor* y : {&first, &second}) {
    void* outputs[] = {y->raw()};
    (*prepared)->Run({}, outputs, nullptr, pool);
  }
  double sum = 0, squares = 0;
  int64_t same = 0;
  for (int64_t i = 0; i < kCount; ++i) {
    const double x = first.Data<float>()[i];
    sum += x;
    squares += (x - 2) * (x - 2);
    same += first.Data<float>()[i] == second.Data<float>()[i];
  }
  EXPECT_NEAR(sum / kCount, 2, 0.06);      // six deviations of the mean
  EXPECT_NEAR(squares / kCount, 9, 0.25);  // six of the variance
  EXPECT_LT(same, 10);
}

}  // namespace
}  // namespace tamis::kernel_test
