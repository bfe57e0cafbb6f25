#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

using Ints = std::vector<int64_t>;

TEST(RearrangeKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  const Tensor lengths = Int64Tensor({3}, {5, 0, 2});
  for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kBFloat16, DType::kInt64, DType::kUInt8}) {
    const auto values = [&](const Dims& dims) {
      return Converted(RandomIndices(DType::kInt64, dims, 1, 0, 99), dtype);
    };
    cases.push_back(ReferenceCase({"ReverseSequence", "", {}}, {values({5, 3, 7}), lengths}));
    cases.push_back(ReferenceCase({"ReverseSequence", "", {{"batch_axis", int64_t{0}}, {"time_axis", int64_t{1}}}},
                                  {values({3, 5}), Converted(lengths, DType::kInt64)}));
  }
  const std::map<std::string, Attribute> halves = {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}};
  cases.push_back(ReferenceCase({"MaxUnpool", "", halves}, {RandomTensor(DType::kFloat32, {1, 2, 2, 3}, 2),
                                                            RandomIndices(DType::kInt64, {1, 2, 2, 3}, 3, 0, 47)}));
  const auto columns = [&](const Dims& x, Ints image, Ints block, std::map<std::string, Attribute> attributes) {
    const auto rank = static_cast<int64_t>(image.size());
    cases.push_back(ReferenceCase({"Col2Im", "", std::move(attributes)},
                                  {RandomTensor(DType::kFloat32, x, 4), Int64Tensor({rank}, std::move(image)),
                                   Int64Tensor({rank}, std::move(block))},
                                  {1, 2}, 1, 1e-6));
  };
  columns({2, 12, 6}, {3, 4}, {2, 2}, {});
  columns({1, 9, 12}, {5, 5}, {3, 3}, {{"pads", Ints{1, 1, 2, 2}}, {"strides", Ints{1, 2}}, {"dilations", Ints{2, 1}}});
  columns({1, 6, 8}, {10}, {3}, {});
  columns({1, 8, 12}, {3, 4, 3}, {2, 2, 2}, {});
  const auto filled = [&](Ints shape, std::map<std::string, Attribute> attributes) {
    const auto rank = static_cast<int64_t>(shape.size());
    cases.push_back(
        ReferenceCase({"ConstantOfShape", "", std::move(attributes)}, {Int64Tensor({rank}, std::move(shape))}, {0}));
  };
  filled({3, 5}, {});
  filled({}, {{"value", Int64Tensor({1}, {7})}});
  filled({400, 701}, {{"value", RandomTensor(DType::kFloat32, {1}, 5, 1, 2)}});
  filled({3, 1001}, {{"value", Int64Tensor({1}, {-1})}});
  filled({0, 4}, {{"value", Converted(Int64Tensor({1}, {1}), DType::kUInt8)}});
  CheckFamily("rearrange", cases);
}

TEST(RearrangeKernels, RefuseIndicesOutside) {
  const std::map<std::string, Attribute> halves = {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}};
  KernelCase c = ReferenceCase({"MaxUnpool", "", halves},
                               {RandomTensor(DType::kFloat32, {1, 1, 1, 2}, 2), Int64Tensor({1, 1, 1, 2}, {0, 7})});
  c.node.attributes["kernel_shape"] = Ints{2, 3};
  ExpectRefused("rearrange", c, "larger than what the window gives");
}

}  // namespace
}  // namespace tamis::kernel_test
