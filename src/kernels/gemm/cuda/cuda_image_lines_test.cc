#include "src/kernels/gemm/cuda/cuda_image_lines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

namespace tamis::cuda {
namespace {

constexpr int kPadding = -1;

ConvGeometry Geometry(int batch, int in_h, int in_w, int kernel, int pad, int pad_end, int dilation = 1) {
  ConvGeometry conv;
  conv.batch = batch, conv.channels = 64, conv.in_h = in_h, conv.in_w = in_w;
  conv.kernel_h = conv.kernel_w = kernel, conv.dilation_h = conv.dilation_w = dilation;
  conv.pad_h = conv.pad_w = pad;
  conv.out_h = in_h + pad + pad_end - (kernel - 1) * dilation;
  conv.out_w = in_w + pad + pad_end - (kernel - 1) * dilation;
  return conv;
}

// What a buffer holds after the fetch of a tile: the number of an input pixel, or padding.
std::vector<int> HeldPixels(const ConvGeometry& conv, const LineTile& tile, int first_image, int first_line) {
  std::vector<int> held;
  for (int i = 0; i < tile.images; ++i) {
    for (int l = 0; l < tile.held_lines; ++l) {
      for (int p = 0; p < tile.pitch; ++p) {
        const int image = first_image + i, h = first_line - conv.pad_h + l, w = p - conv.pad_w;
        const bool inside = image < conv.batch && h >= 0 && h < conv.in_h && w >= 0 && w < conv.in_w;
        held.push_back(inside ? (image * conv.in_h + h) * conv.in_w + w : kPadding);
      }
    }
  }
  held.insert(held.end(), static_cast<size_t>(tile.zero_rows), kPadding);
  return held;
}

// Every output pixel is computed once, and every position of the kernel finds there what it multiplies.
void Check(const ConvGeometry& conv, int columns) {
  SCOPED_TRACE(testing::Message() << conv.batch << " of " << conv.in_h << " x " << conv.in_w << ", kernel "
                                  << conv.kernel_h << ", padding " << conv.pad_h << ", " << columns << " columns");
  const LineTile tile = FitLines(conv, columns);
  ASSERT_TRUE(tile.Fits());
  std::map<std::tuple<int, int, int>, int> computed;
  for (int t = 0; t < tile.Tiles(); ++t) {
    const int first_image = t / tile.line_blocks * tile.images, first_line = t % tile.line_blocks * tile.lines;
    const std::vector<int> held = HeldPixels(conv, tile, first_image, first_line);
    for (int column = 0; column < std::min(columns, tile.TileRows()); ++column) {
      const int line = column / tile.pitch;
      const int image = first_image + line / tile.LinesApart(), h = first_line + line % tile.LinesApart();
      const int w = column % tile.pitch;
      if (image >= conv.batch || h >= conv.out_h || w >= conv.out_w) continue;  // not stored
      ++computed[{image, h, w}];
      for (int r = 0; r < conv.kernel_h; ++r) {
        for (int s = 0; s < conv.kernel_w; ++s) {
          const int y = h - conv.pad_h + r * conv.dilation_h, x = w - conv.pad_w + s * conv.dilation_w;
          const bool inside = y >= 0 && y < conv.in_h && x >= 0 && x < conv.in_w;
          const auto row = static_cast<size_t>(column + r * tile.row_step + s * tile.column_step);
          ASSERT_LT(row, held.size());
          ASSERT_EQ(held[row], inside ? (image * conv.in_h + y) * conv.in_w + x : kPadding)
              << "image " << image << ", pixel " << h << ", " << w << ", position " << r << ", " << s;
        }
      }
    }
  }
  ASSERT_EQ(computed.size(), static_cast<size_t>(conv.batch * conv.out_h * conv.out_w));
  for (const auto& [pixel, times] : computed) ASSERT_EQ(times, 1);
}

TEST(ImageLines, EveryPositionFindsItsPixels) {
  for (const int columns : {128, 208, 240}) {
    Check(Geometry(5, 7, 7, 3, 1, 1), columns);
    Check(Geometry(1, 56, 56, 3, 1, 1), columns);
    Check(Geometry(3, 14, 14, 3, 1, 1), columns);
    Check(Geometry(2, 13, 29, 3, 1, 1), columns);
    Check(Geometry(2, 9, 11, 3, 0, 0), columns);
    Check(Geometry(4, 8, 6, 5, 2, 2), columns);
    Check(Geometry(4, 8, 6, 4, 1, 2), columns);
    Check(Geometry(3, 6, 7, 3, 2, 0), columns);
    Check(Geometry(3, 6, 7, 3, 0, 2), columns);
    Check(Geometry(3, 12, 12, 3, 2, 2, 2), columns);
  }
}

TEST(ImageLines, FillsColumnsWithWholeImagesOrEvenNumbersOfLines) {
  EXPECT_EQ(FitLines(Geometry(32, 7, 7, 3, 1, 1), 128).images, 2);
  EXPECT_EQ(FitLines(Geometry(32, 7, 7, 3, 1, 1), 256).images, 4);
  EXPECT_EQ(FitLines(Geometry(32, 28, 28, 3, 1, 1), 240).lines, 7);  // of eight that fit: four tiles either way
  EXPECT_EQ(FitLines(Geometry(32, 56, 56, 3, 1, 1), 240).lines, 4);
}

TEST(ImageLines, RefusesWhatDoesNotFit) {
  EXPECT_FALSE(FitLines(Geometry(1, 300, 300, 3, 1, 1), 240).Fits());
  EXPECT_FALSE(FitLines(Geometry(2, 8, 8, 3, 3, 3), 240).Fits());
  ConvGeometry strided = Geometry(1, 14, 14, 3, 1, 1);
  strided.stride_w = 2;
  EXPECT_FALSE(FitLines(strided, 240).Fits());
}

}  // namespace
}  // namespace tamis::cuda
