#include "src/runtime/engine_session.h"
#include "src/ir/widen.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "src/kernels/block/likely_blocks.h"
#include "src/ops/op_custom.h"
#include "src/runtime/known_operators.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

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

std::string DeviceText(const std::string& device, int threads) {
  return threads > 0 ? fmt::format("{}, {} threads", device, threads) : device;
}

std::vector<Tensor> TensorsOf(const std::vector<Datum>& data) {
  std::vector<Tensor> tensors;
  for (const Datum& datum : data) tensors.push_back(datum.tensor());
  return tensors;
}

// Of the tensors, which is all that a program of concrete shapes has for inputs.
std::vector<Dims> DimsOf(const std::vector<Datum>& data) {
  std::vector<Dims> dims;
  for (const Datum& datum : data) dims.push_back(datum.tensor().dims());
  return dims;
}

}  // namespace

PackCache& ProcessPackCache() {
  static auto* const kCache = new PackCache();
  return *kCache;
}

Result<std::shared_ptr<Session>> Session::Load(const std::string& engine_path, const SessionOptions& options) {
  TAMIS_ASSIGN_OR_RETURN(EngineFile file, ReadEngine(engine_path, options.map_file ? ReadMode::kMap : ReadMode::kRead));
  return OpenSession(file, engine_path, options);
}

Result<std::shared_ptr<Session>> Session::Create(std::shared_ptr<const Engine> engine, const SessionOptions& options) {
  const std::string name = std::filesystem::path(engine->provenance.source_file).stem().string();
  return EngineSession::Make(std::move(engine), nullptr, name, options);
}

Result<std::shared_ptr<Session>> EngineSession::Make(std::shared_ptr<const Engine> engine,
                                                     std::shared_ptr<WeightCheck> weights, std::string name,
                                                     const SessionOptions& options) {
  ConfigureLibraries();
  TAMIS_RETURN_IF_ERROR(LoadCustomOpsFromEnvironment());
  auto session = std::shared_ptr<EngineSession>(new EngineSession());
  session->name_ = std::move(name);
  session->engine_ = std::move(engine);
  session->weights_ = std::move(weights);
  TAMIS_ASSIGN_OR_RETURN(const std::optional<int> gpu, ParseDevice(options.device));
  if (gpu) {
    TAMIS_ASSIGN_OR_RETURN(session->cuda_, CudaDevice::Open(*gpu));
  }
  TAMIS_RETURN_IF_ERROR(session->ChooseVariant(options.precision));
  TAMIS_RETURN_IF_ERROR(
      CheckOperatorsKnown(session->engine_->Fused(session->variant_), session->engine_->provenance.custom_ops));
  TAMIS_RETURN_IF_ERROR(session->ChooseGraph());
  session->inputs_ = InputSpecs(*session->graph_);
  session->outputs_ = OutputSpecs(*session->graph_);
  session->profiles_ = ProfilesOf(session->engine_->plans);
  session->pool_ = std::make_unique<ThreadPool>(options.threads);
  session->SetPlans(session->engine_->plans);
  session->NoticePlans();
  TAMIS_RETURN_IF_ERROR(session->WarmUp());
  return std::shared_ptr<Session>(session);
}

Status EngineSession::ChooseGraph() {
  const Graph& fused = engine_->Fused(variant_);
  graph_ = &fused;
  if (cuda_ != nullptr) return {};
  struct Missing {
    DType dtype;
    bool here;
    const char* notice;
  };
  const Missing missing[] = {
      {DType::kBFloat16, !Cpu().avx512_bf16,
       "this machine has no bf16 arithmetic (AVX512_BF16): the engine's bf16 weights are computed with in f32"},
      {DType::kFloat16, true,
       "the CPU's kernels don't compute in f16: the engine's f16 weights are computed with in f32"}};
  for (const auto& [dtype, here, notice] : missing) {
    if (!here || !HoldsInside(fused, dtype)) continue;
    notices_.emplace_back(notice);
    if (weights_) TAMIS_RETURN_IF_ERROR(weights_->Verify());
    if (graph_ != &widened_) {
      widened_ = fused.Clone();
      graph_ = &widened_;
    }
    if (Widen(widened_, dtype)) HashConstants(widened_);
  }
  return {};
}

Status EngineSession::ChooseVariant(const std::string& precision) {
  const std::string device = cuda_ ? cuda_->Fingerprint() : Cpu().Fingerprint();
  if (precision.empty()) {
    // A GPU takes the variant that was made for it.
    for (int variant = 0; cuda_ != nullptr && variant < engine_->NumVariants(); ++variant) {
      const std::string name = engine_->Precision(variant);
      if (name == "f16" || name.ends_with("tf32") || name.starts_with("fp8")) variant_ = variant;
    }
    return {};
  }
  std::string known;
  double fastest = 0;
  for (int variant = 0; variant < engine_->NumVariants(); ++variant) {
    if (engine_->Precision(variant) == precision) {
      variant_ = variant;
      return {};
    }
    known += (known.empty() ? "" : ", ") + engine_->Precision(variant);
    for (const Plan& plan : engine_->plans) {
      if (!plan.measured || plan.variant != variant || plan.device != device || plan.points.empty()) continue;
      const double seconds = plan.points[0].Seconds();
      if (precision == "auto" && (fastest == 0 || seconds < fastest)) {
        fastest = seconds;
        variant_ = variant;
      }
    }
  }
  if (precision == "auto") return {};
  return UserError("the engine has no precision '{}'; it has {} (and auto)", precision, known);
}

void EngineSession::SetPlans(std::vector<Plan> plans) {
  const std::lock_guard lock(mutex_);
  plans_ = std::move(plans);
  programs_.clear();
}

PlanQuery EngineSession::Query() const {
  if (cuda_) return {cuda_->Fingerprint(), 0, variant_};
  return {Cpu().Fingerprint(), pool_->threads(), variant_};
}

bool EngineSession::HasPlans() const {
  const std::lock_guard lock(mutex_);
  const PlanQuery query = Query();
  return std::all_of(profiles_.begin(), profiles_.end(), [&](const tamis::Profile& profile) {
    return std::any_of(plans_.begin(), plans_.end(), [&](const Plan& plan) {
      return plan.measured && plan.variant == query.variant && plan.device == query.device &&
             plan.threads == query.threads && plan.profile == profile;
    });
  });
}

void EngineSession::NoticePlans() {
  const PlanQuery query = Query();
  bool same_threads = false;
  int other_threads = 0;
  std::string built_for;
  for (const Plan& plan : engine_->plans) {
    if (!plan.measured || plan.variant != query.variant) continue;
    if (plan.device == query.device) {
      same_threads = same_threads || plan.threads == query.threads;
      other_threads = plan.threads;
    }
    const std::string text = DeviceText(plan.device, plan.threads);
    if (built_for.find(text) == std::string::npos) built_for += (built_for.empty() ? "" : "; ") + text;
  }
  if (same_threads) return;
  if (other_threads != 0) {
    notices_.push_back(
        fmt::format("no plan for {} threads; the one tuned for {} is used", query.threads, other_threads));
  } else if (!built_for.empty()) {
    notices_.push_back(fmt::format(
        "no plan for this machine ({}): kernels come from the cost model. Plans in the file: {}. `tamis build "
        "ENGINE.tamis -o NEW.tamis{}` tunes for this machine, --retune does it while the engine runs",
        DeviceText(query.device, query.threads), built_for, cuda_ ? " --device cuda" : ""));
  }
}

bool EngineSession::Point(const NamedTensors& inputs, std::vector<const Tensor*>* pointers) const {
  pointers->clear();
  if (inputs.size() != inputs_.size()) return false;
  for (const TensorSpec& spec : inputs_) {
    const auto found = inputs.find(spec.name);
    if (found == inputs.end() || !spec.IsTensor() || found->second.dtype() != spec.dtype) return false;
    pointers->push_back(&found->second);
  }
  return true;
}

Result<std::vector<Datum>> EngineSession::Arrange(const NamedData& inputs) const {
  std::vector<std::string> problems;
  for (const auto& [input_name, datum] : inputs) {
    const bool known =
        std::any_of(inputs_.begin(), inputs_.end(), [&name = input_name](const auto& s) { return s.name == name; });
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
    const Status fits = binding.ok() ? CheckProfiles(*graph_, profiles_, dims) : binding.status();
    if (!fits.ok()) problems.push_back(fits.message());
  }
  if (problems.empty()) return arranged;
  return UserError("{}", fmt::join(problems, "; "));
}

std::shared_ptr<const Program> EngineSession::KnownProgram(const std::vector<const Tensor*>& inputs) {
  const std::lock_guard lock(mutex_);
  const auto fits = [&](const Entry& entry) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (entry.dims[i] != inputs[i]->dims()) return false;
    }
    return entry.program.planned != nullptr;
  };
  const auto found = std::find_if(programs_.begin(), programs_.end(), fits);
  if (found == programs_.end()) return nullptr;
  programs_.splice(programs_.begin(), programs_, found);
  return programs_.front().program.planned;
}

Status EngineSession::WarmUp() {
  if (cuda_ == nullptr) return {};
  std::map<std::string, int64_t> binding;
  if (!profiles_.empty()) {
    for (const auto& [symbol, range] : profiles_.front()) binding[symbol] = range.opt;
  }
  auto dims = BoundInputDims(*graph_, binding);
  if (!dims.ok()) return {};  // no profile: the first request says which shapes there are
  TAMIS_ASSIGN_OR_RETURN(const Runnable program, ProgramFor(std::move(dims).value()));
  if (program.cuda == nullptr) {
    notices_.emplace_back(
        "the network runs on the CPU: shapes depend on data, or it has regions, sequences or strings, which the GPU's "
        "programs don't take");
    return {};
  }
  const auto& cpu_nodes = program.cuda->cpu_nodes();
  notices_.insert(notices_.end(), cpu_nodes.begin(), cpu_nodes.end());
  return {};
}

Result<EngineSession::Runnable> EngineSession::ProgramFor(std::vector<Dims> dims) {
  const std::lock_guard lock(mutex_);
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
  uint64_t workspace_limit = 0;
  if (const Plan* plan = ChoosePlan(plans_, Query(), binding)) {
    workspace_limit = plan->workspace_limit;
    options.wish = WishOf(*plan, binding);
    options.blocks = BlocksOf(*plan, binding);
    options.micro_batches = MicroBatchesOf(*plan, binding);
  } else if (cuda_) {
    workspace_limit = StrictestWorkspaceLimit(plans_, variant_);
  } else if (!RunsNodeByNode(concrete)) {
    options.blocks = LikelyBlocks(concrete, options.threads, ProcessPackCache());
  }
  options.arenas = arenas_;
  if (weights_) options.packed = [this](const Tensor& constant) { weights_->Packed(constant); };
  Runnable program;
  if (RunsNodeByNode(concrete)) {
    if (cuda_ && engine_->Precision(variant_) == "f16") Widen(concrete, DType::kFloat16);  // it runs on the CPU
    TAMIS_ASSIGN_OR_RETURN(program.dynamic, DynamicProgram::Make(std::move(concrete), options, ProcessPackCache()));
  } else if (cuda_) {
    const CudaProgramOptions cuda_options{cuda_, options.threads, options.wish, workspace_limit};
    TAMIS_ASSIGN_OR_RETURN(program.cuda, CudaProgram::Make(std::move(concrete), cuda_options, ProcessPackCache()));
  } else {
    TAMIS_ASSIGN_OR_RETURN(program.planned, Program::Make(std::move(concrete), options, ProcessPackCache()));
  }
  programs_.push_front({std::move(dims), std::move(program)});
  if (programs_.size() > kProgramLimit) programs_.pop_back();
  return programs_.front().program;
}

std::unique_ptr<EngineSession::Request> EngineSession::TakeRequest() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Request>();
  auto request = std::move(idle_.back());
  idle_.pop_back();
  return request;
}

void EngineSession::ReturnRequest(std::unique_ptr<Request> request) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(request));
}

Status EngineSession::RunRequest(const NamedTensors& inputs, NamedTensors& outputs, Request& request) {
  // Programs are made for checked shapes only, so one that is there already proves that a request of its shapes is
  // good.
  std::shared_ptr<const Program> program;
  if (Point(inputs, &request.inputs)) program = KnownProgram(request.inputs);
  if (program == nullptr) {
    TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged, Arrange(AsData(inputs)));
    TAMIS_ASSIGN_OR_RETURN(const Runnable runnable, ProgramFor(DimsOf(arranged)));
    if (runnable.planned == nullptr || !Point(inputs, &request.inputs)) return RunAsData(inputs, outputs);
    program = runnable.planned;
  }
  request.outputs.clear();
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const Program::OutputType& type = program->OutputTypes()[i];
    const auto found = outputs.find(outputs_[i].name);
    Tensor& tensor = found != outputs.end() ? found->second : outputs[outputs_[i].name];
    if (tensor.dtype() != type.dtype || tensor.dims() != type.dims) tensor = program->NewOutput(i);
    request.outputs.push_back(&tensor);
  }
  return program->RunInto(request.inputs, request.outputs, *pool_);
}

Status EngineSession::RunAsData(const NamedTensors& inputs, NamedTensors& outputs) {
  TAMIS_ASSIGN_OR_RETURN(NamedData results, RunData(AsData(inputs), {}));
  for (auto& [output, datum] : results) {
    if (!datum.IsTensor()) {
      return UserError("output '{}' is {}, which this way of running can't give; RunData does", output,
                       Describe(datum));
    }
    outputs[output] = std::move(datum.tensor());
  }
  return {};
}

Status EngineSession::RunInto(const NamedTensors& inputs, NamedTensors& outputs) {
  try {
    auto request = TakeRequest();
    const Status status = RunRequest(inputs, outputs, *request);
    ReturnRequest(std::move(request));
    return status;
  } catch (const std::bad_alloc&) {
    return RuntimeError("not enough memory to run '{}' on inputs of this size", name_);
  }
}

Result<NamedData> EngineSession::RunData(const NamedData& inputs, const std::function<bool()>& cancelled) {
  try {
    TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged, Arrange(inputs));
    TAMIS_ASSIGN_OR_RETURN(const Runnable program, ProgramFor(DimsOf(arranged)));
    NamedData outputs;
    if (program.dynamic != nullptr) {
      TAMIS_ASSIGN_OR_RETURN(std::vector<Datum> results, program.dynamic->Run(arranged, *pool_, cancelled));
      for (size_t i = 0; i < results.size(); ++i) outputs[outputs_[i].name] = std::move(results[i]);
      return outputs;
    }
    const std::vector<Tensor> tensors = TensorsOf(arranged);
    TAMIS_ASSIGN_OR_RETURN(std::vector<Tensor> results,
                           program.cuda ? program.cuda->Run(tensors, *pool_) : program.planned->Run(tensors, *pool_));
    for (size_t i = 0; i < results.size(); ++i) outputs[outputs_[i].name] = std::move(results[i]);
    return outputs;
  } catch (const std::bad_alloc&) {
    return RuntimeError("not enough memory to run '{}' on inputs of this size", name_);
  }
}

Result<NamedTensors> EngineSession::Run(const NamedTensors& inputs) {
  NamedTensors outputs;
  TAMIS_RETURN_IF_ERROR(RunInto(inputs, outputs));
  return outputs;
}

Result<NamedDeviceTensors> Session::RunOnDevice(const NamedDeviceTensors&, uint64_t) {
  return UserError("only a session on a GPU runs on its memory");
}

Status Session::OrderDeviceStreams(uint64_t, uint64_t) {
  return UserError("only a session on a GPU has streams");
}

Result<NamedDeviceTensors> EngineSession::RunOnDevice(const NamedDeviceTensors& inputs, uint64_t stream) {
  if (cuda_ == nullptr) return Session::RunOnDevice(inputs, stream);
  NamedData facts;  // names, types and dimensions; nobody looks at the elements
  std::string elsewhere;
  for (const auto& [input, tensor] : inputs) {
    facts[input] = Tensor::View(tensor.dtype, tensor.dims, nullptr, nullptr);
    if (tensor.device != cuda_->info().ordinal) {
      elsewhere += fmt::format("{}'{}' lies in GPU {}", elsewhere.empty() ? "" : ", ", input, tensor.device);
    }
  }
  if (!elsewhere.empty()) {
    return UserError("input {}; the session runs on GPU {}", elsewhere, cuda_->info().ordinal);
  }
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged, Arrange(facts));
  TAMIS_ASSIGN_OR_RETURN(const Runnable program, ProgramFor(DimsOf(arranged)));
  if (program.cuda == nullptr) {
    return UserError("the network runs on the CPU as a whole (see the session's notices): run it on host memory");
  }
  std::vector<DeviceTensor> ordered;
  for (const TensorSpec& spec : inputs_) ordered.push_back(inputs.at(spec.name));
  TAMIS_ASSIGN_OR_RETURN(std::vector<DeviceTensor> results, program.cuda->RunOnDevice(ordered, stream, *pool_));
  NamedDeviceTensors outputs;
  for (size_t i = 0; i < results.size(); ++i) outputs[outputs_[i].name] = std::move(results[i]);
  return outputs;
}

Status EngineSession::OrderDeviceStreams(uint64_t earlier, uint64_t later) {
  if (cuda_ == nullptr) return Session::OrderDeviceStreams(earlier, later);
  TAMIS_ASSIGN_OR_RETURN(const CudaStream between, cuda_->MakeStream());
  TAMIS_RETURN_IF_ERROR(CallCuda(cuda_->api().wait_for_native, between.get(), earlier));
  return CallCuda(cuda_->api().let_native_wait, between.get(), later);
}

Result<Session::DeviceMeasure> Session::MeasureOnDevice(const NamedTensors&, int) {
  return UserError("only a session on a GPU measures the device");
}

Result<Session::DeviceMeasure> EngineSession::MeasureOnDevice(const NamedTensors& inputs, int repeats) {
  if (cuda_ == nullptr) return Session::MeasureOnDevice(inputs, repeats);
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged, Arrange(AsData(inputs)));
  TAMIS_ASSIGN_OR_RETURN(const Runnable program, ProgramFor(DimsOf(arranged)));
  if (program.cuda == nullptr) return UserError("the network runs on the CPU");
  return program.cuda->Measure(TensorsOf(arranged), repeats);
}

Result<std::vector<Session::NodeTime>> EngineSession::Profile(const NamedTensors& inputs, int repeats) {
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged, Arrange(AsData(inputs)));
  TAMIS_ASSIGN_OR_RETURN(const Runnable program, ProgramFor(DimsOf(arranged)));
  if (program.dynamic != nullptr) return program.dynamic->Profile(arranged, repeats, *pool_);
  if (program.cuda != nullptr) return program.cuda->Profile(TensorsOf(arranged), repeats, *pool_);
  return program.planned->Profile(TensorsOf(arranged), repeats, *pool_);
}

Result<std::shared_ptr<Session>> OpenSession(const EngineFile& file, const std::string& engine_path,
                                             const SessionOptions& options) {
  const std::string name = std::filesystem::path(engine_path).stem().string();
  TAMIS_ASSIGN_OR_RETURN(auto session, EngineSession::Make(file.engine, file.weights, name, options));
  static_cast<EngineSession&>(*session).StartRetune(engine_path, file.facts.content, options);
  return session;
}

void EngineSession::StartRetune(const std::string& engine_path, uint64_t engine_content,
                                const SessionOptions& options) {
  if (options.retune == Retune::kNever || HasPlans()) return;
  if (cuda_) {
    notices_.push_back(
        "--retune is for the CPU; `tamis build ENGINE.tamis -o NEW.tamis --device cuda` tunes for a GPU");
    return;
  }
  RetuneRequest request;
  request.engine_path = engine_path;
  request.precision = engine_->Precision(variant_);
  request.threads = pool_->threads();
  request.program = options.tamis_program;
  request.background = options.retune == Retune::kBackground;
  request.plan_path = PlanPath(engine_content, Query().device + request.precision, request.threads);
  if (request.plan_path.empty()) {
    notices_.push_back("this machine is not tuned for: neither XDG_CACHE_HOME nor HOME says where plans may be kept");
    return;
  }
  if (std::filesystem::exists(request.plan_path)) {
    if (const auto file = ReadEngine(request.plan_path, ReadMode::kRead); file.ok()) {
      SetPlans(file->engine->plans);
      if (HasPlans()) {
        const std::lock_guard lock(mutex_);
        retune_state_ = RetuneState::kDone;
        notices_ = {"the plan that an earlier run tuned for this machine is used: " + request.plan_path};
        return;
      }
    }
  }
  retune_state_ = RetuneState::kRunning;
  notices_.push_back(request.background ? "kernels are being timed in a process of their own; the plan is taken over "
                                          "when it is done"
                                        : "kernels were timed before the first request");
  retuner_ = std::make_unique<Retuner>(std::move(request), [this](Result<std::vector<Plan>> plans) {
    if (plans.ok()) SetPlans(std::move(*plans));
    const std::lock_guard lock(mutex_);
    retune_state_ = plans.ok() ? RetuneState::kDone : RetuneState::kFailed;
    if (!plans.ok()) retune_problem_ = plans.status().message();
  });
  if (options.retune == Retune::kBackground) return;
  retuner_->Wait();
  if (std::string why; retune_state(&why) == RetuneState::kFailed) notices_.back() = "tuning failed: " + why;
}

RetuneState EngineSession::retune_state(std::string* why) const {
  const std::lock_guard lock(mutex_);
  if (why != nullptr) *why = retune_problem_;
  return retune_state_;
}

const Engine* EngineOf(const Session& session) {
  const auto* known = dynamic_cast<const EngineSession*>(&session);
  return known == nullptr ? nullptr : &known->engine();
}

const std::vector<Profile>& ProfilesOf(const Session& session) {
  static const std::vector<Profile> kNone;
  const auto* engine = dynamic_cast<const EngineSession*>(&session);
  return engine == nullptr ? kNone : engine->profiles();
}

}  // namespace tamis
