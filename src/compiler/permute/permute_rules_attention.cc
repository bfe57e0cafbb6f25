// Attention of ai.onnx: heads of queries and keys, whose channels are summed over, and of values, which pass through.
#include "src/compiler/permute/permute_rules.h"
#include "src/passes/match.h"

namespace tamis {
namespace {

enum Input : size_t { kQuery, kKey, kValue, kMask, kPastKey, kPastValue };
enum Output : size_t { kY, kPresentKey, kPresentValue };

// Channels of one operand: [batch, tokens, heads * width] or [batch, heads, tokens, width], head after head either way.
struct Heads {
  const ChannelLabel* label = nullptr;  // nullptr if it has no channels that go by heads
  int64_t count = 0, width = 0;
};

std::vector<int64_t> HeadAxes(int64_t rank) {
  return rank == 3 ? std::vector<int64_t>{2} : std::vector<int64_t>{1, 3};
}

Heads HeadsOf(ChannelTrace& trace, const Node& node, size_t input, const char* attribute) {
  const ValueId value = node.input(input);
  const int64_t rank = RankOf(trace.graph(), value);
  Heads heads;
  heads.count = rank == 3 ? node.Int(attribute, 0) : trace.DimOf(value, 1);
  const ChannelLabel* label = trace.Of(value);
  if (label == nullptr) return heads;
  if ((rank != 3 && rank != 4) || heads.count < 1 || label->axes != HeadAxes(rank)) {
    trace.Pin(value, ChannelTrace::NameOf(node) + " reads them in parts");
    return heads;
  }
  heads.label = label;
  heads.width = trace.spaces().size(label->space) / heads.count;
  return heads;
}

// Every head of `few` serves several of `many`, in their order.
void TieHeads(ChannelTrace& trace, SpaceId many, int64_t many_count, SpaceId few, int64_t few_count, int64_t width) {
  ChannelSpaces::Pairs pairs;
  for (int64_t c = 0; c < many_count * width; ++c) {
    const int64_t head = c / width * few_count / many_count;
    pairs.emplace_back(static_cast<int32_t>(c), static_cast<int32_t>(head * width + c % width));
  }
  trace.spaces().Relate(many, few, std::move(pairs));
  trace.spaces().BinEvenly(many, many_count);
  trace.spaces().BinEvenly(few, few_count);
}

}  // namespace

void TraceAttention(ChannelTrace& trace, NodeId id) {
  const Node& node = trace.graph().node(id);
  for (size_t i = kMask; i < node.inputs.size(); ++i) trace.PinInput(id, i, "reads them");
  if (node.input(kPastKey) != kNoValue || node.input(kPastValue) != kNoValue) {
    return trace.PinInputs(id, "joins them with a cache");
  }
  const Heads query = HeadsOf(trace, node, kQuery, "q_num_heads"), key = HeadsOf(trace, node, kKey, "kv_num_heads"),
              value = HeadsOf(trace, node, kValue, "kv_num_heads");
  const auto present = [&](size_t output, const Heads& heads) {
    if (node.outputs.size() > output && heads.label != nullptr) {
      trace.Set(node.outputs[output], {heads.label->space, HeadAxes(4)});
    }
  };
  if (query.label != nullptr && key.label != nullptr && query.width == key.width && query.count % key.count == 0) {
    TieHeads(trace, query.label->space, query.count, key.label->space, key.count, key.width);
    present(kPresentKey, key);
  } else {
    for (const size_t i : {kQuery, kKey}) trace.PinInput(id, i, "sums over them against what can't move");
  }
  if (value.label == nullptr || query.count < 1 || query.count % value.count != 0) {
    return trace.PinInput(id, kValue, "is of a form whose channels are not followed");
  }
  const SpaceId values = value.label->space;
  const SpaceId mixed = query.count == value.count ? values : trace.spaces().Add(query.count * value.width);
  TieHeads(trace, mixed, query.count, values, value.count, value.width);
  present(kPresentValue, value);
  trace.Set(node.outputs[kY], {mixed, HeadAxes(RankOf(trace.graph(), node.outputs[kY]))});
}

}  // namespace tamis
