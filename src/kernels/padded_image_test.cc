#include "src/kernels/padded_image.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tamis {
namespace {

// One tap row after the other, against the rows that TapsInImage says are met.
TEST(PaddedImage, TapsInImageAreThoseThatMeetTheImage) {
  int64_t cut = 0;
  for (const int64_t in : {1, 2, 5, 9}) {
    for (const int64_t kernel : {1, 2, 3, 5}) {
      for (const int64_t stride : {1, 2, 3}) {
        for (const int64_t dilation : {1, 2, 3}) {
          for (const int64_t pad_begin : {0, 1, 4}) {
            for (const int64_t pad_end : {0, 2, 5}) {
              const int64_t room = in + pad_begin + pad_end - (kernel - 1) * dilation - 1;
              if (room < 0) continue;
              WindowGeometry geometry;
              geometry.axes[1] = {in, room / stride + 1, kernel, stride, dilation, pad_begin, pad_end};
              geometry.axes[2] = {6, 6, 3, 1, 1, 1, 1};
              const PaddedImage image(2, geometry, 4);
              for (int64_t line = 0; line < image.Lines(); ++line) {
                int64_t first = kernel, last = 0;
                for (int64_t tap = 0; tap < kernel; ++tap) {
                  const int64_t y = line % geometry.axes[1].out * stride - pad_begin + tap * dilation;
                  if (y < 0 || y >= in) continue;
                  first = std::min(first, tap);
                  last = tap + 1;
                }
                if (first >= last) first = 0, last = kernel;
                cut += last - first < kernel ? 1 : 0;
                const auto rows = image.TapsInImage(line, /*rows_as_taps=*/true);
                EXPECT_EQ(rows.first, first) << "line " << line << " of " << in << ", " << kernel << " taps";
                EXPECT_EQ(rows.last, last);
                const auto taps = image.TapsInImage(line, /*rows_as_taps=*/false);
                EXPECT_EQ(taps.first, first * 3);
                EXPECT_EQ(taps.last, last * 3);
              }
            }
          }
        }
      }
    }
  }
  EXPECT_GT(cut, 100);
}

TEST(PaddedImage, WindowsWithDepthMeetAllTaps) {
  WindowGeometry geometry;
  geometry.axes = {SlidingAxis{4, 4, 3, 1, 1, 1, 1}, SlidingAxis{4, 4, 3, 1, 1, 1, 1},
                   SlidingAxis{4, 4, 3, 1, 1, 1, 1}};
  const PaddedImage image(1, geometry, 4);
  EXPECT_EQ(image.TapsInImage(0, true).first, 0);
  EXPECT_EQ(image.TapsInImage(0, true).last, 9);
  EXPECT_EQ(image.TapsInImage(0, false).last, 27);
}

}  // namespace
}  // namespace tamis
