#include "src/kernels/integer/byte_product.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/kernels/integer/integer_product.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/pack_cache.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

constexpr int64_t kRowBlock = 96;  // rows that share a panel while it lies in the cache

class ByteMatMul : public PreparedKernel {
 public:
  ByteMatMul(const ByteProduct& product, const IntegerMatMulShape& shape, int threads)
      : product_(product),
        shape_(shape),
        threads_(std::max(threads, 1)),
        steps_((shape.depth + 3) / 4),
        panels_((shape.columns + product.panel - 1) / product.panel),
        a_shift_(shape.a == DType::kInt8 ? 128 : 0),
        b_shift_(shape.b == DType::kUInt8 ? 128 : 0) {}

  // A packed b: all panels, then the sums of their columns.
  size_t PackedSize() const { return PanelBytes() + static_cast<size_t>(Columns()) * sizeof(int32_t); }
  void Pack(const void* b, std::byte* to) const {
    for (int64_t i = 0; i < shape_.batch * panels_; ++i) PackPanel(b, i, to);
  }
  void Keep(std::shared_ptr<const PackedWeight> weight, const std::byte* packed) {
    weight_ = std::move(weight);
    packed_ = packed;
  }

  size_t WorkspaceBytes() const override {
    return RowBytes() + 2 * RowInts() + ColumnZeroBytes() + (packed_ == nullptr ? PackedSize() : 0);
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    auto* rows = reinterpret_cast<uint8_t*>(workspace);
    auto* row_zeros = reinterpret_cast<int32_t*>(workspace + RowBytes());
    auto* row_sums = reinterpret_cast<int32_t*>(workspace + RowBytes() + RowInts());
    auto* column_zeros = reinterpret_cast<int32_t*>(workspace + RowBytes() + 2 * RowInts());
    const void* a_zeros = shape_.a_zeros.given ? inputs[2] : nullptr;
    ForItems(
        pool, threads_, shape_.batch * shape_.rows, GrainFor(shape_.depth / 16 + 8), [&](int64_t row, int /*part*/) {
          row_zeros[row] = shape_.a_zeros.At(a_zeros, row % shape_.a_rows) + a_shift_;
          const int32_t sum = product_.pack_row(static_cast<const uint8_t*>(inputs[0]) + row * shape_.depth,
                                                shape_.depth, static_cast<uint8_t>(a_shift_), rows + row * steps_ * 4);
          row_sums[row] = sum - static_cast<int32_t>(shape_.depth) * row_zeros[row];
        });
    const void* b_zeros = shape_.b_zeros.given ? inputs[3] : nullptr;
    for (int64_t j = 0; j < panels_ * product_.panel; ++j) {
      column_zeros[j] = shape_.b_zeros.At(b_zeros, std::min(j, shape_.columns - 1)) - b_shift_;
    }
    const std::byte* packed = packed_;
    if (packed == nullptr) {
      std::byte* to = workspace + RowBytes() + 2 * RowInts() + ColumnZeroBytes();
      ForItems(pool, threads_, shape_.batch * panels_, GrainFor(shape_.depth * product_.panel / 4),
               [&](int64_t panel, int /*part*/) { PackPanel(inputs[1], panel, to); });
      packed = to;
    }
    auto* c = static_cast<int32_t*>(outputs[0]);
    const int64_t blocks = (shape_.rows + kRowBlock - 1) / kRowBlock;
    const int64_t work = std::min(kRowBlock, shape_.rows) * steps_;
    ForItems(pool, threads_, shape_.batch * blocks * panels_, GrainFor(work), [&](int64_t item, int /*part*/) {
      const int64_t block = item % blocks, panel = item / blocks % panels_, entry = item / blocks / panels_;
      const int64_t first = block * kRowBlock, row = entry * shape_.rows + first;
      const int64_t column = panel * product_.panel;
      ByteTask task;
      task.rows = std::min(kRowBlock, shape_.rows - first);
      task.columns = std::min(product_.panel, shape_.columns - column);
      task.steps = steps_;
      task.a = rows + row * steps_ * 4;
      task.panel = reinterpret_cast<const int8_t*>(packed) + (entry * panels_ + panel) * PanelStride();
      task.row_zeros = row_zeros + row;
      task.row_sums = row_sums + row;
      task.column_sums = Sums(packed) + (entry * panels_ + panel) * product_.panel;
      task.column_zeros = column_zeros + column;
      task.c = c + row * shape_.columns + column;
      task.c_stride = shape_.columns;
      product_.multiply(task);
    });
  }

 private:
  static size_t Padded(int64_t bytes) { return static_cast<size_t>((bytes + 63) / 64 * 64); }
  size_t RowBytes() const { return Padded(shape_.batch * shape_.rows * steps_ * 4); }
  size_t RowInts() const { return Padded(shape_.batch * shape_.rows * static_cast<int64_t>(sizeof(int32_t))); }
  size_t ColumnZeroBytes() const { return Padded(panels_ * product_.panel * static_cast<int64_t>(sizeof(int32_t))); }
  int64_t PanelStride() const { return steps_ * product_.panel * 4; }
  size_t PanelBytes() const { return Padded(shape_.batch * panels_ * PanelStride()); }
  int64_t Columns() const { return shape_.batch * panels_ * product_.panel; }
  const int32_t* Sums(const std::byte* packed) const { return reinterpret_cast<const int32_t*>(packed + PanelBytes()); }

  void PackPanel(const void* b, int64_t index, std::byte* packed) const {
    const int64_t entry = index / panels_, first = index % panels_ * product_.panel;
    const int64_t columns = std::min(product_.panel, shape_.columns - first);
    const auto* from = static_cast<const uint8_t*>(b) + entry * shape_.depth * shape_.columns + first;
    auto* to = reinterpret_cast<uint8_t*>(packed) + index * PanelStride();
    auto* sums = reinterpret_cast<int32_t*>(packed + PanelBytes()) + index * product_.panel;
    const auto flip = static_cast<uint8_t>(b_shift_);
    std::memset(to, 0, static_cast<size_t>(PanelStride()));
    std::fill_n(sums, product_.panel, 0);
    for (int64_t k = 0; k < shape_.depth; ++k) {
      uint8_t* row = to + k / 4 * product_.panel * 4 + k % 4;
      for (int64_t j = 0; j < columns; ++j) {
        row[4 * j] = from[k * shape_.columns + j] ^ flip;
        sums[j] += static_cast<int8_t>(row[4 * j]);
      }
    }
  }

  ByteProduct product_;
  IntegerMatMulShape shape_;
  int threads_;
  int64_t steps_, panels_;
  int32_t a_shift_, b_shift_;  // what was added to a, and taken off b
  std::shared_ptr<const PackedWeight> weight_;
  const std::byte* packed_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<PreparedKernel>> PrepareByteMatMul(const Problem& problem, PackCache& cache,
                                                          const ByteProduct& product) {
  TAMIS_ASSIGN_OR_RETURN(const IntegerMatMulShape shape, ReadIntegerMatMul(problem));
  auto kernel = std::make_unique<ByteMatMul>(product, shape, problem.threads);
  const Operand& b = problem.input(1);
  if (b.constant != nullptr) {
    auto weight = cache.Get(b.constant_hash, fmt::format("byte_product/panel{}", product.panel), [&] {
      auto packed = std::make_shared<PackedBytes>(kernel->PackedSize());
      kernel->Pack(b.constant->raw(), packed->data());
      return packed;
    });
    const auto* bytes = static_cast<const PackedBytes*>(weight.get());
    kernel->Keep(std::move(weight), bytes->data());
  }
  return std::unique_ptr<PreparedKernel>(std::move(kernel));
}

double ByteProductCost(const Problem& problem, Isa isa, double work) {
  double filled = 1;  // channels fill steps of four
  if (problem.node->op == "ConvInteger") {
    const auto channels = static_cast<double>(problem.input(1).dims[1]);
    filled = std::ceil(channels / 4) * 4 / channels;
  }
  return PredictSeconds(problem, isa, IntegerProductFlops(problem) * work * filled);
}

}  // namespace tamis
