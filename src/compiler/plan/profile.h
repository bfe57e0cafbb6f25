// Ranges of the dynamic dimensions: from the command line's text to symbols.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "src/engine/engine.h"
#include "src/ir/graph.h"

namespace tamis {

// "1x3x224x224" -> {1, 3, 224, 224}. Error names the text.
Result<Dims> ParseDims(const std::string& text);

// What the user said of one input: dimensions at min, opt and max.
struct InputRange {
  Dims min, opt, max;
};
using InputRanges = std::map<std::string, InputRange>;

// One --profile value "input=MIN:OPT:MAX" or "input=OPT" (all three equal), added to `ranges`.
Status ParseProfile(const std::string& text, InputRanges* ranges);
// trtexec's --minShapes / --optShapes / --maxShapes: "a:1x16,b:1x16" (or '=' for ':'). Missing ones are filled from
// opt.
Status ParseShapes(const std::string& min, const std::string& opt, const std::string& max, InputRanges* ranges);

// Several profiles on one command line, as trtexec has them: `--profile N` begins profile number N, and what follows
// belongs to it. What stands before the first number belongs to profile 0. Feed the flags in their order.
class ProfileFlags {
 public:
  // `flag` is "--profile" or one of "--minShapes", "--optShapes", "--maxShapes".
  Status Add(const std::string& flag, const std::string& value);
  // In the order of their numbers. Empty if no flag was given.
  Result<std::vector<InputRanges>> Take() const;

 private:
  struct Group {
    InputRanges ranges;
    std::map<std::string, std::string> shapes;  // by flag
  };
  std::map<int64_t, Group> groups_;
  int64_t present_ = 0;
};

// Eight images or sentences lie beyond a CPU's caches as more do, and get the same kernels four times sooner. A GPU is
// filled only by more of them.
inline constexpr int64_t kMaxBatchOfCpu = 8, kMaxBatchOfGpu = 32;
struct ProfileDefaults {
  int64_t max_batch = kMaxBatchOfCpu;
  bool nothing_runs = false;  // the usual sizes are taken untried; trying them specialises the graph
};

// Ranges of every symbol of the graph's inputs. Symbols that `ranges` leaves open get defaults by their place, which
// say where kernels are timed and bound no request (on a GPU servers join up to max_batch): the first dimension of an
// input is a batch (1 : 1 : max_batch), any other one of a rank-2 or rank-3 input a sequence (16 : 128 : 128), of a
// higher rank an image side (224); where the network can't run at those, other sizes that it can run at. All
// contradictions in one error.
Result<Profile> MakeProfile(const Graph& graph, const InputRanges& ranges, const ProfileDefaults& defaults = {});

// Whether the user left a dimension open, so that a size of it is assumed.
bool AssumesSizes(const Profile& profile);
// An error met at `binding`, told with the sizes among it that were assumed and the flag that gives others.
Status TellAssumedSizes(const Status& failed, const Graph& graph, const Profile& profile,
                        const std::map<std::string, int64_t>& binding);

// The bindings a profile is tuned at: opt first, then min and max where they differ.
std::vector<std::map<std::string, int64_t>> TuningPoints(const Profile& profile);

}  // namespace tamis
