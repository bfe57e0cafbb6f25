#include "src/compiler/plan/plan_maker.h"

#include <algorithm>

#include "src/base/cpu.h"
#include "src/compiler/plan/block_trial.h"
#include "src/compiler/plan/confirm_plan.h"
#include "src/compiler/plan/give_up_losers.h"
#include "src/compiler/plan/micro_batch_trial.h"
#include "src/compiler/plan/overlap_trial.h"
#include "src/compiler/plan/verify_plan.h"
#include "src/cuda/fuse_for_cuda.h"
#include "src/runtime/dynamic_program.h"
#include "src/runtime/plan_choice.h"
#include "src/runtime/program.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

// Whether this machine's CPU has kernels for a variant's precision. It runs others widened to f32.
bool CpuComputesIn(const std::string& precision) {
  return !precision.ends_with("f16") || (precision.ends_with("bf16") && Cpu().avx512_bf16);
}

void Fill(const std::vector<TunedNode>& tuned, PlanPoint* point) {
  point->nodes.clear();
  for (const TunedNode& node : tuned) {
    NodePlan& node_plan = point->nodes.emplace_back();
    node_plan.node = node.node;
    node_plan.kernel = node.kernel;
    node_plan.seconds = node.seconds;
    for (const TimedKernel& candidate : node.candidates) {
      node_plan.candidates.push_back({candidate.kernel, candidate.seconds, candidate.reason});
    }
  }
}

}  // namespace

void PlanMaker::AddSafe(int variant, const Profile& profile) {
  const auto same = [&](const Plan& plan) {
    return !plan.measured && plan.variant == variant && plan.profile == profile;
  };
  if (std::any_of(engine_.plans.begin(), engine_.plans.end(), same)) return;
  Plan plan;
  plan.profile = profile;
  plan.variant = variant;
  plan.workspace_limit = options_.workspace_limit;
  engine_.plans.insert(
      std::find_if(engine_.plans.begin(), engine_.plans.end(), [](const Plan& other) { return other.measured; }),
      std::move(plan));
}

Status PlanMaker::AddMeasured(const std::vector<int>& variants, const std::vector<Profile>& profiles) {
  const std::shared_ptr<const CudaDevice> cuda = tuner_.cuda();
  // All at once: equal problems of different profiles are timed once, and the time budget goes where most time is.
  std::vector<Plan> plans;
  std::vector<Graph> concrete;
  for (const int variant : variants) {
    if (!cuda && !CpuComputesIn(engine_.Precision(variant))) {
      notices_.push_back(
          fmt::format("this machine has no {0} arithmetic: the engine carries no measured {0} plan for it",
                      engine_.Precision(variant)));
      continue;
    }
    for (const Profile& profile : profiles) {
      Plan& plan = plans.emplace_back();
      plan.device = cuda ? cuda->Fingerprint() : Cpu().Fingerprint();
      plan.threads = cuda ? 0 : threads_;
      plan.profile = profile;
      plan.measured = true;
      plan.workspace_limit = cuda ? options_.workspace_limit : 0;
      plan.variant = variant;
      for (const auto& binding : TuningPoints(profile)) {
        Result<Graph> graph = SpecializeAt(engine_.Fused(variant), binding);
        if (!graph.ok()) {
          const Status told = TellAssumedSizes(graph.status(), engine_.Fused(variant), profile, binding);
          // The ends of a range that nobody gave may lie outside what the network takes.
          if (plan.points.empty() || !AssumesSizes(profile)) return told;
          notices_.push_back("no kernels were timed where they cannot run: " + told.message());
          continue;
        }
        if (cuda) TAMIS_RETURN_IF_ERROR(FuseForCuda(*graph, cuda->Compute()));
        concrete.push_back(std::move(*graph));
        plan.points.emplace_back().binding = binding;
      }
      if (!cuda) AddParts(&plan, &concrete);
    }
  }
  TAMIS_RETURN_IF_ERROR(Tune(concrete, &plans));
  constexpr int kMaxRounds = 3;  // what wins when a kernel is given up may be a kernel for 2:4 weights again
  for (int round = 0; !cuda && round < kMaxRounds; ++round) {
    TAMIS_ASSIGN_OR_RETURN(const bool news, ConfirmSparse(plans));
    if (!news) break;
    TAMIS_RETURN_IF_ERROR(Tune(concrete, &plans));
  }
  TAMIS_RETURN_IF_ERROR(AddBlocks(&plans));
  if (!cuda) TAMIS_RETURN_IF_ERROR(DropLosers(&plans));
  if (!cuda) TAMIS_RETURN_IF_ERROR(AddMicroBatches(&plans));
  for (Plan& plan : plans) {
    bool right = true;
    for (PlanPoint& point : plan.points) {
      if (!cuda) continue;
      TAMIS_RETURN_IF_ERROR(TryOverlap(engine_.Fused(plan.variant), cuda, threads_, plan.workspace_limit, &point));
      TAMIS_ASSIGN_OR_RETURN(const bool point_is_right, Verify(plan, cuda, &point));
      right = right && point_is_right;
    }
    if (!right) continue;
    Replace(std::move(plan));
  }
  return {};
}

// Points for parts of the batch, tuned like the others, from which AddMicroBatches takes what it needs.
void PlanMaker::AddParts(Plan* plan, std::vector<Graph>* concrete) {
  if (Skips(kMicroBatching)) return;
  const Graph& fused = engine_.Fused(plan->variant);
  const size_t own = plan->points.size();
  for (size_t i = 0; i < own; ++i) {
    const auto binding = PartOfBatch(fused, plan->points[i].binding, threads_);
    const auto same = [&](const PlanPoint& point) { return point.binding == *binding; };
    if (!binding || std::any_of(plan->points.begin(), plan->points.end(), same)) continue;
    Result<Graph> graph = SpecializeAt(fused, *binding);
    if (!graph.ok() || RunsNodeByNode(*graph)) continue;
    concrete->push_back(std::move(*graph));
    plan->points.emplace_back().binding = *binding;
  }
}

Status PlanMaker::AddMemoryFigures() {
  PackCache cache;
  for (Plan& plan : engine_.plans) {
    const bool here = !plan.measured || (plan.device == Cpu().Fingerprint() && plan.threads == threads_);
    if (!here || !CpuComputesIn(engine_.Precision(plan.variant))) continue;
    std::map<std::string, int64_t> max;
    for (const auto& [symbol, range] : plan.profile) max[symbol] = range.max;
    Result<Graph> concrete = SpecializeAt(engine_.Fused(plan.variant), max);
    if (!concrete.ok() && AssumesSizes(plan.profile)) continue;
    TAMIS_RETURN_IF_ERROR(concrete.status());
    if (RunsNodeByNode(*concrete)) continue;  // such runs take memory as they go
    ProgramOptions options;
    options.threads = threads_;
    if (plan.measured) {
      options.wish = WishOf(plan, max);
      options.blocks = BlocksOf(plan, max);
      options.micro_batches = MicroBatchesOf(plan, max);
    }
    TAMIS_ASSIGN_OR_RETURN(const auto program, Program::Make(std::move(*concrete), options, cache));
    plan.memory = program->memory();
  }
  return {};
}

// Kernels of all points, whose graphs are `concrete`.
Status PlanMaker::Tune(const std::vector<Graph>& concrete, std::vector<Plan>* plans) {
  TAMIS_ASSIGN_OR_RETURN(const auto tuned, tuner_.Tune(concrete));
  size_t at = 0;
  for (Plan& plan : *plans) {
    for (PlanPoint& point : plan.points) Fill(tuned[at++], &point);
  }
  return {};
}

// Compares a plan for a GPU with the CPU; kernels at fault are exchanged. False if it is wrong and nothing helps.
Result<bool> PlanMaker::Verify(const Plan& plan, const std::shared_ptr<const CudaDevice>& cuda, PlanPoint* point) {
  if (options_.progress) options_.progress(0, 1, "comparing the plan with the CPU");
  TAMIS_ASSIGN_OR_RETURN(const PlanVerdict verdict,
                         VerifyCudaPlan(engine_.Fused(plan.variant), cuda, threads_, plan.workspace_limit, point));
  notices_.insert(notices_.end(), verdict.notices.begin(), verdict.notices.end());
  if (verdict.right) {
    double& recorded = engine_.provenance.accuracy["gpu_error_of_allowed." + engine_.Precision(plan.variant)];
    recorded = std::max(recorded, verdict.excess);
    return true;
  }
  notices_.push_back(
      fmt::format("the engine carries no plan for {} in {}: the whole network answered wrongly, {:.3g} times as far "
                  "from the CPU's answers as rounding explains, and no exchange of kernels helped; don't run it there",
                  cuda->Fingerprint(), engine_.Precision(plan.variant), verdict.excess));
  return false;
}

// Measures what won with 2:4 kernels inside the network; where that is news to the tuner, it chooses again.
Result<bool> PlanMaker::ConfirmSparse(const std::vector<Plan>& plans) {
  const auto begin = [this] {
    if (options_.progress) options_.progress(0, 1, "measuring 2:4 layers inside the network");
  };
  bool news = false;
  for (const Plan& plan : plans) {
    for (const PlanPoint& point : plan.points) {
      if (tuner_.TimeIsUp()) return news;
      if (options_.cancelled && options_.cancelled()) return RuntimeError("the build was interrupted");
      TAMIS_ASSIGN_OR_RETURN(const bool here,
                             MeasureSparseInNetwork(engine_.Fused(plan.variant), point, tuner_, threads_, begin));
      news = news || here;
    }
  }
  return news;
}

// Chooses the layers that run as one.
Status PlanMaker::AddBlocks(std::vector<Plan>* plans) {
  if (tuner_.cuda()) return {};
  PassRecord record;
  record.name = std::string(kBlockFusion);
  record.skipped = Skips(kBlockFusion);
  const auto begin = [this] {
    if (options_.progress) options_.progress(0, 1, "measuring blocks of layers inside the network");
  };
  for (Plan& plan : *plans) {
    const Graph& fused = engine_.Fused(plan.variant);
    record.nodes_before = record.nodes_after = static_cast<int64_t>(fused.NumNodes());
    if (record.skipped) break;
    for (PlanPoint& point : plan.points) {
      if (options_.cancelled && options_.cancelled()) return RuntimeError("the build was interrupted");
      TAMIS_ASSIGN_OR_RETURN(const auto verdicts, ChooseBlocks(fused, tuner_, threads_, &point, begin));
      for (const BlockVerdict& verdict : verdicts) {
        record.findings.push_back({verdict.chosen ? FindingKind::kDecided : FindingKind::kMissed,
                                   fmt::format("block of {} layers", verdict.block.layers.size()),
                                   verdict.reason,
                                   1,
                                   {verdict.block.layers.back()}});
      }
    }
  }
  passes_.push_back(std::move(record));
  return {};
}

// Measures what is not dense, or not one by one, in its place.
Status PlanMaker::DropLosers(std::vector<Plan>* plans) {
  const auto begin = [this] {
    if (options_.progress) options_.progress(0, 1, "measuring every choice in its place");
  };
  for (Plan& plan : *plans) {
    for (PlanPoint& point : plan.points) {
      if (options_.cancelled && options_.cancelled()) return RuntimeError("the build was interrupted");
      TAMIS_ASSIGN_OR_RETURN(const auto given_up,
                             GiveUpLosers(engine_.Fused(plan.variant), tuner_, threads_, &point, begin));
      for (const GivenUp& loser : given_up) {
        if (!loser.block) continue;
        passes_.back().findings.push_back(
            {FindingKind::kMissed, "block", "its layers one by one are no slower in this place", 1, {loser.node}});
      }
    }
  }
  return {};
}

// Chooses the layers that run for parts of the batch, and drops the points that only served to find them.
Status PlanMaker::AddMicroBatches(std::vector<Plan>* plans) {
  PassRecord record;
  record.name = std::string(kMicroBatching);
  record.skipped = Skips(kMicroBatching);
  const auto begin = [this] {
    if (options_.progress) options_.progress(0, 1, "measuring parts of the batch");
  };
  for (Plan& plan : *plans) {
    const Graph& fused = engine_.Fused(plan.variant);
    record.nodes_before = record.nodes_after = static_cast<int64_t>(fused.NumNodes());
    if (record.skipped) break;
    const std::vector<PlanPoint> points = plan.points;  // as they are without micro-batches
    for (PlanPoint& point : plan.points) {
      if (options_.cancelled && options_.cancelled()) return RuntimeError("the build was interrupted");
      const auto binding = PartOfBatch(fused, point.binding, threads_);
      const auto part = std::find_if(points.begin(), points.end(),
                                     [&](const PlanPoint& other) { return binding && other.binding == *binding; });
      if (part == points.end()) continue;
      TAMIS_ASSIGN_OR_RETURN(const MicroBatchVerdict verdict,
                             ChooseMicroBatches(fused, tuner_, threads_, *part, &point, begin));
      if (!verdict.measured) continue;
      record.findings.push_back({verdict.chosen ? FindingKind::kDecided : FindingKind::kMissed,
                                 "layers run for parts of the batch",
                                 verdict.reason,
                                 1,
                                 {verdict.last}});
    }
    const auto bindings = TuningPoints(plan.profile);
    std::erase_if(plan.points, [&](const PlanPoint& point) {
      return std::find(bindings.begin(), bindings.end(), point.binding) == bindings.end();
    });
  }
  passes_.push_back(std::move(record));
  return {};
}

bool PlanMaker::Skips(std::string_view name) const {
  return std::find(options_.without.begin(), options_.without.end(), name) != options_.without.end();
}

void PlanMaker::Replace(Plan plan) {
  for (Plan& known : engine_.plans) {
    if (known.measured && known.device == plan.device && known.threads == plan.threads &&
        known.variant == plan.variant && known.profile == plan.profile) {
      known = std::move(plan);
      return;
    }
  }
  engine_.plans.push_back(std::move(plan));
}

}  // namespace tamis
