#include "src/runtime/engine_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "src/ir/widen.h"
#include "src/kernels/block/likely_blocks.h"
#include "src/ops/op_custom.h"
#include "src/runtime/arrange_inputs.h"
#include "src/runtime/known_operators.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

NamedData AsData(const NamedTensors& tensors) {
  NamedData data;
  for (const auto& [name, tensor] : tensors) data.emplace(name, tensor);
  return data;
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
  CudaProgramOptions cuda_options{cuda_, options.threads, {}, StrictestWorkspaceLimit(plans_, variant_)};
  if (const Plan* plan = ChoosePlan(plans_, Query(), binding)) {
    cuda_options = CudaProgramOptions::Of(*plan, cuda_, options.threads).Wishing(WishOf(*plan, binding));
    options.wish = WishOf(*plan, binding);
    options.blocks = BlocksOf(*plan, binding);
    options.micro_batches = MicroBatchesOf(*plan, binding);
  } else if (!cuda_ && !RunsNodeByNode(concrete)) {
    options.blocks = LikelyBlocks(concrete, options.threads, ProcessPackCache());
  }
  options.arenas = arenas_;
  if (weights_) options.packed = [this](const Tensor& constant) { weights_->Packed(constant); };
  Runnable program;
  if (RunsNodeByNode(concrete)) {
    if (cuda_ && engine_->Precision(variant_) == "f16") Widen(concrete, DType::kFloat16);  // it runs on the CPU
    TAMIS_ASSIGN_OR_RETURN(program.dynamic, DynamicProgram::Make(std::move(concrete), options, ProcessPackCache()));
  } else if (cuda_) {
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
    TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged,
                           ArrangeInputs(*graph_, inputs_, profiles_, AsData(inputs)));
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
                       KindText(datum));
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
    TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged, ArrangeInputs(*graph_, inputs_, profiles_, inputs));
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
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged, ArrangeInputs(*graph_, inputs_, profiles_, facts));
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
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged, ArrangeInputs(*graph_, inputs_, profiles_, AsData(inputs)));
  TAMIS_ASSIGN_OR_RETURN(const Runnable program, ProgramFor(DimsOf(arranged)));
  if (program.cuda == nullptr) return UserError("the network runs on the CPU");
  return program.cuda->Measure(TensorsOf(arranged), repeats);
}

Result<std::vector<Session::NodeTime>> EngineSession::Profile(const NamedTensors& inputs, int repeats) {
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged, ArrangeInputs(*graph_, inputs_, profiles_, AsData(inputs)));
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
