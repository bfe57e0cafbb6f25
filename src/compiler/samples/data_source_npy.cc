// One tensor for each input, and perhaps labels: from a folder of .npy files, or from memory.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>

#include "src/base/hash.h"
#include "src/base/tensor_store.h"
#include "src/compiler/samples/data_source.h"
#include "src/compiler/samples/npy.h"

namespace tamis {
namespace {

class TensorData final : public DataSource {
 public:
  static Result<std::shared_ptr<const DataSource>> Open(const std::string& path, std::span<const TensorSpec> inputs) {
    const auto source = std::make_shared<TensorData>();
    source->suffix_ = ".npy";
    return Finish(source, "'" + path + "'", [&](const Report& report) {
      for (const TensorSpec& spec : inputs) source->Read(path, spec, report);
      source->CheckSizes(inputs, report);
      source->ReadLabels(path, report);
      source->RemarkOthers(path, inputs);
    });
  }

  static Result<std::shared_ptr<const DataSource>> Open(const NamedTensors& tensors,
                                                        std::span<const TensorSpec> inputs) {
    const auto source = std::make_shared<TensorData>();
    return Finish(source, "the data", [&](const Report& report) {
      for (const TensorSpec& spec : inputs) {
        const auto found = tensors.find(spec.name);
        if (found == tensors.end()) {
          report(fmt::format("input '{}' ({}) has no array", spec.name, Name(spec.dtype)));
        } else {
          source->Take(found->second, spec, spec.name, report);
        }
      }
      source->CheckSizes(inputs, report);
      for (const auto& [name, tensor] : tensors) {
        if (source->tensors_.count(name) != 0) continue;
        if (name == "labels") {
          source->TakeLabels(tensor, report);
        } else if (std::none_of(inputs.begin(), inputs.end(),
                                [&name = name](const TensorSpec& s) { return s.name == name; })) {
          report(fmt::format("'{}' is no input of the network", name));
        }
      }
    });
  }

  Result<NamedTensors> Batch(std::span<const int64_t> samples) const override {
    NamedTensors batch;
    for (const auto& [name, all] : tensors_) {
      Dims dims = all.dims();
      dims[0] = static_cast<int64_t>(samples.size());
      Tensor& tensor = batch[name] = Tensor(all.dtype(), dims);
      const size_t bytes = all.NumBytes() / static_cast<size_t>(size_);
      for (size_t i = 0; i < samples.size(); ++i) {
        if (samples[i] < 0 || samples[i] >= size_) return InternalError("sample {} of {}", samples[i], size_);
        std::memcpy(tensor.raw() + i * bytes, all.raw() + static_cast<size_t>(samples[i]) * bytes, bytes);
      }
      TensorStore::Rest(all);
    }
    return batch;
  }

 private:
  using Report = std::function<void(const std::string&)>;

  static Result<std::shared_ptr<const DataSource>> Finish(std::shared_ptr<TensorData> source, const std::string& what,
                                                          const std::function<void(const Report&)>& fill) {
    std::string problems;
    fill([&](const std::string& problem) { problems += "\n  " + problem; });
    if (!problems.empty()) return UserError("{} can't be used:{}", what, problems);
    return std::shared_ptr<const DataSource>(std::move(source));
  }

  static std::string FileFor(const std::string& folder, const std::string& input) {
    std::string plain = input;
    std::replace_if(
        plain.begin(), plain.end(), [](char c) { return c == '/' || c == ':' || c == '\\'; }, '_');
    // A name with a slash would point elsewhere, so only the plain form is looked for then.
    return folder + "/" + (plain == input ? input : plain) + ".npy";
  }

  static std::vector<std::string> FilesIn(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      if (it->path().extension() == ".npy") names.push_back(it->path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  // "image.npy is", "a.npy, b.npy are".
  static std::string Subject(const std::vector<std::string>& names) {
    constexpr size_t kShown = 10;
    std::string text;
    for (size_t i = 0; i < std::min(kShown, names.size()); ++i) text += (i > 0 ? ", " : "") + names[i];
    if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
    return text + (names.size() == 1 ? " is" : " are");
  }

  // One array too many is no reason to stop (a folder may serve several networks), but may be a misspelt one. An
  // integer for each sample is not told of: labels may have any name (--labels).
  void RemarkOthers(const std::string& folder, std::span<const TensorSpec> inputs) {
    std::vector<std::string> others = FilesIn(folder);
    std::erase_if(others, [&](const std::string& name) {
      const bool feeds = std::any_of(inputs.begin(), inputs.end(), [&](const TensorSpec& spec) {
        return std::filesystem::path(FileFor(folder, spec.name)).filename() == name;
      });
      return feeds || MayBeLabels(folder + "/" + name);
    });
    if (others.empty()) return;
    remarks_.push_back(fmt::format("in '{}' {} no input of this network, so not fed to it", folder, Subject(others)));
  }

  bool MayBeLabels(const std::string& file) const {
    const auto array = MapNpy(file);
    return array.ok() && IsInteger(array->dtype()) && array->rank() == 1 && array->dim(0) == size_;
  }

  void Read(const std::string& folder, const TensorSpec& spec, const Report& report) {
    const std::string file = FileFor(folder, spec.name);
    if (!std::filesystem::exists(file)) {
      report(fmt::format("input '{}' ({}) has no file {}; {} there", spec.name, Name(spec.dtype),
                         std::filesystem::path(file).filename().string(), Subject(FilesIn(folder))));
      return;
    }
    auto read = MapNpy(file);  // large ones never lie in memory as a whole, but for bf16
    if (!read.ok()) return report(read.status().message());
    Take(*read, spec, std::filesystem::path(file).filename().string(), report);
  }

  void Take(const Tensor& given, const TensorSpec& spec, const std::string& name, const Report& report) {
    auto tensor = Converted(given, spec.dtype);
    if (!tensor.ok()) return report(name + ": " + tensor.status().message());
    if (const std::string wrong = WrongShape(tensor->dims(), spec); !wrong.empty()) return report(name + ": " + wrong);
    if (tensor->dim(0) == 0) return report(name + ": no samples");
    if (const std::string wrong = NotFinite(*tensor); !wrong.empty()) return report(name + ": " + wrong);
    if (!spec.dims.empty() && spec.dims[0] > 0) fixed_batch_ = spec.dims[0];
    hash_ = Hash64(spec.name, HashOf(*tensor) ^ (hash_ * 31));
    tensors_[spec.name] = std::move(tensor).value();
  }

  // Integers of another width; everything else must be of the right type.
  static Result<Tensor> Converted(const Tensor& given, DType wanted) {
    const Tensor tensor = AsWritten(given, wanted);
    if (tensor.dtype() == wanted) return tensor;
    const bool from_integer = IsInteger(tensor.dtype()) || tensor.dtype() == DType::kBool;
    if (!from_integer || (wanted != DType::kInt64 && wanted != DType::kInt32)) {
      return UserError("elements are {}, the input takes {}; convert them first, so that nothing is rounded unseen",
                       Name(tensor.dtype()), Name(wanted));
    }
    const std::vector<int64_t> values = tensor.ToInt64s();
    Tensor result(wanted, tensor.dims());
    if (wanted == DType::kInt64) {
      std::copy(values.begin(), values.end(), result.Data<int64_t>());
      return result;
    }
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] != static_cast<int32_t>(values[i])) return UserError("{} does not fit {}", values[i], Name(wanted));
      result.Data<int32_t>()[i] = static_cast<int32_t>(values[i]);
    }
    return result;
  }

  static std::string WrongShape(const Dims& dims, const TensorSpec& spec) {
    bool fits = !dims.empty() && dims.size() == spec.dims.size();
    for (size_t i = 1; fits && i < dims.size(); ++i) fits = spec.dims[i] < 0 || spec.dims[i] == dims[i];
    if (fits) return "";
    std::string expected = "[samples";
    for (size_t i = 1; i < spec.dims.size(); ++i) {
      expected += ", " + (spec.dims[i] < 0 ? spec.dim_names[i] : std::to_string(spec.dims[i]));
    }
    return fmt::format("shape {}, the input takes {}]", ToString(dims), expected);
  }

  static std::string NotFinite(const Tensor& tensor) {
    if (!IsFloat(tensor.dtype())) return "";
    int64_t count = 0, first = -1, begin = 0;
    for (const Tensor& part : Parts(tensor)) {
      const Tensor values = part.ToFloat32();
      for (int64_t i = 0; i < values.NumElements(); ++i) {
        if (std::isfinite(values.Data<float>()[i])) continue;
        if (count++ == 0) first = begin + i;
      }
      begin += values.NumElements();
      TensorStore::Rest(part);
    }
    if (count == 0) return "";
    return fmt::format("{} value{} not finite (NaN or infinity), the first in sample {}; leave such samples out", count,
                       count == 1 ? " is" : "s are", first / (tensor.NumElements() / tensor.dim(0)));
  }

  // Views of at most some 64 MB each, flat; together all elements, in order.
  static std::vector<Tensor> Parts(const Tensor& tensor) {
    constexpr int64_t kElements = int64_t{8} << 20;
    std::vector<Tensor> parts;
    for (int64_t begin = 0; begin < tensor.NumElements(); begin += kElements) {
      const int64_t count = std::min(kElements, tensor.NumElements() - begin);
      parts.push_back(Tensor::View(tensor.dtype(), {count},
                                   tensor.raw() + ByteSize(tensor.dtype(), static_cast<size_t>(begin)), nullptr));
    }
    return parts;
  }

  static uint64_t HashOf(const Tensor& tensor) {
    const Dims& dims = tensor.dims();
    uint64_t hash = Hash64(dims.data(), dims.size() * sizeof(int64_t), static_cast<uint64_t>(tensor.dtype()));
    if (tensor.dtype() == DType::kString) return HashTensor(tensor);
    for (const Tensor& part : Parts(tensor)) {
      hash = Hash64(part.raw(), part.NumBytes(), hash);
      TensorStore::Rest(part);
    }
    return hash;
  }

  // Sample counts, and dimensions that share a symbol, must agree between the files.
  void CheckSizes(std::span<const TensorSpec> inputs, const Report& report) {
    std::map<std::string, std::pair<int64_t, std::string>> seen;
    const auto agree = [&](const std::string& what, int64_t size, const std::string& name) {
      const auto [at, fresh] = seen.emplace(what, std::make_pair(size, name));
      if (fresh || at->second.first == size) return;
      report(fmt::format("{}{}: {} is {}, but {} in {}{}", name, suffix_, what, size, at->second.first,
                         at->second.second, suffix_));
    };
    for (const TensorSpec& spec : inputs) {
      const auto found = tensors_.find(spec.name);
      if (found == tensors_.end()) continue;
      const Dims& dims = found->second.dims();
      agree("the number of samples", dims[0], spec.name);
      for (size_t i = 1; i < dims.size(); ++i) {
        if (spec.dims[i] < 0) agree("dimension '" + spec.dim_names[i] + "'", dims[i], spec.name);
      }
      size_ = dims[0];
    }
  }

  void ReadLabels(const std::string& folder, const Report& report) {
    const std::string file = folder + "/labels.npy";
    if (tensors_.count("labels") != 0 || !std::filesystem::exists(file)) return;
    const auto read = ReadNpy(file);
    if (!read.ok()) return report(read.status().message());
    TakeLabels(*read, report);
  }

  void TakeLabels(const Tensor& labels, const Report& report) {
    if (!IsInteger(labels.dtype()) || labels.rank() != 1 || (!tensors_.empty() && labels.dim(0) != size_)) {
      return report(fmt::format("labels{}: {} {}, expected integers of shape [{}], a class for each sample", suffix_,
                                Name(labels.dtype()), ToString(labels.dims()), size_));
    }
    labels_ = labels.ToInt64s();
  }

  NamedTensors tensors_;
  std::string suffix_;  // of names in messages
};

}  // namespace

Result<std::shared_ptr<const DataSource>> OpenNpyFolder(const std::string& path, std::span<const TensorSpec> inputs) {
  return TensorData::Open(path, inputs);
}

Result<std::shared_ptr<const DataSource>> OpenTensors(const NamedTensors& tensors, std::span<const TensorSpec> inputs) {
  return TensorData::Open(tensors, inputs);
}

}  // namespace tamis
