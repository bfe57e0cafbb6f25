// Images in class folders, decoded when a batch asks for them.
#include <algorithm>
#include <map>
#include <set>

#include "src/base/hash.h"
#include "src/compiler/samples/data_source.h"
#include "src/compiler/samples/data_source_decode.h"
#include "src/compiler/samples/data_source_files.h"

namespace tamis {
namespace {

constexpr int64_t kMaxSide = 8192;
constexpr size_t kListedProblems = 8;

// "a/b/c.jpg" -> "b"; empty for a file that is in no folder.
std::string ClassOf(const std::string& path) {
  const size_t end = path.rfind('/');
  if (end == std::string::npos) return "";
  const size_t begin = path.rfind('/', end - 1);
  return path.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin == std::string::npos ? 0 : begin + 1));
}

class Images final : public DataSource {
 public:
  static Result<std::shared_ptr<const DataSource>> Open(const std::string& path, std::span<const TensorSpec> inputs,
                                                        const DataOptions& options) {
    auto source = std::make_shared<Images>();
    TAMIS_RETURN_IF_ERROR(source->Fit(path, inputs, options));
    TAMIS_ASSIGN_OR_RETURN(source->tree_, OpenFileTree(path));
    TAMIS_RETURN_IF_ERROR(source->List(path));
    for (const TensorSpec& spec : inputs) source->hash_ = Hash64(spec.name, source->hash_);
    return std::shared_ptr<const DataSource>(std::move(source));
  }

  Result<NamedTensors> Batch(std::span<const int64_t> samples) const override {
    const auto count = static_cast<int64_t>(samples.size());
    Tensor tensor(DType::kFloat32,
                  channels_first_ ? Dims{count, channels_, height_, width_} : Dims{count, height_, width_, channels_});
    const int64_t elements = channels_ * height_ * width_;
    std::string problems;
    size_t failed = 0;
    for (size_t i = 0; i < samples.size(); ++i) {
      if (samples[i] < 0 || samples[i] >= size_) return InternalError("sample {} of {}", samples[i], size_);
      const FileTree::File& file = images_[static_cast<size_t>(samples[i])];
      const Status status = Load(file, tensor.Data<float>() + static_cast<int64_t>(i) * elements);
      if (!status.ok() && failed++ < kListedProblems) problems += "\n  " + status.message();
    }
    if (failed > kListedProblems) problems += fmt::format("\n  and {} more", failed - kListedProblems);
    if (failed > 0) return UserError("{} of {} images can't be read:{}", failed, count, problems);
    return NamedTensors{{input_, std::move(tensor)}};
  }

 private:
  // What the network wants, from its input's shape and the options.
  Status Fit(const std::string& path, std::span<const TensorSpec> inputs, const DataOptions& options) {
    if (inputs.size() != 1 || inputs[0].dtype != DType::kFloat32 || inputs[0].dims.size() != 4) {
      std::string names;
      for (const TensorSpec& spec : inputs) {
        names += fmt::format("{}'{}' {} of rank {}", names.empty() ? "" : ", ", spec.name, Name(spec.dtype),
                             spec.dims.size());
      }
      return UserError(
          "'{}' holds no .npy files, and images need a network with one float32 input of rank 4, not {}; "
          "give a folder with one .npy file for each input",
          path, names);
    }
    const TensorSpec& spec = inputs[0];
    const auto is_channels = [](int64_t size) { return size == 1 || size == 3; };
    channels_first_ = is_channels(spec.dims[1]);
    if (!channels_first_ && !is_channels(spec.dims[3])) {
      return UserError("input '{}' {} has neither 1 nor 3 channels, so it takes no images", spec.name,
                       ToString(spec.dims));
    }
    input_ = spec.name;
    fixed_batch_ = std::max<int64_t>(0, spec.dims[0]);
    channels_ = spec.dims[channels_first_ ? 1 : 3];
    const int64_t height = spec.dims[channels_first_ ? 2 : 1], width = spec.dims[channels_first_ ? 3 : 2];
    const int64_t size = options.image_size;
    std::string problems;
    if (size < 0 || size > kMaxSide)
      problems += fmt::format("\n  --image-size {} is not between 1 and {}", size, kMaxSide);
    if (size == 0 && (height <= 0 || width <= 0))
      problems += "\n  the network takes images of any size: give --image-size";
    if (size > 0 && ((height > 0 && height != size) || (width > 0 && width != size))) {
      problems += fmt::format("\n  --image-size {}, but the network takes {} x {}", size, height, width);
    }
    height_ = size > 0 ? size : height;
    width_ = size > 0 ? size : width;
    const auto spread = [&](const char* flag, const std::vector<float>& given, float fallback, std::vector<float>* to) {
      to->assign(static_cast<size_t>(channels_), given.empty() ? fallback : given[0]);
      if (given.size() == to->size()) *to = given;
      if (given.size() > 1 && given.size() != to->size()) {
        problems += fmt::format("\n  {} has {} numbers for {} channels", flag, given.size(), channels_);
      }
    };
    spread("--mean", options.mean, 0, &mean_);
    spread("--std", options.std, 1, &std_);
    if (std::any_of(std_.begin(), std_.end(), [](float s) { return !(s > 0); }))
      problems += "\n  --std must be positive";
    if (height_ > kMaxSide || width_ > kMaxSide) problems += fmt::format("\n  images above {} pixels a side", kMaxSide);
    if (!problems.empty()) return UserError("'{}' can't be used as images:{}", path, problems);
    return {};
  }

  Status List(const std::string& path) {
    std::set<std::string> classes;
    for (const FileTree::File& file : tree_->files()) {
      if (!IsImageName(file.path)) continue;
      images_.push_back(file);
      classes.insert(ClassOf(file.path));
      hash_ = Hash64(file.path, hash_ ^ Hash64(&file.bytes, sizeof(file.bytes), file.checksum));
    }
    if (images_.empty()) {
      return UserError("'{}' holds neither .npy files nor images (.jpg, .png, .ppm, .pgm)", path);
    }
    size_ = static_cast<int64_t>(images_.size());
    for (const std::vector<float>* values : {&mean_, &std_}) {
      hash_ = Hash64(values->data(), values->size() * sizeof(float), hash_);
    }
    hash_ = Hash64(&height_, sizeof(height_), Hash64(&width_, sizeof(width_), hash_));
    // Images beside class folders have no class, and then nothing has.
    if (classes.count("") != 0) return {};
    class_names_.assign(classes.begin(), classes.end());
    for (const FileTree::File& file : images_) {
      const auto at = std::lower_bound(class_names_.begin(), class_names_.end(), ClassOf(file.path));
      labels_.push_back(at - class_names_.begin());
    }
    return {};
  }

  Status Load(const FileTree::File& file, float* out) const {
    TAMIS_ASSIGN_OR_RETURN(const std::string bytes, tree_->Read(file));
    auto decoded = DecodeImage(bytes, channels_);
    if (!decoded.ok()) return decoded.status().WithContext(file.path);
    const Image image = CoverAndCrop(*decoded, height_, width_);
    const int64_t pixels = height_ * width_;
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < channels_; ++c) {
        const float value = static_cast<float>(image.pixels[static_cast<size_t>(p * channels_ + c)]) / 255.0F;
        const auto channel = static_cast<size_t>(c);
        out[channels_first_ ? c * pixels + p : p * channels_ + c] = (value - mean_[channel]) / std_[channel];
      }
    }
    return {};
  }

  std::shared_ptr<const FileTree> tree_;
  std::vector<FileTree::File> images_;
  std::string input_;
  bool channels_first_ = true;
  int64_t channels_ = 3, height_ = 0, width_ = 0;
  std::vector<float> mean_, std_;
};

}  // namespace

Result<std::shared_ptr<const DataSource>> OpenImages(const std::string& path, std::span<const TensorSpec> inputs,
                                                     const DataOptions& options) {
  return Images::Open(path, inputs, options);
}

}  // namespace tamis
