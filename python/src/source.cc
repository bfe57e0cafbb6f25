#include "python/src/source.h"

#include <nanobind/stl/string.h>

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

Source Source::Of(const nb::object& model, const std::string& folder, bool is_engine) {
  if (!nb::isinstance<nb::bytes>(model)) return {nullptr, 0, nb::cast<std::string>(model), folder, is_engine};
  const auto bytes = nb::borrow<nb::bytes>(model);
  return {bytes.c_str(), bytes.size(), "", folder, false};
}

Network Source::Load() const {
  if (data != nullptr) return Unwrap(LoadNetworkBytes(data, size, folder));
  return Unwrap(is_engine ? NetworkFromEngine(path) : LoadNetwork(path));
}

}  // namespace tamis::python
