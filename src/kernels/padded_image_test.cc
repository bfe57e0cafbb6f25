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

// Against the lines one by one.
TEST(PaddedImage, LinesFromMeetTheSameTapsAtOneDistance) {
  WindowGeometry geometry;
  geometry.axes[1] = {9, 9, 3, 1, 1, 1, 1};
  geometry.axes[2] = {6, 6, 3, 1, 1, 1, 1};
  WindowGeometry deep = geometry;
  deep.axes[0] = {4, 2, 3, 1, 1, 0, 0};
  WindowGeometry strided = geometry;
  strided.axes[1] = {9, 4, 3, 2, 1, 1, 0};
  for (const WindowGeometry& one : {geometry, deep, strided}) {
    const PaddedImage image(3, one, 4);
    for (int64_t line = 0; line < image.Lines(); ++line) {
      for (const int64_t most : {int64_t{1}, int64_t{2}, int64_t{5}, image.Lines() - line}) {
        const auto run = image.LinesFrom(line, /*rows_as_taps=*/true, most);
        ASSERT_GE(run.lines, 1);
        ASSERT_LE(run.lines, most);
        const auto alike = [&](int64_t other) {
          const auto met = image.TapsInImage(line, true), taps = image.TapsInImage(other, true);
          return met.first == taps.first && met.last == taps.last &&
                 image.LineStart(other) == image.LineStart(line) + (other - line) * run.pitch;
        };
        for (int64_t i = 0; i < run.lines; ++i) EXPECT_TRUE(alike(line + i)) << "line " << line << " and " << i;
        const int64_t next = line + run.lines;
        EXPECT_TRUE(run.lines == most || !alike(next) || next % one.axes[1].out == 0)
            << "lines " << line << ", " << next;
      }
    }
  }
  const PaddedImage image(1, geometry, 4);
  EXPECT_EQ(image.LinesFrom(0, true, 9).lines, 1);  // the topmost meets two rows of taps
  EXPECT_EQ(image.LinesFrom(1, true, 9).lines, 7);
}

}  // namespace
}  // namespace tamis
