#include "src/compiler/optimize/optimize_judge.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "src/base/tensor_store.h"
#include "src/compiler/measure/compare.h"
#include "src/compiler/measure/score_divergence.h"
#include "src/compiler/optimize/optimize_mixtures.h"
#include "src/compiler/samples/labels.h"

namespace tamis {
namespace {

int64_t RowsOf(const NamedTensors& batch) {
  return batch.empty() || batch.begin()->second.rank() == 0 ? 1 : batch.begin()->second.dim(0);
}

bool IsScores(const Tensor& tensor) {
  return tensor.rank() == 2 && tensor.dim(1) >= 2 && tensor.dtype() == DType::kFloat32;
}

// Whether the rows of one output all have the same length and are no probabilities: then the place of a row's largest
// element is no answer. (Probabilities of a network that is sure of every sample have the length 1 as well.)
bool AreEmbeddings(const std::vector<NamedTensors>& batches, const std::string& name) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  int64_t rows = 0;
  bool probabilities = true;
  for (const NamedTensors& batch : batches) {
    const Tensor& tensor = batch.at(name);
    const std::span<const float> all = tensor.Span<float>();
    const auto columns = static_cast<size_t>(tensor.dim(1));
    for (size_t begin = 0; begin < all.size(); begin += columns, ++rows) {
      double square = 0, sum = 0;
      for (const float value : all.subspan(begin, columns)) {
        square += static_cast<double>(value) * value;
        sum += value;
        probabilities = probabilities && value >= 0;
      }
      probabilities = probabilities && std::abs(sum - 1) <= 1e-3;
      low = std::min(low, std::sqrt(square));
      high = std::max(high, std::sqrt(square));
    }
  }
  return rows > 1 && high > 0 && high - low <= 1e-3 * high && !probabilities;
}

// Batches of one output, one after the other.
Tensor Stacked(const std::vector<NamedTensors>& batches, const std::string& name) {
  int64_t rows = 0;
  for (const NamedTensors& batch : batches) rows += batch.at(name).dim(0);
  const int64_t columns = batches.front().at(name).dim(1);
  Tensor all(DType::kFloat32, {rows, columns});
  float* to = all.Data<float>();
  for (const NamedTensors& batch : batches) {
    const std::span<const float> from = batch.at(name).Span<float>();
    to = std::copy(from.begin(), from.end(), to);
  }
  return all;
}

// Share of the other sample in a mixture: so mixed, training images change at least as many answers as images never
// seen, and not many more (docs/optimize.md).
constexpr float kMixedShare = 0.2F;

}  // namespace

Status Judge::Answered::Add(Session& session) {
  TAMIS_ASSIGN_OR_RETURN(dense, AnswersOf(session, batches));
  return {};
}

void Judge::Answered::Join(const Answered& other) {
  batches.insert(batches.end(), other.batches.begin(), other.batches.end());
  dense.insert(dense.end(), other.dense.begin(), other.dense.end());
}

Result<std::vector<NamedTensors>> Judge::AnswersOf(Session& session, std::span<const NamedTensors> batches) {
  std::vector<NamedTensors> all;
  for (const NamedTensors& batch : batches) {
    TAMIS_ASSIGN_OR_RETURN(NamedTensors answers, session.Run(batch));
    all.push_back(std::move(answers));
    TensorStore::Rest(batch);
  }
  return all;
}

Result<Judge> Judge::Make(const DataSource& data, const std::vector<int64_t>& samples, int64_t batch, Session& dense,
                          bool mix) {
  Judge judge;
  TAMIS_ASSIGN_OR_RETURN(judge.seen_.batches, ReadBatches(data, samples, batch));
  TAMIS_RETURN_IF_ERROR(judge.seen_.Add(dense));
  for (const NamedTensors& inputs : judge.seen_.batches) judge.samples_ += RowsOf(inputs);
  if (!judge.seen_.dense.empty()) {
    for (const auto& [name, output] : judge.seen_.dense.front()) {
      if (IsScores(output) && !AreEmbeddings(judge.seen_.dense, name)) judge.scores_.insert(name);
    }
  }
  if (mix && judge.HasScores()) {
    judge.mixed_.batches = MixSamples(judge.seen_.batches, kMixedShare);
    TAMIS_RETURN_IF_ERROR(judge.mixed_.Add(dense));
  }
  for (size_t i = 0; !data.labels().empty() && i < static_cast<size_t>(judge.samples_); ++i) {
    judge.labels_.push_back(data.labels()[static_cast<size_t>(samples[i])]);
  }
  if (judge.labels_.empty() || judge.seen_.dense.front().size() != 1) return judge;
  const auto& [name, scores] = *judge.seen_.dense.front().begin();
  if (judge.scores_.count(name) != 0) {
    // All of them, not only these samples': what is wrong is said once.
    TAMIS_RETURN_IF_ERROR(CheckLabels(data.labels(), scores.dim(1), name, data.class_names()));
  }
  return judge;
}

Judge Judge::First(int64_t samples) const {
  Judge first;
  first.scores_ = scores_;
  for (size_t i = 0; i < seen_.batches.size() && first.samples_ < samples; ++i) {
    first.seen_.batches.push_back(seen_.batches[i]);
    first.seen_.dense.push_back(seen_.dense[i]);
    first.samples_ += RowsOf(seen_.batches[i]);
  }
  if (!labels_.empty()) first.labels_.assign(labels_.begin(), labels_.begin() + first.samples_);
  return first;
}

void Judge::Join(const Judge& other) {
  seen_.Join(other.seen_);
  mixed_.Join(other.mixed_);
  labels_.insert(labels_.end(), other.labels_.begin(), other.labels_.end());
  samples_ += other.samples_;
}

ScoreDrop Judge::DropOf(const std::string& output, bool labelled, const Answered& of,
                        const std::vector<NamedTensors>& ours) const {
  return EstimateScoreDrop(Stacked(of.dense, output), Stacked(ours, output),
                           labelled ? std::span<const int64_t>(labels_) : std::span<const int64_t>());
}

Result<Quality> Judge::Measure(Session& session) const {
  TAMIS_ASSIGN_OR_RETURN(const std::vector<NamedTensors> ours, AnswersOf(session, seen_.batches));
  std::map<std::string, OutputComparison> outputs;
  for (size_t i = 0; i < ours.size(); ++i) {
    for (const auto& [name, reference] : seen_.dense[i]) {
      if (IsFloat(reference.dtype())) TAMIS_RETURN_IF_ERROR(outputs[name].Add(ours[i].at(name), reference));
    }
  }
  Quality quality;
  for (const auto& [name, comparison] : outputs) {
    // Also where equal: an error of 0 is an answer.
    if (comparison.MeanCosine() > quality.agreement) continue;
    quality.agreement = comparison.MeanCosine();
    quality.agreement_error = comparison.MeanCosineError();
  }
  std::string worst;  // the output of which top-1 drops most
  // Labels are the classes of the only output, if there is one only.
  const bool labelled = !labels_.empty() && outputs.size() == 1;
  for (const auto& [name, comparison] : outputs) {
    if (scores_.count(name) == 0) continue;
    quality.divergence = std::max(quality.divergence, MeanDivergence(Stacked(seen_.dense, name), Stacked(ours, name)));
    const ScoreDrop drop = DropOf(name, labelled, seen_, ours);
    if (quality.has_scores && drop.estimate <= quality.drop) continue;
    worst = name;
    quality.has_scores = true;
    quality.labelled = labelled;
    quality.drop = drop.estimate;
    quality.drop_error = drop.estimate_error;
    quality.counted_drop = drop.counted;
    quality.by_probabilities = drop.by_probabilities;
  }
  if (worst.empty() || mixed_.batches.empty()) return quality;
  TAMIS_ASSIGN_OR_RETURN(const std::vector<NamedTensors> mixed, AnswersOf(session, mixed_.batches));
  const ScoreDrop drop = DropOf(worst, labelled, mixed_, mixed);
  quality.mixed = true;
  quality.mixed_drop = drop.estimate;
  quality.mixed_drop_error = drop.estimate_error;
  return quality;
}

}  // namespace tamis
