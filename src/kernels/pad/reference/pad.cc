// Pad in all modes: constant, edge, reflect, wrap; negative pads cut.
//
// Where each element of a padded axis comes from is worked out at preparation; a row of the last axis is then a run
// copied whole and a few single elements on either side.
#include <algorithm>
#include <cstring>

#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

constexpr size_t kMaxRank = 8;

// Items are rows of the result's last axis.
struct Args {
  size_t rank = 0;
  int64_t out[kMaxRank] = {};
  // Of each axis: the source of element i, in elements of the input; -1 for the padding value. Owned by the kernel.
  const int64_t* sources[kMaxRank] = {};
  int64_t run_begin = 0, run_end = 0;  // elements of the last axis that lie inside the input
  bool value = false;                  // input 2 is given
};

template <class T>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const T* x = static_cast<const T*>(inputs[0]);
  const T filler = args.value ? *static_cast<const T*>(inputs[2]) : T{};
  const size_t last = args.rank - 1;
  const int64_t row = args.out[last];
  const int64_t* columns = args.sources[last];
  for (int64_t item = begin; item < end; ++item) {
    T* y = static_cast<T*>(outputs[0]) + item * row;
    int64_t rest = item, from = 0;
    bool outside = false;
    for (size_t d = last; d-- > 0; rest /= args.out[d]) {
      const int64_t source = args.sources[d][rest % args.out[d]];
      outside |= source < 0;
      from += source;
    }
    if (outside) {
      std::fill_n(y, row, filler);
      continue;
    }
    const auto fill = [&](int64_t first, int64_t behind) {
      for (int64_t i = first; i < behind; ++i) y[i] = columns[i] < 0 ? filler : x[from + columns[i]];
    };
    fill(0, args.run_begin);
    if (args.run_begin < args.run_end) {
      std::memcpy(y + args.run_begin, x + from + columns[args.run_begin],
                  static_cast<size_t>(args.run_end - args.run_begin) * sizeof(T));
    }
    fill(args.run_end, row);
  }
}

class Pad : public RangeKernel<Args> {
 public:
  Pad(const Args& args, RangeBody<Args> body, int64_t rows, int threads, std::vector<std::vector<int64_t>> sources)
      : RangeKernel(args, body, rows, GrainFor(args.out[args.rank - 1], 131072), threads),
        sources_(std::move(sources)) {}

 private:
  std::vector<std::vector<int64_t>> sources_;
};

// Elements added before and after each axis; an error where they aren't constant.
Result<std::vector<std::pair<int64_t, int64_t>>> ReadPads(const Problem& problem) {
  const size_t rank = problem.input(0).dims.size();
  std::vector<int64_t> pads = problem.node->Ints("pads"), axes;
  if (problem.input(1).Present()) {
    if (problem.input(1).constant == nullptr) return UserError("the pads are not constant");
    pads = problem.input(1).constant->ToInt64s();
  }
  if (problem.input(3).Present()) {
    if (problem.input(3).constant == nullptr) return UserError("the axes are not constant");
    axes = problem.input(3).constant->ToInt64s();
  } else {
    for (size_t axis = 0; axis < rank; ++axis) axes.push_back(static_cast<int64_t>(axis));
  }
  std::vector<std::pair<int64_t, int64_t>> amounts(rank);
  if (pads.size() != 2 * axes.size()) return UserError("{} pads for {} axes", pads.size(), axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = NormalizeAxis(axes[i], rank);
    if (axis < 0) return UserError("the axis does not lie within {}", ToString(problem.input(0).dims));
    amounts[static_cast<size_t>(axis)] = {pads[i], pads[i + axes.size()]};
  }
  return amounts;
}

// An axis that is copied whole joins the one before it, whose amounts then count in its elements: rows get longer.
// Other modes than `constant` look elements up one by one, so only where neither is padded.
struct Shape {
  Dims in, out;
  std::vector<std::pair<int64_t, int64_t>> pads;
};
Shape Merge(const Dims& in, const Dims& out, const std::vector<std::pair<int64_t, int64_t>>& pads, bool constant) {
  const auto whole = [](const std::pair<int64_t, int64_t>& pad) { return pad.first == 0 && pad.second == 0; };
  Shape merged;
  for (size_t axis = in.size(); axis-- > 0;) {  // innermost first
    if (!merged.in.empty() && whole(merged.pads.back()) && (constant || whole(pads[axis]))) {
      const int64_t inner = merged.in.back();
      merged.pads.back() = {pads[axis].first * inner, pads[axis].second * inner};
      merged.in.back() *= in[axis];
      merged.out.back() *= out[axis];
    } else {
      merged.in.push_back(in[axis]);
      merged.out.push_back(out[axis]);
      merged.pads.push_back(pads[axis]);
    }
  }
  std::reverse(merged.in.begin(), merged.in.end());
  std::reverse(merged.out.begin(), merged.out.end());
  std::reverse(merged.pads.begin(), merged.pads.end());
  return merged;
}

int64_t SourceOf(int64_t i, int64_t size, const std::string& mode) {
  if (i >= 0 && i < size) return i;
  if (mode == "reflect") return i < 0 ? -i : 2 * (size - 1) - i;
  if (mode == "wrap") return (i % size + size) % size;
  if (mode == "edge") return std::clamp<int64_t>(i, 0, size - 1);
  return -1;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand& x = problem.input(0);
  TAMIS_RETURN_IF_ERROR(CheckMovable(x.dtype));
  if (x.dims.empty() || x.dims.size() > kMaxRank) return UserError("ranks 1 to {} are supported", kMaxRank);
  const auto pads = ReadPads(problem);
  if (!pads.ok()) return pads.status();
  if (problem.node->Float("value", 0) != 0) return UserError("a padding value as an attribute is not supported");
  const std::string mode = problem.node->String("mode", "constant");
  for (size_t axis = 0; axis < x.dims.size(); ++axis) {
    const int64_t size = x.dims[axis], out = problem.outputs[0].dims[axis], before = (*pads)[axis].first;
    for (const int64_t end : {-before, out - 1 - before}) {
      const int64_t source = out == 0 || (size == 0 && mode != "constant") ? 0 : SourceOf(end, size, mode);
      if (source >= std::max<int64_t>(size, 1)) return UserError("the pads reflect more than there is");
    }
    if (size == 0 && mode != "constant") return UserError("an empty axis can't be padded in mode {}", mode);
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Operand& x = problem.input(0);
  TAMIS_ASSIGN_OR_RETURN(const auto given, ReadPads(problem));
  const std::string mode = problem.node->String("mode", "constant");
  const auto [in, out, pads] = Merge(x.dims, problem.outputs[0].dims, given, mode == "constant");
  const auto strides = ElementStrides(in);
  std::vector<std::vector<int64_t>> sources(out.size());
  Args args;
  args.rank = out.size();
  args.value = problem.input(2).Present();
  for (size_t axis = 0; axis < out.size(); ++axis) {
    args.out[axis] = out[axis];
    for (int64_t i = 0; i < out[axis]; ++i) {
      const int64_t source = SourceOf(i - pads[axis].first, in[axis], mode);
      sources[axis].push_back(source < 0 ? INT64_MIN / 16 : source * strides[axis]);
    }
    args.sources[axis] = sources[axis].data();
  }
  args.run_begin = std::clamp<int64_t>(pads.back().first, 0, out.back());
  args.run_end = std::clamp<int64_t>(pads.back().first + in.back(), args.run_begin, out.back());
  const int64_t rows = out.back() == 0 ? 0 : Elements(problem.outputs[0]) / out.back();
  const int bytes = BitSize(x.dtype) / 8;
  const auto body = bytes == 1   ? Rows<uint8_t>
                    : bytes == 2 ? Rows<uint16_t>
                    : bytes == 4 ? Rows<uint32_t>
                                 : Rows<uint64_t>;
  return std::unique_ptr<PreparedKernel>(std::make_unique<Pad>(args, body, rows, problem.threads, std::move(sources)));
}

}  // namespace

extern const KernelDef kernel_pad = {
    .name = "pad",
    .family = "pad",
    .ops = {"Pad"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
};

}  // namespace tamis
