// tamis._tamis.Session.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/errors.h"

namespace nb = nanobind;

namespace tamis::python {
namespace {

PySession Create(const PyEngine& engine, int threads) {
  const nb::gil_scoped_release release;
  SessionOptions options;
  options.threads = threads;
  return {Unwrap(Session::Create(engine.engine, options))};
}

// [(name, number of the element type, dimensions as int or symbol), ...]
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

NamedTensors Feeds(const nb::dict& feeds) {
  NamedTensors inputs;
  for (const auto& [key, value] : feeds) {
    if (!nb::isinstance<nb::str>(key)) {
      Raise(UserError("an input is named by a str, not by {}", nb::cast<std::string>(nb::repr(key))));
    }
    const auto name = nb::cast<std::string>(key);
    inputs[name] = TensorFromArray(value, "input '" + name + "'");
  }
  return inputs;
}

std::vector<std::string> OutputNames(const PySession& self) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : self.session->outputs()) names.push_back(spec.name);
  return names;
}

nb::list Run(PySession& self, const nb::dict& feeds, const std::optional<std::vector<std::string>>& wanted) {
  const std::vector<std::string> all = OutputNames(self);
  std::string unknown;
  for (const std::string& name : wanted.value_or(all)) {
    if (std::find(all.begin(), all.end(), name) == all.end()) unknown += (unknown.empty() ? "'" : ", '") + name + "'";
  }
  if (!unknown.empty()) {
    std::string names;
    for (const std::string& name : all) names += (names.empty() ? "'" : ", '") + name + "'";
    Raise(UserError("unknown output {}; the network has {}", unknown, names));
  }
  const NamedTensors inputs = Feeds(feeds);
  NamedTensors outputs;
  {
    const nb::gil_scoped_release release;
    outputs = Unwrap(self.session->Run(inputs));
  }
  nb::list results;
  for (const std::string& name : wanted.value_or(all)) results.append(ArrayFromTensor(outputs.at(name)));
  return results;
}

// [(node, operator, kernel, mean seconds, dimensions of the output), ...] in the order of execution.
nb::list Profile(PySession& self, const nb::dict& feeds, int repeats) {
  if (repeats < 1) Raise(UserError("repeats is {}; it takes 1 or more", repeats));
  const NamedTensors inputs = Feeds(feeds);
  std::vector<Session::NodeTime> times;
  {
    const nb::gil_scoped_release release;
    times = Unwrap(self.session->Profile(inputs, repeats));
  }
  nb::list rows;
  for (const Session::NodeTime& time : times) {
    nb::list dims;
    for (const int64_t dim : time.output_dims) dims.append(dim);
    rows.append(nb::make_tuple(time.name, time.op, time.tactic, time.seconds, dims));
  }
  return rows;
}

}  // namespace

void DefineSession(nb::module_& module) {
  nb::class_<PySession>(module, "Session")
      .def_prop_ro("name", [](const PySession& self) { return self.session->name(); })
      .def_prop_ro("inputs", [](const PySession& self) { return Specs(self.session->inputs()); })
      .def_prop_ro("outputs", [](const PySession& self) { return Specs(self.session->outputs()); })
      .def_prop_ro("notices", [](const PySession& self) { return self.session->notices(); })
      .def("run", Run, nb::arg("feeds"), nb::arg("outputs").none())
      .def("profile", Profile, nb::arg("feeds"), nb::arg("repeats"));
  module.def("create_session", Create, nb::arg("engine"), nb::arg("threads"));
}

}  // namespace tamis::python
