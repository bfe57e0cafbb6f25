// A graph bound to concrete shapes on one GPU: kernels prepared, weights uploaded, memory planned, the work recorded as
// CUDA graphs.
//
// Nodes without a GPU kernel run on the CPU between two recorded parts; their operands travel through pinned memory. A
// request copies its inputs into pinned memory, launches each part once and waits only before a CPU node and at the
// end. Large inputs that lie in PinnedBlocks, as the bodies of a server's requests do, the GPU fetches from there.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/cuda/device.h"
#include "src/engine/engine.h"
#include "src/ir/graph.h"
#include "src/kernels/pack_cache.h"
#include "src/runtime/buffer_pool.h"
#include "src/runtime/devices/cuda/device_blocks.h"
#include "src/runtime/limited_pool.h"
#include "src/runtime/prepared_node.h"
#include "tamis/session.h"

namespace tamis {

struct CudaProgramOptions {
  std::shared_ptr<const CudaDevice> device;
  int threads = 1;               // of nodes that run on the CPU
  KernelWish wish;               // may be empty; names variants
  uint64_t workspace_limit = 0;  // bytes that one kernel may take beside its operands; 0: no limit

  // As a plan says; its kernels are wished for where a point of it is chosen.
  static CudaProgramOptions Of(const Plan& plan, std::shared_ptr<const CudaDevice> device, int threads) {
    return {std::move(device), threads, {}, plan.workspace_limit};
  }
  CudaProgramOptions Wishing(KernelWish kernels) const {
    return {device, threads, std::move(kernels), workspace_limit};
  }
};

// Thread-safe: several runs may go on at once.
class CudaProgram {
 public:
  // `graph` as Specialize makes it; taken over. Fails where the GPU's memory does not hold one run, and says how much
  // that is.
  static Result<std::unique_ptr<CudaProgram>> Make(Graph graph, const CudaProgramOptions& options, PackCache& cache);
  ~CudaProgram();

  // `inputs` in the order of the graph's inputs, with the dtypes and dimensions the program was made for.
  Result<std::vector<Tensor>> Run(std::span<const Tensor> inputs, ThreadPool& pool) const;
  // The same of inputs in pieces, whose bytes follow one another in the input.
  using Pieces = std::vector<const Tensor*>;
  Result<std::vector<Tensor>> Run(std::span<const Pieces> inputs, ThreadPool& pool) const;
  // As Session::RunOnDevice, in the order of the graph's inputs and outputs.
  Result<std::vector<DeviceTensor>> RunOnDevice(std::span<const DeviceTensor> inputs, uint64_t stream,
                                                ThreadPool& pool) const;
  // Time of every node on the GPU; 0 for those on the CPU.
  Result<std::vector<Session::NodeTime>> Profile(std::span<const Tensor> inputs, int repeats, ThreadPool& pool) const;
  // As Session::MeasureOnDevice; memory_bytes counts this program's.
  Result<Session::DeviceMeasure> Measure(std::span<const Tensor> inputs, int repeats) const;

  // One sentence for every node that runs on the CPU, with the reason.
  const std::vector<std::string>& cpu_nodes() const { return cpu_nodes_; }
  const Graph& graph() const { return graph_; }

 private:
  // Where a value's bytes are: on the device as a constant or in the arena, and, where the host reads or writes them,
  // in pinned memory too.
  struct Place {
    const void* constant = nullptr;  // device address
    const void* host_constant = nullptr;
    size_t offset = kNone, host_offset = kNone;
    size_t bytes = 0;
    bool direct = false;  // an input that is copied to the device in front of the recorded work, not in it
  };
  static constexpr size_t kNone = ~size_t{0};

  struct Step {
    NodeId node = kNoNode;
    CudaKernelHandle kernel;             // null: on the CPU
    std::unique_ptr<PreparedNode> host;  // of a CPU step
    std::string tactic;
    uint64_t packed_inputs = 0;
    size_t workspace_bytes = 0, workspace_offset = 0;
  };
  // The order of work. A part is a run of actions without kRunOnHost, recorded as one graph.
  struct Action {
    enum class Kind : uint8_t { kToDevice, kLaunch, kToHost, kRunOnHost };
    Kind kind = Kind::kLaunch;
    size_t step = 0;           // kLaunch, kRunOnHost
    ValueId value = kNoValue;  // copies: a root
    bool boundary = false;     // a copy of a graph input or output
  };
  // One part recorded for inputs and outputs at addresses of the caller's, which kernels read and write in place.
  struct Binding {
    std::vector<void*> addresses;  // of the graph's inputs, then of its outputs
    std::map<ValueId, void*> at;   // roots that lie there
    struct Copy {
      void* to;
      const void* from;
      uint64_t bytes;
      int32_t direction;
    };
    std::vector<Copy> before, after;  // what can't be there
    CudaGraph graph;
  };
  // What one run at a time uses.
  struct Context {
    CudaMemory arena, pinned;
    CudaStream stream;
    std::vector<CudaGraph> parts;  // in the order of the parts; empty parts are null
    CudaGraph resident;            // the one part of a program without CPU steps, without boundary copies
    std::list<Binding> bindings;   // the most recent first
    bool pending = false;          // a run may not have ended
  };
  // Takes a context from the pool and gives it back.
  class Lease;

  CudaProgram() = default;
  Status Prepare(const CudaProgramOptions& options, PackCache& cache);
  Status Take(const Problem& problem, const std::string& variant, Step* step) const;
  Status PrepareOnDevice(const Problem& problem, const std::string& wish, Step* step, std::string* reason);
  Status HoldConstants();
  // If it tells of too little memory: what the program needs, as far as it is known.
  Status WithNeeds(const Status& status) const;
  void Order();
  void ChooseDirect();
  Status PlaceValues();
  ValueId Root(ValueId value) const { return root_[static_cast<size_t>(value)]; }
  Place& PlaceOf(ValueId value) { return places_[static_cast<size_t>(Root(value))]; }
  const Place& PlaceOf(ValueId value) const { return places_[static_cast<size_t>(Root(value))]; }

  Result<std::unique_ptr<Context>> MakeContext() const;
  Status Record(Context& context, size_t begin, size_t end, bool boundary_copies, CudaGraph* graph,
                const Binding* binding = nullptr) const;
  Status Enqueue(const Context& context, const Action& action, const Binding* binding = nullptr) const;
  Status Launch(const Context& context, const Step& step, const Binding* binding = nullptr) const;
  // Where a value of a kernel lies.
  std::byte* AddressOf(const Context& context, ValueId value, const Binding* binding) const;
  Result<Binding*> Bind(Context& context, std::vector<void*> addresses) const;
  Status RunBound(Context& context, const std::vector<void*>& addresses) const;
  // By way of pinned memory, where nodes run on the CPU.
  Status RunThroughHost(const Context& context, const std::vector<void*>& addresses, ThreadPool& pool) const;
  Status ReadBackIndices(const Context& context, std::span<const DeviceTensor> inputs) const;
  Status RunOnHost(const Context& context, const Step& step, ThreadPool& pool) const;
  Status CheckIndices(std::span<const Pieces> inputs) const;
  // Into pinned memory and, direct ones, to the device.
  Status WriteInputs(const Context& context, std::span<const Pieces> inputs) const;
  Status WriteInput(const Context& context, const Place& place, size_t at, const Tensor& piece) const;
  Status RunParts(const Context& context, ThreadPool& pool) const;

  Graph graph_;
  std::shared_ptr<const CudaDevice> device_;
  std::vector<ValueId> root_;  // a view shares the bytes of the value it looks at
  std::vector<Place> places_;  // by root
  std::vector<Step> steps_;
  std::vector<Action> actions_;
  std::vector<std::pair<ValueId, CudaConstant>> constants_;
  std::vector<std::string> cpu_nodes_;
  uint64_t workspace_limit_ = 0;
  size_t arena_bytes_ = 0, pinned_bytes_ = 0, constant_bytes_ = 0;
  // A graph input that a Gather reads as indices must lie in [-size, size).
  struct IndexCheck {
    size_t input = 0;
    int64_t size = 0;
    std::string node;
  };
  std::vector<IndexCheck> index_checks_;
  std::shared_ptr<BufferPool> results_ = BufferPool::Make();
  std::shared_ptr<DeviceBlocks> blocks_;

  // Some runs compute while others copy and start. More than these would take memory and wait for the same
  // multiprocessors: ResNet-50 behind HTTP, 16 clients, on an H100, 2, 3, 4 and 8 at a time: 4,880, 6,450, 7,470 and
  // 7,950 requests a second.
  static constexpr size_t kMostContexts = 8;
  mutable LimitedPool<Context> contexts_{kMostContexts};
};

}  // namespace tamis
