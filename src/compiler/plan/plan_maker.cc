#include "src/compiler/plan/plan_maker.h"

#include <algorithm>

#include "src/base/cpu.h"
#include "src/compiler/plan/block_trial.h"
#include "src/compiler/plan/confirm_plan.h"
#include "src/compiler/plan/give_up_losers.h"
#include "src/compiler/plan/overlap_trial.h"
#include "src/compiler/plan/verify_plan.h"
#include "src/cuda/fuse_for_cuda.h"
#include "src/runtime/benchmark.h"
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
  std::vector<Draft> drafts;
  std::vector<Graph> concrete;  // in the order of AllPlanned
  for (const int variant : variants) {
    if (!cuda && !CpuComputesIn(engine_.Precision(variant))) {
      notices_.push_back(
          fmt::format("this machine has no {0} arithmetic: the engine carries no measured {0} plan for it",
                      engine_.Precision(variant)));
      continue;
    }
    for (const Profile& profile : profiles) {
      Draft& draft = drafts.emplace_back();
      Plan& plan = draft.plan;
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
        auto part = cuda ? std::nullopt : MakePart(*graph);
        concrete.push_back(std::move(*graph));
        plan.points.emplace_back().binding = binding;
        if (part) concrete.push_back(part->graph.Clone());
        draft.parts.push_back(std::move(part));
      }
    }
  }
  TAMIS_RETURN_IF_ERROR(Tune(concrete, &drafts));
  constexpr int kMaxRounds = 3;  // what wins when a kernel is given up may be a kernel for 2:4 weights again
  for (int round = 0; !cuda && round < kMaxRounds; ++round) {
    TAMIS_ASSIGN_OR_RETURN(const bool news, ConfirmSparse(&drafts));
    if (!news) break;
    TAMIS_RETURN_IF_ERROR(Tune(concrete, &drafts));
  }
  if (!cuda) TAMIS_RETURN_IF_ERROR(AddBlocks(&drafts));
  if (!cuda) TAMIS_RETURN_IF_ERROR(DropLosers(&drafts));
  if (!cuda) TAMIS_RETURN_IF_ERROR(AddMicroBatches(&drafts));
  for (auto& [plan, parts] : drafts) {
    bool right = true;
    for (PlanPoint& point : plan.points) {
      if (!cuda) continue;
      const auto gpu = CudaProgramOptions::Of(plan, cuda, threads_);
      TAMIS_RETURN_IF_ERROR(TryOverlap(engine_.Fused(plan.variant), gpu, &point));
      TAMIS_ASSIGN_OR_RETURN(const bool point_is_right, Verify(plan, gpu, &point));
      right = right && point_is_right;
    }
    if (!right) continue;
    Replace(std::move(plan));
  }
  return {};
}

// Nothing where no layers can run for parts of the batch.
std::optional<PartPlan> PlanMaker::MakePart(const Graph& concrete) const {
  if (Skips(kMicroBatching) || RunsNodeByNode(concrete) || !AreTensors(InputSpecs(concrete))) return std::nullopt;
  auto graph = PartOfNetwork(concrete, EntriesTogether(concrete, threads_));
  if (!graph) return std::nullopt;
  return PartPlan{std::move(*graph), {}};
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

std::vector<PlanMaker::Planned> PlanMaker::AllPlanned(std::vector<Draft>* drafts) const {
  std::vector<Planned> all;
  for (auto& [plan, parts] : *drafts) {
    for (size_t i = 0; i < plan.points.size(); ++i) {
      all.push_back({engine_.Fused(plan.variant), plan.points[i]});
      if (parts[i]) all.push_back({parts[i]->graph, parts[i]->point});
    }
  }
  return all;
}

// Kernels of all that is planned, whose graphs are `concrete`.
Status PlanMaker::Tune(const std::vector<Graph>& concrete, std::vector<Draft>* drafts) {
  TAMIS_ASSIGN_OR_RETURN(const auto tuned, tuner_.Tune(concrete));
  size_t at = 0;
  for (const Planned& planned : AllPlanned(drafts)) Fill(tuned[at++], &planned.point);
  return {};
}

// Compares a plan for a GPU with the CPU; kernels at fault are exchanged. False if it is wrong and nothing helps.
Result<bool> PlanMaker::Verify(const Plan& plan, const CudaProgramOptions& gpu, PlanPoint* point) {
  if (options_.progress) options_.progress(0, 1, "comparing the plan with the CPU");
  TAMIS_ASSIGN_OR_RETURN(const PlanVerdict verdict, VerifyCudaPlan(engine_.Fused(plan.variant), gpu, point));
  notices_.insert(notices_.end(), verdict.notices.begin(), verdict.notices.end());
  if (verdict.right) {
    double& recorded = engine_.provenance.accuracy["gpu_error_of_allowed." + engine_.Precision(plan.variant)];
    recorded = std::max(recorded, verdict.excess);
    return true;
  }
  notices_.push_back(
      fmt::format("the engine carries no plan for {} in {}: the whole network answered wrongly, {:.3g} times as far "
                  "from the CPU's answers as rounding explains, and no exchange of kernels helped; don't run it there",
                  gpu.device->Fingerprint(), engine_.Precision(plan.variant), verdict.excess));
  return false;
}

// Measures what won with 2:4 kernels inside the network; where that is news to the tuner, it chooses again.
Result<bool> PlanMaker::ConfirmSparse(std::vector<Draft>* drafts) {
  const auto begin = [this] {
    if (options_.progress) options_.progress(0, 1, "measuring 2:4 layers inside the network");
  };
  bool news = false;
  for (const auto& [fused, point] : AllPlanned(drafts)) {
    if (tuner_.TimeIsUp()) return news;
    if (options_.cancelled && options_.cancelled()) return RuntimeError("the build was interrupted");
    TAMIS_ASSIGN_OR_RETURN(const bool here, MeasureSparseInNetwork(fused, point, tuner_, threads_, begin));
    news = news || here;
  }
  return news;
}

// Chooses the layers that run as one.
Status PlanMaker::AddBlocks(std::vector<Draft>* drafts) {
  PassRecord record;
  record.name = std::string(kBlockFusion);
  record.skipped = Skips(kBlockFusion);
  const auto begin = [this] {
    if (options_.progress) options_.progress(0, 1, "measuring blocks of layers inside the network");
  };
  for (const Draft& draft : *drafts) {
    record.nodes_before = record.nodes_after = static_cast<int64_t>(engine_.Fused(draft.plan.variant).NumNodes());
  }
  for (const auto& [fused, point] : AllPlanned(drafts)) {
    if (record.skipped) break;
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
  passes_.push_back(std::move(record));
  return {};
}

// Measures what is not dense, or not one by one, in its place.
Status PlanMaker::DropLosers(std::vector<Draft>* drafts) {
  const auto begin = [this] {
    if (options_.progress) options_.progress(0, 1, "measuring every choice in its place");
  };
  for (const auto& [fused, point] : AllPlanned(drafts)) {
    if (options_.cancelled && options_.cancelled()) return RuntimeError("the build was interrupted");
    TAMIS_ASSIGN_OR_RETURN(const auto given_up, GiveUpLosers(fused, tuner_, threads_, &point, begin));
    for (const GivenUp& loser : given_up) {
      if (!loser.block) continue;
      passes_.back().findings.push_back(
          {FindingKind::kMissed, "block", "its layers one by one are no slower in this place", 1, {loser.node}});
    }
  }
  return {};
}

// Chooses the layers that run for parts of the batch.
Status PlanMaker::AddMicroBatches(std::vector<Draft>* drafts) {
  PassRecord record;
  record.name = std::string(kMicroBatching);
  record.skipped = Skips(kMicroBatching);
  const auto begin = [this] {
    if (options_.progress) options_.progress(0, 1, "measuring parts of the batch");
  };
  for (auto& [plan, parts] : *drafts) {
    const Graph& fused = engine_.Fused(plan.variant);
    record.nodes_before = record.nodes_after = static_cast<int64_t>(fused.NumNodes());
    for (size_t i = 0; i < plan.points.size(); ++i) {
      if (options_.cancelled && options_.cancelled()) return RuntimeError("the build was interrupted");
      if (!parts[i]) continue;
      TAMIS_ASSIGN_OR_RETURN(const MicroBatchVerdict verdict,
                             ChooseMicroBatches(fused, tuner_, threads_, *parts[i], &plan.points[i], begin));
      if (verdict.reason.empty()) continue;
      record.findings.push_back({verdict.chosen ? FindingKind::kDecided : FindingKind::kMissed,
                                 "layers run for parts of the batch",
                                 verdict.reason,
                                 1,
                                 {verdict.last}});
    }
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
