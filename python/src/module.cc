// tamis._tamis, what the package's Python files are written over.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/device_array.h"
#include "python/src/errors.h"
#include "src/base/cpu.h"
#include "src/base/version.h"
#include "src/cuda/device.h"
#include "src/kernels/kernel.h"
#include "src/ops/op_def.h"

namespace {

// [(domain, name, the oldest opset whose meaning is known), ...]
std::vector<std::tuple<std::string, std::string, int64_t>> Operators() {
  std::vector<std::tuple<std::string, std::string, int64_t>> operators;
  for (const tamis::OpDef* op : tamis::AllOps()) operators.emplace_back(op->domain, op->name, op->since_opset);
  return operators;
}

// Why a device can't be used; empty if it can.
std::string DeviceProblem(const std::string& text) {
  const auto gpu = tamis::ParseDevice(text);
  if (!gpu.ok()) return gpu.status().message();
  if (!*gpu) return "";
  const auto opened = tamis::CudaDevice::Open(**gpu);
  return opened.ok() ? "" : opened.status().message();
}

}  // namespace

NB_MODULE(_tamis, module) {
  tamis::python::Check(tamis::CheckIsaVariable());
  tamis::ConfigureLibraries();
  module.attr("VERSION") = std::string(tamis::kVersion);
  module.def("set_dtypes", tamis::python::SetDTypes);
  module.def("operators", Operators);
  module.def("device_problem", DeviceProblem, nanobind::arg("device"));
  tamis::python::DefineDeviceArray(module);
  tamis::python::DefineEngine(module);
  tamis::python::DefineSession(module);
  tamis::python::DefineVerbs(module);
}
