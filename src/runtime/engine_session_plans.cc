// Which of an engine's variants and plans a session runs by, and tuning where there is none for this machine.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "src/ir/widen.h"
#include "src/runtime/engine_session.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

std::string DeviceText(const std::string& device, int threads) {
  return threads > 0 ? fmt::format("{}, {} threads", device, threads) : device;
}

}  // namespace

Status EngineSession::ChooseGraph() {
  const Graph& fused = engine_->Fused(variant_);
  graph_ = &fused;
  if (cuda_ != nullptr) return {};
  struct Missing {
    DType dtype;
    bool here;
    const char* notice;
  };
  const Missing missing[] = {
      {DType::kBFloat16, !Cpu().avx512_bf16,
       "this machine has no bf16 arithmetic (AVX512_BF16): the engine's bf16 weights are computed with in f32"},
      {DType::kFloat16, true,
       "the CPU's kernels don't compute in f16: the engine's f16 weights are computed with in f32"}};
  for (const auto& [dtype, here, notice] : missing) {
    if (!here || !HoldsInside(fused, dtype)) continue;
    notices_.emplace_back(notice);
    if (weights_) TAMIS_RETURN_IF_ERROR(weights_->Verify());
    if (graph_ != &widened_) {
      widened_ = fused.Clone();
      graph_ = &widened_;
    }
    if (Widen(widened_, dtype)) HashConstants(widened_);
  }
  return {};
}

Status EngineSession::ChooseVariant(const std::string& precision) {
  const std::string device = cuda_ ? cuda_->Fingerprint() : Cpu().Fingerprint();
  if (precision.empty()) {
    // A GPU takes the variant that was made for it.
    for (int variant = 0; cuda_ != nullptr && variant < engine_->NumVariants(); ++variant) {
      const std::string name = engine_->Precision(variant);
      if (name == "f16" || name.ends_with("tf32") || name.starts_with("fp8")) variant_ = variant;
    }
    return {};
  }
  std::string known;
  double fastest = 0;
  for (int variant = 0; variant < engine_->NumVariants(); ++variant) {
    if (engine_->Precision(variant) == precision) {
      variant_ = variant;
      return {};
    }
    known += (known.empty() ? "" : ", ") + engine_->Precision(variant);
    for (const Plan& plan : engine_->plans) {
      if (!plan.measured || plan.variant != variant || plan.device != device || plan.points.empty()) continue;
      const double seconds = plan.points[0].Seconds();
      if (precision == "auto" && (fastest == 0 || seconds < fastest)) {
        fastest = seconds;
        variant_ = variant;
      }
    }
  }
  if (precision == "auto") return {};
  return UserError("the engine has no precision '{}'; it has {} (and auto)", precision, known);
}

void EngineSession::SetPlans(std::vector<Plan> plans) {
  const std::lock_guard lock(mutex_);
  plans_ = std::move(plans);
  programs_.clear();
}

PlanQuery EngineSession::Query() const {
  if (cuda_) return {cuda_->Fingerprint(), 0, variant_};
  return {Cpu().Fingerprint(), pool_->threads(), variant_};
}

bool EngineSession::HasPlans() const {
  const std::lock_guard lock(mutex_);
  const PlanQuery query = Query();
  return std::all_of(profiles_.begin(), profiles_.end(), [&](const tamis::Profile& profile) {
    return std::any_of(plans_.begin(), plans_.end(), [&](const Plan& plan) {
      return plan.measured && plan.variant == query.variant && plan.device == query.device &&
             plan.threads == query.threads && plan.profile == profile;
    });
  });
}

void EngineSession::NoticePlans() {
  const PlanQuery query = Query();
  bool same_threads = false;
  int other_threads = 0;
  std::string built_for;
  for (const Plan& plan : engine_->plans) {
    if (!plan.measured || plan.variant != query.variant) continue;
    if (plan.device == query.device) {
      same_threads = same_threads || plan.threads == query.threads;
      other_threads = plan.threads;
    }
    const std::string text = DeviceText(plan.device, plan.threads);
    if (built_for.find(text) == std::string::npos) built_for += (built_for.empty() ? "" : "; ") + text;
  }
  if (same_threads) return;
  if (other_threads != 0) {
    TellPlans(fmt::format("no plan for {} threads; the one tuned for {} is used", query.threads, other_threads));
  } else if (!built_for.empty()) {
    TellPlans(fmt::format(
        "no plan for this machine ({}): kernels come from the cost model. Plans in the file: {}. `tamis build "
        "ENGINE.tamis -o NEW.tamis{}` tunes for this machine, --retune does it while the engine runs",
        DeviceText(query.device, query.threads), built_for, cuda_ ? " --device cuda" : ""));
  }
}

void EngineSession::StartRetune(const std::string& engine_path, uint64_t engine_content,
                                const SessionOptions& options) {
  if (options.retune == Retune::kNever || HasPlans()) return;
  if (cuda_) {
    notices_.push_back(
        "--retune is for the CPU; `tamis build ENGINE.tamis -o NEW.tamis --device cuda` tunes for a GPU");
    return;
  }
  RetuneRequest request;
  request.engine_path = engine_path;
  request.precision = engine_->Precision(variant_);
  request.threads = pool_->threads();
  request.program = options.tamis_program;
  request.background = options.retune == Retune::kBackground;
  request.plan_path = PlanPath(engine_content, Query().device + request.precision, request.threads);
  if (request.plan_path.empty()) {
    notices_.push_back("this machine is not tuned for: neither XDG_CACHE_HOME nor HOME says where plans may be kept");
    return;
  }
  if (std::filesystem::exists(request.plan_path)) {
    if (const auto file = ReadEngine(request.plan_path, ReadMode::kRead); file.ok()) {
      SetPlans(file->engine->plans);
      if (HasPlans()) {
        const std::lock_guard lock(mutex_);
        retune_state_ = RetuneState::kDone;
        TellPlans("the plan that an earlier run tuned for this machine is used: " + request.plan_path);
        return;
      }
    }
  }
  retune_state_ = RetuneState::kRunning;
  if (request.background) {
    notices_.emplace_back("kernels are being timed in a process of their own; the plan is taken over when it is done");
  }
  const std::string kept = request.plan_path;
  retuner_ = std::make_unique<Retuner>(std::move(request), [this](Result<std::vector<Plan>> plans) {
    if (plans.ok()) SetPlans(std::move(*plans));
    const std::lock_guard lock(mutex_);
    retune_state_ = plans.ok() ? RetuneState::kDone : RetuneState::kFailed;
    if (!plans.ok()) retune_problem_ = plans.status().message();
  });
  if (options.retune == Retune::kBackground) return;
  retuner_->Wait();
  if (std::string why; retune_state(&why) == RetuneState::kFailed) {
    notices_.push_back("tuning failed: " + why);
  } else {
    TellPlans("kernels were timed before the first request; the plan is kept in " + kept);
  }
}

void EngineSession::TellPlans(std::string notice) {
  std::erase(notices_, std::exchange(plan_notice_, notice));
  notices_.push_back(std::move(notice));
}

RetuneState EngineSession::retune_state(std::string* why) const {
  const std::lock_guard lock(mutex_);
  if (why != nullptr) *why = retune_problem_;
  return retune_state_;
}

}  // namespace tamis
