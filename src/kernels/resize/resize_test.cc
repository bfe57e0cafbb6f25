#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

Tensor FloatTensor(std::vector<float> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Tensor::Of<float>(DType::kFloat32, {count}, values);
}

TEST(ResizeKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  const Tensor x = RandomTensor(DType::kFloat32, {2, 3, 7, 37}, 1);
  // Weights of a row sum to 1 but for cubic's overshoot; values are below 2.
  const double absolute = 1e-5;
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* coordinates :
         {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"}) {
      const std::map<std::string, Attribute> attributes = {
          {"mode", std::string(mode)}, {"coordinate_transformation_mode", std::string(coordinates)}};
      cases.push_back(
          ReferenceCase({"Resize", "", attributes}, {x, Tensor(), FloatTensor({1, 1, 2, 2})}, {2}, 1, absolute));
      cases.push_back(
          ReferenceCase({"Resize", "", attributes}, {x, Tensor(), FloatTensor({1, 1, 0.6f, 1.7f})}, {2}, 1, absolute));
      cases.push_back(ReferenceCase({"Resize", "", attributes},
                                    {x, Tensor(), Tensor(), Int64Tensor({4}, {2, 3, 9, 37})}, {3}, 1, absolute));
    }
  }
  for (const char* mode : {"linear", "cubic"}) {
    cases.push_back(ReferenceCase({"Resize",
                                   "",
                                   {{"mode", std::string(mode)},
                                    {"antialias", int64_t{1}},
                                    {"exclude_outside", int64_t{1}},
                                    {"axes", std::vector<int64_t>{3, 2}}}},
                                  {x, Tensor(), Tensor(), Int64Tensor({2}, {9, 3})}, {3}, 1, absolute));
    cases.push_back(
        ReferenceCase({"Resize", "", {{"mode", std::string(mode)}, {"antialias", int64_t{1}}}},
                      {RandomTensor(DType::kFloat32, {2, 31, 40, 5}, 4), Tensor(), FloatTensor({1, 0.3f, 0.2f, 1})},
                      {2}, 1, absolute));
  }
  cases.push_back(ReferenceCase({"Resize",
                                 "",
                                 {{"mode", std::string("linear")},
                                  {"keep_aspect_ratio_policy", std::string("not_larger")},
                                  {"axes", std::vector<int64_t>{2, 3}}}},
                                {x, Tensor(), Tensor(), Int64Tensor({2}, {10, 40})}, {3}, 1, absolute));
  cases.push_back(ReferenceCase(
      {"Resize", "", {{"mode", std::string("linear")}}},
      {RandomTensor(DType::kFloat32, {1, 2, 3, 4, 5}, 2), Tensor(), FloatTensor({1, 1, 2, 2, 2})}, {2}, 1, absolute));
  for (const DType dtype : {DType::kBFloat16, DType::kFloat32}) {
    cases.push_back(
        ReferenceCase({"Resize", "", {}}, {RandomTensor(dtype, {3, 50}, 3), Tensor(), FloatTensor({2, 0.5f})}, {2}));
  }
  cases.push_back(ReferenceCase({"Upsample", "", {{"mode", std::string("linear")}}}, {x, FloatTensor({1, 1, 2, 3})},
                                {1}, 1, absolute, 9));
  // Rows long enough for vectors, either layout, one or two axes that change, bytes that repeat.
  for (const auto& [dims, scales] :
       std::vector<std::pair<Dims, std::vector<float>>>{{{1, 3, 20, 70}, {1, 1, 2, 2}},
                                                        {{1, 3, 20, 70}, {1, 1, 0.4f, 0.7f}},
                                                        {{1, 9, 11, 33}, {1, 2, 3, 1}},
                                                        {{1, 21, 13, 3}, {1, 0.4f, 1.7f, 1}},
                                                        {{1, 4, 5, 6, 3}, {1, 2, 1.5f, 0.5f, 1}},
                                                        {{5, 4, 3, 2}, {2, 2, 1, 1}},
                                                        {{2, 40, 33}, {1, 1, 1.5f}},
                                                        {{2, 9, 5, 33}, {1, 1.5f, 1, 2}},
                                                        {{3, 2, 50, 17}, {1, 1, 1, 3}}}) {
    for (const char* mode : {"linear", "cubic"}) {
      cases.push_back(ReferenceCase({"Resize", "", {{"mode", std::string(mode)}}},
                                    {RandomTensor(DType::kFloat32, dims, 5), Tensor(), FloatTensor(scales)}, {2}, 1,
                                    absolute));
    }
  }
  for (const DType dtype : {DType::kUInt8, DType::kInt16, DType::kFloat64}) {
    for (const std::vector<float>& scales : {std::vector<float>{2, 2}, {3, 4}, {1, 3}}) {
      const Tensor codes = Converted(RandomIndices(DType::kInt64, {7, 37}, 6, 0, 99), dtype);
      cases.push_back(ReferenceCase(
          {"Resize",
           "",
           {{"coordinate_transformation_mode", std::string("asymmetric")}, {"nearest_mode", std::string("floor")}}},
          {codes, Tensor(), FloatTensor(scales)}, {2}));
    }
  }
  CheckFamily("resize", cases);
}

TEST(ResizeKernels, Refusals) {
  const Tensor x = RandomTensor(DType::kFloat32, {1, 1, 3, 4}, 1);
  ExpectRefused("resize", ReferenceCase({"Resize", "", {}}, {x, Tensor(), FloatTensor({1, 1, 2, 2})}), "not constant");
}

}  // namespace
}  // namespace tamis::kernel_test
