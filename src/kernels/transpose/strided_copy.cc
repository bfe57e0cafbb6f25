#include "src/kernels/transpose/strided_copy.h"

#include <emmintrin.h>

#include <algorithm>
#include <cstring>

#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

constexpr int64_t kTile = 16;

// A part with its loops sorted: `outer` counted by items, then the one or two loops of an item.
struct Plan {
  CopyPart part;
  std::vector<CopyLoop> outer;
  CopyLoop row;  // of tiles: contiguous in the source; dim 1 if the copy goes by runs
  CopyLoop run;  // the innermost loop: contiguous in the target
  int64_t items = 1;
};

Plan MakePlan(CopyPart part) {
  std::vector<CopyLoop> loops;
  for (const CopyLoop& loop : part.loops) {
    if (loop.dim == 1) continue;
    if (!loops.empty() && loops.back().in == loop.in * loop.dim && loops.back().out == loop.out * loop.dim) {
      loops.back() = {loops.back().dim * loop.dim, loop.in, loop.out};
    } else {
      loops.push_back(loop);
    }
  }
  if (loops.empty()) loops.push_back({1, 1, 1});
  Plan plan;
  plan.run = loops.back();
  loops.pop_back();
  if (plan.run.in != 1) {
    const auto contiguous = std::find_if(loops.begin(), loops.end(), [](const CopyLoop& loop) { return loop.in == 1; });
    if (contiguous != loops.end()) {
      plan.row = *contiguous;
      loops.erase(contiguous);
    }
  }
  plan.items = (plan.row.dim + kTile - 1) / kTile;
  for (const CopyLoop& loop : loops) plan.items *= loop.dim;
  plan.outer = std::move(loops);
  part.loops.clear();
  plan.part = std::move(part);
  return plan;
}

template <class T>
void TransposeTile(const T* in, T* out, int64_t rows, int64_t columns, int64_t in_stride, int64_t out_stride) {
  int64_t r = 0;
  if constexpr (sizeof(T) == 4) {  // 4 x 4 at a time in registers
    for (; r + 4 <= rows; r += 4) {
      int64_t c = 0;
      for (; c + 4 <= columns; c += 4) {
        __m128 v[4];
        for (int i = 0; i < 4; ++i) {
          v[i] = _mm_castsi128_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + (c + i) * in_stride + r)));
        }
        _MM_TRANSPOSE4_PS(v[0], v[1], v[2], v[3]);
        for (int i = 0; i < 4; ++i) {
          _mm_storeu_si128(reinterpret_cast<__m128i*>(out + (r + i) * out_stride + c), _mm_castps_si128(v[i]));
        }
      }
      for (; c < columns; ++c) {
        for (int64_t i = r; i < r + 4; ++i) out[i * out_stride + c] = in[c * in_stride + i];
      }
    }
  }
  for (; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) out[r * out_stride + c] = in[c * in_stride + r];
  }
}

template <class T>
void CopyItems(const Plan& plan, const void* source, void* target, int64_t begin, int64_t end) {
  const int64_t tiles = (plan.row.dim + kTile - 1) / kTile;
  for (int64_t item = begin; item < end; ++item) {
    int64_t rest = item / tiles;
    int64_t in_at = plan.part.in_offset, out_at = plan.part.out_offset;
    for (size_t i = plan.outer.size(); i-- > 0;) {
      const CopyLoop& loop = plan.outer[i];
      in_at += rest % loop.dim * loop.in;
      out_at += rest % loop.dim * loop.out;
      rest /= loop.dim;
    }
    const int64_t first_row = item % tiles * kTile;
    const int64_t rows = std::min(kTile, plan.row.dim - first_row);
    const T* in = static_cast<const T*>(source) + in_at + first_row * plan.row.in;
    T* out = static_cast<T*>(target) + out_at + first_row * plan.row.out;
    if (plan.run.in == 1 && plan.run.out == 1) {
      std::memcpy(out, in, static_cast<size_t>(plan.run.dim) * sizeof(T));
    } else if (plan.row.dim > 1 && plan.run.out == 1) {
      for (int64_t column = 0; column < plan.run.dim; column += kTile) {
        TransposeTile(in + column * plan.run.in, out + column, rows, std::min(kTile, plan.run.dim - column),
                      plan.run.in, plan.row.out);
      }
    } else if (plan.run.in == 0 && plan.run.out == 1 && rows == 1) {
      std::fill_n(out, plan.run.dim, *in);
    } else {
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < plan.run.dim; ++i) {
          out[r * plan.row.out + i * plan.run.out] = in[r * plan.row.in + i * plan.run.in];
        }
      }
    }
  }
}

class StridedCopy : public PreparedKernel {
 public:
  StridedCopy(int bytes, std::vector<Plan> plans, int threads)
      : bytes_(bytes), plans_(std::move(plans)), threads_(std::max(threads, 1)) {
    for (const Plan& plan : plans_) work_ += plan.items * ItemWork(plan);
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* /*workspace*/,
           ThreadPool& pool) const override {
    const auto parts = static_cast<int>(std::clamp<int64_t>(work_ / kGrain, 1, threads_));
    const auto part_work = [&](int part) {
      const int64_t first = work_ * part / parts, behind = work_ * (part + 1) / parts;
      int64_t before = 0;  // elements of the plans that came before
      for (const Plan& plan : plans_) {
        const int64_t of_item = ItemWork(plan);
        if (plan.items == 0 || plan.run.dim == 0) continue;
        const auto item_at = [&](int64_t element) {
          return std::clamp<int64_t>((element - before + of_item - 1) / of_item, 0, plan.items);
        };
        const int64_t begin = first <= before ? 0 : item_at(first);
        const int64_t end = behind <= before ? 0 : item_at(behind);
        before += plan.items * of_item;
        if (begin < end) Copy(plan, inputs[plan.part.input], outputs[plan.part.output], begin, end);
      }
    };
    pool.Run(parts, [&part_work](int part) { part_work(part); });
  }

 private:
  static constexpr int64_t kGrain = 32768;  // elements that are worth a thread

  static int64_t ItemWork(const Plan& plan) { return std::min(kTile, plan.row.dim) * plan.run.dim; }

  void Copy(const Plan& plan, const void* in, void* out, int64_t begin, int64_t end) const {
    switch (bytes_) {
      case 1:
        return CopyItems<uint8_t>(plan, in, out, begin, end);
      case 2:
        return CopyItems<uint16_t>(plan, in, out, begin, end);
      case 4:
        return CopyItems<uint32_t>(plan, in, out, begin, end);
      default:
        return CopyItems<uint64_t>(plan, in, out, begin, end);
    }
  }

  int bytes_;
  std::vector<Plan> plans_;
  int threads_;
  int64_t work_ = 0;
};

}  // namespace

Status CheckMovable(DType dtype) {
  const int bits = BitSize(dtype);
  if (bits == 8 || bits == 16 || bits == 32 || bits == 64) return {};
  return UserError("elements of {} bits are not supported", bits);
}

std::vector<int64_t> ElementStrides(const Dims& dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

std::unique_ptr<PreparedKernel> MakeStridedCopy(DType dtype, std::vector<CopyPart> parts, int threads) {
  std::vector<Plan> plans;
  for (CopyPart& part : parts) plans.push_back(MakePlan(std::move(part)));
  return std::make_unique<StridedCopy>(BitSize(dtype) / 8, std::move(plans), threads);
}

double PredictCopySeconds(const Problem& problem) {
  return PredictSeconds(problem, Isa::kX86_64, 0);
}

}  // namespace tamis
