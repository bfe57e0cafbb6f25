// A RangeKernel whose results depend row by row on input 0, and may thus be a layer of a block (src/kernels/block/).
#pragma once

#include "src/kernels/range_kernel.h"
#include "src/kernels/row_kernel.h"

namespace tamis {

// Items of elementwise work that a row of the result has; 0 where rows of input 0 are not those of the result.
inline int64_t ElementsOfRow(const Problem& problem) {
  const Dims &x = problem.input(0).dims, &y = problem.outputs[0].dims;
  return x == y && !y.empty() ? y.back() : 0;
}

template <class Args>
class RowRangeKernel : public RowKernel {
 public:
  // As for RangeKernel; a row is `row_items` of the items. 0: it does not run by rows.
  RowRangeKernel(Args args, RangeBody<Args> body, int64_t count, int64_t grain, int threads, int64_t row_items)
      : args_(args), body_(body), row_items_(row_items), all_(std::move(args), body, count, grain, threads) {}

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    all_.Run(inputs, outputs, workspace, pool);
  }

  bool RunsByRows() const override { return row_items_ > 0; }
  size_t RowScratchBytes(int64_t /*rows*/) const override { return 0; }
  void RunRows(std::span<const void* const> inputs, std::span<void* const> outputs, RowSpan rows,
               std::byte* scratch) const override {
    body_(args_, inputs.data(), outputs.data(), rows.begin * row_items_, rows.end * row_items_, scratch);
  }

 private:
  Args args_;
  RangeBody<Args> body_;
  int64_t row_items_;
  RangeKernel<Args> all_;
};

}  // namespace tamis
