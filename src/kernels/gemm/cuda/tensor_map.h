// Tensor maps of Hopper's copy engine.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "src/kernels/gemm/cuda/gemm24_launch.h"

namespace tamis::cuda {

// Rows of `columns` 16-bit elements without gaps, fetched or stored as boxes of 64 columns x `box_rows` rows in the
// 128-byte swizzle. `columns` is a multiple of 8 and `rows` 16-byte aligned.
cudaError_t MakeRowMap(CUtensorMap* map, const void* rows, int64_t row_count, int64_t columns, int box_rows, bool bf16);

// Rows of `columns` bytes as boxes of 64 columns in the 64-byte swizzle. `columns` is a multiple of 16.
cudaError_t MakeCodeMap(CUtensorMap* map, const void* rows, int64_t row_count, int64_t columns, int box_rows);

// Images fetched by ImageLoad as 64 channels of `box_pixels` output pixels; `channels` is a multiple of 8.
cudaError_t MakeImageMap(CUtensorMap* map, const void* images, const ImageSource& source, int box_pixels, bool bf16);

// Images [batch][height][width][channels] fetched or stored by PixelsLoad and PixelsStore as boxes of 64 channels of
// box_images x box_lines x box_pixels pixels, in the swizzle as wide as 64 channels are: elements of 16 bits, or bytes.
struct PixelBox {
  int pixels, lines, images;
};
cudaError_t MakePixelMap(CUtensorMap* map, const void* images, int batch, int height, int width, int64_t channels,
                         const PixelBox& box, int element_bytes);

}  // namespace tamis::cuda
