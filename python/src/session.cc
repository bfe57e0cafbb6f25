#include "python/src/session.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "python/src/arrays.h"
#include "python/src/errors.h"
#include "src/compiler/build.h"
#include "tamis/session.h"

namespace nb = nanobind;

namespace tamis::python {
namespace {

struct PySession {
  std::shared_ptr<Session> session;
  std::vector<std::string> notices;
};

// An ONNX model in memory becomes a session with the safe plan.
PySession FromOnnxBytes(nb::bytes model, const std::string& folder, int threads) {
  PySession result;
  const nb::gil_scoped_release release;
  const Network network = Unwrap(LoadNetworkBytes(model.data(), model.size(), folder));
  BuildOptions options;
  options.threads = threads;
  options.tune = false;
  BuildResult built = Unwrap(BuildEngine(network, options));
  result.notices = std::move(built.notices);
  SessionOptions session_options;
  session_options.threads = threads;
  result.session = Unwrap(Session::Create(std::move(built.engine), session_options));
  return result;
}

nb::list Specs(const std::vector<TensorSpec>& specs) {
  nb::list list;
  for (const TensorSpec& spec : specs) {
    nb::list shape;
    for (size_t axis = 0; axis < spec.dims.size(); ++axis) {
      if (spec.dims[axis] >= 0) {
        shape.append(spec.dims[axis]);
      } else {
        shape.append(spec.dim_names[axis]);
      }
    }
    list.append(nb::make_tuple(spec.name, static_cast<int>(spec.dtype), shape));
  }
  return list;
}

nb::dict Run(PySession& self, const nb::dict& feeds) {
  NamedTensors inputs;
  for (const auto& [key, value] : feeds) {
    const auto name = nb::cast<std::string>(key);
    inputs[name] = TensorFromArray(value, "input '" + name + "'");
  }
  NamedTensors outputs;
  {
    const nb::gil_scoped_release release;
    outputs = Unwrap(self.session->Run(inputs));
  }
  nb::dict results;
  for (const TensorSpec& spec : self.session->outputs()) {
    results[spec.name.c_str()] = ArrayFromTensor(outputs.at(spec.name));
  }
  return results;
}

}  // namespace

void DefineSession(nb::module_& module) {
  nb::class_<PySession>(module, "Session")
      .def_prop_ro("name", [](const PySession& self) { return self.session->name(); })
      .def_prop_ro("inputs", [](const PySession& self) { return Specs(self.session->inputs()); })
      .def_prop_ro("outputs", [](const PySession& self) { return Specs(self.session->outputs()); })
      .def_prop_ro("notices",
                   [](const PySession& self) {
                     std::vector<std::string> notices = self.notices;
                     const auto& more = self.session->notices();
                     notices.insert(notices.end(), more.begin(), more.end());
                     return notices;
                   })
      .def("run", Run, nb::arg("feeds"));
  module.def("session_from_onnx", FromOnnxBytes, nb::arg("model"), nb::arg("folder"), nb::arg("threads"));
}

}  // namespace tamis::python
