#include "src/kernels/gemm/cuda/tensor_map.h"

namespace tamis::cuda {
namespace {

// A function of the driver: nothing links libcuda, so that the program starts without a driver.
template <class Function>
Function FindDriver(const char* name) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
#if CUDART_VERSION >= 12050
  const cudaError_t error = cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &found);
#else
  const cudaError_t error = cudaGetDriverEntryPoint(name, &function, cudaEnableDefault, &found);
#endif
  return error == cudaSuccess && found == cudaDriverEntryPointSuccess ? reinterpret_cast<Function>(function) : nullptr;
}

CUtensorMapDataType TypeOf(bool bf16) {
  return bf16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
}

// As wide as 64 elements.
CUtensorMapSwizzle SwizzleOf(int element_bytes) {
  return element_bytes == 2 ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_64B;
}

// Boxes of 64 columns.
cudaError_t MakeMap(CUtensorMap* map, const void* rows, int64_t row_count, int64_t columns, int box_rows,
                    CUtensorMapDataType type, int element_bytes) {
  static const auto encode = FindDriver<decltype(&cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled");
  if (encode == nullptr) return cudaErrorNotSupported;
  const cuuint64_t extents[2] = {static_cast<cuuint64_t>(columns), static_cast<cuuint64_t>(row_count)};
  const cuuint64_t pitch[1] = {static_cast<cuuint64_t>(columns) * static_cast<cuuint64_t>(element_bytes)};
  const cuuint32_t box[2] = {64, static_cast<cuuint32_t>(box_rows)};
  const cuuint32_t steps[2] = {1, 1};
  const CUresult result =
      encode(map, type, 2, const_cast<void*>(rows), extents, pitch, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
             SwizzleOf(element_bytes), CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return result == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace

cudaError_t MakeRowMap(CUtensorMap* map, const void* rows, int64_t row_count, int64_t columns, int box_rows,
                       bool bf16) {
  return MakeMap(map, rows, row_count, columns, box_rows, TypeOf(bf16), 2);
}

cudaError_t MakeCodeMap(CUtensorMap* map, const void* rows, int64_t row_count, int64_t columns, int box_rows) {
  return MakeMap(map, rows, row_count, columns, box_rows, CU_TENSOR_MAP_DATA_TYPE_UINT8, 1);
}

cudaError_t MakePixelMap(CUtensorMap* map, const void* images, int batch, int height, int width, int64_t channels,
                         const PixelBox& box, int element_bytes) {
  static const auto encode = FindDriver<decltype(&cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled");
  if (encode == nullptr) return cudaErrorNotSupported;
  const auto size = [](int64_t v) { return static_cast<cuuint64_t>(v); };
  const auto edge = [](int v) { return static_cast<cuuint32_t>(v); };
  const cuuint64_t extents[4] = {size(channels), size(width), size(height), size(batch)};
  const cuuint64_t pixel = size(channels) * size(element_bytes);
  const cuuint64_t pitches[3] = {pixel, pixel * extents[1], pixel * extents[1] * extents[2]};
  const cuuint32_t edges[4] = {64, edge(box.pixels), edge(box.lines), edge(box.images)};
  const cuuint32_t steps[4] = {1, 1, 1, 1};
  const CUtensorMapDataType type = element_bytes == 2 ? TypeOf(false) : CU_TENSOR_MAP_DATA_TYPE_UINT8;
  const CUresult result =
      encode(map, type, 4, const_cast<void*>(images), extents, pitches, edges, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
             SwizzleOf(element_bytes), CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return result == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t MakeImageMap(CUtensorMap* map, const void* images, const ImageSource& source, int box_pixels, bool bf16) {
  static const auto encode = FindDriver<decltype(&cuTensorMapEncodeIm2col)>("cuTensorMapEncodeIm2col");
  if (encode == nullptr) return cudaErrorNotSupported;
  const auto size = [](int v) { return static_cast<cuuint64_t>(v); };
  const cuuint64_t extents[4] = {size(source.channels), size(source.in_w), size(source.in_h), size(source.batch)};
  const int64_t pixel = source.pixel_pitch > 0 ? source.pixel_pitch : source.channels;
  const int64_t line = source.line_pitch > 0 ? source.line_pitch : pixel * source.in_w;
  const int64_t image = source.image_pitch > 0 ? source.image_pitch : line * source.in_h;
  const cuuint64_t pitches[3] = {static_cast<cuuint64_t>(pixel) * 2, static_cast<cuuint64_t>(line) * 2,
                                 static_cast<cuuint64_t>(image) * 2};
  // The first position of the kernel's upper left corner, and the last one as seen from the image's far corner.
  const int lower[2] = {-source.pad_w, -source.pad_h};
  const int upper[2] = {(source.out_w - 1) * source.stride_w - source.pad_w - (source.in_w - 1),
                        (source.out_h - 1) * source.stride_h - source.pad_h - (source.in_h - 1)};
  const cuuint32_t steps[4] = {1, static_cast<cuuint32_t>(source.stride_w), static_cast<cuuint32_t>(source.stride_h),
                               1};
  const CUresult result =
      encode(map, TypeOf(bf16), 4, const_cast<void*>(images), extents, pitches, lower, upper, 64,
             static_cast<cuuint32_t>(box_pixels), steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return result == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace tamis::cuda
