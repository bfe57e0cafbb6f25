#include "python/src/source.h"

#include <nanobind/stl/string.h>

#include "python/src/bindings.h"
#include "python/src/errors.h"

namespace nb = nanobind;

namespace tamis::python {

InputRanges Ranges(const Profiles& profiles) {
  InputRanges ranges;
  for (const auto& [input, bounds] : profiles) {
    if (bounds.size() != 3) Raise(UserError("the profile of '{}' needs the dimensions at min, opt and max", input));
    ranges[input] = {bounds[0], bounds[1], bounds[2]};
  }
  return ranges;
}

ModelSource ModelOf(const nb::object& model, const std::string& folder) {
  ModelSource source;
  if (nb::isinstance<PyEngine>(model)) {
    source.engine = nb::cast<const PyEngine&>(model).engine;
  } else if (nb::isinstance<nb::bytes>(model)) {
    const auto bytes = nb::borrow<nb::bytes>(model);
    source.bytes = {bytes.c_str(), bytes.size()};
    source.folder = folder;
  } else {
    source.path = nb::cast<std::string>(model);
  }
  return source;
}

}  // namespace tamis::python
