#include "src/kernels/window.h"

#include <array>

namespace tamis {
namespace {

constexpr int64_t kLimit = int64_t{1} << 31;  // of each number, so that products stay far from overflow

Status CheckAxis(const WindowAxis& axis, size_t i) {
  for (const int64_t value : {axis.in, axis.out, axis.taps, axis.stride, axis.dilation}) {
    if (value < 0 || value > kLimit) return UserError("spatial axis {}: {} is out of range", i, value);
  }
  if (axis.taps == 0 || axis.stride == 0 || axis.dilation == 0) return UserError("spatial axis {}: a size is 0", i);
  for (const int64_t pad : {axis.pad_begin, axis.pad_end}) {
    if (pad < 0 || pad > kLimit) return UserError("spatial axis {}: padding {} is not supported", i, pad);
  }
  if ((axis.out - 1) * axis.stride - axis.pad_begin >= axis.in + axis.pad_end) {
    return UserError("spatial axis {}: the last of {} outputs lies outside the padded input", i, axis.out);
  }
  return {};
}

}  // namespace

Result<Window> MakeWindow(const Problem& problem, const std::vector<int64_t>& taps, size_t max_rank) {
  const Dims &in = problem.input(0).dims, &out = problem.outputs[0].dims;
  const size_t rank = taps.size();
  if (rank < 1 || rank > max_rank) return UserError("{} spatial axes; one to {} are supported", rank, max_rank);
  if (in.size() != rank + 2 || out.size() != rank + 2)
    return UserError("x {} doesn't have {} spatial axes", ToString(in), rank);
  const std::vector<int64_t> ones(rank, 1), zeros(2 * rank, 0);
  const auto strides = problem.node->Ints("strides", ones), dilations = problem.node->Ints("dilations", ones);
  const auto pads = problem.node->Ints("pads", zeros);
  if (strides.size() != rank || dilations.size() != rank || pads.size() != 2 * rank) {
    return UserError("strides, dilations or pads don't have an element for each spatial axis");
  }
  Window window;
  window.batch = in[0];
  window.channels = in[rank + 1];
  for (size_t i = 0; i < rank; ++i) {
    const WindowAxis axis{in[i + 1], out[i + 1], taps[i], strides[i], dilations[i], pads[i], pads[rank + i]};
    TAMIS_RETURN_IF_ERROR(CheckAxis(axis, i));
    *std::array{&window.z, &window.y, &window.x}[3 - rank + i] = axis;
  }
  if (out[0] != in[0]) return UserError("x and y differ in batch");
  return window;
}

}  // namespace tamis
