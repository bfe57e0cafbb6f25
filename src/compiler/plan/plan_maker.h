// The plans of an engine: for each variant and profile a safe one, and a measured one for the device at hand.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/compiler/plan/build.h"
#include "src/compiler/plan/micro_batch_trial.h"
#include "src/engine/engine.h"
#include "src/runtime/devices/cuda/cuda_program.h"
#include "src/tuner/tuner.h"

namespace tamis {

// Adds plans to an engine. What it was made from must outlive it; one thread at a time.
class PlanMaker {
 public:
  // `threads`: of the plans for this CPU. `result` gets as notices what the user should know of plans left out or
  // mended, and what was found of blocks beside the passes' findings.
  PlanMaker(Engine* engine, const BuildOptions& options, int threads, Tuner* tuner, BuildResult* result)
      : engine_(*engine),
        options_(options),
        tuner_(*tuner),
        notices_(result->notices),
        passes_(result->passes),
        threads_(threads) {}

  // A plan without kernels, which every device takes. Safe plans come first in the list, in the order of their
  // profiles.
  void AddSafe(int variant, const Profile& profile);
  // Times kernels for all variants and profiles together; plans of the same device, threads, variant and profile are
  // replaced. A plan for a GPU that answers otherwise than the CPU is mended or left out.
  Status AddMeasured(const std::vector<int>& variants, const std::vector<Profile>& profiles);
  // Planned memory of every plan that this machine can run.
  Status AddMemoryFigures();

 private:
  // A plan to be, its points, and of each point the part of its batch that is planned beside it, if it has one.
  struct Draft {
    Plan plan;
    std::vector<std::optional<PartPlan>> parts;
  };
  // A point, or a part of one, and the network it plans.
  struct Planned {
    const Graph& fused;
    PlanPoint& point;
  };

  std::vector<Planned> AllPlanned(std::vector<Draft>* drafts) const;
  Status Tune(const std::vector<Graph>& concrete, std::vector<Draft>* drafts);
  Result<bool> Verify(const Plan& plan, const CudaProgramOptions& gpu, PlanPoint* point);
  Result<bool> ConfirmSparse(std::vector<Draft>* drafts);
  Status AddBlocks(std::vector<Draft>* drafts);
  Status DropLosers(std::vector<Draft>* drafts);
  std::optional<PartPlan> MakePart(const Graph& concrete) const;
  Status AddMicroBatches(std::vector<Draft>* drafts);
  bool Skips(std::string_view name) const;
  void Replace(Plan plan);

  Engine& engine_;
  const BuildOptions& options_;
  Tuner& tuner_;
  std::vector<std::string>& notices_;
  std::vector<PassRecord>& passes_;
  int threads_;
};

}  // namespace tamis
