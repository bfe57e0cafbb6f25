// tamis._tamis.Engine: networks compiled, read and written.
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "python/src/bindings.h"
#include "python/src/errors.h"
#include "python/src/interruptible.h"
#include "python/src/source.h"
#include "src/base/thread_count.h"
#include "src/compiler/verbs/output_targets.h"
#include "src/cuda/device.h"
#include "src/tuner/timing_cache.h"

namespace nb = nanobind;

namespace tamis::python {
namespace {

// Before a build: `output` can be written and is not the model.
void CheckTarget(const std::string& output, const std::string& model) {
  CheckVerb(CheckTargets({output}, {model}));
}

PyEngine Build(const nb::object& model, const std::string& folder, const std::vector<std::string>& precisions,
               const std::vector<Profiles>& profiles, const std::vector<std::string>& without,
               const std::string& device, int threads, bool tune, double time_budget, uint64_t workspace_limit,
               const std::string& cache, const std::string& output, nb::object progress) {
  CheckVerb(CheckThreads(threads));
  if (!(time_budget >= 0)) Raise(UserError("time_budget is {}; it takes seconds, or 0 for no limit", time_budget));
  const ModelSource source = ModelOf(model, folder);
  const bool extend = source.IsEngine() && without.empty();  // as the command line
  std::vector<std::string> names = precisions;
  if (UnwrapVerb(ParseDevice(device)) && names.empty()) names.emplace_back("auto");
  std::vector<Precision> parsed;  // an engine's may also be called by the names of what it has
  for (size_t i = 0; i < names.size() && !extend; ++i) parsed.push_back(UnwrapVerb(ParsePrecision(names[i])));
  BuildOptions options;
  options.device = device;
  if (!parsed.empty()) {
    options.precision = parsed[0];
    options.more_precisions.assign(parsed.begin() + 1, parsed.end());
  }
  for (const Profiles& profile : profiles) options.profiles.push_back(Ranges(profile));
  options.without = without;
  options.threads = threads;
  options.tune = tune;
  options.time_budget = time_budget;
  options.workspace_limit = workspace_limit;
  options.cache_path = cache;
  Work work(std::move(progress));
  options.cancelled = [&work] { return work.Cancelled(); };
  options.progress = [&work](int done, int total, const std::string& what) { work.Report(done, total, what); };
  BuildResult built;
  work.Run([&] {
    if (extend) {
      built = Unwrap(ExtendEngine(source.path, names, options));
      return;
    }
    const Network network = Unwrap(source.Load());
    CheckVerb(CheckWeightsStay({output}, network.weight_files));
    built = Unwrap(BuildEngine(network, options));
  });
  return {std::move(built.engine), std::move(built.passes), std::move(built.notices)};
}

PyEngine Read(const std::string& path, bool map_file) {
  const nb::gil_scoped_release release;
  const EngineFile file = Unwrap(ReadEngine(path, map_file ? ReadMode::kMap : ReadMode::kRead));
  Check(file.weights->Verify());
  return {file.engine, {}, {}};
}

void Save(const PyEngine& self, const std::string& path) {
  const nb::gil_scoped_release release;
  Check(WriteEngine(*self.engine, path));
}

nb::dict Profile(const Plan& plan) {
  nb::dict profile;
  for (const auto& [symbol, range] : plan.profile) {
    profile[symbol.c_str()] = nb::make_tuple(range.min, range.opt, range.max);
  }
  return profile;
}

nb::list Plans(const PyEngine& self) {
  nb::list plans;
  for (const Plan& plan : self.engine->plans) {
    nb::dict entry;
    entry["device"] = plan.device;
    entry["threads"] = plan.threads;
    entry["measured"] = plan.measured;
    entry["precision"] = self.engine->Precision(plan.variant);
    entry["profile"] = Profile(plan);
    plans.append(entry);
  }
  return plans;
}

nb::list Passes(const PyEngine& self) {
  nb::list passes;
  for (const PassRecord& pass : self.passes) {
    passes.append(nb::make_tuple(pass.name, pass.nodes_before, pass.nodes_after, pass.seconds));
  }
  return passes;
}

nb::dict ProvenanceOf(const PyEngine& self) {
  const Provenance& from = self.engine->provenance;
  nb::dict to;
  to["tamis_version"] = from.tamis_version;
  to["source_file"] = from.source_file;
  to["source_hash"] = from.source_hash;
  to["data_hash"] = from.data_hash;
  to["precision"] = from.precision;
  to["host"] = from.host;
  to["created"] = from.created;
  to["nodes_before"] = from.nodes_before;
  to["nodes_after"] = from.nodes_after;
  to["accuracy"] = from.accuracy;
  return to;
}

}  // namespace

void DefineEngine(nb::module_& module) {
  nb::class_<PyEngine>(module, "Engine")
      .def_prop_ro("provenance", ProvenanceOf)
      .def_prop_ro("plans", Plans)
      .def_prop_ro("passes", Passes)
      .def_ro("notices", &PyEngine::notices)
      .def("save", Save, nb::arg("path"));
  module.def("build", Build, nb::arg("model"), nb::arg("folder"), nb::arg("precisions"), nb::arg("profiles"),
             nb::arg("without"), nb::arg("device"), nb::arg("threads"), nb::arg("tune"), nb::arg("time_budget"),
             nb::arg("workspace_limit"), nb::arg("cache"), nb::arg("output"), nb::arg("progress").none());
  module.def("check_target", CheckTarget, nb::arg("output"), nb::arg("model"));
  module.def("read_engine", Read, nb::arg("path"), nb::arg("map_file"));
  module.def("default_cache", [] { return TimingCache::DefaultPath(); });
}

}  // namespace tamis::python
