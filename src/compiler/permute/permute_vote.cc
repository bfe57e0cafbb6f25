#include "src/compiler/permute/permute_vote.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include "src/sparsity/pattern.h"

namespace tamis {
namespace {

const Tensor& WeightOf(const ChannelTrace& trace, const ChannelBinding& binding) {
  return *trace.graph().value(trace.graph().node(binding.node).inputs[binding.input]).constant;
}

int64_t WidthOf(const ChannelTrace& trace, const ChannelBinding& binding) {
  return WeightOf(trace, binding).dim(binding.label.axes[0]);
}

// The atom's channels in the binding's space, as places among the weight's input channels.
std::vector<int32_t> PlacesOf(const ChannelTrace& trace, const ChannelBinding& binding,
                              const std::vector<int32_t>& atom) {
  const int32_t begin = trace.spaces().begin(binding.label.space) + binding.first_channel;
  const auto end = begin + static_cast<int32_t>(WidthOf(trace, binding));
  std::vector<int32_t> places;
  for (const int32_t channel : atom) {
    if (channel >= begin && channel < end) places.push_back(channel - begin);
  }
  return places;
}

ColumnGroups GroupsOf(int64_t width) {
  ColumnGroups groups;
  groups.movable = width;
  for (int32_t c = 0; c < width; c += static_cast<int32_t>(kGroup)) {
    ColumnGroup group;
    for (int32_t i = 0; i < static_cast<int32_t>(kGroup); ++i) {
      group[static_cast<size_t>(i)] = c + i < width ? c + i : -1;
    }
    groups.groups.push_back(group);
  }
  return groups;
}

// One way in which a weight sees the atoms: by atom, the place of one of its channels.
struct View {
  const ChannelVoter* voter;
  size_t binding;
  std::vector<int32_t> places;
};

// For every group of four places that a view's atoms have a part in: which atoms.
using Partition = std::vector<std::vector<int32_t>>;
Partition PartitionOf(const View& view) {
  std::map<int32_t, std::vector<int32_t>> groups;
  for (size_t i = 0; i < view.places.size(); ++i) {
    groups[view.places[i] / static_cast<int32_t>(kGroup)].push_back(static_cast<int32_t>(i));
  }
  Partition partition;
  for (auto& [group, atoms] : groups) partition.push_back(std::move(atoms));
  std::sort(partition.begin(), partition.end());
  return partition;
}

std::vector<View> ViewsOf(const ChannelTrace& trace, const ChannelClass& atoms,
                          std::span<const ChannelVoter* const> voters) {
  std::vector<View> views;
  for (const ChannelVoter* voter : voters) {
    for (const size_t b : voter->bindings) {
      const ChannelBinding& binding = trace.bindings()[b];
      std::vector<std::vector<int32_t>> places;
      for (const auto& atom : atoms.atoms) places.push_back(PlacesOf(trace, binding, atom));
      for (size_t rank = 0; rank < places[0].size(); ++rank) {
        View view = {voter, b, {}};
        for (const auto& of_atom : places) view.places.push_back(of_atom[rank]);
        views.push_back(std::move(view));
      }
    }
  }
  return views;
}

}  // namespace

SaliencyColumns SaliencyOf(const ChannelTrace& trace, const ChannelVoter& voter, size_t binding,
                           const ChannelSources& sources) {
  const ChannelBinding& bound = trace.bindings()[binding];
  const Tensor& weight = WeightOf(trace, bound);
  const int64_t axis = bound.label.axes[0], width = weight.dim(axis);
  int64_t outer = 1, inner = 1;
  for (int64_t i = 0; i < axis; ++i) outer *= weight.dim(i);
  for (int64_t i = axis + 1; i < weight.rank(); ++i) inner *= weight.dim(i);
  int64_t first = 0;
  if (bound.rows > 0) {  // axis is 1
    first = bound.first_row;
    outer = bound.rows;
  }
  SaliencyColumns saliency(outer * inner, width);
  const int32_t begin = trace.spaces().begin(bound.label.space) + bound.first_channel;
  for (int64_t c = 0; c < width; ++c) {
    const int64_t from = sources[static_cast<size_t>(begin + c)] - begin;
    const double worth = voter.energies[static_cast<size_t>(bound.first_channel + from)] / voter.total;
    float* out = saliency.column(c);
    for (int64_t o = 0; o < outer; ++o) {
      const float* w = weight.Data<float>() + ((first + o) * width + from) * inner;
      for (int64_t i = 0; i < inner; ++i) {
        *out++ = static_cast<float>(static_cast<double>(w[i]) * static_cast<double>(w[i]) * worth);
      }
    }
  }
  return saliency;
}

double TotalWorth(const ChannelTrace& trace, const ChannelVoter& voter) {
  ChannelVoter unscaled = voter;
  unscaled.total = 1;
  const ChannelSources unmoved = UnmovedChannels(trace.spaces());
  double total = 0;
  for (const size_t b : voter.bindings) {
    const SaliencyColumns saliency = SaliencyOf(trace, unscaled, b, unmoved);
    for (int64_t c = 0; c < saliency.columns(); ++c) {
      total = std::accumulate(saliency.column(c), saliency.column(c) + saliency.rows(), total);
    }
  }
  return total;
}

double KeptShare(const ChannelTrace& trace, const ChannelVoter& voter, const ChannelSources& sources) {
  double kept = 0;
  for (const size_t b : voter.bindings) {
    const SaliencyColumns saliency = SaliencyOf(trace, voter, b, sources);
    kept += TwoLargestSum(saliency, GroupsOf(saliency.columns()));
  }
  return kept;
}

bool Reads(const ChannelTrace& trace, const ChannelVoter& voter, const ChannelClass& atoms) {
  return std::any_of(voter.bindings.begin(), voter.bindings.end(),
                     [&](size_t b) { return !PlacesOf(trace, trace.bindings()[b], atoms.atoms[0]).empty(); });
}

std::vector<int32_t> BestOrder(const ChannelTrace& trace, const ChannelClass& atoms,
                               std::span<const ChannelVoter* const> voters, const ChannelSources& sources,
                               const ColumnSearchOptions& options, ThreadPool& pool) {
  std::map<Partition, std::vector<View>> parties;
  for (View& view : ViewsOf(trace, atoms, voters)) {
    Partition partition = PartitionOf(view);
    const bool shared =
        std::any_of(partition.begin(), partition.end(), [](const auto& part) { return part.size() > 1; });
    if (shared) parties[std::move(partition)].push_back(std::move(view));
  }
  if (parties.empty()) return {};
  const auto& [partition, views] = *std::max_element(
      parties.begin(), parties.end(), [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });

  // Places of a group that are not the class's become columns that stay.
  ColumnGroups groups;
  groups.movable = static_cast<int64_t>(atoms.atoms.size());
  int32_t columns = static_cast<int32_t>(groups.movable);
  for (const std::vector<int32_t>& part : partition) {
    ColumnGroup group;
    for (size_t i = 0; i < group.size(); ++i) group[i] = i < part.size() ? part[i] : columns++;
    groups.groups.push_back(group);
  }
  std::vector<SaliencyColumns> saliencies;
  int64_t rows = 0;
  for (const View& view : views) {
    saliencies.push_back(SaliencyOf(trace, *view.voter, view.binding, sources));
    rows += saliencies.back().rows();
  }
  SaliencyColumns joined(rows, columns);
  int64_t row = 0;
  for (size_t v = 0; v < views.size(); ++v) {
    const SaliencyColumns& saliency = saliencies[v];
    const auto copy = [&](int32_t from, int32_t to) {
      std::copy_n(saliency.column(from), saliency.rows(), joined.column(to) + row);
    };
    const std::vector<int32_t>& places = views[v].places;
    for (size_t i = 0; i < places.size(); ++i) copy(places[i], static_cast<int32_t>(i));
    for (size_t g = 0; g < partition.size(); ++g) {
      const std::vector<int32_t>& part = partition[g];
      const int32_t first =
          places[static_cast<size_t>(part[0])] / static_cast<int32_t>(kGroup) * static_cast<int32_t>(kGroup);
      size_t next = part.size();
      for (int32_t place = first; place < first + static_cast<int32_t>(kGroup); ++place) {
        const bool own =
            std::any_of(part.begin(), part.end(), [&](int32_t i) { return places[static_cast<size_t>(i)] == place; });
        if (own || place >= saliency.columns()) continue;
        copy(place, groups.groups[g][next++]);
      }
    }
    row += saliency.rows();
  }
  return FindColumnOrder(joined, groups, options, pool).order;
}

}  // namespace tamis
