#include "src/compiler/samples/data_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <random>

#include "src/base/tensor_store.h"

namespace tamis {
namespace {

bool HasNpyFiles(const std::string& path) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".npy") return true;
  }
  return false;
}

// std::shuffle differs between libraries; a split must not.
void Shuffle(std::mt19937_64& random, std::vector<int64_t>* items) {
  for (size_t i = items->size(); i > 1; --i) std::swap((*items)[i - 1], (*items)[random() % i]);
}

}  // namespace

Result<std::vector<float>> ParseChannelValues(const std::string& flag, const std::string& text) {
  std::vector<float> values;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    while (at != end && *at == ' ') ++at;
    float value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || !std::isfinite(value) || (next != end && *next != ',')) {
      return UserError("{} '{}' is not a list of numbers such as 0.485,0.456,0.406", flag, text);
    }
    values.push_back(value);
    if (next == end) return values;
    at = next + 1;
  }
}

Status RefuseForArrays(const DataOptions& options, std::string_view given_are) {
  std::vector<std::string> given;
  if (options.image_size != 0) given.emplace_back("--image-size");
  if (!options.mean.empty()) given.emplace_back("--mean");
  if (!options.std.empty()) given.emplace_back("--std");
  if (given.empty()) return {};
  return UserError("{}, which are fed as they are: {} would prepare images; leave out what is for images", given_are,
                   fmt::join(given, ", "));
}

Result<std::shared_ptr<const DataSource>> OpenDataSource(const std::string& path, std::span<const TensorSpec> inputs,
                                                         const DataOptions& options) {
  if (inputs.empty()) return UserError("the network has no inputs that '{}' could be fed to", path);
  for (const TensorSpec& input : inputs) {
    if (input.IsTensor()) continue;
    return UserError(
        "input '{}' is {}: samples are tensors, and a network that takes sequences or optionals is run through Python "
        "or "
        "the C++ API",
        input.name, input.type);
  }
  std::error_code error;
  // A path may lead on inside an archive: what must exist is the part up to the archive's name.
  const size_t archive = path.find(".zip/");
  if (!std::filesystem::exists(archive == std::string::npos ? path : path.substr(0, archive + 4), error)) {
    return UserError("'{}' does not exist; give a folder of .npy files, or a folder or .zip of images", path);
  }
  if (std::filesystem::is_directory(path, error) && HasNpyFiles(path)) {
    TAMIS_ASSIGN_OR_RETURN(auto arrays, OpenNpyFolder(path, inputs));
    TAMIS_RETURN_IF_ERROR(RefuseForArrays(options, "'" + path + "' holds arrays"));
    return arrays;
  }
  const std::string kind = std::filesystem::path(path).extension().string();
  if ((kind == ".npz" || kind == ".npy") && !std::filesystem::is_directory(path, error)) {
    return UserError("'{}' is a file of arrays; give a folder that holds one .npy file for each input, named after it",
                     path);
  }
  return OpenImages(path, inputs, options);
}

Result<SampleSplit> SplitSamples(const DataSource& data, const SplitSizes& sizes, uint64_t seed) {
  if (data.size() < 3) {
    return UserError(
        "{} sample{}: at least 3 are needed, one each to fit, to choose and to confirm with, and some hundreds are "
        "usual",
        data.size(), data.size() == 1 ? "" : "s");
  }
  std::mt19937_64 random(seed);
  std::vector<int64_t> order(static_cast<size_t>(data.size()));
  std::iota(order.begin(), order.end(), int64_t{0});
  Shuffle(random, &order);
  if (!data.labels().empty()) {
    // Round-robin over the classes: every prefix holds all of them in equal numbers as long as they last.
    std::map<int64_t, int64_t> taken;
    std::vector<std::pair<int64_t, int64_t>> ranked;  // how many of its class came before, and the sample
    for (const int64_t sample : order) ranked.emplace_back(taken[data.labels()[static_cast<size_t>(sample)]]++, sample);
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::transform(ranked.begin(), ranked.end(), order.begin(), [](const auto& entry) { return entry.second; });
  }
  SampleSplit split;
  auto at = order.begin();
  const auto deal = [&](int64_t count, std::vector<int64_t>* to) {
    to->assign(at, at + count);
    at += count;
  };
  const int64_t quarter = std::max<int64_t>(1, data.size() / 4);
  deal(std::min(sizes.choose, quarter), &split.choose);
  deal(std::min(sizes.confirm, quarter), &split.confirm);
  deal(std::min<int64_t>(sizes.fit, order.end() - at), &split.fit);
  return split;
}

std::vector<int64_t> AllSamples(const DataSource& data, int64_t limit) {
  const int64_t count = limit > 0 ? std::min(limit, data.size()) : data.size();
  std::vector<int64_t> samples;
  for (int64_t i = 0; i < count; ++i) samples.push_back(i * data.size() / count);
  return samples;
}

Result<std::vector<NamedTensors>> ReadBatches(const DataSource& data, std::span<const int64_t> samples, int64_t batch) {
  const auto size = static_cast<size_t>(data.fixed_batch() > 0 ? data.fixed_batch() : std::max<int64_t>(1, batch));
  constexpr size_t kHeld = size_t{64} << 20;
  std::shared_ptr<TensorStore> store;
  std::vector<NamedTensors> batches;
  for (size_t begin = 0; begin < samples.size(); begin += size) {
    const size_t count = std::min(size, samples.size() - begin);
    if (data.fixed_batch() > 0 && count < size) break;
    TAMIS_ASSIGN_OR_RETURN(NamedTensors tensors, data.Batch(samples.subspan(begin, count)));
    if (begin == 0) {
      size_t bytes = 0;
      for (const auto& [name, tensor] : tensors) bytes += tensor.NumBytes();
      if (bytes * samples.size() / count > kHeld) {
        TAMIS_ASSIGN_OR_RETURN(store, TensorStore::Make());
      }
    }
    if (store != nullptr) {
      TAMIS_ASSIGN_OR_RETURN(tensors, store->Keep(std::move(tensors)));
    }
    batches.push_back(std::move(tensors));
  }
  if (batches.empty()) {
    return UserError("{} samples don't fill one batch of {}, the size that the network is fixed to", samples.size(),
                     size);
  }
  return batches;
}

}  // namespace tamis
