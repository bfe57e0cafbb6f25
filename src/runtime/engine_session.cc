#include "src/runtime/engine_session.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "src/runtime/specialize.h"

namespace tamis {
namespace {

bool UsesBf16(const Graph& graph) {
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    if (graph.value(static_cast<ValueId>(i)).type.dtype == DType::kBFloat16) return true;
  }
  return false;
}

// How far two bindings are apart: the sum of the logarithms of the ratios.
double Distance(const std::map<std::string, int64_t>& a, const std::map<std::string, int64_t>& b) {
  double distance = 0;
  for (const auto& [symbol, size] : a) {
    const auto other = b.find(symbol);
    if (other == b.end()) continue;
    distance += std::abs(std::log(static_cast<double>(std::max<int64_t>(size, 1))) -
                         std::log(static_cast<double>(std::max<int64_t>(other->second, 1))));
  }
  return distance;
}

std::string JoinNames(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) text += (text.empty() ? "'" : ", '") + spec.name + "'";
  return text;
}

std::string Describe(const Datum& datum) {
  if (datum.IsNone()) return "nothing";
  if (datum.IsTensor()) return fmt::format("a tensor of {}", Name(datum.tensor().dtype()));
  return "a sequence";
}

// What is wrong with a value for an input; empty if nothing.
std::string Mismatch(const TensorSpec& spec, const Datum& datum) {
  bool fits = datum.IsNone() ? spec.optional : datum.IsSequence() == spec.sequence;
  std::string what = Describe(datum);
  if (fits && datum.IsTensor()) fits = datum.tensor().dtype() == spec.dtype;
  for (const Datum& element : datum.elements()) {
    if (!fits) break;
    fits = element.IsTensor() && element.tensor().dtype() == spec.dtype;
    if (!fits) what = "a sequence with " + Describe(element);
  }
  return fits ? std::string() : fmt::format("input '{}' is {}, the network wants {}", spec.name, what, spec.type);
}

NamedData AsData(const NamedTensors& tensors) {
  NamedData data;
  for (const auto& [name, tensor] : tensors) data.emplace(name, tensor);
  return data;
}

}  // namespace

PackCache& ProcessPackCache() {
  static auto* const kCache = new PackCache();
  return *kCache;
}

Result<std::shared_ptr<Session>> Session::Load(const std::string& engine_path, const SessionOptions& options) {
  TAMIS_ASSIGN_OR_RETURN(EngineFile file, ReadEngine(engine_path, options.map_file ? ReadMode::kMap : ReadMode::kRead));
  return EngineSession::Make(file.engine, file.weights, std::filesystem::path(engine_path).stem().string(), options);
}

Result<std::shared_ptr<Session>> Session::Create(std::shared_ptr<const Engine> engine, const SessionOptions& options) {
  const std::string name = std::filesystem::path(engine->provenance.source_file).stem().string();
  return EngineSession::Make(std::move(engine), nullptr, name, options);
}

Result<std::shared_ptr<Session>> EngineSession::Make(std::shared_ptr<const Engine> engine,
                                                     std::shared_ptr<WeightCheck> weights, std::string name,
                                                     const SessionOptions& options) {
  ConfigureLibraries();
  auto session = std::shared_ptr<EngineSession>(new EngineSession());
  session->name_ = std::move(name);
  session->engine_ = std::move(engine);
  session->weights_ = std::move(weights);
  session->graph_ = &session->engine_->fused;
  if (!Cpu().avx512_bf16 && UsesBf16(session->engine_->fused)) {
    if (session->weights_) TAMIS_RETURN_IF_ERROR(session->weights_->Verify());
    session->widened_ = session->engine_->fused.Clone();
    WidenBf16(session->widened_);
    session->graph_ = &session->widened_;
    session->notices_.push_back(
        "this machine has no bf16 arithmetic (AVX512_BF16): the engine's bf16 weights are computed with in f32");
  }
  session->inputs_ = InputSpecs(*session->graph_);
  session->outputs_ = OutputSpecs(*session->graph_);
  session->pool_ = std::make_unique<ThreadPool>(options.threads);
  session->ChoosePlan(session->pool_->threads());
  return std::shared_ptr<Session>(session);
}

void EngineSession::ChoosePlan(int threads) {
  const std::string device = Cpu().Fingerprint();
  const Plan* other_threads = nullptr;
  std::string built_for;
  for (const Plan& plan : engine_->plans) {
    if (!plan.measured) continue;
    if (plan.device == device && plan.threads == threads) plan_ = &plan;
    if (plan.device == device) other_threads = &plan;
    built_for += (built_for.empty() ? "" : "; ") + fmt::format("{}, {} threads", plan.device, plan.threads);
  }
  if (plan_ == nullptr && other_threads != nullptr) {
    plan_ = other_threads;
    notices_.push_back(fmt::format("no plan for {} threads; the one tuned for {} is used", threads, plan_->threads));
  }
  if (plan_ == nullptr && !built_for.empty()) {
    notices_.push_back(fmt::format(
        "no plan for this machine ({}, {} threads): kernels come from the cost model. Plans in the file: {}. "
        "`tamis build ENGINE.tamis -o NEW.tamis` tunes for this machine",
        device, threads, built_for));
  }
}

KernelWish EngineSession::WishFor(const std::map<std::string, int64_t>& binding) const {
  if (plan_ == nullptr || plan_->points.empty()) return {};
  const PlanPoint* nearest = nullptr;
  double best = std::numeric_limits<double>::infinity();
  for (const PlanPoint& point : plan_->points) {
    const double distance = Distance(binding, point.binding);
    if (distance < best) {
      best = distance;
      nearest = &point;
    }
  }
  std::map<std::string, std::string> kernels;
  for (const NodePlan& node : nearest->nodes) kernels[node.node] = node.kernel;
  return [kernels = std::move(kernels)](const std::string& node) {
    const auto found = kernels.find(node);
    return found == kernels.end() ? std::string() : found->second;
  };
}

Result<std::vector<Datum>> EngineSession::Arrange(const NamedData& inputs) const {
  std::vector<std::string> problems;
  for (const auto& [input_name, datum] : inputs) {
    const bool known = std::any_of(inputs_.begin(), inputs_.end(), [&](const auto& s) { return s.name == input_name; });
    if (!known)
      problems.push_back(fmt::format("unknown input '{}'; the network has {}", input_name, JoinNames(inputs_)));
  }
  std::vector<Datum> arranged;
  std::vector<Dims> dims;
  bool all_of_kind = true;
  for (const TensorSpec& spec : inputs_) {
    const auto found = inputs.find(spec.name);
    if (found == inputs.end() && !spec.optional) {
      problems.push_back(fmt::format("input '{}' is missing", spec.name));
      continue;
    }
    const Datum datum = found == inputs.end() ? Datum() : found->second;
    if (std::string problem = Mismatch(spec, datum); !problem.empty()) problems.push_back(std::move(problem));
    all_of_kind = all_of_kind && (datum.IsTensor() || !spec.IsTensor());
    arranged.push_back(datum);
    dims.push_back(datum.tensor().dims());
  }
  if (all_of_kind && arranged.size() == inputs_.size()) {
    const auto binding = BindSymbols(*graph_, dims);
    if (!binding.ok()) problems.push_back(binding.status().message());
  }
  if (problems.empty()) return arranged;
  std::string text = problems[0];
  for (size_t i = 1; i < problems.size(); ++i) text += "; " + problems[i];
  return UserError("{}", text);
}

Result<EngineSession::Runnable> EngineSession::ProgramFor(const std::vector<Datum>& inputs) {
  std::vector<Dims> dims;
  for (const Datum& datum : inputs) dims.push_back(datum.tensor().dims());
  std::lock_guard lock(mutex_);
  const auto found = std::find_if(programs_.begin(), programs_.end(), [&](const Entry& e) { return e.dims == dims; });
  if (found != programs_.end()) {
    programs_.splice(programs_.begin(), programs_, found);
    return programs_.front().program;
  }
  if (weights_) TAMIS_RETURN_IF_ERROR(weights_->Verify());
  TAMIS_ASSIGN_OR_RETURN(const auto binding, BindSymbols(*graph_, dims));
  TAMIS_ASSIGN_OR_RETURN(Graph concrete, Specialize(*graph_, dims));
  ProgramOptions options;
  options.threads = pool_->threads();
  options.wish = WishFor(binding);
  options.arenas = arenas_;
  Runnable program;
  if (RunsNodeByNode(concrete)) {
    TAMIS_ASSIGN_OR_RETURN(program.dynamic, DynamicProgram::Make(std::move(concrete), options, ProcessPackCache()));
  } else {
    TAMIS_ASSIGN_OR_RETURN(program.planned, Program::Make(std::move(concrete), options, ProcessPackCache()));
  }
  programs_.push_front({std::move(dims), std::move(program)});
  if (programs_.size() > kProgramLimit) programs_.pop_back();
  return programs_.front().program;
}

Result<NamedData> EngineSession::RunData(const NamedData& inputs, const std::function<bool()>& cancelled) {
  try {
    TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged, Arrange(inputs));
    TAMIS_ASSIGN_OR_RETURN(const Runnable program, ProgramFor(arranged));
    NamedData outputs;
    if (program.dynamic != nullptr) {
      TAMIS_ASSIGN_OR_RETURN(std::vector<Datum> results, program.dynamic->Run(arranged, *pool_, cancelled));
      for (size_t i = 0; i < results.size(); ++i) outputs[outputs_[i].name] = std::move(results[i]);
      return outputs;
    }
    std::vector<Tensor> tensors;
    for (const Datum& datum : arranged) tensors.push_back(datum.tensor());
    TAMIS_ASSIGN_OR_RETURN(std::vector<Tensor> results, program.planned->Run(tensors, *pool_));
    for (size_t i = 0; i < results.size(); ++i) outputs[outputs_[i].name] = std::move(results[i]);
    return outputs;
  } catch (const std::bad_alloc&) {
    return RuntimeError("not enough memory to run '{}' on inputs of this size", name_);
  }
}

Result<NamedTensors> EngineSession::Run(const NamedTensors& inputs) {
  TAMIS_ASSIGN_OR_RETURN(NamedData results, RunData(AsData(inputs), {}));
  NamedTensors outputs;
  for (auto& [output, datum] : results) {
    if (!datum.IsTensor()) {
      return UserError("output '{}' is {}, which this way of running can't give; RunData does", output,
                       Describe(datum));
    }
    outputs[output] = std::move(datum.tensor());
  }
  return outputs;
}

Result<std::vector<Session::NodeTime>> EngineSession::Profile(const NamedTensors& inputs, int repeats) {
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged, Arrange(AsData(inputs)));
  TAMIS_ASSIGN_OR_RETURN(const Runnable program, ProgramFor(arranged));
  if (program.dynamic != nullptr) return program.dynamic->Profile(arranged, repeats, *pool_);
  std::vector<Tensor> tensors;
  for (const Datum& datum : arranged) tensors.push_back(datum.tensor());
  return program.planned->Profile(tensors, repeats, *pool_);
}

}  // namespace tamis
