// What the compiler's functions are given: a model, and shapes of its inputs.
#pragma once

#include <nanobind/nanobind.h>

#include <map>
#include <string>
#include <vector>

#include "src/compiler/build.h"

namespace tamis::python {

// By input: dimensions at min, opt and max.
using Profiles = std::map<std::string, std::vector<Dims>>;
InputRanges Ranges(const Profiles& profiles);

// An ONNX model in memory (`data`, which the caller keeps alive), or the path of one or of an engine.
struct Source {
  const char* data = nullptr;
  size_t size = 0;
  std::string path, folder;
  bool is_engine = false;

  // `model`: bytes or str, as tamis/_models.py makes it.
  static Source Of(const nanobind::object& model, const std::string& folder, bool is_engine);
  // Without the interpreter's lock. Throws.
  Network Load() const;
};

}  // namespace tamis::python
