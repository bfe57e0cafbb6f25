// tamis._tamis.Session.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/device_array.h"
#include "python/src/errors.h"
#include "src/base/thread_count.h"
#include "src/runtime/engine_session.h"

namespace nb = nanobind;

namespace tamis::python {
namespace {

PySession Create(const PyEngine& engine, int threads, const std::string& device) {
  CheckVerb(CheckThreads(threads));
  const nb::gil_scoped_release release;
  SessionOptions options;
  options.threads = threads;
  options.device = device;
  return {UnwrapVerb(Session::Create(engine.engine, options))};
}

Retune ParseRetune(const std::string& text) {
  if (text == "never") return Retune::kNever;
  if (text == "background") return Retune::kBackground;
  if (text == "now") return Retune::kNow;
  Raise(UserError("retune '{}' is unknown; it takes never, background or now", text));
}

PySession Load(const std::string& path, int threads, bool map_file, const std::string& precision,
               const std::string& retune, const std::string& device) {
  CheckVerb(CheckThreads(threads));
  SessionOptions options;
  options.threads = threads;
  options.device = device;
  options.map_file = map_file;
  options.precision = precision;
  options.retune = ParseRetune(retune);
  const nb::gil_scoped_release release;
  return {UnwrapVerb(Session::Load(path, options))};
}

// (state, what went wrong)
std::pair<std::string, std::string> StateOfRetune(const PySession& self) {
  std::string why;
  switch (self.session->retune_state(&why)) {
    case RetuneState::kNotNeeded:
      return {"not needed", why};
    case RetuneState::kRunning:
      return {"running", why};
    case RetuneState::kDone:
      return {"done", why};
    case RetuneState::kFailed:
      break;
  }
  return {"failed", why};
}

// [(name, type as ONNX writes it, number of the element type, dimensions as int or symbol), ...]
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
    list.append(nb::make_tuple(spec.name, spec.type, static_cast<int>(spec.dtype), shape));
  }
  return list;
}

NamedData Feeds(const PySession& self, const nb::dict& feeds) {
  NamedData inputs;
  const auto& specs = self.session->inputs();
  for (const auto& [key, value] : feeds) {
    if (!nb::isinstance<nb::str>(key)) {
      Raise(UserError("an input is named by a str, not by {}", nb::cast<std::string>(nb::repr(key))));
    }
    const auto name = nb::cast<std::string>(key);
    const auto spec = std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& s) { return s.name == name; });
    TensorSpec unknown;  // the session says so, with all else that is wrong
    unknown.name = name;
    inputs[name] = DatumFromObject(value, spec == specs.end() ? unknown : *spec);
  }
  return inputs;
}

// Asks Python, a few times a second, whether a signal has raised an exception (Ctrl-C). Called without the lock.
class SignalCheck {
 public:
  bool operator()() {
    constexpr auto kEvery = std::chrono::milliseconds(50);
    const auto now = std::chrono::steady_clock::now();
    if (raised_ || now < next_) return raised_;
    next_ = now + kEvery;
    const nb::gil_scoped_acquire gil;
    raised_ = PyErr_CheckSignals() != 0;
    return raised_;
  }
  bool raised() const { return raised_; }

 private:
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  bool raised_ = false;
};

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
  const NamedData inputs = Feeds(self, feeds);
  SignalCheck signals;
  std::optional<Result<NamedData>> outputs;
  {
    const nb::gil_scoped_release release;
    outputs.emplace(self.session->RunData(inputs, std::ref(signals)));
  }
  if (signals.raised()) throw nb::python_error();
  const NamedData data = Unwrap(std::move(*outputs));
  nb::list results;
  for (const std::string& name : wanted.value_or(all)) results.append(ObjectFromDatum(data.at(name)));
  return results;
}

// Inputs and outputs in the GPU's memory.
nb::dict RunOnDevice(PySession& self, const nb::dict& feeds, std::optional<int64_t> stream) {
  const uint64_t handle = StreamHandle(stream);
  NamedDeviceTensors inputs;
  for (const auto& [key, value] : feeds) {
    if (!nb::isinstance<nb::str>(key)) {
      Raise(UserError("an input is named by a str, not by {}", nb::cast<std::string>(nb::repr(key))));
    }
    const auto name = nb::cast<std::string>(key);
    inputs[name] = DeviceTensorFrom(value, "input '" + name + "'", handle);
  }
  std::optional<Result<NamedDeviceTensors>> outputs;
  {
    const nb::gil_scoped_release release;
    outputs.emplace(self.session->RunOnDevice(inputs, handle));
  }
  NamedDeviceTensors tensors = Unwrap(std::move(*outputs));
  nb::dict results;
  for (const std::string& name : OutputNames(self)) {
    results[name.c_str()] = nb::cast(PyDeviceArray{std::move(tensors.at(name)), self.session, handle});
  }
  return results;
}

// [(node, operator, kernel, mean seconds, dimensions of the output), ...] in the order of execution.
nb::list Profile(PySession& self, const nb::dict& feeds, int repeats) {
  if (repeats < 1) Raise(UserError("repeats is {}; it takes 1 or more", repeats));
  const NamedData inputs = Feeds(self, feeds);
  NamedTensors tensors;
  for (const auto& [name, datum] : inputs) {
    if (!datum.IsTensor())
      Raise(UserError("input '{}' is no tensor; networks with such inputs can't be profiled", name));
    tensors[name] = datum.tensor();
  }
  std::vector<Session::NodeTime> times;
  {
    const nb::gil_scoped_release release;
    times = Unwrap(self.session->Profile(tensors, repeats));
  }
  nb::list rows;
  for (const Session::NodeTime& time : times) {
    nb::list dims;
    for (const int64_t dim : time.output_dims) dims.append(dim);
    rows.append(nb::make_tuple(time.name, time.op, time.tactic, time.seconds, dims));
  }
  return rows;
}

// A file's strings need not be UTF-8.
nb::str Text(const std::string& text) {
  return nb::steal<nb::str>(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

// (producer_name, graph_name, domain, description, graph_description, version, properties)
nb::tuple ModelMetaOf(const PySession& self) {
  const Engine* engine = EngineOf(*self.session);
  if (engine == nullptr) Raise(InternalError("a session without an engine"));
  const ModelMeta& meta = engine->provenance.model;
  nb::dict properties;
  for (const auto& [key, value] : meta.properties) properties[Text(key)] = Text(value);
  return nb::make_tuple(Text(meta.producer_name), Text(engine->fused.name), Text(meta.domain), Text(meta.description),
                        Text(meta.graph_description), meta.version, properties);
}

}  // namespace

void DefineSession(nb::module_& module) {
  nb::class_<PySession>(module, "Session")
      .def_prop_ro("name", [](const PySession& self) { return self.session->name(); })
      .def_prop_ro("inputs", [](const PySession& self) { return Specs(self.session->inputs()); })
      .def_prop_ro("outputs", [](const PySession& self) { return Specs(self.session->outputs()); })
      .def_prop_ro("notices", [](const PySession& self) { return self.session->notices(); })
      .def_prop_ro("retune_state", StateOfRetune)
      .def_prop_ro("model_meta", ModelMetaOf)
      .def("run", Run, nb::arg("feeds"), nb::arg("outputs").none())
      .def("run_on_device", RunOnDevice, nb::arg("feeds"), nb::arg("stream").none())
      .def("profile", Profile, nb::arg("feeds"), nb::arg("repeats"));
  module.def("load_session", Load, nb::arg("path"), nb::arg("threads"), nb::arg("map_file"), nb::arg("precision"),
             nb::arg("retune"), nb::arg("device"));
  module.def("create_session", Create, nb::arg("engine"), nb::arg("threads"), nb::arg("device"));
}

}  // namespace tamis::python
