// What an order of channels is worth to the weights that read them.
#pragma once

#include <string>
#include <vector>

#include "src/compiler/permute/permute_apply.h"
#include "src/compiler/permute/permute_trace.h"
#include "src/sparsity/permute_columns.h"

namespace tamis {

// A weight that is to become 2:4, with the bindings of its input channels (several for a grouped convolution).
struct ChannelVoter {
  std::string name;              // of its initializer
  std::vector<size_t> bindings;  // of the trace
  std::vector<double> energies;  // of its input channels: what a squared weight is worth
  double total = 0;              // the worth of the whole weight
};

// What one binding's weights are worth, rows by channels: squared weights times their channels' energies over the
// layer's total. Channels stand where `sources` puts them.
SaliencyColumns SaliencyOf(const ChannelTrace& trace, const ChannelVoter& voter, size_t binding,
                           const ChannelSources& sources);
// The worth of the weight, and the share of it that the two best of every four hold.
double TotalWorth(const ChannelTrace& trace, const ChannelVoter& voter);
double KeptShare(const ChannelTrace& trace, const ChannelVoter& voter, const ChannelSources& sources);

// The order of a class's atoms in which the voters' weights keep most. Where the voters don't agree on which places
// make a group (a concatenation that begins inside one), the larger party decides. Empty if no two places of a group
// are the class's, so that no order changes anything.
std::vector<int32_t> BestOrder(const ChannelTrace& trace, const ChannelClass& atoms,
                               std::span<const ChannelVoter* const> voters, const ChannelSources& sources,
                               const ColumnSearchOptions& options, ThreadPool& pool);

// Whether the voter reads channels of the class.
bool Reads(const ChannelTrace& trace, const ChannelVoter& voter, const ChannelClass& atoms);

}  // namespace tamis
