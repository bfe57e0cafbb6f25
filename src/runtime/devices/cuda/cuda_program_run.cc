#include <algorithm>
#include <cstring>

#include "src/base/median.h"
#include "src/cuda/pinned_blocks.h"
#include "src/runtime/devices/cuda/cuda_lease.h"

namespace tamis {
namespace {

std::vector<CudaProgram::Pieces> AsPieces(std::span<const Tensor> inputs) {
  std::vector<CudaProgram::Pieces> pieces;
  pieces.reserve(inputs.size());
  for (const Tensor& input : inputs) pieces.push_back({&input});
  return pieces;
}

}  // namespace

Result<std::unique_ptr<CudaProgram::Context>> CudaProgram::MakeContext() const {
  const std::lock_guard lock(EnqueuingMutex());
  auto context = std::make_unique<Context>();
  TAMIS_ASSIGN_OR_RETURN(context->arena, CudaMemory::OnDevice(device_, arena_bytes_ + 256));
  TAMIS_ASSIGN_OR_RETURN(context->pinned, CudaMemory::Pinned(device_, pinned_bytes_ + 256));
  TAMIS_ASSIGN_OR_RETURN(context->stream, device_->MakeStream());
  // Some libraries set themselves up at their first call, which a capture would refuse.
  for (const Action& action : actions_) {
    if (action.kind == Action::Kind::kLaunch) TAMIS_RETURN_IF_ERROR(Enqueue(*context, action));
  }
  TAMIS_RETURN_IF_ERROR(CallCuda(device_->api().synchronize, context->stream.get()));
  for (size_t begin = 0; begin <= actions_.size();) {
    size_t end = begin;
    while (end < actions_.size() && actions_[end].kind != Action::Kind::kRunOnHost) ++end;
    context->parts.emplace_back();
    TAMIS_RETURN_IF_ERROR(Record(*context, begin, end, true, &context->parts.back()));
    begin = end + 1;
  }
  if (context->parts.size() == 1) {
    TAMIS_RETURN_IF_ERROR(Record(*context, 0, actions_.size(), false, &context->resident));
  }
  return context;
}

Status CudaProgram::Record(Context& context, size_t begin, size_t end, bool boundary_copies, CudaGraph* graph,
                           const Binding* binding) const {
  if (begin == end) return {};
  const TamisCudaApi& api = device_->api();
  TAMIS_RETURN_IF_ERROR(CallCuda(api.begin_capture, context.stream.get()));
  Status status;
  for (size_t a = begin; a < end && status.ok(); ++a) {
    const Action& action = actions_[a];
    if (action.boundary && (!boundary_copies || PlaceOf(action.value).direct)) continue;
    status = Enqueue(context, action, binding);
  }
  TamisCudaGraph* recorded = nullptr;
  const Status ended = CallCuda(api.end_capture, context.stream.get(), &recorded);
  graph->reset(recorded);
  return status.ok() ? ended : status;
}

Status CudaProgram::Enqueue(const Context& context, const Action& action, const Binding* binding) const {
  if (action.kind == Action::Kind::kLaunch) return Launch(context, steps_[action.step], binding);
  const Place& place = PlaceOf(action.value);
  if (place.bytes == 0) return {};
  std::byte* device = context.arena.data() + place.offset;
  std::byte* host = context.pinned.data() + place.host_offset;
  const bool to_device = action.kind == Action::Kind::kToDevice;
  void* to = to_device ? device : host;
  const void* from = to_device ? host : device;
  return CallCuda(device_->api().copy, context.stream.get(), to, from, static_cast<uint64_t>(place.bytes),
                  static_cast<int32_t>(to_device ? TAMIS_CUDA_TO_DEVICE : TAMIS_CUDA_TO_HOST));
}

std::byte* CudaProgram::AddressOf(const Context& context, ValueId value, const Binding* binding) const {
  if (binding != nullptr) {
    const auto found = binding->at.find(Root(value));
    if (found != binding->at.end()) return static_cast<std::byte*>(found->second);
  }
  return context.arena.data() + PlaceOf(value).offset;
}

Status CudaProgram::Launch(const Context& context, const Step& step, const Binding* binding) const {
  const Node& node = graph_.node(step.node);
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (ValueId id : node.inputs) {
    if (id == kNoValue) {
      inputs.push_back(nullptr);
      continue;
    }
    const Place& place = PlaceOf(id);
    inputs.push_back(place.host_constant != nullptr ? place.constant : AddressOf(context, id, binding));
  }
  for (ValueId id : node.outputs) outputs.push_back(id == kNoValue ? nullptr : AddressOf(context, id, binding));
  return CallCuda(device_->api().enqueue, static_cast<const TamisCudaKernel*>(step.kernel.get()), context.stream.get(),
                  static_cast<const void* const*>(inputs.data()), static_cast<void* const*>(outputs.data()),
                  static_cast<void*>(context.arena.data() + step.workspace_offset))
      .WithContext(step.tactic);
}

Status CudaProgram::RunOnHost(const Context& context, const Step& step, ThreadPool& pool) const {
  const Node& node = graph_.node(step.node);
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (ValueId id : node.inputs) {
    if (id == kNoValue) {
      inputs.push_back(nullptr);
      continue;
    }
    const Place& place = PlaceOf(id);
    inputs.push_back(place.host_constant ? place.host_constant : context.pinned.data() + place.host_offset);
  }
  for (ValueId id : node.outputs) {
    outputs.push_back(id == kNoValue ? nullptr : context.pinned.data() + PlaceOf(id).host_offset);
  }
  return step.host->Run(inputs, outputs, context.pinned.data() + step.workspace_offset, pool);
}

Status CudaProgram::CheckIndices(std::span<const Pieces> inputs) const {
  for (const IndexCheck& check : index_checks_) {
    for (const Tensor* piece : inputs[check.input]) {
      for (const int64_t index : piece->ToInt64s()) {
        if (index >= -check.size && index < check.size) continue;
        return UserError("input '{}' holds the index {}; Gather '{}' takes {} to {}",
                         graph_.value(graph_.inputs[check.input]).name, index, check.node, -check.size, check.size - 1);
      }
    }
  }
  return {};
}

Status CudaProgram::WriteInput(const Context& context, const Place& place, size_t at, const Tensor& piece) const {
  const size_t bytes = piece.NumBytes();
  if (bytes == 0) return {};
  std::byte* const staged = context.pinned.data() + place.host_offset + at;
  const bool in_place = place.direct && PinnedBlocks::OfProcess().Holds(piece.raw(), bytes);
  if (!in_place) std::memcpy(staged, piece.raw(), bytes);
  if (!place.direct) return {};
  return CallCuda(device_->api().copy, context.stream.get(),
                  static_cast<void*>(context.arena.data() + place.offset + at),
                  static_cast<const void*>(in_place ? piece.raw() : staged), static_cast<uint64_t>(bytes),
                  int32_t{TAMIS_CUDA_TO_DEVICE});
}

Status CudaProgram::WriteInputs(const Context& context, std::span<const Pieces> inputs) const {
  for (size_t i = 0; i < inputs.size(); ++i) {
    size_t at = 0;
    for (const Tensor* piece : inputs[i]) {
      TAMIS_RETURN_IF_ERROR(WriteInput(context, PlaceOf(graph_.inputs[i]), at, *piece));
      at += piece->NumBytes();
    }
  }
  return {};
}

Status CudaProgram::RunParts(const Context& context, ThreadPool& pool) const {
  const TamisCudaApi& api = device_->api();
  size_t part = 0;
  for (size_t a = 0; a <= actions_.size(); ++a) {
    const bool last = a == actions_.size();
    if (!last && actions_[a].kind != Action::Kind::kRunOnHost) continue;
    if (const CudaGraph& graph = context.parts[part++]; graph != nullptr) {
      TAMIS_RETURN_IF_ERROR(CallCuda(api.launch_graph, context.stream.get(), graph.get()));
      TAMIS_RETURN_IF_ERROR(CallCuda(api.synchronize, context.stream.get()));
    }
    if (!last) TAMIS_RETURN_IF_ERROR(RunOnHost(context, steps_[actions_[a].step], pool));
  }
  return {};
}

Result<std::vector<Tensor>> CudaProgram::Run(std::span<const Tensor> inputs, ThreadPool& pool) const {
  return Run(AsPieces(inputs), pool);
}

Result<std::vector<Tensor>> CudaProgram::Run(std::span<const Pieces> inputs, ThreadPool& pool) const {
  TAMIS_RETURN_IF_ERROR(CheckIndices(inputs));
  Lease lease(*this);
  TAMIS_RETURN_IF_ERROR(lease.Take());
  const Context& context = *lease;
  Status status = WriteInputs(context, inputs);
  if (status.ok()) status = RunParts(context, pool);
  if (!status.ok()) {
    // What has been enqueued may still read the inputs.
    static_cast<void>(CallCuda(device_->api().synchronize, context.stream.get()));
    lease.Discard();
    return status;
  }
  std::vector<Tensor> outputs;
  for (ValueId id : graph_.outputs) {
    const Type& type = graph_.value(id).type;
    outputs.push_back(results_->NewTensor(type.dtype, *ConstantDims(type.shape)));
    const Place& place = PlaceOf(id);
    const void* from = place.host_constant ? place.host_constant : context.pinned.data() + place.host_offset;
    if (place.bytes > 0) std::memcpy(outputs.back().raw(), from, place.bytes);
  }
  return outputs;
}

Result<std::vector<Session::NodeTime>> CudaProgram::Profile(std::span<const Tensor> inputs, int repeats,
                                                            ThreadPool& pool) const {
  constexpr int kLaunches = 16;  // of one node in one graph, so that the time is the kernel's and not the launch's
  TAMIS_RETURN_IF_ERROR(CheckIndices(AsPieces(inputs)));
  Lease lease(*this);
  TAMIS_RETURN_IF_ERROR(lease.Take());
  Context& context = *lease;
  const TamisCudaApi& api = device_->api();
  TAMIS_ASSIGN_OR_RETURN(const CudaEvent begin, device_->MakeEvent());
  TAMIS_ASSIGN_OR_RETURN(const CudaEvent end, device_->MakeEvent());
  TAMIS_RETURN_IF_ERROR(WriteInputs(context, AsPieces(inputs)));
  TAMIS_RETURN_IF_ERROR(RunParts(context, pool));
  std::vector<Session::NodeTime> times;
  for (const Step& step : steps_) {
    const Node& node = graph_.node(step.node);
    Session::NodeTime time;
    if (node.outputs[0] != kNoValue) time.name = graph_.value(node.outputs[0]).name;
    time.op = node.op;
    time.tactic = step.tactic;
    time.output_dims = ConstantDims(graph_.value(node.outputs[0]).type.shape).value_or(Dims());
    if (step.kernel != nullptr) {
      std::unique_lock enqueuing(EnqueuingMutex());
      TAMIS_RETURN_IF_ERROR(CallCuda(api.begin_capture, context.stream.get()));
      Status status;
      for (int i = 0; i < kLaunches && status.ok(); ++i) status = Launch(context, step);
      TamisCudaGraph* recorded = nullptr;
      const Status ended = CallCuda(api.end_capture, context.stream.get(), &recorded);
      enqueuing.unlock();
      const CudaGraph graph(recorded);
      TAMIS_RETURN_IF_ERROR(status);
      TAMIS_RETURN_IF_ERROR(ended);
      std::vector<double> seconds;
      for (int r = 0; r < std::min(repeats, 5) + 1; ++r) {
        TAMIS_RETURN_IF_ERROR(CallCuda(api.record_event, context.stream.get(), begin.get()));
        TAMIS_RETURN_IF_ERROR(CallCuda(api.launch_graph, context.stream.get(), graph.get()));
        TAMIS_RETURN_IF_ERROR(CallCuda(api.record_event, context.stream.get(), end.get()));
        double one = 0;
        TAMIS_RETURN_IF_ERROR(CallCuda(api.elapsed_seconds, begin.get(), end.get(), &one));
        seconds.push_back(one / kLaunches);
      }
      time.seconds = Median(std::move(seconds));
    }
    times.push_back(std::move(time));
  }
  return times;
}

Result<Session::DeviceMeasure> CudaProgram::Measure(std::span<const Tensor> inputs, int repeats) const {
  if (!cpu_nodes_.empty()) return UserError("{} of the network's nodes run on the CPU", cpu_nodes_.size());
  TAMIS_RETURN_IF_ERROR(CheckIndices(AsPieces(inputs)));
  Lease lease(*this);
  TAMIS_RETURN_IF_ERROR(lease.Take());
  const Context& context = *lease;
  const TamisCudaApi& api = device_->api();
  TAMIS_RETURN_IF_ERROR(WriteInputs(context, AsPieces(inputs)));
  // The whole part once, so that the inputs are on the device; then the part without the copies.
  if (context.parts[0] != nullptr) {
    TAMIS_RETURN_IF_ERROR(CallCuda(api.launch_graph, context.stream.get(), context.parts[0].get()));
  }
  std::vector<CudaEvent> events;
  for (int i = 0; i <= repeats; ++i) {
    TAMIS_ASSIGN_OR_RETURN(CudaEvent event, device_->MakeEvent());
    events.push_back(std::move(event));
  }
  constexpr int kWarmup = 10;
  for (int i = -kWarmup; i <= repeats; ++i) {
    if (i >= 0) {
      TAMIS_RETURN_IF_ERROR(CallCuda(api.record_event, context.stream.get(), events[static_cast<size_t>(i)].get()));
    }
    if (i < repeats && context.resident != nullptr) {
      TAMIS_RETURN_IF_ERROR(CallCuda(api.launch_graph, context.stream.get(), context.resident.get()));
    }
  }
  TAMIS_RETURN_IF_ERROR(CallCuda(api.synchronize, context.stream.get()));
  std::vector<double> seconds(static_cast<size_t>(repeats));
  for (size_t i = 0; i < seconds.size(); ++i) {
    TAMIS_RETURN_IF_ERROR(CallCuda(api.elapsed_seconds, events[i].get(), events[i + 1].get(), &seconds[i]));
  }
  return Session::DeviceMeasure{Median(std::move(seconds)), constant_bytes_ + arena_bytes_};
}

}  // namespace tamis
