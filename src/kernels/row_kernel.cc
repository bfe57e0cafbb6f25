#include "src/kernels/row_kernel.h"

#include <algorithm>

namespace tamis {

WindowLines::WindowLines(const std::array<SlidingAxis, 3>& axes) {
  const auto& [d, h, w] = axes;
  in_lines_ = d.in * h.in;
  out_lines_ = d.out * h.out;
  in_pixels_ = w.in;
  out_pixels_ = w.out;
  if (d.in != 1 || d.out != 1) {
    reach_ = in_lines_;
    stride_ = 0;
    return;
  }
  reach_ = (h.kernel - 1) * h.dilation + 1;
  stride_ = h.stride;
  pad_begin_ = h.pad_begin;
}

RowSpan WindowLines::Needs(RowSpan rows) const {
  const int64_t first = rows.begin / out_pixels_, last = (rows.end - 1) / out_pixels_;
  const auto line = [&](int64_t result, int64_t tap) {
    const int64_t in_image = std::clamp<int64_t>(result % out_lines_ * stride_ - pad_begin_ + tap, 0, in_lines_);
    return result / out_lines_ * in_lines_ + in_image;
  };
  return {line(first, 0) * in_pixels_, line(last, reach_) * in_pixels_};
}

}  // namespace tamis
