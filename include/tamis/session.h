// A loaded engine that answers requests.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tamis/datum.h"
#include "tamis/device_tensor.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

struct Engine;  // src/engine/engine.h

// One input or output as the network declares it. A dimension of -1 is dynamic; `dim_names` then holds its symbol. Of a
// sequence or an optional, dtype and dimensions are an element's.
struct TensorSpec {
  std::string name;
  DType dtype = DType::kUndefined;
  Dims dims;
  std::vector<std::string> dim_names;
  bool has_rank = true;  // false: any number of dimensions
  bool sequence = false;
  bool optional = false;  // may be nothing
  std::string type = {};  // as ONNX writes it: "tensor(float)", "seq(tensor(int64))", "optional(tensor(string))"

  bool IsTensor() const { return !sequence && !optional; }
};

// What to do on a machine that the engine has no measured plan for. Either way the session answers from the start, with
// kernels that the cost model chooses.
enum class Retune : uint8_t {
  kNever,
  kBackground,  // a process of its own times the kernels; its plan is taken over when it is done
  kNow,         // the same, and loading waits for it
};
// Where the tuner of a session stands.
enum class RetuneState : uint8_t { kNotNeeded, kRunning, kDone, kFailed };

struct SessionOptions {
  std::string device = "cpu";  // or "cuda", "cuda:1"
  int threads = 0;             // 0: one for every usable core
  bool map_file = true;        // false: read into memory, safe against a file that is overwritten while served
  // Of the engine's variants; empty: the one built first; "auto": the fastest measured here.
  std::string precision = {};
  Retune retune = Retune::kNever;
  // The tamis program that `retune` starts; empty: $TAMIS_PROGRAM, else the one beside this executable, else on PATH.
  std::string tamis_program = {};
};

using NamedTensors = std::map<std::string, Tensor>;

// Thread-safe: several threads may call Run at once; they share weights and the thread pool.
class Session {
 public:
  virtual ~Session() = default;
  static Result<std::shared_ptr<Session>> Load(const std::string& engine_path, const SessionOptions& options = {});
  static Result<std::shared_ptr<Session>> Create(std::shared_ptr<const Engine> engine,
                                                 const SessionOptions& options = {});

  virtual const std::string& name() const = 0;
  virtual const std::vector<TensorSpec>& inputs() const = 0;
  virtual const std::vector<TensorSpec>& outputs() const = 0;
  // Checks every input's name, dtype and shape and reports all problems at once (kUser). Outputs are owned by the
  // caller. Dimensions that share a symbol must agree.
  // An output that is no tensor is an error; RunData gives those.
  virtual Result<NamedTensors> Run(const NamedTensors& inputs) = 0;
  // The same for networks with sequences and optionals among their inputs and outputs; an optional input that holds
  // nothing is Datum() or left out. Where the network has loops, or shapes that depend on data, `cancelled` is asked
  // before each node, in the calling thread; once it says true the run ends with an error (kRuntime).
  virtual Result<NamedData> RunData(const NamedData& inputs, const std::function<bool()>& cancelled = {}) {
    static_cast<void>(cancelled);
    NamedTensors tensors;
    for (const auto& [input, datum] : inputs) {
      if (!datum.IsTensor()) return UserError("input '{}' is no tensor, and this session takes nothing else", input);
      tensors[input] = datum.tensor();
    }
    TAMIS_ASSIGN_OR_RETURN(NamedTensors results, Run(tensors));
    NamedData outputs;
    for (auto& [output, tensor] : results) outputs.emplace(output, std::move(tensor));
    return outputs;
  }
  // The same into tensors that the caller keeps. One that `outputs` holds under an output's name, with the dtype and
  // dimensions that this request gives, is overwritten where it is (it may be a Tensor::View on memory of the caller's;
  // nothing else may use it meanwhile); any other is replaced by a new one. Called again with what it returned for
  // requests of the same shapes, it allocates nothing.
  virtual Status RunInto(const NamedTensors& inputs, NamedTensors& outputs) {
    TAMIS_ASSIGN_OR_RETURN(outputs, Run(inputs));
    return {};
  }
  // Time per node of the last shape-equal runs, in execution order; for `bench --layers` and `inspect`.
  struct NodeTime {
    std::string name, op, tactic;
    double seconds = 0;
    Dims output_dims;
  };
  virtual Result<std::vector<NodeTime>> Profile(const NamedTensors& inputs, int repeats) = 0;
  // What a GPU takes for one run whose inputs and outputs stay in its memory: the median of `repeats`, and the memory
  // that the session holds there. kUser for a session on the CPU, or one that needs the CPU for some nodes.
  struct DeviceMeasure {
    double seconds = 0;
    uint64_t memory_bytes = 0;
  };
  virtual Result<DeviceMeasure> MeasureOnDevice(const NamedTensors& inputs, int repeats);
  // Runs on inputs that lie in the session's GPU and gives outputs that lie there: nothing passes through the host, and
  // the call waits for no kernel. `stream` is the CUDA stream (its handle; 1 is the legacy default stream, 2 that of
  // the calling thread) on which the caller works: the inputs are what that stream's work so far leaves in them, its
  // later work sees the outputs, and an input may be freed in its order once the call has returned. An output's memory
  // goes to later outputs of the same stream when its last handle is gone. Inputs that a Gather reads as indices are
  // read back first, to be checked, and nodes without a GPU kernel are waited for, as in Run. kUser for a session on
  // the CPU, an input on another device, and networks whose shapes depend on data.
  virtual Result<NamedDeviceTensors> RunOnDevice(const NamedDeviceTensors& inputs, uint64_t stream);
  // Lets the later work of one stream wait for the work so far of another, of the session's GPU.
  virtual Status OrderDeviceStreams(uint64_t earlier, uint64_t later);
  // What the user should know: a plan of another machine, bf16 computed in f32, ... One sentence each.
  virtual const std::vector<std::string>& notices() const = 0;
  // Of SessionOptions::retune. `why`, if not null, receives what went wrong (kFailed).
  virtual RetuneState retune_state(std::string* why = nullptr) const {
    static_cast<void>(why);
    return RetuneState::kNotNeeded;
  }
};

}  // namespace tamis
