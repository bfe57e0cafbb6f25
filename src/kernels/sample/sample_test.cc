#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

TEST(SampleKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  const double absolute = 2e-5;  // up to 16 taps of values below 2, coordinates in f32 on both sides
  for (const char* mode : {"linear", "nearest", "cubic"}) {
    for (const char* padding : {"zeros", "border", "reflection"}) {
      for (const int64_t align : {0, 1}) {
        cases.push_back(ReferenceCase(
            {"GridSample",
             "",
             {{"mode", std::string(mode)}, {"padding_mode", std::string(padding)}, {"align_corners", align}}},
            {RandomTensor(DType::kFloat32, {2, 3, 9, 7}, 1),
             RandomTensor(DType::kFloat32, {2, 5, 11, 2}, 2, -1.7, 1.7)},
            {}, 1, absolute));
        if (std::string(mode) == "cubic") continue;
        cases.push_back(ReferenceCase(
            {"GridSample",
             "",
             {{"mode", std::string(mode)}, {"padding_mode", std::string(padding)}, {"align_corners", align}}},
            {RandomTensor(DType::kFloat32, {2, 3, 4, 9, 7}, 5),
             RandomTensor(DType::kFloat32, {2, 3, 5, 6, 3}, 6, -1.7, 1.7)},
            {}, 1, absolute));
      }
    }
  }
  const Tensor x = RandomTensor(DType::kFloat32, {2, 5, 13, 17}, 3);
  const Tensor rois = Tensor::Of<float>(DType::kFloat32, {4, 4},
                                        std::vector<float>{0, 0, 5, 5, 2.5f, 1, 7, 8.5f, -3, -2, 40, 30, 6, 6, 3, 2});
  for (const DType index : {DType::kInt64, DType::kInt32}) {
    const Tensor items = RandomIndices(index, {4}, 4, 0, 1);
    for (const char* coordinates : {"half_pixel", "output_half_pixel"}) {
      for (const auto& [ratio, mode] : {std::pair(int64_t{0}, "avg"), std::pair(int64_t{2}, "avg"),
                                        std::pair(int64_t{0}, "max"), std::pair(int64_t{40}, "max")}) {
        cases.push_back(ReferenceCase({"RoiAlign",
                                       "",
                                       {{"output_height", int64_t{3}},
                                        {"output_width", int64_t{4}},
                                        {"sampling_ratio", ratio},
                                        {"mode", std::string(mode)},
                                        {"spatial_scale", 0.75f},
                                        {"coordinate_transformation_mode", std::string(coordinates)}}},
                                      {x, rois, items}, {}, 1, 1e-4));
      }
    }
  }
  CheckFamily("sample", cases);
}

TEST(SampleKernels, BatchIndicesAreChecked) {
  const Tensor x = RandomTensor(DType::kFloat32, {2, 1, 3, 3}, 3),
               rois = RandomTensor(DType::kFloat32, {1, 4}, 4, 0, 2);
  KernelCase c = ReferenceCase({"RoiAlign", "", {{"coordinate_transformation_mode", std::string("half_pixel")}}},
                               {x, rois, Int64Tensor({1}, {1})});
  c.inputs[2] = Int64Tensor({1}, {2});
  ExpectCheckFails("sample", c);
}

}  // namespace
}  // namespace tamis::kernel_test
