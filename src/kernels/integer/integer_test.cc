#include <gtest/gtest.h>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

Tensor Bytes(DType dtype, Dims dims, uint64_t seed) {
  const int64_t low = dtype == DType::kInt8 ? -128 : 0;
  return Converted(RandomIndices(DType::kInt64, std::move(dims), seed, low, low + 255), dtype);
}

TEST(IntegerKernels, MatMulMatchesTheReference) {
  std::vector<KernelCase> cases;
  struct Shapes {
    Dims a, b, a_zero, b_zero;
  };
  for (const Shapes& s : std::vector<Shapes>{{{3, 5}, {5, 4}, {}, {}},
                                             {{64, 130}, {130, 77}, {}, {77}},
                                             {{2, 7, 33}, {33, 32}, {7}, {32}},
                                             {{2, 3, 50, 8}, {2, 3, 8, 65}, {}, {}},
                                             {{1, 64}, {64, 200}, {}, {}},
                                             {{0, 4}, {4, 3}, {}, {}}}) {
    for (const auto& [ta, tb] : {std::pair(DType::kUInt8, DType::kInt8), std::pair(DType::kInt8, DType::kInt8),
                                 std::pair(DType::kUInt8, DType::kUInt8)}) {
      const std::vector<Tensor> both = {Bytes(ta, s.a, 1), Bytes(tb, s.b, 2)};
      const Tensor a_zero = Bytes(ta, s.a_zero, 3), b_zero = Bytes(tb, s.b_zero, 4);
      cases.push_back(ReferenceCase({"MatMulInteger", "", {}}, both));
      cases.push_back(ReferenceCase({"MatMulInteger", "", {}}, {both[0], both[1], a_zero, b_zero}));
      cases.push_back(ReferenceCase({"MatMulInteger", "", {}}, {both[0], both[1], a_zero, b_zero}, {1, 3}));
      cases.push_back(ReferenceCase({"MatMulInteger", "", {}}, {both[0], both[1], Tensor(), b_zero}, {1, 3}));
    }
  }
  struct Filters {
    Dims x, w;
    std::map<std::string, Attribute> attributes;
  };
  using Ints = std::vector<int64_t>;
  for (const Filters& f : std::vector<Filters>{
           {{1, 2, 5, 4}, {3, 2, 2, 3}, {{"pads", Ints{1, 0, 1, 2}}}},
           {{2, 6, 17, 19}, {8, 3, 3, 3}, {{"group", int64_t{2}}, {"strides", Ints{2, 1}}, {"dilations", Ints{1, 2}}}},
           {{1, 3, 40}, {5, 3, 7}, {{"auto_pad", std::string("SAME_LOWER")}, {"strides", Ints{3}}}},
           {{1, 3, 9, 9}, {4, 3, 3, 3}, {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}}},
           {{1, 2, 4, 5, 6}, {7, 2, 2, 2, 2}, {}},
           {{1, 1, 1, 1}, {1, 1, 1, 1}, {}}}) {
    for (const auto& [tx, tw] : {std::pair(DType::kUInt8, DType::kInt8), std::pair(DType::kInt8, DType::kUInt8)}) {
      const Tensor x = Bytes(tx, f.x, 5), w = Bytes(tw, f.w, 6);
      cases.push_back(ReferenceCase({"ConvInteger", "", f.attributes}, {x, w}));
      cases.push_back(
          ReferenceCase({"ConvInteger", "", f.attributes}, {x, w, Bytes(tx, {}, 7), Bytes(tw, {f.w[0]}, 8)}, {1, 3}));
      cases.push_back(ReferenceCase({"ConvInteger", "", f.attributes}, {x, w, Bytes(tx, {}, 7), Bytes(tw, {}, 8)}));
      cases.push_back(ReferenceCase({"ConvInteger", "", f.attributes}, {x, w, Tensor(), Bytes(tw, {f.w[0]}, 9)}));
    }
  }
  CheckFamily("integer", cases);
}

TEST(IntegerKernels, RefuseWhatTheyCannotCompute) {
  const KernelCase c =
      ReferenceCase({"MatMulInteger", "", {}}, {Bytes(DType::kInt8, {4}, 1), Bytes(DType::kInt8, {4, 3}, 2)});
  ExpectRefused("integer", c, "vectors are not supported");
}

}  // namespace
}  // namespace tamis::kernel_test
