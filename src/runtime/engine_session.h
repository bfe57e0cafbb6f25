// The Session behind Session::Load and Session::Create.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/cuda/device.h"
#include "src/engine/engine.h"
#include "src/runtime/devices/cuda/cuda_program.h"
#include "src/runtime/dynamic_program.h"
#include "src/runtime/plan_choice.h"
#include "src/runtime/program.h"
#include "src/runtime/retune.h"
#include "tamis/session.h"

namespace tamis {

// Programs by input shapes are made on first use and the most recent kProgramLimit are kept.
class EngineSession : public Session {
 public:
  static constexpr size_t kProgramLimit = 16;

  static Result<std::shared_ptr<Session>> Make(std::shared_ptr<const Engine> engine,
                                               std::shared_ptr<WeightCheck> weights, std::string name,
                                               const SessionOptions& options);

  const std::string& name() const override { return name_; }
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  const std::vector<std::string>& notices() const override { return notices_; }
  Result<NamedTensors> Run(const NamedTensors& inputs) override;
  Result<NamedData> RunData(const NamedData& inputs, const std::function<bool()>& cancelled) override;
  Status RunInto(const NamedTensors& inputs, NamedTensors& outputs) override;
  // As the function of this name; nullopt where the rows must be put together in the host's memory first.
  Result<std::optional<std::vector<NamedTensors>>> RunTogether(std::span<const NamedTensors* const> requests);
  Result<std::vector<NodeTime>> Profile(const NamedTensors& inputs, int repeats) override;
  Result<DeviceMeasure> MeasureOnDevice(const NamedTensors& inputs, int repeats) override;
  Result<NamedDeviceTensors> RunOnDevice(const NamedDeviceTensors& inputs, uint64_t stream) override;
  Status OrderDeviceStreams(uint64_t earlier, uint64_t later) override;

  RetuneState retune_state(std::string* why) const override;

  const Engine& engine() const { return *engine_; }
  // One of them holds every request; none: all requests are taken.
  const std::vector<tamis::Profile>& profiles() const { return profiles_; }

  // Looks for plans that an earlier tuning of this engine left, else starts one, as the options say.
  void StartRetune(const std::string& engine_path, uint64_t engine_content, const SessionOptions& options);
  // Takes these plans instead of the present ones. Requests in flight finish as they began.
  void SetPlans(std::vector<Plan> plans);
  // Whether a measured plan of this device and thread count holds every profile.
  bool HasPlans() const;

 private:
  // The operands of one request in the graph's order; recycled.
  struct Request {
    std::vector<const Tensor*> inputs;
    std::vector<Tensor*> outputs;
  };
  EngineSession() = default;
  Status ChooseVariant(const std::string& precision);
  void NoticePlans();
  // The notice of where the plans come from; replaces an earlier one.
  void TellPlans(std::string notice);
  // Takes the variant's graph, or a copy without the half-precision types that the device does not compute in.
  Status ChooseGraph();
  // On a GPU: makes the program of the profile's opt, so that what does not fit, and what runs on the CPU, is said when
  // the engine is opened.
  Status WarmUp();
  // What runs a set of shapes: one of the three.
  struct Runnable {
    std::shared_ptr<const Program> planned;
    std::shared_ptr<const DynamicProgram> dynamic;
    std::shared_ptr<const CudaProgram> cuda;
  };
  // Points at a request's tensors in the graph's order; false if that is not all that the network wants.
  bool Point(const NamedTensors& inputs, std::vector<const Tensor*>* pointers) const;
  // The program that was made for these shapes; null if there is none, or it runs node by node. Allocates nothing.
  std::shared_ptr<const Program> KnownProgram(const std::vector<const Tensor*>& inputs);
  Result<Runnable> ProgramFor(std::vector<Dims> dims);
  std::unique_ptr<Request> TakeRequest();
  void ReturnRequest(std::unique_ptr<Request> request);
  Status RunRequest(const NamedTensors& inputs, NamedTensors& outputs, Request& request);
  Status RunAsData(const NamedTensors& inputs, NamedTensors& outputs);
  PlanQuery Query() const;

  std::string name_;
  std::shared_ptr<const Engine> engine_;
  std::shared_ptr<WeightCheck> weights_;
  int variant_ = 0;
  std::shared_ptr<const CudaDevice> cuda_;  // null: on the CPU
  Graph widened_;                           // used in place of the engine's where half precision is computed in f32
  const Graph* graph_ = nullptr;
  std::vector<tamis::Profile> profiles_;
  std::vector<TensorSpec> inputs_, outputs_;
  std::vector<std::string> notices_;
  std::string plan_notice_;  // the one of them that TellPlans gave
  std::unique_ptr<ThreadPool> pool_;
  std::shared_ptr<ArenaPool> arenas_ = std::make_shared<ArenaPool>();

  mutable std::mutex mutex_;  // guards what follows
  std::vector<Plan> plans_;
  struct Entry {
    std::vector<Dims> dims;
    Runnable program;
  };
  std::list<Entry> programs_;  // most recent first
  std::vector<std::unique_ptr<Request>> idle_;
  RetuneState retune_state_ = RetuneState::kNotNeeded;
  std::string retune_problem_;

  std::unique_ptr<Retuner> retuner_;  // last: it ends before what it changes
};

// A session of a file that is open already.
Result<std::shared_ptr<Session>> OpenSession(const EngineFile& file, const std::string& engine_path,
                                             const SessionOptions& options);

// Packed weights of the process.
PackCache& ProcessPackCache();

// What a session runs that Session::Load or Session::Create made; null for any other.
const Engine* EngineOf(const Session& session);

// Of a session that Session::Load or Session::Create made; empty for any other.
const std::vector<Profile>& ProfilesOf(const Session& session);

}  // namespace tamis
