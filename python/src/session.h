// tamis._tamis.Session: a session as Python sees it.
#pragma once

#include <nanobind/nanobind.h>

namespace tamis::python {

void DefineSession(nanobind::module_& module);

}  // namespace tamis::python
