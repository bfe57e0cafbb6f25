// Kernels that can compute some rows of their result by themselves, on the thread that asks for them: what blocks of
// layers that run tile by tile are made of (src/kernels/block/).
#pragma once

#include "src/kernels/kernel.h"
#include "src/ops/op_window.h"

namespace tamis {

// Rows [begin, end) of a tensor [..., channels]: pixels counted over all images, tokens.
struct RowSpan {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

class RowKernel : public PreparedKernel {
 public:
  // False where this problem can't be cut into rows.
  virtual bool RunsByRows() const { return true; }
  // Spans of rows begin and end at multiples of this.
  virtual int64_t RowUnit() const { return 1; }
  // The rows of input 0 that `rows` of the result depend on. Neither end falls as `rows` move on.
  virtual RowSpan Needs(RowSpan rows) const { return rows; }
  // What RunRows needs for so many rows; never less for more.
  virtual size_t RowScratchBytes(int64_t rows) const = 0;
  // Operands as for Run, but that of input 0 and of the result only these rows, and those that they need, are there:
  // pointers are to where the first element of the whole would be. `scratch` is 64-byte aligned.
  virtual void RunRows(std::span<const void* const> inputs, std::span<void* const> outputs, RowSpan rows,
                       std::byte* scratch) const = 0;
};

// Lines (rows of pixels) of results and images that a window slides over.
class WindowLines {
 public:
  WindowLines() = default;
  // The axes are depth, height and width. Images with depth are needed whole.
  explicit WindowLines(const std::array<SlidingAxis, 3>& axes);

  int64_t pixels() const { return out_pixels_; }  // of a line of results
  RowSpan Needs(RowSpan rows) const;

 private:
  int64_t in_lines_ = 1, out_lines_ = 1;    // of an image
  int64_t in_pixels_ = 1, out_pixels_ = 1;  // of a line
  int64_t reach_ = 1, stride_ = 1, pad_begin_ = 0;
};

}  // namespace tamis
