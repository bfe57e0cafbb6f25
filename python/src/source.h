// What the compiler's functions are given: a model, and shapes of its inputs.
#pragma once

#include <nanobind/nanobind.h>

#include <map>
#include <string>
#include <vector>

#include "src/compiler/plan/build.h"
#include "src/compiler/verbs/model_source.h"

namespace tamis::python {

// By input: dimensions at min, opt and max.
using Profiles = std::map<std::string, std::vector<Dims>>;
InputRanges Ranges(const Profiles& profiles);

// `model`: an Engine, the bytes of an ONNX model (which Python keeps alive for as long as the call takes), or a path,
// as tamis/_models.py makes it.
ModelSource ModelOf(const nanobind::object& model, const std::string& folder);

}  // namespace tamis::python
