// No kernel is forgotten: each is whole, and each family's test drives all of its kernels (CheckFamily, or the same in
// the tests of gemm and conv). benchmarks/kernels_bench.cc --check 1 says the same of the benchmark.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "src/kernels/family_test.h"

namespace tamis::kernel_test {
namespace {

TEST(Kernels, AreWholeAndFoundByTheirNames) {
  std::set<std::string_view> names;
  for (const KernelDef* kernel : AllKernels()) {
    EXPECT_TRUE(names.insert(kernel->name).second) << kernel->name << " is there twice";
    EXPECT_EQ(FindKernel(kernel->name), kernel) << kernel->name;
    EXPECT_FALSE(kernel->family.empty()) << kernel->name;
    EXPECT_FALSE(kernel->ops[0].empty()) << kernel->name;
    EXPECT_TRUE(kernel->supports != nullptr && kernel->cost != nullptr && kernel->prepare != nullptr) << kernel->name;
  }
}

// After all tests, if all were run.
class EveryFamilyIsChecked : public ::testing::Environment {
 public:
  void TearDown() override {
    const bool all = testing::GTEST_FLAG(filter) == "*" && std::getenv("GTEST_TOTAL_SHARDS") == nullptr;
    if (!all || testing::UnitTest::GetInstance()->Failed()) return;
    for (const KernelDef* kernel : AllKernels()) {
      EXPECT_TRUE(FamilyIsChecked(kernel->family)) << "no test drives the kernels of " << kernel->family;
    }
  }
};
[[maybe_unused]] const auto* const kEveryFamily = ::testing::AddGlobalTestEnvironment(new EveryFamilyIsChecked);

}  // namespace
}  // namespace tamis::kernel_test
