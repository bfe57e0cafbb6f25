#include "src/compiler/gate/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "src/base/median.h"
#include "src/compiler/calibrate/scaling_trial.h"
#include "src/compiler/samples/labels.h"
#include "src/compiler/samples/sample_batches.h"
#include "src/runtime/benchmark.h"

namespace tamis {
namespace {

// About how many samples would bring the interval within the limit, if the estimate stayed: its width goes with the
// root of their number.
int64_t SamplesNeeded(int64_t samples, double estimate, double bound, double limit) {
  const double margin = std::fabs(limit - estimate), reach = std::fabs(bound - estimate);
  if (margin <= 0) return 0;
  const double needed = static_cast<double>(samples) * (reach / margin) * (reach / margin);
  return needed < 1e9 ? static_cast<int64_t>(std::ceil(needed)) : 0;
}

// `at_most`: the limit is an upper one.
void Judge(double limit, bool at_most, int64_t samples, GateCheck* check) {
  const double bound = at_most ? check->interval.high : check->interval.low;
  const auto beyond = [&](double value) { return at_most ? value > limit : value < limit; };
  check->limit = limit;
  check->verdict = beyond(check->measured) ? Verdict::kFailed : beyond(bound) ? Verdict::kUnproven : Verdict::kPassed;
  if (check->verdict == Verdict::kUnproven && samples > 0) {
    check->samples_needed = SamplesNeeded(samples, check->measured, bound, limit);
  }
}

class GateRun {
 public:
  GateRun(const GateOptions& options, const Answers& answers, std::span<const int64_t> labels)
      : options_(options), answers_(answers), labels_(labels) {}

  Result<GateResult> Run(const DataSource& data) {
    result_.strict = options_.strict;
    result_.samples = static_cast<int64_t>(answers_.samples.size());
    AddFinite();
    TAMIS_RETURN_IF_ERROR(AddTopOne(data));
    for (const AnswersOfOutput& output : answers_.outputs) AddAgreement(output);
    return std::move(result_);
  }

 private:
  void AddFinite() {
    for (const AnswersOfOutput& output : answers_.outputs) {
      if (output.cosines.empty()) continue;
      GateCheck check;
      check.name = "finite";
      check.output = output.name;
      check.measured = static_cast<double>(output.broken);
      check.limit = 0;
      check.interval = {check.measured, check.measured};
      check.verdict = output.broken > 0 ? Verdict::kFailed : Verdict::kPassed;
      check.text = output.broken == 0
                       ? "every answer is finite"
                       : fmt::format(
                             "the candidate's answers are NaN or infinite for {} of {} samples, the first is "
                             "sample {}; the dense network's are finite there",
                             output.broken, result_.samples, output.first_broken);
      result_.checks.push_back(std::move(check));
    }
  }

  // The output that holds classes, if one is meant.
  Result<const AnswersOfOutput*> FindClasses() const {
    std::string names;
    std::vector<const AnswersOfOutput*> found;
    for (const AnswersOfOutput& output : answers_.outputs) {
      if (!options_.output.empty() && output.name != options_.output) continue;
      if (output.HasClasses()) found.push_back(&output);
      names += (names.empty() ? "'" : ", '") + output.name + "'";
    }
    if (!options_.output.empty() && names.empty()) {
      for (const AnswersOfOutput& output : answers_.outputs) names += (names.empty() ? "'" : ", '") + output.name + "'";
      return UserError("--output '{}' is no output of the network, which has {}", options_.output, names);
    }
    if (found.size() > 1) {
      names.clear();
      for (const AnswersOfOutput* output : found) names += (names.empty() ? "'" : ", '") + output->name + "'";
      return UserError("labels could be meant for any of the outputs {}; give --output NAME", names);
    }
    return found.empty() ? nullptr : found.front();
  }

  Status AddTopOne(const DataSource& data) {
    if (labels_.empty()) {
      result_.top1_reason =
          "no labels: give --labels FILE.npy, a labels.npy beside the inputs, or images in class folders";
      return {};
    }
    TAMIS_ASSIGN_OR_RETURN(const AnswersOfOutput* const output, FindClasses());
    if (output == nullptr) {
      result_.top1_reason = "there are labels, but no output of shape [samples, classes] to judge by them";
      return {};
    }
    if (output->classes > 0) {
      TAMIS_RETURN_IF_ERROR(CheckLabels(labels_, output->classes, output->name, data.class_names()));
    }
    std::vector<float> differences;
    int64_t dense = 0, candidate = 0;
    for (size_t i = 0; i < answers_.samples.size(); ++i) {
      const int64_t label = labels_[static_cast<size_t>(answers_.samples[i])];
      const bool dense_right = output->dense_class[i] == label, candidate_right = output->candidate_class[i] == label;
      dense += dense_right ? 1 : 0;
      candidate += candidate_right ? 1 : 0;
      result_.lost += dense_right && !candidate_right ? 1 : 0;
      result_.won += candidate_right && !dense_right ? 1 : 0;
      differences.push_back(static_cast<float>(dense_right) - static_cast<float>(candidate_right));
    }
    const double to_percent = 100.0 / static_cast<double>(result_.samples);
    result_.top1_measured = true;
    result_.dense_top1 = to_percent * static_cast<double>(dense);
    result_.candidate_top1 = to_percent * static_cast<double>(candidate);
    GateCheck check;
    check.name = "top1_drop";
    check.output = output->name;
    check.measured = to_percent * static_cast<double>(dense - candidate);
    const Interval share = PairedShareInterval(differences, options_.bootstrap);
    check.interval = {100 * share.low, 100 * share.high};
    Judge(options_.max_drop, true, result_.samples, &check);
    check.text = fmt::format(
        "top-1 {:.2f} % against {:.2f} %: a drop of {:.2f} points, {:g} % interval [{:.2f}, {:.2f}]; {} right answers "
        "lost, {} won",
        result_.candidate_top1, result_.dense_top1, check.measured, 100 * options_.bootstrap.confidence,
        check.interval.low, check.interval.high, result_.lost, result_.won);
    result_.checks.push_back(std::move(check));
    // Twice what guessing gives is far below any network that was trained for these classes.
    if (output->classes > 1 && result_.dense_top1 < 200.0 / static_cast<double>(output->classes) &&
        output->classes > 2) {
      result_.notices.push_back(fmt::format(
          "the dense network is right on {:.1f} % of the samples only, and guessing among {} classes on {:.1f} %: "
          "labels in another order than the network's, or inputs that are not normalised as it expects, make every "
          "comparison meaningless",
          result_.dense_top1, output->classes, 100.0 / static_cast<double>(output->classes)));
    }
    return {};
  }

  void AddAgreement(const AnswersOfOutput& output) {
    const bool by_default = !result_.top1_measured;
    if (output.HasClasses()) {
      // Rows of one length are embeddings: the place of their largest element says nothing.
      const bool scores = output.classes == 0 || !output.unit_rows;
      std::vector<float> changed(output.dense_class.size());
      for (size_t i = 0; i < changed.size(); ++i) {
        changed[i] = output.dense_class[i] == output.candidate_class[i] ? 0.0F : 1.0F;
      }
      GateCheck check;
      check.name = "same_answers";
      check.output = output.name;
      check.measured = output.SameShare();
      // As of the drop, a changed answer and one that goes the other way are added; a share has no other way.
      const Interval share = PairedShareInterval(changed, options_.bootstrap);
      check.interval = {std::max(0.0, 1 - share.high), std::min(1.0, 1 - share.low)};
      if (options_.min_same || (by_default && scores)) {
        Judge(options_.min_same.value_or(GateOptions::kDefaultSame), false, result_.samples, &check);
      }
      check.text = fmt::format("the same class for {:.2f} % of the samples, {:g} % interval [{:.2f}, {:.2f}]",
                               100 * check.measured, 100 * options_.bootstrap.confidence, 100 * check.interval.low,
                               100 * check.interval.high);
      if (scores && by_default) {
        check.text += fmt::format("; top-1 can have fallen by {:.2f} points at most", 100 * (1 - check.measured));
      }
      if (scores || options_.min_same) result_.checks.push_back(std::move(check));
    } else if (output.cosines.empty()) {
      GateCheck check;
      check.name = "equal";
      check.output = output.name;
      check.measured = static_cast<double>(output.different);
      check.interval = {check.measured, check.measured};
      check.text = fmt::format("{} of {} samples differ", output.different, result_.samples);
      result_.checks.push_back(std::move(check));
    }
    if (output.cosines.empty()) return;
    GateCheck check;
    check.name = "cosine";
    check.output = output.name;
    check.measured = output.MeanCosine();
    check.interval = MeanInterval(output.cosines, options_.bootstrap);
    if (options_.min_agreement || by_default) {
      Judge(options_.min_agreement.value_or(GateOptions::kDefaultAgreement), false, result_.samples, &check);
    }
    check.text =
        fmt::format("mean cosine {:.5f}, {:g} % interval [{:.5f}, {:.5f}], lowest {:.4f}", check.measured,
                    100 * options_.bootstrap.confidence, check.interval.low, check.interval.high, output.MinCosine());
    result_.checks.push_back(std::move(check));
  }

  const GateOptions& options_;
  const Answers& answers_;
  std::span<const int64_t> labels_;
  GateResult result_;
};

// Both sides agree on inputs that neither was trained for, so the dense network is asked.
Result<std::string> CheckScaling(Session& dense, const DataSource& data, std::span<const int64_t> samples,
                                 const std::function<bool()>& cancelled) {
  constexpr size_t kMost = 64;
  std::vector<int64_t> some;
  for (size_t i = 0; i < std::min(kMost, samples.size()); ++i) {
    some.push_back(samples[i * samples.size() / std::min(kMost, samples.size())]);
  }
  const Session* const network = &dense;
  std::vector<NamedTensors> batches;
  for (const SampleBatch& batch : BatchesFor({&network, 1}, data, some)) {
    if (batch.repeated > 0) continue;  // answers that count twice would tilt what is looked at
    TAMIS_ASSIGN_OR_RETURN(batches.emplace_back(), data.Batch(batch.samples));
  }
  return batches.empty() ? std::string() : TryScalings(dense, batches, cancelled);
}

// Rounds of both sides in turns. A slow phase of the machine meets both, and what is left of it shows in the interval
// over the rounds.
Status MeasureLatency(Session& dense, Session& candidate, const DataSource& data, std::span<const int64_t> samples,
                      const GateOptions& options, GateResult* result) {
  constexpr int kRounds = 11;
  const int64_t batch = data.fixed_batch() > 0 ? data.fixed_batch() : options.latency_batch;
  if (static_cast<size_t>(batch) > samples.size()) {
    return UserError("latency is measured with a batch of {}, and there are {} samples", batch, samples.size());
  }
  TAMIS_ASSIGN_OR_RETURN(const NamedTensors inputs, data.Batch(samples.subspan(0, static_cast<size_t>(batch))));
  const auto borrow = [](Session& session) { return std::shared_ptr<Session>(std::shared_ptr<Session>(), &session); };
  const std::vector<BenchmarkCase> cases = {{borrow(dense), inputs}, {borrow(candidate), inputs}};
  std::vector<double> of_dense, of_candidate;
  std::vector<float> ratios;
  for (int round = 0; round < kRounds; ++round) {
    if (options.cancelled && options.cancelled()) return RuntimeError("the gate was interrupted");
    BenchmarkOptions benchmark;
    benchmark.warmup_seconds = round == 0 ? std::min(0.5, options.latency_seconds / 4) : 0;
    benchmark.seconds = options.latency_seconds / kRounds;
    TAMIS_ASSIGN_OR_RETURN(const auto measured, Benchmark(cases, benchmark));
    of_dense.push_back(measured[0].median);
    of_candidate.push_back(measured[1].median);
    ratios.push_back(static_cast<float>(measured[1].median / measured[0].median));
    if (options.progress) options.progress(round + 1, kRounds, "latency");
  }
  result->latency = {batch, kRounds, Median(of_dense) * 1e3, Median(of_candidate) * 1e3};
  GateCheck check;
  check.name = "latency_ratio";
  check.measured = Median({ratios.begin(), ratios.end()});
  check.interval = MedianInterval(ratios, options.bootstrap);
  Judge(*options.max_latency_ratio, true, 0, &check);
  check.text = fmt::format(
      "{:.3f} of the dense time, {:g} % interval [{:.3f}, {:.3f}]; medians {:.3f} and {:.3f} ms, batch {}, {} rounds "
      "in "
      "turns",
      check.measured, 100 * options.bootstrap.confidence, check.interval.low, check.interval.high,
      result->latency->candidate_ms, result->latency->dense_ms, batch, kRounds);
  result->checks.push_back(std::move(check));
  return {};
}

}  // namespace

Verdict GateResult::verdict() const {
  Verdict worst = Verdict::kPassed;
  for (const GateCheck& check : checks) worst = std::max(worst, check.verdict);
  return strict && worst == Verdict::kUnproven ? Verdict::kFailed : worst;
}

Status CheckGateOptions(const GateOptions& options) {
  std::string problems;
  const auto need = [&](bool good, const std::string& problem) {
    if (!good) problems += (problems.empty() ? "" : "; ") + problem;
  };
  need(options.max_drop >= 0 && options.max_drop <= 100,
       fmt::format("--max-drop {:g} is not between 0 and 100 points", options.max_drop));
  if (options.min_agreement) {
    need(*options.min_agreement >= -1 && *options.min_agreement <= 1,
         fmt::format("--min-agreement {:g} is no cosine, between -1 and 1", *options.min_agreement));
  }
  if (options.min_same) {
    need(*options.min_same >= 0 && *options.min_same <= 1,
         fmt::format("--min-same {:g} is no share, between 0 and 1", *options.min_same));
  }
  if (options.max_latency_ratio) {
    need(*options.max_latency_ratio > 0 && std::isfinite(*options.max_latency_ratio),
         fmt::format("--max-latency-ratio {:g} is not above 0", *options.max_latency_ratio));
  }
  need(options.bootstrap.resamples >= 100 && options.bootstrap.resamples <= 10'000'000,
       fmt::format("--resamples {} is not between 100 and 10000000", options.bootstrap.resamples));
  need(options.latency_seconds > 0 && std::isfinite(options.latency_seconds),
       fmt::format("--seconds {:g} is not above 0", options.latency_seconds));
  need(options.latency_batch >= 1, fmt::format("--batch {} is not 1 or more", options.latency_batch));
  return problems.empty() ? Status() : UserError("{}", problems);
}

Result<GateResult> RunGate(Session& dense, Session& candidate, const DataSource& data, std::span<const int64_t> samples,
                           std::span<const int64_t> labels, const GateOptions& options) {
  TAMIS_RETURN_IF_ERROR(CheckGateOptions(options));
  if (!labels.empty() && static_cast<int64_t>(labels.size()) != data.size()) {
    return UserError("{} labels for {} samples", labels.size(), data.size());
  }
  const auto progress = [&](int64_t done, int64_t total) {
    if (options.progress) options.progress(done, total, "samples");
  };
  TAMIS_ASSIGN_OR_RETURN(const Answers answers,
                         CollectAnswers(dense, candidate, data, samples, progress, options.cancelled));
  if (answers.samples.size() < 2) {
    return UserError(
        "the gate has {} sample{} to judge by, and needs at least two: nothing is known from that about any other; "
        "give some hundreds",
        answers.samples.size(), answers.samples.size() == 1 ? "" : "s");
  }
  const auto asked = static_cast<int64_t>(answers.samples.size());
  if (answers.distinct == 1) {
    return UserError(
        "all {} samples are the same in every input, so nothing is known about any other: give some hundreds of "
        "different ones",
        asked);
  }
  GateRun run(options, answers, labels);
  TAMIS_ASSIGN_OR_RETURN(GateResult result, run.Run(data));
  if (const int64_t repeats = asked - answers.distinct; repeats * 10 >= asked) {
    result.notices.push_back(
        fmt::format("{} of {} samples repeat others, so there are {} in effect, and the intervals claim more than "
                    "these can tell",
                    repeats, asked, answers.distinct));
  }
  TAMIS_ASSIGN_OR_RETURN(const std::string scaling, CheckScaling(dense, data, answers.samples, options.cancelled));
  if (!scaling.empty()) result.notices.push_back(scaling);
  if (options.max_latency_ratio) {
    TAMIS_RETURN_IF_ERROR(MeasureLatency(dense, candidate, data, answers.samples, options, &result));
  }
  return result;
}

}  // namespace tamis
