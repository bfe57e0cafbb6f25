// Pools of ONNX's own layout that networks have beside the channels-last ones: maxima that also tell where they were
// (SegNet), maxima of bytes and f64, and p-norms.
#include <cmath>
#include <limits>

#include "src/kernels/operand_check.h"
#include "src/kernels/pool/pool.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

// Items are rows of the result's last axis, of all planes.
struct Args {
  WindowGeometry geometry;
  bool norm = false, indices = false, column_major = false;
  double p = 2;
};

struct Taps {
  int64_t begin, end, first;
};
// Those that lie inside the input, of the window at `out`.
Taps TapsAt(const SlidingAxis& axis, int64_t out) {
  const int64_t start = out * axis.stride - axis.pad_begin;
  const int64_t begin = start >= 0 ? 0 : (-start + axis.dilation - 1) / axis.dilation;
  const int64_t end = start >= axis.in ? 0 : std::min(axis.kernel, (axis.in - 1 - start) / axis.dilation + 1);
  return {std::min(begin, axis.kernel), end, start};
}

template <class T, class F>
void ForTaps(const WindowGeometry& geometry, const Taps (&taps)[3], const T* plane, F f) {
  const auto& axes = geometry.axes;
  for (int64_t z = taps[0].begin; z < taps[0].end; ++z) {
    for (int64_t y = taps[1].begin; y < taps[1].end; ++y) {
      const int64_t row = (taps[0].first + z * axes[0].dilation) * axes[1].in + taps[1].first + y * axes[1].dilation;
      const int64_t at = row * axes[2].in + taps[2].first;
      for (int64_t x = taps[2].begin; x < taps[2].end; ++x) {
        f(plane[at + x * axes[2].dilation], at + x * axes[2].dilation);
      }
    }
  }
}

template <class T>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const WindowGeometry& geometry = args.geometry;
  const auto& axes = geometry.axes;
  const T lowest =
      std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  for (int64_t item = begin; item < end; ++item) {
    const int64_t plane = item / (axes[0].out * axes[1].out);
    const T* x = static_cast<const T*>(inputs[0]) + plane * geometry.InputSize();
    Taps taps[3] = {TapsAt(axes[0], item / axes[1].out % axes[0].out), TapsAt(axes[1], item % axes[1].out), {}};
    for (int64_t o = 0; o < axes[2].out; ++o) {
      taps[2] = TapsAt(axes[2], o);
      const int64_t to = item * axes[2].out + o;
      if (args.norm) {
        double sum = 0;
        ForTaps(geometry, taps, x, [&](T value, int64_t) {
          const double magnitude = std::abs(static_cast<double>(value));
          sum += args.p == 2 ? magnitude * magnitude : args.p == 1 ? magnitude : std::pow(magnitude, args.p);
        });
        static_cast<T*>(outputs[0])[to] = static_cast<T>(args.p == 2   ? std::sqrt(sum)
                                                         : args.p == 1 ? sum
                                                                       : std::pow(sum, 1 / args.p));
        continue;
      }
      T best = lowest;
      int64_t at = -1;
      ForTaps(geometry, taps, x, [&](T value, int64_t from) {
        if (at >= 0 && !(value > best) && !(value != value && best == best)) return;
        best = value;
        at = from;
      });
      if (outputs[0] != nullptr) static_cast<T*>(outputs[0])[to] = best;
      if (!args.indices) continue;
      if (at >= 0 && args.column_major) {  // the first spatial axis counts fastest
        const int64_t h = axes[1].in, w = axes[2].in;
        at = at / (h * w) + (at / w % h + at % w * h) * axes[0].in;
      }
      static_cast<int64_t*>(outputs[1])[to] = at < 0 ? -1 : plane * geometry.InputSize() + at;
    }
  }
}

Result<Args> MakeArgs(const Problem& problem) {
  const Node& node = *problem.node;
  Args args;
  TAMIS_ASSIGN_OR_RETURN(args.geometry, OnnxPoolGeometry(problem));
  args.norm = node.op == "LpPool";
  args.p = static_cast<double>(node.Int("p", 2));
  args.indices = problem.outputs.size() > 1 && problem.outputs[1].Present();
  args.column_major = node.Int("storage_order", 0) != 0;
  return args;
}

RangeBody<Args> BodyOf(DType dtype, bool norm) {
  if (dtype == DType::kFloat32) return Rows<float>;
  if (dtype == DType::kFloat64) return Rows<double>;
  if (dtype == DType::kInt8 && !norm) return Rows<int8_t>;
  if (dtype == DType::kUInt8 && !norm) return Rows<uint8_t>;
  return nullptr;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  if (problem.outputs.empty() || !problem.outputs[0].Present()) return UserError("output 0 is missing");
  const DType dtype = problem.input(0).dtype;
  if (BodyOf(dtype, problem.node->op == "LpPool") == nullptr) return UserError("{} is not pooled here", Name(dtype));
  return MakeArgs(problem).status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  TAMIS_ASSIGN_OR_RETURN(const Args args, MakeArgs(problem));
  const Dims& in = problem.input(0).dims;
  const auto& axes = args.geometry.axes;
  const int64_t rows = axes[2].out == 0 ? 0 : in[0] * in[1] * axes[0].out * axes[1].out;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, BodyOf(problem.input(0).dtype, args.norm), rows,
                                          GrainFor(axes[2].out * args.geometry.KernelSize(), 16384), problem.threads));
}

}  // namespace

extern const KernelDef kernel_pool_plain = {
    .name = "pool_plain",
    .family = "pool",
    .ops = {"MaxPool", "LpPool"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
