// Runs on inputs and outputs in the GPU's memory.
#include <algorithm>

#include "src/runtime/devices/cuda/cuda_lease.h"

namespace tamis {
namespace {

constexpr size_t kMostBindings = 8;   // of a context
constexpr uintptr_t kAlignment = 16;  // of what kernels read and write by vectors and by the copy engine

}  // namespace

Result<CudaProgram::Binding*> CudaProgram::Bind(Context& context, std::vector<void*> addresses) const {
  for (auto it = context.bindings.begin(); it != context.bindings.end(); ++it) {
    if (it->addresses != addresses) continue;
    context.bindings.splice(context.bindings.begin(), context.bindings, it);
    return &context.bindings.front();
  }
  Binding binding;
  const size_t inputs = graph_.inputs.size();
  for (size_t i = 0; i < inputs; ++i) {
    const ValueId root = Root(graph_.inputs[i]);
    const Place& place = PlaceOf(root);
    if (place.bytes == 0) continue;
    if (reinterpret_cast<uintptr_t>(addresses[i]) % kAlignment == 0) {
      binding.at[root] = addresses[i];
    } else if (place.offset != kNone) {
      binding.before.push_back({context.arena.data() + place.offset, addresses[i], place.bytes, TAMIS_CUDA_ON_DEVICE});
    }
  }
  // An output that is an input, another output or a constant is copied there.
  for (size_t o = 0; o < graph_.outputs.size(); ++o) {
    const ValueId root = Root(graph_.outputs[o]);
    const Place& place = PlaceOf(root);
    void* to = addresses[inputs + o];
    if (place.bytes == 0) continue;
    const auto input =
        std::find_if(graph_.inputs.begin(), graph_.inputs.end(), [&](ValueId value) { return Root(value) == root; });
    if (place.host_constant != nullptr) {
      binding.after.push_back({to, place.host_constant, place.bytes, TAMIS_CUDA_TO_DEVICE});
    } else if (input != graph_.inputs.end()) {
      const void* from = addresses[static_cast<size_t>(input - graph_.inputs.begin())];
      binding.after.push_back({to, from, place.bytes, TAMIS_CUDA_ON_DEVICE});
    } else if (const auto [found, inserted] = binding.at.emplace(root, to); !inserted) {
      binding.after.push_back({to, found->second, place.bytes, TAMIS_CUDA_ON_DEVICE});
    }
  }
  binding.addresses = std::move(addresses);
  {
    const std::lock_guard lock(EnqueuingMutex());
    TAMIS_RETURN_IF_ERROR(Record(context, 0, actions_.size(), false, &binding.graph, &binding));
  }
  if (context.bindings.size() == kMostBindings) {
    // Its graph may be running.
    TAMIS_RETURN_IF_ERROR(CallCuda(device_->api().synchronize, context.stream.get()));
    context.bindings.pop_back();
  }
  context.bindings.push_front(std::move(binding));
  return &context.bindings.front();
}

Status CudaProgram::RunBound(Context& context, const std::vector<void*>& addresses) const {
  const TamisCudaApi& api = device_->api();
  TAMIS_ASSIGN_OR_RETURN(const Binding* binding, Bind(context, addresses));
  const auto copy = [&](const std::vector<Binding::Copy>& copies) -> Status {
    for (const Binding::Copy& c : copies) {
      TAMIS_RETURN_IF_ERROR(CallCuda(api.copy, context.stream.get(), c.to, c.from, c.bytes, c.direction));
    }
    return {};
  };
  context.pending = true;
  TAMIS_RETURN_IF_ERROR(copy(binding->before));
  if (binding->graph != nullptr) {
    TAMIS_RETURN_IF_ERROR(CallCuda(api.launch_graph, context.stream.get(), binding->graph.get()));
  }
  return copy(binding->after);
}

Status CudaProgram::RunThroughHost(const Context& context, const std::vector<void*>& addresses,
                                   ThreadPool& pool) const {
  const TamisCudaApi& api = device_->api();
  for (size_t i = 0; i < graph_.inputs.size(); ++i) {
    const Place& place = PlaceOf(graph_.inputs[i]);
    if (place.bytes == 0) continue;
    TAMIS_RETURN_IF_ERROR(CallCuda(
        api.copy, context.stream.get(), static_cast<void*>(context.pinned.data() + place.host_offset),
        static_cast<const void*>(addresses[i]), static_cast<uint64_t>(place.bytes), int32_t{TAMIS_CUDA_TO_HOST}));
  }
  TAMIS_RETURN_IF_ERROR(CallCuda(api.synchronize, context.stream.get()));
  for (const ValueId input : graph_.inputs) {
    const Place& place = PlaceOf(input);
    if (!place.direct) continue;
    TAMIS_RETURN_IF_ERROR(CallCuda(api.copy, context.stream.get(),
                                   static_cast<void*>(context.arena.data() + place.offset),
                                   static_cast<const void*>(context.pinned.data() + place.host_offset),
                                   static_cast<uint64_t>(place.bytes), int32_t{TAMIS_CUDA_TO_DEVICE}));
  }
  TAMIS_RETURN_IF_ERROR(RunParts(context, pool));
  for (size_t o = 0; o < graph_.outputs.size(); ++o) {
    const Place& place = PlaceOf(graph_.outputs[o]);
    if (place.bytes == 0) continue;
    const void* from = place.host_constant ? place.host_constant : context.pinned.data() + place.host_offset;
    TAMIS_RETURN_IF_ERROR(CallCuda(api.copy, context.stream.get(), addresses[graph_.inputs.size() + o], from,
                                   static_cast<uint64_t>(place.bytes), int32_t{TAMIS_CUDA_TO_DEVICE}));
  }
  // The next run writes into the same pinned memory.
  return CallCuda(api.synchronize, context.stream.get());
}

Status CudaProgram::ReadBackIndices(const Context& context, std::span<const DeviceTensor> inputs) const {
  if (index_checks_.empty()) return {};
  std::vector<Tensor> indices(inputs.size());
  for (const IndexCheck& check : index_checks_) {
    const DeviceTensor& input = inputs[check.input];
    Tensor& read = indices[check.input];
    if (read.Defined()) continue;
    read = Tensor(input.dtype, input.dims);
    if (read.NumBytes() == 0) continue;
    TAMIS_RETURN_IF_ERROR(CallCuda(device_->api().copy, context.stream.get(), static_cast<void*>(read.raw()),
                                   static_cast<const void*>(input.data), static_cast<uint64_t>(read.NumBytes()),
                                   int32_t{TAMIS_CUDA_TO_HOST}));
  }
  TAMIS_RETURN_IF_ERROR(CallCuda(device_->api().synchronize, context.stream.get()));
  std::vector<Pieces> pieces;
  for (const Tensor& read : indices) pieces.push_back({&read});
  return CheckIndices(pieces);
}

Result<std::vector<DeviceTensor>> CudaProgram::RunOnDevice(std::span<const DeviceTensor> inputs, uint64_t stream,
                                                           ThreadPool& pool) const {
  Lease lease(*this);
  TAMIS_RETURN_IF_ERROR(lease.Take());
  Context& context = *lease;
  const TamisCudaApi& api = device_->api();
  std::vector<void*> addresses;
  for (const DeviceTensor& input : inputs) addresses.push_back(input.data);
  std::vector<DeviceTensor> outputs;
  for (const ValueId id : graph_.outputs) {
    DeviceTensor& output = outputs.emplace_back();
    output.dtype = graph_.value(id).type.dtype;
    output.dims = *ConstantDims(graph_.value(id).type.shape);
    output.device = device_->info().ordinal;
    TAMIS_ASSIGN_OR_RETURN(const DeviceBlocks::Block block, blocks_->Take(PlaceOf(id).bytes + kAlignment, stream));
    output.data = block.data;
    output.owner = block.owner;
    addresses.push_back(block.data);
  }
  TAMIS_RETURN_IF_ERROR(CallCuda(api.wait_for_native, context.stream.get(), stream));
  TAMIS_RETURN_IF_ERROR(ReadBackIndices(context, inputs));
  Status status = context.parts.size() == 1 ? RunBound(context, addresses) : RunThroughHost(context, addresses, pool);
  if (status.ok()) status = CallCuda(api.let_native_wait, context.stream.get(), stream);
  if (status.ok()) return outputs;
  // What has been enqueued may still write the outputs.
  static_cast<void>(CallCuda(api.synchronize, context.stream.get()));
  lease.Discard();
  return status;
}

}  // namespace tamis
