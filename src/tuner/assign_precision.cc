#include "src/tuner/assign_precision.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace tamis {
namespace {

// Dinic's maximum flow on capacities in seconds.
class FlowNetwork {
 public:
  explicit FlowNetwork(size_t vertices) : first_(vertices) {}

  size_t AddVertex() {
    first_.emplace_back();
    return first_.size() - 1;
  }

  void AddEdge(size_t from, size_t to, double capacity) {
    if (capacity <= 0) return;
    first_[from].push_back(edges_.size());
    edges_.push_back({to, capacity});
    first_[to].push_back(edges_.size());
    edges_.push_back({from, 0});
  }

  // Vertices that `source` still reaches when the flow to `sink` is at its maximum.
  std::vector<bool> SourceSide(size_t source, size_t sink) {
    while (Layer(source, sink)) {
      next_.assign(first_.size(), 0);
      while (Push(source, sink, std::numeric_limits<double>::infinity()) > 0) {
      }
    }
    std::vector<bool> reached(first_.size());
    for (size_t v = 0; v < first_.size(); ++v) reached[v] = level_[v] >= 0;
    return reached;
  }

 private:
  struct Edge {
    size_t to;
    double capacity;
  };
  // What is left of a capacity by rounding alone is none.
  static constexpr double kNothing = 1e-15;

  bool Layer(size_t source, size_t sink) {
    level_.assign(first_.size(), -1);
    level_[source] = 0;
    std::vector<size_t> queue = {source};
    for (size_t at = 0; at < queue.size(); ++at) {
      for (const size_t e : first_[queue[at]]) {
        if (edges_[e].capacity <= kNothing || level_[edges_[e].to] >= 0) continue;
        level_[edges_[e].to] = level_[queue[at]] + 1;
        queue.push_back(edges_[e].to);
      }
    }
    return level_[sink] >= 0;
  }

  // One augmenting path in the layered network, without recursion: paths are as long as the graph is deep.
  double Push(size_t source, size_t sink, double limit) {
    std::vector<size_t> path;  // edges
    size_t at = source;
    while (at != sink) {
      bool advanced = false;
      for (size_t& i = next_[at]; i < first_[at].size(); ++i) {
        const size_t e = first_[at][i];
        if (edges_[e].capacity <= kNothing || level_[edges_[e].to] != level_[at] + 1) continue;
        path.push_back(e);
        at = edges_[e].to;
        advanced = true;
        break;
      }
      if (advanced) continue;
      if (path.empty()) return 0;
      level_[at] = -1;  // a dead end
      at = edges_[path.back() ^ 1].to;
      path.pop_back();
    }
    double flow = limit;
    for (const size_t e : path) flow = std::min(flow, edges_[e].capacity);
    for (const size_t e : path) {
      edges_[e].capacity -= flow;
      edges_[e ^ 1].capacity += flow;
    }
    return flow;
  }

  std::vector<std::vector<size_t>> first_;
  std::vector<Edge> edges_;  // an edge and its reverse are neighbours
  std::vector<int> level_;
  std::vector<size_t> next_;
};

}  // namespace

std::vector<bool> AssignPrecision(const std::vector<PrecisionNode>& nodes, const std::vector<PrecisionValue>& values) {
  // The source's side is low: then what the source can't reach, ties included, stays full.
  const size_t low = nodes.size(), full = low + 1;
  FlowNetwork network(nodes.size() + 2);
  double sum = 1;
  for (const PrecisionNode& node : nodes) sum += node.full_seconds + node.low_seconds;
  for (const PrecisionValue& value : values) sum += value.to_low_seconds + value.to_full_seconds;
  const double never = 2 * sum;
  const auto vertex = [&](int node) { return node == PrecisionValue::kFull ? full : static_cast<size_t>(node); };
  for (size_t n = 0; n < nodes.size(); ++n) {
    network.AddEdge(low, n, nodes[n].full_seconds);
    network.AddEdge(n, full, nodes[n].may_be_low ? nodes[n].low_seconds : never);
  }
  for (const PrecisionValue& value : values) {
    const size_t producer = vertex(value.producer);
    const size_t all_low = network.AddVertex(), any_low = network.AddVertex();
    network.AddEdge(producer, all_low, value.to_full_seconds);
    network.AddEdge(any_low, producer, value.to_low_seconds);
    for (const int reader : value.readers) {
      network.AddEdge(all_low, vertex(reader), never);
      network.AddEdge(vertex(reader), any_low, never);
    }
  }
  std::vector<bool> side = network.SourceSide(low, full);
  side.resize(nodes.size());
  return side;
}

double LabellingSeconds(const std::vector<PrecisionNode>& nodes, const std::vector<PrecisionValue>& values,
                        const std::vector<bool>& low) {
  double seconds = 0;
  const auto is_low = [&](int node) { return node != PrecisionValue::kFull && low[static_cast<size_t>(node)]; };
  for (size_t n = 0; n < nodes.size(); ++n) seconds += low[n] ? nodes[n].low_seconds : nodes[n].full_seconds;
  for (const PrecisionValue& value : values) {
    const bool made_low = is_low(value.producer);
    const bool converted =
        std::any_of(value.readers.begin(), value.readers.end(), [&](int reader) { return is_low(reader) != made_low; });
    if (converted) seconds += made_low ? value.to_full_seconds : value.to_low_seconds;
  }
  return seconds;
}

}  // namespace tamis
