#include "src/kernels/block/row_tiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace tamis {
namespace {

// Adds up the lines that its window reaches; a row holds one number, and there is one pixel a line and one image more
// than one line.
class SumOfLines : public RowKernel {
 public:
  SumOfLines(int64_t lines, int64_t pixels, int64_t taps, int64_t stride, int64_t pad, int64_t images)
      : out_((lines + 2 * pad - taps) / stride + 1),
        pixels_(pixels),
        in_(lines),
        taps_(taps),
        stride_(stride),
        pad_(pad) {
    std::array<SlidingAxis, 3> axes;
    axes[1] = {lines, out_, taps, stride, 1, pad, pad};
    axes[2] = {pixels, pixels, 1, 1, 1, 0, 0};
    lines_ = WindowLines(axes);
    rows_ = images * out_ * pixels;
  }
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& /*pool*/) const override {
    RunRows(inputs, outputs, {0, rows_}, workspace);
  }
  int64_t RowUnit() const override { return pixels_; }
  RowSpan Needs(RowSpan rows) const override { return lines_.Needs(rows); }
  size_t RowScratchBytes(int64_t rows) const override { return static_cast<size_t>(rows); }
  void RunRows(std::span<const void* const> inputs, std::span<void* const> outputs, RowSpan rows,
               std::byte* scratch) const override {
    std::fill_n(scratch, rows.size(), std::byte{0xff});  // all of it is there
    EXPECT_EQ(rows.begin % pixels_, 0);
    EXPECT_EQ(rows.end % pixels_, 0);
    const auto* x = static_cast<const int64_t*>(inputs[0]);
    auto* y = static_cast<int64_t*>(outputs[0]);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const int64_t line = row / pixels_ % out_, image = row / pixels_ / out_;
      int64_t sum = 1;
      for (int64_t tap = 0; tap < taps_; ++tap) {
        const int64_t from = line * stride_ - pad_ + tap;
        if (from >= 0 && from < in_) sum += (tap + 1) * x[(image * in_ + from) * pixels_ + row % pixels_];
      }
      y[row] = sum;
    }
  }
  int64_t out() const { return out_; }
  int64_t rows() const { return rows_; }

 private:
  int64_t out_, pixels_, in_, taps_, stride_, pad_, rows_ = 0;
  WindowLines lines_;
};

TEST(RowTiles, MakeEveryRowOfEveryLayerFromRowsThatAreThere) {
  constexpr int64_t kPixels = 3, kImages = 2;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const auto draw = [&](int64_t low, int64_t high) {
      return low + static_cast<int64_t>(random() % static_cast<uint32_t>(high - low + 1));
    };
    int64_t lines = draw(6, 24);
    std::vector<int64_t> x(static_cast<size_t>(kImages * lines * kPixels));
    for (int64_t& value : x) value = draw(-9, 9);
    std::vector<std::unique_ptr<SumOfLines>> kernels;
    std::vector<ChainLayer> chain;
    std::vector<int64_t> want = x;
    ThreadPool pool(1);
    for (int64_t k = draw(2, 5); k > 0; --k) {
      const int64_t taps = draw(1, 3), pad = draw(0, taps - 1);
      kernels.push_back(std::make_unique<SumOfLines>(lines, kPixels, taps, draw(1, 2), pad, kImages));
      chain.push_back({kernels.back().get(), sizeof(int64_t)});
      std::vector<int64_t> made(static_cast<size_t>(kernels.back()->rows()));
      const void* in = want.data();
      void* out = made.data();
      std::vector<std::byte> scratch(made.size());
      kernels.back()->Run({&in, 1}, {&out, 1}, scratch.data(), pool);
      want = std::move(made);
      lines = kernels.back()->out();
    }
    for (const int threads : {1, 2, 3}) {
      for (const int64_t budget : {0, 200, 2000, 1 << 20}) {
        const RowTiles tiles(chain, kernels.back()->rows(), threads, budget);
        std::vector<int64_t> got(want.size(), -1);
        std::vector<std::byte> memory(tiles.PartBytes() + 64);
        for (int part = 0; part < tiles.parts(); ++part) {
          std::memset(memory.data(), 0x5a, memory.size());
          tiles.ForPart(part, memory.data(),
                        [&](size_t k, RowSpan rows, const void* input, void* output, std::byte* scratch) {
                          const void* in = k == 0 ? x.data() : input;
                          void* out = k + 1 == chain.size() ? got.data() : output;
                          chain[k].kernel->RunRows({&in, 1}, {&out, 1}, rows, scratch);
                        });
          for (size_t i = tiles.PartBytes(); i < memory.size(); ++i) ASSERT_EQ(memory[i], std::byte{0x5a});
        }
        ASSERT_EQ(got, want) << "seed " << seed << ", " << threads << " threads, budget " << budget;
      }
    }
  }
}

}  // namespace
}  // namespace tamis
