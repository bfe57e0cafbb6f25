#include "src/compiler/calibrate/calibrate.h"

#include <algorithm>
#include <cmath>

#include "src/base/freed_memory.h"
#include "src/base/tensor_store.h"
#include "src/compiler/plan/untuned_session.h"

namespace tamis {
namespace {

// Sums of each channel and how many elements each had.
struct ChannelSums {
  std::vector<double> sums, squares, largest;
  int64_t elements = 0;

  void Add(const Tensor& tensor, bool spatial) {
    if (tensor.rank() < 1 || tensor.NumElements() == 0) return;
    const int64_t axis = spatial && tensor.rank() >= 3 ? 1 : tensor.rank() - 1, channels = tensor.dim(axis);
    int64_t inner = 1;
    for (int64_t i = axis + 1; i < tensor.rank(); ++i) inner *= tensor.dim(i);
    for (auto* of_channel : {&sums, &squares, &largest}) of_channel->resize(static_cast<size_t>(channels), 0);
    const float* x = tensor.Data<float>();
    const int64_t rows = tensor.NumElements() / (channels * inner);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t c = 0; c < channels; ++c, x += inner) {
        double sum = 0, square = 0, most = 0;
        for (int64_t i = 0; i < inner; ++i) {
          const auto v = static_cast<double>(x[i]);
          sum += v;
          square += v * v;
          most = std::max(most, std::fabs(v));
        }
        const auto at = static_cast<size_t>(c);
        sums[at] += sum;
        squares[at] += square;
        largest[at] = std::max(largest[at], most);
      }
    }
    elements += rows * inner;
  }
};

}  // namespace

Result<std::map<ValueId, TensorStatistics>> Calibrate(const Graph& simplified, const std::set<ValueId>& values,
                                                      const std::set<ValueId>& spatial,
                                                      std::span<const NamedTensors> batches,
                                                      const CalibrateOptions& options) {
  const FreedMemoryReturned returned;
  // The network with these values as further outputs: passes leave outputs as they are.
  Network network;
  network.graph = simplified.Clone();
  std::set<ValueId> outputs(simplified.outputs.begin(), simplified.outputs.end());
  std::set<ValueId> inputs(simplified.inputs.begin(), simplified.inputs.end());
  for (const ValueId value : values) {
    if (outputs.count(value) == 0 && inputs.count(value) == 0) network.graph.outputs.push_back(value);
  }
  TAMIS_ASSIGN_OR_RETURN(const auto session, UntunedSession(network, options.threads));

  std::map<ValueId, TensorStatistics> statistics;
  std::map<ValueId, ChannelSums> sums;
  for (size_t b = 0; b < batches.size(); ++b) {
    if (options.cancelled && options.cancelled()) return RuntimeError("calibration was interrupted");
    if (options.progress) options.progress(static_cast<int>(b), static_cast<int>(batches.size()));
    TAMIS_ASSIGN_OR_RETURN(const NamedTensors answers, session->Run(batches[b]));
    for (const ValueId value : values) {
      const std::string& name = simplified.value(value).name;
      const NamedTensors& from = inputs.count(value) != 0 ? batches[b] : answers;
      const auto found = from.find(name);
      if (found == from.end() || found->second.dtype() != DType::kFloat32) {
        return InternalError("value '{}' was not computed in f32", name);
      }
      TensorStatistics& of_value = statistics[value];
      of_value.histogram.Add(found->second.Span<float>());
      sums[value].Add(found->second, spatial.count(value) != 0);
      if (b + 1 == (batches.size() + 1) / 2) {
        of_value.half_min = of_value.histogram.min();
        of_value.half_max = of_value.histogram.max();
      }
    }
    TensorStore::Rest(batches[b]);
  }
  for (auto& [value, of_value] : statistics) {
    const ChannelSums& channel = sums[value];
    const double share = channel.elements > 0 ? 1 / static_cast<double>(channel.elements) : 0;
    for (const double sum : channel.sums) of_value.means.push_back(share * sum);
    for (const double square : channel.squares) of_value.mean_squares.push_back(share * square);
    of_value.largest = channel.largest;
  }
  return statistics;
}

}  // namespace tamis
