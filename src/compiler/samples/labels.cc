#include "src/compiler/samples/labels.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/compiler/samples/npy.h"

namespace tamis {
namespace {

class Relabelled final : public DataSource {
 public:
  Relabelled(std::shared_ptr<const DataSource> source, std::vector<int64_t> labels) : source_(std::move(source)) {
    size_ = source_->size();
    hash_ = source_->hash();
    fixed_batch_ = source_->fixed_batch();
    labels_ = std::move(labels);
  }
  Result<NamedTensors> Batch(std::span<const int64_t> samples) const override { return source_->Batch(samples); }

 private:
  std::shared_ptr<const DataSource> source_;
};

// The labels of the source's samples; empty if there are to be none.
Result<std::vector<int64_t>> LabelsOf(const LabelRequest& request, const DataSource& source) {
  if (request.classes) {
    if (static_cast<int64_t>(request.classes->size()) == source.size()) return *request.classes;
    return UserError("there are {} labels for {} samples; one a sample is needed", request.classes->size(),
                     source.size());
  }
  if (request.file == "none") return std::vector<int64_t>();
  if (request.file.empty()) return source.labels();
  return ReadLabels(request.file, source.size());
}

}  // namespace

Result<std::shared_ptr<const DataSource>> WithLabels(std::shared_ptr<const DataSource> source,
                                                     const LabelRequest& request) {
  if (!request.classes && request.file.empty()) return source;
  TAMIS_ASSIGN_OR_RETURN(std::vector<int64_t> labels, LabelsOf(request, *source));
  return std::shared_ptr<const DataSource>(std::make_shared<Relabelled>(std::move(source), std::move(labels)));
}

Result<std::vector<int64_t>> ReadLabels(const std::string& path, int64_t samples) {
  TAMIS_ASSIGN_OR_RETURN(const Tensor labels, ReadNpy(path));
  if (!IsInteger(labels.dtype()) || labels.rank() != 1 || labels.dim(0) != samples) {
    return UserError("labels '{}' are {} {}; the data need integers of shape [{}], one a sample", path,
                     Name(labels.dtype()), ToString(labels.dims()), samples);
  }
  return labels.ToInt64s();
}

Status CheckLabels(std::span<const int64_t> labels, int64_t classes, const std::string& output,
                   std::span<const std::string> class_names, std::span<const int64_t> samples) {
  constexpr int kShown = 5;
  int64_t outside = 0;
  std::string shown;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 0 && labels[i] < classes) continue;
    const int64_t sample = samples.empty() ? static_cast<int64_t>(i) : samples[i];
    if (outside++ < kShown) shown += fmt::format("{}sample {} has {}", shown.empty() ? "" : ", ", sample, labels[i]);
  }
  if (outside == 0) return {};
  const auto [low, high] = std::minmax_element(labels.begin(), labels.end());
  std::string advice = fmt::format("labels count from 0 to {}", classes - 1);
  if (!class_names.empty()) {
    advice = fmt::format(
        "the data have {} class folders and the network {} classes, so the folders are other classes than the "
        "network's; give --labels FILE.npy with the network's numbers, or --labels none",
        class_names.size(), classes);
  } else if (*low >= 1 && *high == classes) {
    advice += "; these seem to count from 1";
  }
  return UserError("{} of {} labels are no class of output '{}', which has {} classes: {}{}. {}", outside,
                   labels.size(), output, classes, shown,
                   outside > kShown ? fmt::format(" and {} more", outside - kShown) : "", advice);
}

}  // namespace tamis
