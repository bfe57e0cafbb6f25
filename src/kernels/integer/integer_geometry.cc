#include "src/kernels/integer/integer_geometry.h"

#include <algorithm>

#include "src/kernels/operand_check.h"

namespace tamis {

std::vector<int64_t> IntegerGeometry::TapPlaces() const {
  std::vector<int64_t> places;
  for (int64_t z = 0; z < taps[0]; ++z) {
    for (int64_t y = 0; y < taps[1]; ++y) {
      for (int64_t x = 0; x < taps[2]; ++x) places.push_back(At(z * dilation[0], y * dilation[1], x * dilation[2]));
    }
  }
  return places;
}

Result<IntegerGeometry> ReadIntegerConv(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  for (size_t i = 0; i < 2; ++i) {
    const DType dtype = problem.input(i).dtype;
    if (dtype != DType::kUInt8 && dtype != DType::kInt8) return UserError("input {} is {}", i, Name(dtype));
  }
  const Operand& zeros = problem.input(3);
  if (zeros.Present() && Elements(zeros) != 1 && Elements(zeros) != problem.input(1).dims[0]) {
    return UserError("zero points {} for {} filters", ToString(zeros.dims), problem.input(1).dims[0]);
  }
  const Dims &x = problem.input(0).dims, &w = problem.input(1).dims, &y = problem.outputs[0].dims;
  const Node& node = *problem.node;
  if (x.size() < 3 || x.size() > 5 || w.size() != x.size()) {
    return UserError("{} with filters {}: one to three spatial axes are supported", ToString(x), ToString(w));
  }
  const size_t axes = x.size() - 2, skipped = IntegerGeometry::kAxes - axes;
  IntegerGeometry g;
  g.batch = x[0];
  g.groups = node.Int("group", 1);
  if (g.groups < 1 || w[0] % g.groups != 0 || w[1] * g.groups != x[1]) return UserError("groups do not fit");
  g.channels = w[1];
  g.filters = w[0] / g.groups;
  const auto strides = node.Ints("strides", std::vector<int64_t>(axes, 1));
  const auto dilations = node.Ints("dilations", std::vector<int64_t>(axes, 1));
  auto pads = node.Ints("pads", std::vector<int64_t>(2 * axes, 0));
  if (strides.size() != axes || dilations.size() != axes || pads.size() != 2 * axes) {
    return UserError("an attribute does not fit {} axes", axes);
  }
  const std::string auto_pad = node.String("auto_pad", "NOTSET");
  for (size_t i = 0; i < axes; ++i) {
    const size_t d = skipped + i;
    g.in[d] = x[2 + i];
    g.out[d] = y[2 + i];
    g.taps[d] = w[2 + i];
    g.stride[d] = strides[i];
    g.dilation[d] = dilations[i];
    const int64_t reach = (g.out[d] - 1) * g.stride[d] + (g.taps[d] - 1) * g.dilation[d] + 1;
    if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
      const int64_t total = std::max<int64_t>(reach - g.in[d], 0);
      pads[i] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    } else if (auto_pad == "VALID") {
      pads[i] = 0;
    }
    if (pads[i] < 0 || g.stride[d] < 1 || g.dilation[d] < 1) return UserError("negative pads or strides");
    g.pad[d] = pads[i];
    g.padded[d] = std::max(reach, g.in[d] + pads[i]);
  }
  return g;
}

}  // namespace tamis
