#include "src/runtime/devices/cuda/cuda_program.h"

#include <algorithm>
#include <set>

#include "src/cuda/fuse_for_cuda.h"
#include "src/cuda/pinned_blocks.h"
#include "src/runtime/devices/cuda/cuda_lease.h"
#include "src/runtime/memory_plan.h"

namespace tamis {
namespace {

// PlanMemory places buffers 64 bytes apart and on multiples of 64; sizes of 256 n - 64 make every offset a multiple of
// 256, which tensor-core kernels and cuBLASLt want.
size_t Rounded(size_t bytes) {
  return (bytes + 64 + 255) / 256 * 256 - 64;
}

std::string NameOf(const Graph& graph, const Node& node) {
  return node.outputs.empty() || node.outputs[0] == kNoValue ? node.name : graph.value(node.outputs[0]).name;
}

}  // namespace

CudaProgram::~CudaProgram() {
  // Runs on the device are not waited for where they are made, and what they use goes now.
  for (const auto& context : contexts_.free()) {
    if (context->pending) static_cast<void>(CallCuda(device_->api().synchronize, context->stream.get()));
  }
}

Result<std::unique_ptr<CudaProgram>> CudaProgram::Make(Graph graph, const CudaProgramOptions& options,
                                                       PackCache& cache) {
  auto program = std::unique_ptr<CudaProgram>(new CudaProgram());
  program->graph_ = std::move(graph);
  program->device_ = options.device;
  program->workspace_limit_ = options.workspace_limit;
  program->blocks_ = DeviceBlocks::Make(options.device);
  TAMIS_RETURN_IF_ERROR(FuseForCuda(program->graph_, program->device_->Compute()));
  Status held = program->Prepare(options, cache);
  if (held.ok()) held = program->HoldConstants();
  if (!held.ok()) return program->WithNeeds(held);
  program->Order();
  TAMIS_RETURN_IF_ERROR(program->PlaceValues());
  // The first context now, so that what does not fit is said when the program is made.
  Status taken = Lease(*program).Take();
  if (!taken.ok()) return program->WithNeeds(taken);
  return program;
}

Status CudaProgram::WithNeeds(const Status& status) const {
  if (!IsOutOfGpuMemory(status)) return status;
  size_t weights = 0;
  for (size_t i = 0; i < graph_.NumValues(); ++i) {
    const Value& value = graph_.value(static_cast<ValueId>(i));
    if (value.constant) weights += value.constant->NumBytes();
  }
  const auto megabytes = [](size_t bytes) { return static_cast<double>(bytes) / 1e6; };
  std::string text = fmt::format("{}. The network's constants are {:.1f} MB", status.message(), megabytes(weights));
  if (arena_bytes_ > 0) text += fmt::format(", what a run needs beside them {:.1f} MB", megabytes(arena_bytes_));
  return RuntimeError("{}; nvidia-smi shows what other processes hold", text);
}

Status CudaProgram::Take(const Problem& problem, const std::string& variant, Step* step) const {
  TAMIS_ASSIGN_OR_RETURN(CudaKernelHandle kernel, device_->Prepare(problem, variant));
  const TamisCudaKernelFacts facts = device_->Describe(kernel.get());
  step->workspace_bytes = facts.workspace_bytes;
  if (workspace_limit_ > 0 && facts.workspace_bytes > workspace_limit_) {
    return UserError("{}", WorkspaceRefusal(facts.workspace_bytes, workspace_limit_));
  }
  step->kernel = std::move(kernel);
  step->tactic = variant;
  step->packed_inputs = facts.packed_inputs;
  return {};
}

Status CudaProgram::PrepareOnDevice(const Problem& problem, const std::string& wish, Step* step, std::string* reason) {
  // Before the others are asked: that would load libraries, and have them search, for nothing.
  if (!wish.empty()) {
    const Status taken = Take(problem, wish, step);
    if (taken.ok() || IsOutOfGpuMemory(taken)) return taken;
  }
  TAMIS_ASSIGN_OR_RETURN(const auto candidates, device_->Candidates(problem));
  const auto add = [&](const std::string& name, const std::string& why) {
    *reason += (reason->empty() ? "" : "; ") + name + ": " + why;
  };
  size_t least = 0;  // workspace of those that want too much
  std::string thriftiest;
  for (const CudaCandidate& candidate : candidates) {
    if (candidate.variants == 0) add(candidate.kernel, candidate.reason);
    for (int i = 0; i < candidate.variants; ++i) {
      step->workspace_bytes = 0;
      const Status taken = Take(problem, candidate.Variant(i), step);
      if (taken.ok() || IsOutOfGpuMemory(taken)) return taken;
      if (workspace_limit_ > 0 && step->workspace_bytes > workspace_limit_ &&
          (thriftiest.empty() || step->workspace_bytes < least)) {
        least = step->workspace_bytes, thriftiest = candidate.Variant(i);
      }
      add(candidate.Variant(i), taken.message());
    }
  }
  step->workspace_bytes = 0;
  if (!thriftiest.empty()) {  // on the CPU it would be slow without a word
    return UserError(
        "{} '{}': no kernel keeps to the workspace limit of {} bytes; the least is taken by {}: {} bytes. Build with "
        "a --workspace-limit of that or more",
        problem.node->op, NameOf(graph_, *problem.node), workspace_limit_, thriftiest, least);
  }
  if (candidates.empty()) *reason = "no CUDA kernel computes this operator";
  return {};
}

Status CudaProgram::Prepare(const CudaProgramOptions& options, PackCache& cache) {
  root_.resize(graph_.NumValues());
  for (size_t i = 0; i < root_.size(); ++i) root_[i] = static_cast<ValueId>(i);
  for (NodeId id : graph_.NodeIds()) {
    const Node& node = graph_.node(id);
    if (IsView(node)) {
      root_[static_cast<size_t>(node.outputs[0])] = Root(node.inputs[0]);
      continue;
    }
    const std::string name = NameOf(graph_, node);
    const std::string wish = options.wish ? options.wish(name) : std::string();
    Step step;
    step.node = id;
    TAMIS_ASSIGN_OR_RETURN(const Problem problem, MakeProblem(graph_, node, options.threads));
    std::string reason;
    TAMIS_RETURN_IF_ERROR(PrepareOnDevice(problem, wish, &step, &reason));
    if (step.kernel == nullptr) {
      TAMIS_ASSIGN_OR_RETURN(step.host, PreparedNode::Make(graph_, node, options.threads, std::string(), cache));
      step.tactic = "cpu: " + step.host->tactic();
      cpu_nodes_.push_back(fmt::format("{} '{}' runs on the CPU ({})", node.op, name, reason));
    } else if (node.Is("Gather") || node.IsTamis("EmbeddingNorm")) {
      const auto input = std::find(graph_.inputs.begin(), graph_.inputs.end(), Root(node.inputs[1]));
      const int64_t rank = static_cast<int64_t>(problem.inputs[0].dims.size());
      const int64_t axis = node.Int("axis", 0);
      if (input != graph_.inputs.end()) {
        const int64_t size = problem.inputs[0].dims[static_cast<size_t>(axis < 0 ? axis + rank : axis)];
        index_checks_.push_back({static_cast<size_t>(input - graph_.inputs.begin()), size, name});
      }
    }
    steps_.push_back(std::move(step));
  }
  return {};
}

Status CudaProgram::HoldConstants() {
  places_.resize(graph_.NumValues());
  for (size_t i = 0; i < places_.size(); ++i) {
    const Value& value = graph_.value(static_cast<ValueId>(i));
    if (value.constant) places_[i].host_constant = value.constant->raw();
    const auto dims = value.type.IsTensor() && value.type.has_rank ? ConstantDims(value.type.shape) : std::nullopt;
    if (dims) places_[i].bytes = ByteSize(value.type.dtype, static_cast<size_t>(NumElements(*dims)));
  }
  for (const Step& step : steps_) {
    if (step.kernel == nullptr) continue;
    const Node& node = graph_.node(step.node);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue || (i < 64 && (step.packed_inputs >> i & 1) != 0)) continue;
      Place& place = PlaceOf(node.inputs[i]);
      if (place.host_constant == nullptr || place.constant != nullptr) continue;
      const Value& value = graph_.value(Root(node.inputs[i]));
      TAMIS_ASSIGN_OR_RETURN(CudaConstant constant, device_->Hold(*value.constant, value.constant_hash));
      place.constant = device_->api().constant_address(constant.get());
      constant_bytes_ += place.bytes;
      constants_.emplace_back(Root(node.inputs[i]), std::move(constant));
    }
  }
  return {};
}

void CudaProgram::Order() {
  std::set<ValueId> on_device, on_host;
  for (ValueId input : graph_.inputs) on_host.insert(input);
  std::set<ValueId> inputs(graph_.inputs.begin(), graph_.inputs.end());
  const auto need_on_device = [&](ValueId id) {
    if (id == kNoValue || PlaceOf(id).host_constant != nullptr || !on_device.insert(Root(id)).second) return;
    actions_.push_back({Action::Kind::kToDevice, 0, Root(id), inputs.count(Root(id)) != 0});
  };
  const auto need_on_host = [&](ValueId id, bool boundary) {
    if (id == kNoValue || PlaceOf(id).host_constant != nullptr || !on_host.insert(Root(id)).second) return;
    actions_.push_back({Action::Kind::kToHost, 0, Root(id), boundary});
  };
  for (size_t s = 0; s < steps_.size(); ++s) {
    const Node& node = graph_.node(steps_[s].node);
    const bool host = steps_[s].kernel == nullptr;
    for (ValueId id : node.inputs) host ? need_on_host(id, false) : need_on_device(id);
    actions_.push_back({host ? Action::Kind::kRunOnHost : Action::Kind::kLaunch, s, kNoValue, false});
    for (ValueId id : node.outputs) {
      if (id != kNoValue) (host ? on_host : on_device).insert(Root(id));
    }
  }
  for (ValueId id : graph_.outputs) need_on_host(id, true);
  ChooseDirect();
}

// Those that only the GPU reads, and before any node runs on the CPU: nothing else looks for them in the context's
// pinned memory.
void CudaProgram::ChooseDirect() {
  std::set<ValueId> on_host;
  for (const Step& step : steps_) {
    if (step.kernel != nullptr) continue;
    for (ValueId id : graph_.node(step.node).inputs) {
      if (id != kNoValue) on_host.insert(Root(id));
    }
  }
  for (ValueId id : graph_.outputs) on_host.insert(Root(id));
  for (Action& action : actions_) {
    if (action.kind == Action::Kind::kRunOnHost) return;
    if (action.kind != Action::Kind::kToDevice || !action.boundary || on_host.count(action.value) != 0) continue;
    if (PlaceOf(action.value).bytes >= PinnedBlocks::kLeastBytes) PlaceOf(action.value).direct = true;
  }
}

Status CudaProgram::PlaceValues() {
  std::vector<BufferUse> device_uses, host_uses;
  std::vector<int> device_use(graph_.NumValues(), -1), host_use(graph_.NumValues(), -1);
  const int last_action = static_cast<int>(actions_.size());
  const auto touch = [&](std::vector<BufferUse>& uses, std::vector<int>& use, ValueId id, int at) {
    if (id == kNoValue || PlaceOf(id).host_constant != nullptr) return;
    int& index = use[static_cast<size_t>(Root(id))];
    if (index < 0) {
      index = static_cast<int>(uses.size());
      uses.push_back({Rounded(PlaceOf(id).bytes), at, at});
    }
    uses[static_cast<size_t>(index)].last = std::max(uses[static_cast<size_t>(index)].last, at);
  };
  for (ValueId id : graph_.inputs) {
    touch(host_uses, host_use, id, 0);
    if (PlaceOf(id).direct) touch(device_uses, device_use, id, 0);
  }
  std::vector<int> workspace_use(steps_.size(), -1);
  for (int a = 0; a < last_action; ++a) {
    const Action& action = actions_[static_cast<size_t>(a)];
    if (action.value != kNoValue) {
      touch(device_uses, device_use, action.value, a);
      touch(host_uses, host_use, action.value, a);
      continue;
    }
    const Node& node = graph_.node(steps_[action.step].node);
    const bool host = action.kind == Action::Kind::kRunOnHost;
    for (const auto* list : {&node.inputs, &node.outputs}) {
      for (ValueId id : *list) {
        host ? touch(host_uses, host_use, id, a) : touch(device_uses, device_use, id, a);
      }
    }
    workspace_use[action.step] = static_cast<int>((host ? host_uses : device_uses).size());
    const size_t bytes = host ? steps_[action.step].host->WorkspaceBytes() : steps_[action.step].workspace_bytes;
    (host ? host_uses : device_uses).push_back({Rounded(bytes), a, a});
  }
  // Inputs are written before, outputs read after everything; a program that is timed runs again on the same inputs.
  for (ValueId id : graph_.inputs) {
    touch(host_uses, host_use, id, last_action);
    if (device_use[static_cast<size_t>(Root(id))] >= 0) touch(device_uses, device_use, id, last_action);
  }
  for (ValueId id : graph_.outputs) touch(host_uses, host_use, id, last_action);

  const MemoryPlan device_plan = PlanMemory(device_uses);
  const MemoryPlan host_plan = PlanMemory(host_uses);
  arena_bytes_ = device_plan.arena_bytes;
  pinned_bytes_ = host_plan.arena_bytes;
  for (size_t i = 0; i < places_.size(); ++i) {
    if (device_use[i] >= 0) places_[i].offset = device_plan.offsets[static_cast<size_t>(device_use[i])];
    if (host_use[i] >= 0) places_[i].host_offset = host_plan.offsets[static_cast<size_t>(host_use[i])];
  }
  for (size_t s = 0; s < steps_.size(); ++s) {
    const MemoryPlan& plan = steps_[s].kernel == nullptr ? host_plan : device_plan;
    steps_[s].workspace_offset = plan.offsets[static_cast<size_t>(workspace_use[s])];
  }
  return {};
}

}  // namespace tamis
