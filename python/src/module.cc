// tamis._tamis, what the package's Python files are written over.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/errors.h"
#include "src/base/cpu.h"
#include "src/base/version.h"
#include "src/kernels/kernel.h"

NB_MODULE(_tamis, module) {
  tamis::python::Check(tamis::CheckIsaVariable());
  tamis::ConfigureLibraries();
  module.attr("__version__") = std::string(tamis::kVersion);
  module.def("set_dtypes", tamis::python::SetDTypes);
  tamis::python::DefineEngine(module);
  tamis::python::DefineSession(module);
}
