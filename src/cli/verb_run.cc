#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "src/base/json_writer.h"
#include "src/cli/model_file.h"
#include "src/cli/session_flags.h"
#include "src/cli/verb.h"
#include "src/compiler/npy.h"
#include "src/runtime/benchmark.h"

namespace tamis {
namespace {

struct Flags {
  std::string file, output_dir;
  std::vector<std::string> inputs, shapes;
  int threads = 0;
  uint64_t seed = 1;
  SessionFlags session;
};

struct Summary {
  double min = 0, max = 0, mean = 0;
  int64_t not_finite = 0;
};

Summary Summarise(const Tensor& tensor) {
  Summary summary;
  const Tensor wide = tensor.ToFloat32();
  double sum = 0;
  int64_t finite = 0;
  for (const float value : wide.Span<float>()) {
    if (!std::isfinite(value)) {
      ++summary.not_finite;
      continue;
    }
    summary.min = finite == 0 ? value : std::min(summary.min, static_cast<double>(value));
    summary.max = finite == 0 ? value : std::max(summary.max, static_cast<double>(value));
    sum += value;
    ++finite;
  }
  if (finite > 0) summary.mean = sum / static_cast<double>(finite);
  return summary;
}

Result<NamedTensors> ReadInputs(const Flags& flags, const OpenedModel& model) {
  if (flags.inputs.empty()) {
    TAMIS_ASSIGN_OR_RETURN(const auto binding, ShapeBinding(model, flags.shapes));
    return RandomInputs(model.session->inputs(), binding, flags.seed);
  }
  NamedTensors tensors;
  for (const std::string& input : flags.inputs) {
    const size_t equals = input.find('=');
    if (equals == std::string::npos || equals == 0) return UserError("--input '{}' should read name=file.npy", input);
    TAMIS_ASSIGN_OR_RETURN(tensors[input.substr(0, equals)], ReadNpy(input.substr(equals + 1)));
  }
  return tensors;
}

// An output's name as a file name.
std::string FileName(const std::string& name) {
  std::string file = name;
  for (char& c : file) {
    if (c == '/' || c == '\0') c = '_';
  }
  return file + ".npy";
}

Status Run(const Flags& flags, const CommonFlags& common) {
  BuildOptions build;
  build.threads = flags.threads;
  build.tune = false;  // one run is not worth tuning for
  SessionOptions session;
  TAMIS_RETURN_IF_ERROR(flags.session.Apply(&session));
  TAMIS_ASSIGN_OR_RETURN(const OpenedModel model, OpenModel(flags.file, build, session));
  TAMIS_ASSIGN_OR_RETURN(const NamedTensors inputs, ReadInputs(flags, model));
  TAMIS_ASSIGN_OR_RETURN(const NamedTensors outputs, model.session->Run(inputs));
  if (!flags.output_dir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(flags.output_dir, error);
    if (error) return RuntimeError("can't make the folder '{}': {}", flags.output_dir, error.message());
    for (const auto& [name, tensor] : outputs) {
      TAMIS_RETURN_IF_ERROR(WriteNpy(flags.output_dir + "/" + FileName(name), tensor));
    }
  }
  JsonWriter json;
  json.BeginObject().Key("outputs").BeginArray();
  for (const auto& [name, tensor] : outputs) {
    const Summary summary = Summarise(tensor);
    json.BeginObject().Field("name", name).Field("dtype", Name(tensor.dtype())).Field("shape", tensor.dims());
    json.Field("min", summary.min).Field("max", summary.max).Field("mean", summary.mean);
    json.Field("not_finite", summary.not_finite).EndObject();
    if (!common.json) {
      fmt::print("{:<24} {:<8} {:<20} min {:.6g}  max {:.6g}  mean {:.6g}{}\n", name, Name(tensor.dtype()),
                 ToString(tensor.dims()), summary.min, summary.max, summary.mean,
                 summary.not_finite ? fmt::format("  {} not finite", summary.not_finite) : "");
    }
  }
  json.EndArray().EndObject();
  if (common.json) fmt::print("{}\n", json.text());
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("FILE", flags->file, "Engine or ONNX file")->required();
  app.add_option("--input", flags->inputs, "name=file.npy, once an input; without any: seeded random inputs");
  app.add_option("--output-dir", flags->output_dir, "Folder for one .npy an output");
  app.add_option("--shape", flags->shapes, "input=1x3x224x224, for random inputs with dynamic dimensions");
  app.add_option("--threads", flags->threads, "Threads; 0: one for every core");
  DeclareSessionFlags(app, &flags->session);
  app.add_option("--seed", flags->seed, "Seed of random inputs");
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_run = {"run", "Run an engine or ONNX file once",
                              "tamis run model.tamis --input ids=ids.npy --input mask=mask.npy --output-dir out",
                              Declare};

}  // namespace tamis
