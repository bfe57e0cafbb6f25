#include <gtest/gtest.h>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

TEST(DeformKernels, MatchTheReference) {
  using Ints = std::vector<int64_t>;
  struct Shapes {
    Dims x, weight, out;  // out: spatial
    int64_t group = 1, offset_group = 1;
    std::map<std::string, Attribute> attributes;
  };
  std::vector<KernelCase> cases;
  for (const Shapes& s : std::vector<Shapes>{{{1, 3, 9, 8}, {5, 3, 3, 3}, {9, 8}, 1, 1, {{"pads", Ints{1, 1, 1, 1}}}},
                                             {{2, 8, 17, 19}, {12, 4, 3, 2}, {8, 9}, 2, 4, {{"strides", Ints{2, 2}}}},
                                             {{1, 4, 12, 11}, {6, 4, 3, 3}, {8, 7}, 1, 2, {{"dilations", Ints{2, 2}}}},
                                             {{1, 2, 40}, {3, 2, 3}, {38}, 1, 1, {}}}) {
    const int64_t taps = NumElements(std::span<const int64_t>(s.weight).subspan(2));
    const auto rank = static_cast<int64_t>(s.out.size());
    Dims offsets = {s.x[0], s.offset_group * taps * rank}, masks = {s.x[0], s.offset_group * taps};
    offsets.insert(offsets.end(), s.out.begin(), s.out.end());
    masks.insert(masks.end(), s.out.begin(), s.out.end());
    auto attributes = s.attributes;
    attributes["group"] = s.group;
    attributes["offset_group"] = s.offset_group;
    const Tensor x = RandomTensor(DType::kFloat32, s.x, 1), weight = RandomTensor(DType::kFloat32, s.weight, 2, -1, 1);
    // Some lead far outside of the image.
    const Tensor offset = RandomTensor(DType::kFloat32, offsets, 3, -6, 6);
    const Tensor bias = RandomTensor(DType::kFloat32, {s.weight[0]}, 4);
    const Tensor mask = RandomTensor(DType::kFloat32, masks, 5, 0, 1);
    // Up to 72 terms below 2 whose samples are off by some epsilons of their places.
    cases.push_back(ReferenceCase({"DeformConv", "", attributes}, {x, weight, offset}, {}, 1, 3e-4));
    cases.push_back(ReferenceCase({"DeformConv", "", attributes}, {x, weight, offset, bias, mask}, {}, 1, 3e-4));
    cases.push_back(ReferenceCase({"DeformConv", "", attributes}, {x, weight, offset, Tensor(), mask}, {}, 1, 3e-4));
  }
  CheckFamily("deform", cases);
}

TEST(DeformKernels, RefuseWhatTheyCannotCompute) {
  const KernelCase c = ReferenceCase({"DeformConv", "", {}}, {RandomTensor(DType::kFloat32, {1, 1, 3, 3, 3}, 1),
                                                              RandomTensor(DType::kFloat32, {1, 1, 2, 2, 2}, 2),
                                                              RandomTensor(DType::kFloat32, {1, 24, 2, 2, 2}, 3)});
  ExpectRefused("deform", c, "one or two spatial axes");
}

}  // namespace
}  // namespace tamis::kernel_test
