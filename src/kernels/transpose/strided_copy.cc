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

// 8 x 8 elements of two bytes: pairs of rows are interleaved in twos, fours and eights.
void TransposeHalves(const void* in, void* out, int64_t in_stride, int64_t out_stride) {
  const auto* from = static_cast<const uint16_t*>(in);
  auto* to = static_cast<uint16_t*>(out);
  __m128i v[8], w[8];
  for (int i = 0; i < 8; ++i) v[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i * in_stride));
  for (int i = 0; i < 4; ++i) {
    w[2 * i] = _mm_unpacklo_epi16(v[i], v[i + 4]);
    w[2 * i + 1] = _mm_unpackhi_epi16(v[i], v[i + 4]);
  }
  for (int i = 0; i < 4; ++i) {
    v[2 * i] = _mm_unpacklo_epi16(w[i], w[i + 4]);
    v[2 * i + 1] = _mm_unpackhi_epi16(w[i], w[i + 4]);
  }
  for (int i = 0; i < 4; ++i) {
    w[2 * i] = _mm_unpacklo_epi16(v[i], v[i + 4]);
    w[2 * i + 1] = _mm_unpackhi_epi16(v[i], v[i + 4]);
  }
  for (int i = 0; i < 8; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i * out_stride), w[i]);
}

// A whole tile by way of a buffer: lines of the source are read whole and those of the target written whole. Powers of
// two lie between the lines of both often, so that sixteen of them don't stay in the first-level cache together.
void TransposeWholeTile(const uint32_t* in, uint32_t* out, int64_t in_stride, int64_t out_stride) {
  alignas(64) uint32_t tile[kTile][kTile];
  for (int64_t c = 0; c < kTile; c += 4) {
    for (int64_t r = 0; r < kTile; r += 4) {
      __m128 v[4];
      for (int64_t i = 0; i < 4; ++i) {
        v[i] = _mm_castsi128_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + (c + i) * in_stride + r)));
      }
      _MM_TRANSPOSE4_PS(v[0], v[1], v[2], v[3]);
      for (int64_t i = 0; i < 4; ++i) _mm_store_ps(reinterpret_cast<float*>(&tile[r + i][c]), v[i]);
    }
  }
  for (int64_t r = 0; r < kTile; ++r) {
    for (int64_t c = 0; c < kTile; c += 4) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + r * out_stride + c),
                       _mm_load_si128(reinterpret_cast<const __m128i*>(&tile[r][c])));
    }
  }
}

template <class T>
void TransposeTile(const T* in, T* out, int64_t rows, int64_t columns, int64_t in_stride, int64_t out_stride) {
  int64_t r = 0;
  if constexpr (sizeof(T) == 4) {
    if (rows == kTile && columns == kTile) return TransposeWholeTile(in, out, in_stride, out_stride);
    // 4 x 4 at a time in registers
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
  if constexpr (sizeof(T) == 2) {  // 8 x 8
    for (; r + 8 <= rows; r += 8) {
      int64_t c = 0;
      for (; c + 8 <= columns; c += 8)
        TransposeHalves(in + c * in_stride + r, out + r * out_stride + c, in_stride, out_stride);
      for (; c < columns; ++c) {
        for (int64_t i = r; i < r + 8; ++i) out[i * out_stride + c] = in[c * in_stride + i];
      }
    }
  }
  for (; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) out[r * out_stride + c] = in[c * in_stride + r];
  }
}

// Runs of one size, an even distance apart. Short ones are what channels and heads are: a library call or a count for
// each would take longer than its bytes.
template <int64_t kBytes>
void CopyRunsOf(const std::byte* in, std::byte* out, int64_t count, int64_t in_step, int64_t out_step) {
  for (int64_t i = 0; i < count; ++i, in += in_step, out += out_step) std::memcpy(out, in, kBytes);
}

// Of 16 to 256 bytes that no line above fits: whole vectors, and one that ends where the run does.
void CopyShortRuns(const std::byte* in, std::byte* out, int64_t bytes, int64_t count, int64_t in_step,
                   int64_t out_step) {
  const auto move = [&](int64_t at) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + at), _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + at)));
  };
  for (int64_t i = 0; i < count; ++i, in += in_step, out += out_step) {
    for (int64_t at = 0; at + 16 <= bytes; at += 16) move(at);
    if (bytes % 16 != 0) move(bytes - 16);
  }
}

void CopyRuns(const std::byte* in, std::byte* out, int64_t bytes, int64_t count, int64_t in_step, int64_t out_step) {
  switch (bytes) {
    case 4:
      return CopyRunsOf<4>(in, out, count, in_step, out_step);
    case 8:
      return CopyRunsOf<8>(in, out, count, in_step, out_step);
    case 16:
      return CopyRunsOf<16>(in, out, count, in_step, out_step);
    case 32:
      return CopyRunsOf<32>(in, out, count, in_step, out_step);
    case 48:
      return CopyRunsOf<48>(in, out, count, in_step, out_step);
    case 64:
      return CopyRunsOf<64>(in, out, count, in_step, out_step);
    case 96:
      return CopyRunsOf<96>(in, out, count, in_step, out_step);
    case 128:
      return CopyRunsOf<128>(in, out, count, in_step, out_step);
    default:
      break;
  }
  if (bytes >= 16 && bytes <= 256) return CopyShortRuns(in, out, bytes, count, in_step, out_step);
  for (int64_t i = 0; i < count; ++i, in += in_step, out += out_step) {
    std::memcpy(out, in, static_cast<size_t>(bytes));
  }
}

// One item: a run, or a tile of rows.
template <class T>
void CopyItem(const Plan& plan, const T* in, T* out, int64_t rows) {
  if (plan.row.dim > 1 && plan.run.out == 1) {
    for (int64_t column = 0; column < plan.run.dim; column += kTile) {
      // Lines that far apart are on pages of their own, where the processor doesn't look ahead.
      for (int64_t next = column + kTile; next < std::min(column + 2 * kTile, plan.run.dim); ++next) {
        _mm_prefetch(reinterpret_cast<const char*>(in + next * plan.run.in), _MM_HINT_T0);
      }
      TransposeTile(in + column * plan.run.in, out + column, rows, std::min(kTile, plan.run.dim - column), plan.run.in,
                    plan.row.out);
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

// The items of a part in order, those of the innermost loop around them at once.
template <class T>
void CopyItems(const Plan& plan, const void* source, void* target, int64_t begin, int64_t end) {
  const bool runs = plan.row.dim == 1 && plan.run.in == 1 && plan.run.out == 1;
  // Items that differ in this loop only: the tiles of a row's loop, or whole runs.
  const bool tiled = plan.row.dim > kTile;
  const CopyLoop along = tiled ? CopyLoop{(plan.row.dim + kTile - 1) / kTile, plan.row.in * kTile, plan.row.out * kTile}
                         : plan.outer.empty() ? CopyLoop{}
                                              : plan.outer.back();
  const size_t outer = plan.outer.size() - (tiled || plan.outer.empty() ? 0 : 1);
  for (int64_t item = begin; item < end;) {
    int64_t rest = item / along.dim;
    const int64_t first = item % along.dim, count = std::min(along.dim - first, end - item);
    int64_t in_at = plan.part.in_offset + first * along.in, out_at = plan.part.out_offset + first * along.out;
    for (size_t i = outer; i-- > 0;) {
      const CopyLoop& loop = plan.outer[i];
      in_at += rest % loop.dim * loop.in;
      out_at += rest % loop.dim * loop.out;
      rest /= loop.dim;
    }
    const T* in = static_cast<const T*>(source) + in_at;
    T* out = static_cast<T*>(target) + out_at;
    if (runs) {
      constexpr int64_t kSize = sizeof(T);
      CopyRuns(reinterpret_cast<const std::byte*>(in), reinterpret_cast<std::byte*>(out), plan.run.dim * kSize, count,
               along.in * kSize, along.out * kSize);
    } else {
      for (int64_t i = 0; i < count; ++i, in += along.in, out += along.out) {
        CopyItem(plan, in, out, tiled ? std::min(kTile, plan.row.dim - (first + i) * kTile) : plan.row.dim);
      }
    }
    item += count;
  }
}

class StridedCopy : public PreparedKernel {
 public:
  StridedCopy(int bytes, std::vector<Plan> plans, int threads)
      : bytes_(bytes), plans_(std::move(plans)), threads_(std::max(threads, 1)) {
    for (const Plan& plan : plans_) work_ += plan.items * ItemWork(plan);
    side_by_side_ =
        plans_.size() > 1 && plans_[0].items >= threads_ * kLeastItems &&
        std::all_of(plans_.begin(), plans_.end(), [&](const Plan& plan) { return plan.items == plans_[0].items; });
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* /*workspace*/,
           ThreadPool& pool) const override {
    const auto parts = static_cast<int>(std::clamp<int64_t>(work_ / kGrain, 1, threads_));
    const auto part_work = [&](int part) {
      if (side_by_side_) {
        CopyBeside(inputs, outputs, part, parts);
      } else {
        CopyAfter(inputs, outputs, part, parts);
      }
    };
    pool.Run(parts, [&part_work](int part) { part_work(part); });
  }

 private:
  static constexpr int64_t kBlock = 4096;    // elements that stay in the L1 cache
  static constexpr int64_t kLeastItems = 8;  // of a part and thread, for threads to share all parts

  // Parts of one shape, as channels that are put beside each other: a thread has the same pixels of all of them, and
  // few at a time, for neighbours of two parts lie in one line of the cache.
  void CopyBeside(std::span<const void* const> inputs, std::span<void* const> outputs, int part, int parts) const {
    const int64_t items = plans_[0].items, end = items * (part + 1) / parts;
    const int64_t step = std::max<int64_t>(1, kBlock * items / std::max<int64_t>(work_, 1));
    for (int64_t begin = items * part / parts; begin < end; begin += step) {
      for (const Plan& plan : plans_) {
        if (plan.run.dim == 0) continue;
        Copy(plan, inputs[plan.part.input], outputs[plan.part.output], begin, std::min(begin + step, end));
      }
    }
  }

  // One part after the other, the elements of all of them divided evenly.
  void CopyAfter(std::span<const void* const> inputs, std::span<void* const> outputs, int part, int parts) const {
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
  }

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
  bool side_by_side_ = false;
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
