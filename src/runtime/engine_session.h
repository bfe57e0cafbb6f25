// The Session behind Session::Load and Session::Create.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "src/engine/engine.h"
#include "src/runtime/dynamic_program.h"
#include "src/runtime/program.h"
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
  Result<std::vector<NodeTime>> Profile(const NamedTensors& inputs, int repeats) override;

 private:
  EngineSession() = default;
  void ChoosePlan(int threads);
  // What runs a set of shapes: one of the two.
  struct Runnable {
    std::shared_ptr<const Program> planned;
    std::shared_ptr<const DynamicProgram> dynamic;
  };
  // Checks names, types and shapes; the values in the graph's order.
  Result<std::vector<Datum>> Arrange(const NamedData& inputs) const;
  Result<Runnable> ProgramFor(const std::vector<Datum>& inputs);
  KernelWish WishFor(const std::map<std::string, int64_t>& binding) const;

  std::string name_;
  std::shared_ptr<const Engine> engine_;
  std::shared_ptr<WeightCheck> weights_;
  Graph widened_;  // used in place of engine_->fused where bf16 is computed in f32
  const Graph* graph_ = nullptr;
  const Plan* plan_ = nullptr;  // may be null
  std::vector<TensorSpec> inputs_, outputs_;
  std::vector<std::string> notices_;
  std::unique_ptr<ThreadPool> pool_;
  std::shared_ptr<ArenaPool> arenas_ = std::make_shared<ArenaPool>();

  std::mutex mutex_;  // guards what follows
  struct Entry {
    std::vector<Dims> dims;
    Runnable program;
  };
  std::list<Entry> programs_;  // most recent first
};

// Packed weights of the process.
PackCache& ProcessPackCache();

}  // namespace tamis
