#include "src/compiler/gate/gate_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>

#include "src/compiler/samples/distinct_samples.h"
#include "src/compiler/samples/sample_batches.h"

namespace tamis {
namespace {

std::string Describe(const TensorSpec& spec) {
  std::string dims;
  for (size_t i = 0; i < spec.dims.size(); ++i) {
    dims += (i == 0 ? "" : ", ") + (spec.dims[i] >= 0 ? std::to_string(spec.dims[i]) : spec.dim_names[i]);
  }
  return fmt::format("{} [{}]", Name(spec.dtype), dims);
}

bool Fits(const TensorSpec& a, const TensorSpec& b) {
  if (a.dtype != b.dtype) return false;
  if (!a.has_rank || !b.has_rank) return true;
  if (a.dims.size() != b.dims.size()) return false;
  for (size_t i = 0; i < a.dims.size(); ++i) {
    if (a.dims[i] >= 0 && b.dims[i] >= 0 && a.dims[i] != b.dims[i]) return false;
  }
  return true;
}

// Both ways; `compare` is asked for what both have.
void CompareSpecs(const std::string& kind, const std::vector<TensorSpec>& dense,
                  const std::vector<TensorSpec>& candidate,
                  const std::function<bool(const TensorSpec&, const TensorSpec&)>& compare, std::string* problems) {
  const auto find = [](const std::vector<TensorSpec>& specs, const std::string& name) {
    return std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& spec) { return spec.name == name; });
  };
  for (const TensorSpec& spec : dense) {
    const auto other = find(candidate, spec.name);
    if (other == candidate.end()) {
      *problems += fmt::format("\n  {} '{}' is the dense network's only", kind, spec.name);
    } else if (!compare(spec, *other)) {
      *problems += fmt::format("\n  {} '{}' is {} in the dense network and {} in the candidate", kind, spec.name,
                               Describe(spec), Describe(*other));
    }
  }
  for (const TensorSpec& spec : candidate) {
    if (find(dense, spec.name) == dense.end()) {
      *problems += fmt::format("\n  {} '{}' is the candidate's only", kind, spec.name);
    }
  }
}

struct RowState {
  bool dense_finite = true, candidate_finite = true;
  double cosine = 1, square = 0;  // square: of the dense row
};

RowState CompareRows(const float* candidate, const float* dense, int64_t width) {
  RowState state;
  double dot = 0, xx = 0, yy = 0;
  for (int64_t i = 0; i < width; ++i) {
    const double x = static_cast<double>(candidate[i]), y = static_cast<double>(dense[i]);
    if (std::isinf(y) && x == y) continue;  // -infinity for what a mask hides
    if (!std::isfinite(y)) state.dense_finite = false;
    if (!std::isfinite(x)) state.candidate_finite = false;
    dot += x * y;
    xx += x * x;
    yy += y * y;
  }
  state.square = yy;
  state.cosine = xx == 0 && yy == 0 ? 1 : xx == 0 || yy == 0 ? 0 : std::clamp(dot / std::sqrt(xx * yy), -1.0, 1.0);
  return state;
}

class Collector {
 public:
  explicit Collector(Answers* answers) : answers_(*answers) {}

  Status Add(const NamedTensors& dense, const NamedTensors& candidate, std::span<const int64_t> samples) {
    for (const auto& [name, reference] : dense) {
      const auto found = candidate.find(name);
      if (found == candidate.end()) return InternalError("the candidate gave no '{}'", name);
      const Tensor& answer = found->second;
      if (answer.dims() != reference.dims()) {
        return UserError("output '{}' is {} in the dense network and {} in the candidate", name,
                         ToString(reference.dims()), ToString(answer.dims()));
      }
      auto output = std::find_if(answers_.outputs.begin(), answers_.outputs.end(),
                                 [&name = name](const AnswersOfOutput& o) { return o.name == name; });
      if (output == answers_.outputs.end()) {
        AnswersOfOutput fresh;
        fresh.name = name;
        output = answers_.outputs.insert(output, fresh);
      }
      if (IsFloat(reference.dtype()) && IsFloat(answer.dtype())) {
        AddFloats(answer, reference, samples, &*output);
      } else {
        TAMIS_RETURN_IF_ERROR(AddOthers(answer, reference, samples, &*output));
      }
    }
    answers_.samples.insert(answers_.samples.end(), samples.begin(), samples.end());
    return {};
  }

  Status Finish() {
    for (AnswersOfOutput& output : answers_.outputs) {
      const auto [low, high] = lengths_[output.name];
      output.unit_rows = output.cosines.size() > 1 && high > 0 && high - low <= 1e-3 * high;
    }
    std::string problems;
    for (const auto& [name, broken] : dense_broken_) {
      problems += fmt::format("\n  '{}' for {} of {} samples, the first is sample {}", name, broken.first,
                              answers_.samples.size(), broken.second);
    }
    if (problems.empty()) return {};
    return UserError(
        "the dense network's own answers are NaN or infinite, so nothing can be judged by them:{}\n  Look at these "
        "samples, and whether the inputs are normalised as the network expects",
        problems);
  }

 private:
  void AddFloats(const Tensor& answer, const Tensor& reference, std::span<const int64_t> samples,
                 AnswersOfOutput* output) {
    const Tensor left = answer.ToFloat32(), right = reference.ToFloat32();
    const auto rows = static_cast<int64_t>(samples.size());
    const int64_t width = rows == 0 ? 0 : reference.NumElements() / rows;
    const bool scores = reference.rank() == 2 && width >= 2;
    if (scores) output->classes = width;
    for (int64_t r = 0; r < rows; ++r) {
      const float* x = left.Data<float>() + r * width;
      const float* y = right.Data<float>() + r * width;
      const RowState state = CompareRows(x, y, width);
      if (!state.dense_finite) {
        auto& broken = dense_broken_.try_emplace(output->name, 0, samples[static_cast<size_t>(r)]).first->second;
        ++broken.first;
      } else if (!state.candidate_finite && output->broken++ == 0) {
        output->first_broken = samples[static_cast<size_t>(r)];
      }
      output->cosines.push_back(state.dense_finite && state.candidate_finite ? static_cast<float>(state.cosine) : 0);
      const double length = std::sqrt(state.square);
      const auto [at, fresh] = lengths_.try_emplace(output->name, length, length);
      at->second = {std::min(at->second.first, length), std::max(at->second.second, length)};
      if (!scores) continue;
      output->dense_class.push_back(std::max_element(y, y + width) - y);
      output->candidate_class.push_back(state.candidate_finite ? std::max_element(x, x + width) - x : -1);
    }
  }

  Status AddOthers(const Tensor& answer, const Tensor& reference, std::span<const int64_t> samples,
                   AnswersOfOutput* output) {
    if (answer.dtype() != reference.dtype() || reference.dtype() == DType::kString) {
      return UserError("output '{}' is {} in the dense network and {} in the candidate: these can't be compared",
                       output->name, Name(reference.dtype()), Name(answer.dtype()));
    }
    const size_t bytes = samples.empty() ? 0 : reference.NumBytes() / samples.size();
    for (size_t r = 0; r < samples.size(); ++r) {
      if (std::memcmp(answer.raw() + r * bytes, reference.raw() + r * bytes, bytes) != 0) ++output->different;
    }
    if (!IsInteger(reference.dtype()) || reference.NumElements() != static_cast<int64_t>(samples.size())) return {};
    const std::vector<int64_t> ours = answer.ToInt64s(), theirs = reference.ToInt64s();
    output->candidate_class.insert(output->candidate_class.end(), ours.begin(), ours.end());
    output->dense_class.insert(output->dense_class.end(), theirs.begin(), theirs.end());
    return {};
  }

  Answers& answers_;
  std::map<std::string, std::pair<double, double>> lengths_;         // least and greatest of the dense rows
  std::map<std::string, std::pair<int64_t, int64_t>> dense_broken_;  // how many samples, and the first
};

}  // namespace

double AnswersOfOutput::MeanCosine() const {
  return cosines.empty() ? 1
                         : std::accumulate(cosines.begin(), cosines.end(), 0.0) / static_cast<double>(cosines.size());
}

double AnswersOfOutput::MinCosine() const {
  return cosines.empty() ? 1 : static_cast<double>(*std::min_element(cosines.begin(), cosines.end()));
}

double AnswersOfOutput::SameShare() const {
  if (dense_class.empty()) return 1;
  int64_t same = 0;
  for (size_t i = 0; i < dense_class.size(); ++i) same += dense_class[i] == candidate_class[i] ? 1 : 0;
  return static_cast<double>(same) / static_cast<double>(dense_class.size());
}

Result<std::vector<TensorSpec>> CommonInputs(const Session& dense, const Session& candidate) {
  std::string problems;
  CompareSpecs("input", dense.inputs(), candidate.inputs(), Fits, &problems);
  CompareSpecs(
      "output", dense.outputs(), candidate.outputs(),
      [](const TensorSpec& a, const TensorSpec& b) {
        const bool floats = IsFloat(a.dtype) && IsFloat(b.dtype);
        TensorSpec same = a;
        if (floats) same.dtype = b.dtype;  // f16 beside f32 can be compared
        return Fits(same, b);
      },
      &problems);
  if (!problems.empty()) {
    return UserError("the two networks can't be compared; both need the same inputs and outputs:{}", problems);
  }
  std::vector<TensorSpec> inputs = dense.inputs();
  for (TensorSpec& input : inputs) {
    const auto other = std::find_if(candidate.inputs().begin(), candidate.inputs().end(),
                                    [&](const TensorSpec& spec) { return spec.name == input.name; });
    for (size_t i = 0; i < input.dims.size() && i < other->dims.size(); ++i) {
      if (input.dims[i] < 0) input.dims[i] = other->dims[i];
    }
  }
  return inputs;
}

Result<Answers> CollectAnswers(Session& dense, Session& candidate, const DataSource& data,
                               std::span<const int64_t> samples,
                               const std::function<void(int64_t done, int64_t total)>& progress,
                               const std::function<bool()>& cancelled) {
  Answers answers;
  Collector collector(&answers);
  DistinctSamples distinct;
  const std::array<const Session*, 2> both = {&candidate, &dense};
  std::vector<SampleBatch> batches = BatchesFor(both, data, samples);
  for (size_t at = 0; at < batches.size();) {
    const SampleBatch& batch = batches[at];
    if (cancelled && cancelled()) return RuntimeError("the gate was interrupted");
    const size_t count = batch.samples.size();
    TAMIS_ASSIGN_OR_RETURN(const NamedTensors inputs, data.Batch(batch.samples));
    auto of_dense = dense.Run(inputs);
    if (!of_dense.ok()) return of_dense.status().WithContext("the dense network");
    if (count > 1 && !BySample(*of_dense, count)) {
      if (data.fixed_batch() > 0 || BatchNear(both, 1) != 1) {
        return UserError(
            "outputs don't have the {} samples of a batch as their first dimension, so they can't be "
            "told apart; export the network with a batch of 1 or a free one",
            count);
      }
      batches.clear();  // then an output is its sample's, whatever its shape
      for (const int64_t sample : samples.subspan(answers.samples.size())) batches.push_back({{sample}, 0});
      at = 0;
      continue;
    }
    auto of_candidate = candidate.Run(inputs);
    if (!of_candidate.ok()) return of_candidate.status().WithContext("the candidate");
    if (batch.repeated > 0) {
      if (!BySample(*of_candidate, count)) {
        return UserError("the candidate's outputs don't have the {} samples of a batch as their first dimension",
                         count);
      }
      of_dense = WithoutFirst(*of_dense, batch.repeated);
      of_candidate = WithoutFirst(*of_candidate, batch.repeated);
    }
    const std::span<const int64_t> fresh = std::span(batch.samples).subspan(batch.repeated);
    TAMIS_RETURN_IF_ERROR(collector.Add(*of_dense, *of_candidate, fresh));
    distinct.Add(inputs, static_cast<int64_t>(count), static_cast<int64_t>(batch.repeated));
    if (progress) progress(static_cast<int64_t>(answers.samples.size()), static_cast<int64_t>(samples.size()));
    ++at;
  }
  TAMIS_RETURN_IF_ERROR(collector.Finish());
  answers.distinct = distinct.count();
  return answers;
}

}  // namespace tamis
