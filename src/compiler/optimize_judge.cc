#include "src/compiler/optimize_judge.h"

#include <algorithm>
#include <map>

#include "src/compiler/compare.h"
#include "src/compiler/labels.h"
#include "src/compiler/optimize_score_drop.h"
#include "src/compiler/score_divergence.h"
#include "src/compiler/tensor_store.h"

namespace tamis {
namespace {

int64_t RowsOf(const NamedTensors& batch) {
  return batch.empty() || batch.begin()->second.rank() == 0 ? 1 : batch.begin()->second.dim(0);
}

bool IsScores(const Tensor& tensor) {
  return tensor.rank() == 2 && tensor.dim(1) >= 2 && tensor.dtype() == DType::kFloat32;
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

}  // namespace

Result<Judge> Judge::Make(const DataSource& data, const std::vector<int64_t>& samples, int64_t batch, Session& dense) {
  Judge judge;
  TAMIS_ASSIGN_OR_RETURN(judge.batches_, ReadBatches(data, samples, batch));
  for (const NamedTensors& batch : judge.batches_) {
    TAMIS_ASSIGN_OR_RETURN(NamedTensors answers, dense.Run(batch));
    judge.dense_.push_back(std::move(answers));
    judge.samples_ += RowsOf(batch);
    TensorStore::Rest(batch);
  }
  for (size_t i = 0; !data.labels().empty() && i < static_cast<size_t>(judge.samples_); ++i) {
    judge.labels_.push_back(data.labels()[static_cast<size_t>(samples[i])]);
  }
  if (judge.labels_.empty() || judge.dense_.front().size() != 1) return judge;
  const auto& [name, scores] = *judge.dense_.front().begin();
  if (IsScores(scores)) {
    // All of them, not only these samples': what is wrong is said once.
    TAMIS_RETURN_IF_ERROR(CheckLabels(data.labels(), scores.dim(1), name, data.class_names()));
  }
  return judge;
}

bool Judge::HasScores() const {
  return !dense_.empty() && std::any_of(dense_.front().begin(), dense_.front().end(),
                                        [](const auto& output) { return IsScores(output.second); });
}

Judge Judge::First(int64_t samples) const {
  Judge first;
  for (size_t i = 0; i < batches_.size() && first.samples_ < samples; ++i) {
    first.batches_.push_back(batches_[i]);
    first.dense_.push_back(dense_[i]);
    first.samples_ += RowsOf(batches_[i]);
  }
  if (!labels_.empty()) first.labels_.assign(labels_.begin(), labels_.begin() + first.samples_);
  return first;
}

void Judge::Join(const Judge& other) {
  batches_.insert(batches_.end(), other.batches_.begin(), other.batches_.end());
  dense_.insert(dense_.end(), other.dense_.begin(), other.dense_.end());
  labels_.insert(labels_.end(), other.labels_.begin(), other.labels_.end());
  samples_ += other.samples_;
}

Result<Quality> Judge::Measure(Session& session) const {
  std::map<std::string, OutputComparison> outputs;
  std::vector<NamedTensors> ours;
  for (size_t i = 0; i < batches_.size(); ++i) {
    TAMIS_ASSIGN_OR_RETURN(NamedTensors answers, session.Run(batches_[i]));
    for (const auto& [name, reference] : dense_[i]) {
      if (IsFloat(reference.dtype())) TAMIS_RETURN_IF_ERROR(outputs[name].Add(answers.at(name), reference));
    }
    ours.push_back(std::move(answers));
    TensorStore::Rest(batches_[i]);
  }
  Quality quality;
  for (const auto& [name, comparison] : outputs) {
    // Also where equal: an error of 0 is an answer.
    if (comparison.MeanCosine() > quality.agreement) continue;
    quality.agreement = comparison.MeanCosine();
    quality.agreement_error = comparison.MeanCosineError();
  }
  for (const auto& [name, comparison] : outputs) {
    if (!IsScores(dense_.front().at(name))) continue;
    // Labels are the classes of the only output, if there is one only.
    const bool labelled = !labels_.empty() && outputs.size() == 1;
    quality.divergence = std::max(quality.divergence, MeanDivergence(Stacked(dense_, name), Stacked(ours, name)));
    const ScoreDrop drop = EstimateScoreDrop(Stacked(dense_, name), Stacked(ours, name),
                                             labelled ? std::span<const int64_t>(labels_) : std::span<const int64_t>());
    if (quality.has_scores && drop.estimate <= quality.drop) continue;
    quality.has_scores = true;
    quality.labelled = labelled;
    quality.drop = drop.estimate;
    quality.drop_error = drop.estimate_error;
    quality.counted_drop = drop.counted;
  }
  return quality;
}

}  // namespace tamis
