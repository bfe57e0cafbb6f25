#include <algorithm>

#include "src/kernels/gemm/cuda/cuda_image_lines.h"

namespace tamis::cuda {
namespace {

constexpr int kMostBoxRows = 256;  // along each axis of what the copy engine fetches at once

int CeilDiv(int a, int b) {
  return (a + b - 1) / b;
}

}  // namespace

LineTile FitLines(const ConvGeometry& conv, int columns) {
  if (conv.stride_h != 1 || conv.stride_w != 1 || conv.batch < 1) return {};
  const int span_h = (conv.kernel_h - 1) * conv.dilation_h, span_w = (conv.kernel_w - 1) * conv.dilation_w;
  // Padding behind the last line and pixel, as far as the results ask for it.
  const int end_h = std::max(0, conv.out_h + span_h - conv.in_h - conv.pad_h);
  const int end_w = std::max(0, conv.out_w + span_w - conv.in_w - conv.pad_w);
  // A result that sees padding only has no place between its neighbours.
  if (std::min(conv.pad_h, end_h) > span_h || std::min(conv.pad_w, end_w) > span_w) return {};
  LineTile tile;
  tile.pitch = conv.in_w + std::max(conv.pad_w, end_w);
  tile.row_step = conv.dilation_h * tile.pitch, tile.column_step = conv.dilation_w;
  const int image_columns = (conv.out_h - 1) * tile.pitch + conv.out_w;
  if (image_columns <= columns) {
    const int shared_lines = conv.in_h + std::max(conv.pad_h, end_h);  // with the padding of the next image
    const int most = 1 + (columns - image_columns) / (shared_lines * tile.pitch);
    tile.image_blocks = CeilDiv(conv.batch, most);
    tile.images = CeilDiv(conv.batch, tile.image_blocks);
    tile.lines = conv.out_h, tile.line_blocks = 1;
    tile.held_lines = tile.images > 1 ? shared_lines : conv.out_h + span_h;
  } else {
    if (conv.out_w > columns) return {};
    const int most = 1 + (columns - conv.out_w) / tile.pitch;
    tile.line_blocks = CeilDiv(conv.out_h, most);
    tile.lines = CeilDiv(conv.out_h, tile.line_blocks);
    tile.images = 1, tile.image_blocks = conv.batch;
    tile.held_lines = tile.lines + span_h;
  }
  if (std::max({tile.pitch, tile.held_lines, tile.images}) > kMostBoxRows) return {};
  const int last_read =
      ((tile.images - 1) * tile.held_lines + tile.lines - 1 + span_h) * tile.pitch + conv.out_w - 1 + span_w;
  tile.zero_rows = std::max(0, last_read + 1 - tile.HeldRows());
  return tile;
}

}  // namespace tamis::cuda
