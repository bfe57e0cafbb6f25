#include <algorithm>
#include <cstring>

#include "src/kernels/integer/integer_product.h"
#include "src/kernels/integer/integer_shape.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

constexpr int64_t kRowBlock = 48;  // rows that share a panel while it lies in the cache

class IntegerMatMul : public PreparedKernel {
 public:
  IntegerMatMul(const IntegerProduct& product, const IntegerMatMulShape& shape, int threads)
      : product_(product),
        shape_(shape),
        threads_(std::max(threads, 1)),
        pairs_((shape.depth + 1) / 2),
        panels_((shape.columns + product.panel - 1) / product.panel) {}

  // Packed where both b and its zero points are known.
  void PackOnce(std::shared_ptr<const PackedWeight> weight, const int32_t* panels) {
    weight_ = std::move(weight);
    packed_ = panels;
  }
  int64_t PackedInts() const { return shape_.batch * panels_ * pairs_ * product_.panel; }
  void PackPanel(const void* b, const void* zeros, int64_t index, int32_t* to) const {
    const int64_t entry = index / panels_, first = index % panels_ * product_.panel;
    const int64_t from = entry * shape_.depth * shape_.columns;
    for (int64_t k = 0; k < pairs_; ++k) {
      for (int64_t j = 0; j < product_.panel; ++j, ++to) {
        const int64_t column = first + j, at = from + 2 * k * shape_.columns + column;
        if (column >= shape_.columns) {
          *to = 0;
          continue;
        }
        const int zero = shape_.b_zeros.At(zeros, column);
        const bool second = 2 * k + 1 < shape_.depth;
        *to = Pair(ByteAt(b, shape_.b, at) - zero, second ? ByteAt(b, shape_.b, at + shape_.columns) - zero : 0);
      }
    }
  }

  size_t WorkspaceBytes() const override {
    return static_cast<size_t>(RowInts() + (packed_ == nullptr ? PackedInts() : 0)) * sizeof(int32_t);
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    auto* rows = reinterpret_cast<int32_t*>(workspace);
    int32_t* panels = rows + RowInts();
    const int64_t all_rows = shape_.batch * shape_.rows;
    const void* a_zeros = shape_.a_zeros.given ? inputs[2] : nullptr;
    ForItems(pool, threads_, all_rows, GrainFor(shape_.depth),
             [&](int64_t row, int /*part*/) { PackRow(inputs[0], a_zeros, row, rows); });
    if (packed_ == nullptr) {
      const void* b_zeros = shape_.b_zeros.given ? inputs[3] : nullptr;
      ForItems(pool, threads_, shape_.batch * panels_, 1, [&](int64_t panel, int /*part*/) {
        PackPanel(inputs[1], b_zeros, panel, panels + panel * pairs_ * product_.panel);
      });
    }
    const int32_t* b = packed_ != nullptr ? packed_ : panels;
    const int64_t blocks = (shape_.rows + kRowBlock - 1) / kRowBlock;
    auto* c = static_cast<int32_t*>(outputs[0]);
    const int64_t work = std::min(kRowBlock, shape_.rows) * pairs_;
    ForItems(pool, threads_, shape_.batch * blocks * panels_, GrainFor(work), [&](int64_t item, int /*part*/) {
      const int64_t panel = item % panels_, block = item / panels_ % blocks, entry = item / panels_ / blocks;
      const int64_t first = block * kRowBlock, row = entry * shape_.rows + first;
      const int64_t column = panel * product_.panel;
      product_.multiply(std::min(kRowBlock, shape_.rows - first), std::min(product_.panel, shape_.columns - column),
                        pairs_, rows + row * pairs_, b + (entry * panels_ + panel) * pairs_ * product_.panel,
                        c + row * shape_.columns + column, shape_.columns);
    });
  }

 private:
  int64_t RowInts() const { return (shape_.batch * shape_.rows * pairs_ + 15) / 16 * 16; }

  void PackRow(const void* a, const void* zeros, int64_t row, int32_t* rows) const {
    const int zero = shape_.a_zeros.At(zeros, row % shape_.a_rows);
    const int64_t from = row * shape_.depth;
    int32_t* to = rows + row * pairs_;
    for (int64_t k = 0; k < shape_.depth / 2; ++k) {
      to[k] = Pair(ByteAt(a, shape_.a, from + 2 * k) - zero, ByteAt(a, shape_.a, from + 2 * k + 1) - zero);
    }
    if (shape_.depth % 2 != 0) to[pairs_ - 1] = Pair(ByteAt(a, shape_.a, from + shape_.depth - 1) - zero, 0);
  }

  IntegerProduct product_;
  IntegerMatMulShape shape_;
  int threads_;
  int64_t pairs_, panels_;
  std::shared_ptr<const PackedWeight> weight_;
  const int32_t* packed_ = nullptr;
};

}  // namespace

Status SupportsIntegerMatMul(const Problem& problem) {
  return ReadIntegerMatMul(problem).status();
}

Result<std::unique_ptr<PreparedKernel>> PrepareIntegerMatMul(const Problem& problem, const IntegerProduct& product) {
  TAMIS_ASSIGN_OR_RETURN(const IntegerMatMulShape shape, ReadIntegerMatMul(problem));
  auto kernel = std::make_unique<IntegerMatMul>(product, shape, problem.threads);
  const Operand &b = problem.input(1), &zeros = problem.input(3);
  if (b.constant != nullptr && (!zeros.Present() || zeros.constant != nullptr)) {
    auto packed = std::make_shared<PackedBytes>(static_cast<size_t>(kernel->PackedInts()) * sizeof(int32_t));
    auto* panels = reinterpret_cast<int32_t*>(packed->data());
    const int64_t panel_ints = (shape.depth + 1) / 2 * product.panel;
    for (int64_t i = 0; panel_ints > 0 && i < kernel->PackedInts() / panel_ints; ++i) {
      kernel->PackPanel(b.constant->raw(), zeros.Present() ? zeros.constant->raw() : nullptr, i,
                        panels + i * panel_ints);
    }
    kernel->PackOnce(packed, panels);
  }
  return std::unique_ptr<PreparedKernel>(std::move(kernel));
}

Status SupportsIntegerProduct(const Problem& problem) {
  return problem.node->op == "ConvInteger" ? SupportsIntegerConv(problem) : SupportsIntegerMatMul(problem);
}

Result<std::unique_ptr<PreparedKernel>> PrepareIntegerProduct(const Problem& problem, const IntegerProduct& product) {
  return problem.node->op == "ConvInteger" ? PrepareIntegerConv(problem, product)
                                           : PrepareIntegerMatMul(problem, product);
}

double IntegerProductFlops(const Problem& problem) {
  const Operand &w = problem.input(1), &y = problem.outputs[0];
  const bool conv = problem.node->op == "ConvInteger";
  const double columns = static_cast<double>(std::max<int64_t>(conv ? w.dims[0] : w.dims.back(), 1));
  return 2.0 * static_cast<double>(Elements(y)) * static_cast<double>(Elements(w)) / columns;
}

}  // namespace tamis
