// Samples for calibration and measurement: a folder of .npy files, or images in class folders (a folder or a .zip).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/ir/graph.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

struct DataOptions {
  int64_t image_size = 0;   // of images: height = width; 0: what the network's input says
  std::vector<float> mean;  // of images, for values in [0, 1]: one number or one for each channel; empty: 0
  std::vector<float> std;   // likewise; empty: 1
};
// Error (kUser) if one of them is given, after `given_are`, "'x' holds arrays".
Status RefuseForArrays(const DataOptions& options, std::string_view given_are);

// Reads "0.485,0.456,0.406". Error naming `flag` if it is not a list of one or more finite numbers.
Result<std::vector<float>> ParseChannelValues(const std::string& flag, const std::string& text);

// Immutable after opening; Batch may be called by several threads at once.
class DataSource {
 public:
  virtual ~DataSource() = default;
  int64_t size() const { return size_; }
  // A class for each sample, or empty: labels.npy, or the index of the sample's folder among the sorted folder names.
  const std::vector<int64_t>& labels() const { return labels_; }
  // Folder names of images, sorted; empty otherwise.
  const std::vector<std::string>& class_names() const { return class_names_; }
  // Of the samples and, for images, how they are prepared; recorded as provenance. Files that are only listed at
  // opening count with their names, sizes and (in a .zip) checksums.
  uint64_t hash() const { return hash_; }
  // Samples of a batch that the network insists on; 0 if its batch dimension is free.
  int64_t fixed_batch() const { return fixed_batch_; }
  // Sentences for the user: what is there and was not used.
  const std::vector<std::string>& remarks() const { return remarks_; }

  // The samples as the network's inputs, in the order given. Error (kUser) listing every sample that can't be read.
  virtual Result<NamedTensors> Batch(std::span<const int64_t> samples) const = 0;

 protected:
  int64_t size_ = 0;
  std::vector<int64_t> labels_;
  std::vector<std::string> class_names_;
  uint64_t hash_ = 0;
  int64_t fixed_batch_ = 0;
  std::vector<std::string> remarks_;
};

// Opens `path` for a network with these inputs. A folder with .npy files needs one for each input, named after it ('/'
// and ':' in a name may be written as '_'), first dimension the samples; integers are converted to the input's integer
// type where every value fits; options of images are an error, other arrays a remark. Everything else is taken as
// images, directly or in class folders at any depth (the innermost folder is the class); `path` may also point into a
// .zip ("images.zip/test"). Images are scaled so that the shorter side fits, cropped around the centre, and normalised.
// Errors (kUser) list all problems of the source.
Result<std::shared_ptr<const DataSource>> OpenDataSource(const std::string& path, std::span<const TensorSpec> inputs,
                                                         const DataOptions& options = {});
// The two kinds, for OpenDataSource.
Result<std::shared_ptr<const DataSource>> OpenNpyFolder(const std::string& path, std::span<const TensorSpec> inputs);
Result<std::shared_ptr<const DataSource>> OpenImages(const std::string& path, std::span<const TensorSpec> inputs,
                                                     const DataOptions& options);

// The same from memory, with the same rules: a tensor for each input, and "labels" where a class is known. Elements are
// shared, not copied.
Result<std::shared_ptr<const DataSource>> OpenTensors(const NamedTensors& tensors, std::span<const TensorSpec> inputs);

// Samples for fitting weights, for choosing between candidates, and for the last check, disjoint.
struct SampleSplit {
  std::vector<int64_t> fit, choose, confirm;
};
struct SplitSizes {
  int64_t fit = 512, choose = 256, confirm = 2000;  // at most
};
// A seeded shuffle of all samples, dealt out in the proportion of `sizes` where there are fewer. With labels every
// class is dealt out evenly. Error (kUser) with fewer than three samples.
Result<SampleSplit> SplitSamples(const DataSource& data, const SplitSizes& sizes, uint64_t seed);
// All samples in their order, at most `limit` of them (evenly spaced) if limit > 0.
std::vector<int64_t> AllSamples(const DataSource& data, int64_t limit = 0);

// `samples` in batches of `batch` (or the source's fixed batch; then a last incomplete one is left out). Where they are
// many bytes, they lie on disk (tensor_store.h): who has read one lets it rest.
Result<std::vector<NamedTensors>> ReadBatches(const DataSource& data, std::span<const int64_t> samples, int64_t batch);

}  // namespace tamis
