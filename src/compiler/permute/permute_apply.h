// Channels put in another order: the constants of a network that move with them.
#pragma once

#include <span>
#include <vector>

#include "src/compiler/permute/permute_trace.h"

namespace tamis {

// By channel of all spaces: which channel comes to its place. Always of the same space.
using ChannelSources = std::vector<int32_t>;

// Everything where it is.
ChannelSources UnmovedChannels(const ChannelSpaces& spaces);
// The class's atoms in another order: atom order[i] comes to where atom i was.
void MoveAtoms(const ChannelClass& atoms, std::span<const int32_t> order, ChannelSources* sources);

// Moves the constants of `graph`, which has the nodes and values of the graph that was traced, or of which that was a
// clone. A constant whose readers all move it alike keeps its name; otherwise readers get constants of their own.
// Outputs whose channels move are followed by a lookup that turns them back.
void ApplySources(const ChannelTrace& trace, const ChannelSources& sources, Graph& graph);

}  // namespace tamis
