// TopK: the k best of each row along an axis and where they are; of equal values the first wins, a NaN counts as larger
// than any number.
#include <algorithm>

#include "src/kernels/elementwise/typed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

// Items are rows: `size` elements, `step` apart.
struct Args {
  int64_t size = 0, step = 1, k = 0, capacity = 0;
  bool largest = true, values = true, indices = true;
};

template <class T>
struct Entry {
  T value;
  int64_t index;
};

template <class T>
bool Less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a != a || b != b) return !(a != a);
  }
  return a < b;
}

template <class T, bool kLargest>
bool Before(const Entry<T>& a, const Entry<T>& b) {
  const bool first = kLargest ? Less(b.value, a.value) : Less(a.value, b.value);
  const bool second = kLargest ? Less(a.value, b.value) : Less(b.value, a.value);
  return first || (!second && a.index < b.index);
}

// The candidates of a row are kept in a buffer of `capacity`; whenever it is full, the k best of them stay, and what
// does not beat the last of these is passed over from then on.
template <class T>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* scratch) {
  auto* kept = reinterpret_cast<Entry<T>*>(scratch);
  const auto before = args.largest ? Before<T, true> : Before<T, false>;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t outer = item / args.step, inner = item % args.step;
    const T* x = static_cast<const T*>(inputs[0]) + outer * args.size * args.step + inner;
    int64_t count = 0;
    bool bounded = false;
    T bound{};
    for (int64_t i = 0; i < args.size; ++i) {
      const T value = x[i * args.step];
      if (bounded && !(args.largest ? Less(bound, value) : Less(value, bound))) continue;
      kept[count++] = {value, i};
      if (count < args.capacity) continue;
      std::nth_element(kept, kept + args.k - 1, kept + count, before);
      count = args.k;
      bound = kept[args.k - 1].value;
      bounded = true;
    }
    if (count > args.k) std::nth_element(kept, kept + args.k - 1, kept + count, before);
    std::sort(kept, kept + args.k, before);
    for (int64_t i = 0; i < args.k; ++i) {
      const int64_t to = (outer * args.k + i) * args.step + inner;
      if (args.values) static_cast<T*>(outputs[0])[to] = kept[i].value;
      if (args.indices) static_cast<int64_t*>(outputs[1])[to] = kept[i].index;
    }
  }
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  const Operand& x = problem.input(0);
  if (!WithNumber(x.dtype, [](auto) {})) return UserError("input 0 is {}; numbers are supported", Name(x.dtype));
  if (NormalizeAxis(problem.node->Int("axis", -1), x.dims.size()) < 0) {
    return UserError("the axis does not lie within {}", ToString(x.dims));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims& dims = problem.input(0).dims;
  const auto axis = static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", -1), dims.size()));
  const auto asked = [&](size_t i) { return problem.outputs.size() > i && problem.outputs[i].Present(); };
  Args args;
  args.size = dims[axis];
  args.step = Product(dims, axis + 1, dims.size());
  args.values = asked(0);
  args.indices = asked(1);
  args.k = problem.outputs[args.values ? 0 : 1].dims[axis];
  args.capacity = std::min(args.size + 1, 2 * args.k + 64);  // more than k, so that the buffer empties
  args.largest = problem.node->Int("largest", 1) != 0;
  const int64_t rows = args.k == 0 ? 0 : Product(dims, 0, axis) * args.step;
  RangeBody<Args> body = nullptr;
  WithNumber(problem.input(0).dtype, [&]<class T>(T) { body = Rows<T>; });
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, body, rows, GrainFor(args.size * 2), problem.threads,
                                          static_cast<size_t>(args.capacity) * sizeof(Entry<int64_t>)));
}

double Cost(const Problem& problem) {
  return PredictSeconds(problem, Isa::kX86_64, 8.0 * static_cast<double>(Elements(problem.input(0))));
}

}  // namespace

extern const KernelDef kernel_top_k = {
    .name = "top_k",
    .family = "select",
    .ops = {"TopK"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
