#include "src/compiler/plan/profile.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "src/runtime/specialize.h"

namespace tamis {
namespace {

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (true) {
    const size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return parts;
    begin = end + 1;
  }
}

// Sizes to assume, the usual one first: of tokens (but samples of sound come by the thousand), of an image's sides.
constexpr int64_t kSequences[] = {128, 64, 32, 16, 8, 4, 2, 1, 512, 2048, 16000};
constexpr int64_t kSides[] = {224, 256, 128, 64, 32, 16, 8, 512};

enum class Place : uint8_t { kBatch, kSequence, kSide };
Place PlaceOf(size_t axis, size_t rank) {
  return axis == 0 ? Place::kBatch : rank <= 3 ? Place::kSequence : Place::kSide;
}

DimRange AssumedRange(Place place, int64_t batch, int64_t sequence, int64_t side) {
  switch (place) {
    case Place::kBatch:
      return {1, 1, batch, false};
    case Place::kSequence:
      return {sequence > kSequences[0] ? sequence : std::min<int64_t>(sequence, 16), sequence, sequence, false};
    default:
      return {side, side, side, false};
  }
}

// Gives the symbols that `profile` leaves open a size by their place: the usual one or, where the network can't run at
// that (a table of 77 positions, an image whose patches are counted), the first that it can. The usual ones if none.
void AssumeSizes(const Graph& graph, const ProfileDefaults& defaults, Profile* profile) {
  std::map<std::string, Place> open;
  for (ValueId id : graph.inputs) {
    const Shape& shape = graph.value(id).type.shape;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis].IsConstant() || profile->count(shape[axis].ToString()) != 0) continue;
      open.try_emplace(shape[axis].ToString(), PlaceOf(axis, shape.size()));
    }
  }
  const auto assume = [&](int64_t sequence, int64_t side) {
    for (const auto& [symbol, place] : open) {
      (*profile)[symbol] = AssumedRange(place, defaults.max_batch, sequence, side);
    }
  };
  const auto has = [&](Place place) {
    return std::any_of(open.begin(), open.end(), [&](const auto& entry) { return entry.second == place; });
  };
  const bool sequences = has(Place::kSequence), sides = has(Place::kSide);
  for (const int64_t side : kSides) {
    for (const int64_t sequence : kSequences) {
      assume(sequence, side);
      if (defaults.nothing_runs || (!sequences && !sides)) return;
      if (SpecializeAt(graph, TuningPoints(*profile).front()).ok()) return;
      if (!sequences) break;
    }
    if (!sides) break;
  }
  assume(kSequences[0], kSides[0]);
}

// "a:1x16,b:1x16" as name -> dims.
Status ParseShapeList(const std::string& flag, const std::string& text, std::map<std::string, Dims>* shapes) {
  if (text.empty()) return {};
  for (const std::string& part : Split(text, ',')) {
    const size_t separator = part.find_last_of("=:");
    if (separator == std::string::npos || separator == 0) {
      return UserError("{}: '{}' should read input:1x3x224x224", flag, part);
    }
    auto dims = ParseDims(part.substr(separator + 1));
    if (!dims.ok()) return dims.status().WithContext(flag);
    (*shapes)[part.substr(0, separator)] = *dims;
  }
  return {};
}

}  // namespace

Result<Dims> ParseDims(const std::string& text) {
  Dims dims;
  for (const std::string& part : Split(text, 'x')) {
    int64_t size = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), size);
    if (error != std::errc() || end != part.data() + part.size() || size < 0) {
      return UserError("'{}' is not a shape; write dimensions as 1x3x224x224", text);
    }
    dims.push_back(size);
  }
  if (NumElements(dims) < 0) return UserError("the shape '{}' is too large", text);
  return dims;
}

Status ParseProfile(const std::string& text, InputRanges* ranges) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return UserError(
        "--profile '{}' should read input=MIN:OPT:MAX, for example ids=1x16:1x128:32x128, or be the number of a "
        "profile",
        text);
  }
  const std::string name = text.substr(0, equals);
  const auto parts = Split(text.substr(equals + 1), ':');
  if (parts.size() != 1 && parts.size() != 3) {
    return UserError("--profile '{}' has {} shapes; it takes one, or MIN:OPT:MAX", text, parts.size());
  }
  if (ranges->count(name) != 0) {
    return UserError("--profile names input '{}' twice; another profile begins with --profile 1", name);
  }
  std::vector<Dims> shapes;
  for (const std::string& part : parts) {
    TAMIS_ASSIGN_OR_RETURN(Dims dims, ParseDims(part));
    shapes.push_back(std::move(dims));
  }
  (*ranges)[name] =
      shapes.size() == 1 ? InputRange{shapes[0], shapes[0], shapes[0]} : InputRange{shapes[0], shapes[1], shapes[2]};
  return {};
}

Status ParseShapes(const std::string& min, const std::string& opt, const std::string& max, InputRanges* ranges) {
  std::map<std::string, Dims> mins, opts, maxs;
  TAMIS_RETURN_IF_ERROR(ParseShapeList("--minShapes", min, &mins));
  TAMIS_RETURN_IF_ERROR(ParseShapeList("--optShapes", opt, &opts));
  TAMIS_RETURN_IF_ERROR(ParseShapeList("--maxShapes", max, &maxs));
  for (const auto* shapes : {&mins, &maxs}) {
    for (const auto& [name, dims] : *shapes) opts.try_emplace(name, dims);
  }
  for (const auto& [name, dims] : opts) {
    if (ranges->count(name) != 0) return UserError("input '{}' has a --profile and trtexec-style shapes", name);
    (*ranges)[name] = {mins.count(name) ? mins[name] : dims, dims, maxs.count(name) ? maxs[name] : dims};
  }
  return {};
}

Status ProfileFlags::Add(const std::string& flag, const std::string& value) {
  int64_t number = 0;
  const char* const last = value.data() + value.size();
  const auto [end, error] = std::from_chars(value.data(), last, number);
  if (flag == "--profile" && error == std::errc() && end == last) {
    if (number < 0) return UserError("--profile {}: profiles are numbered from 0", value);
    if (groups_.count(number) != 0) return UserError("--profile {} is given twice", number);
    present_ = number;
    groups_[present_];
    return {};
  }
  Group& group = groups_[present_];
  if (flag == "--profile") return ParseProfile(value, &group.ranges);
  const auto [it, added] = group.shapes.try_emplace(flag, value);
  if (!added) {
    return UserError("{} is given twice for profile {}; name all inputs in one, or begin another with --profile {}",
                     flag, present_, present_ + 1);
  }
  return {};
}

Result<std::vector<InputRanges>> ProfileFlags::Take() const {
  std::vector<InputRanges> profiles;
  for (const auto& [number, group] : groups_) {
    InputRanges ranges = group.ranges;
    const auto shapes = [&group = group](const char* flag) {
      const auto found = group.shapes.find(flag);
      return found == group.shapes.end() ? std::string() : found->second;
    };
    const Status parsed = ParseShapes(shapes("--minShapes"), shapes("--optShapes"), shapes("--maxShapes"), &ranges);
    if (!parsed.ok()) return groups_.size() == 1 ? parsed : parsed.WithContext(fmt::format("profile {}", number));
    if (ranges.empty()) return UserError("--profile {} says nothing of any input", number);
    profiles.push_back(std::move(ranges));
  }
  return profiles;
}

// What to write instead where somebody bounds a dimension by its own name.
std::string DimensionHint(const Graph& graph, const std::string& name) {
  for (ValueId id : graph.inputs) {
    const Type& type = graph.value(id).type;
    if (!type.IsTensor() || !type.has_rank) continue;
    for (const Dim& dim : type.shape) {
      if (!dim.IsConstant() && dim.ToString() == name) {
        return fmt::format(". '{}' is a dimension of '{}', which is {}: a profile gives an input's whole shape", name,
                           graph.value(id).name, ToString(type.shape));
      }
    }
  }
  return "";
}

Result<Profile> MakeProfile(const Graph& graph, const InputRanges& ranges, const ProfileDefaults& defaults) {
  Profile profile;
  std::vector<std::string> problems;
  std::string names;
  for (ValueId id : graph.inputs) names += (names.empty() ? "'" : ", '") + graph.value(id).name + "'";
  for (const auto& [name, range] : ranges) {
    const auto found = std::find_if(graph.inputs.begin(), graph.inputs.end(),
                                    [&graph, &name = name](ValueId id) { return graph.value(id).name == name; });
    if (found == graph.inputs.end()) {
      problems.push_back(
          fmt::format("the network has no input '{}'; it has {}{}", name, names, DimensionHint(graph, name)));
      continue;
    }
    const Type& type = graph.value(*found).type;
    if (!type.IsTensor() || !type.has_rank) {
      problems.push_back(fmt::format("'{}' is {}, whose dimensions no profile bounds; leave it out", name,
                                     type.IsTensor() ? "a tensor of any number of dimensions" : type.ToString()));
      continue;
    }
    const Shape& shape = type.shape;
    if (range.min.size() != shape.size() || range.opt.size() != shape.size() || range.max.size() != shape.size()) {
      problems.push_back(
          fmt::format("the profile of '{}' needs {} dimensions: {}", name, shape.size(), ToString(shape)));
      continue;
    }
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const DimRange said = {range.min[axis], range.opt[axis], range.max[axis], true};
      if (said.min > said.opt || said.opt > said.max || said.min < 1) {
        problems.push_back(fmt::format("the profile of '{}', dimension {}: {} : {} : {} is not 1 <= min <= opt <= max",
                                       name, axis, said.min, said.opt, said.max));
        continue;
      }
      if (const auto constant = shape[axis].Constant()) {
        if (said.min != *constant || said.max != *constant) {
          problems.push_back(fmt::format("dimension {} of '{}' is fixed at {}", axis, name, *constant));
        }
        continue;
      }
      const auto [it, inserted] = profile.emplace(shape[axis].ToString(), said);
      if (!inserted && it->second != said) {
        problems.push_back(fmt::format("'{}' has two different ranges", it->first));
      }
    }
  }
  if (!problems.empty()) return UserError("{}", fmt::join(problems, "; "));
  AssumeSizes(graph, defaults, &profile);
  return profile;
}

bool AssumesSizes(const Profile& profile) {
  return std::any_of(profile.begin(), profile.end(), [](const auto& entry) { return !entry.second.bounded; });
}

Status TellAssumedSizes(const Status& failed, const Graph& graph, const Profile& profile,
                        const std::map<std::string, int64_t>& binding) {
  std::vector<std::string> assumed;
  for (const auto& [symbol, range] : profile) {
    const auto found = binding.find(symbol);
    if (!range.bounded && found != binding.end()) assumed.push_back(fmt::format("{} = {}", symbol, found->second));
  }
  if (failed.ok() || assumed.empty()) return failed;
  std::vector<std::string> inputs;
  for (ValueId id : graph.inputs) {
    const Value& input = graph.value(id);
    if (ConstantDims(input.type.shape)) continue;
    inputs.push_back(fmt::format("--profile {}=MIN:OPT:MAX, each like {}", input.name, ToString(input.type.shape)));
  }
  return UserError("{}; this is at {}, which was assumed because no profile gives the sizes of requests: {}",
                   failed.message(), fmt::join(assumed, ", "), fmt::join(inputs, "; "));
}

std::vector<std::map<std::string, int64_t>> TuningPoints(const Profile& profile) {
  std::map<std::string, int64_t> min, opt, max;
  for (const auto& [symbol, range] : profile) {
    min[symbol] = range.min;
    opt[symbol] = range.opt;
    max[symbol] = range.max;
  }
  std::vector<std::map<std::string, int64_t>> points = {opt};
  for (const auto& point : {min, max}) {
    if (std::find(points.begin(), points.end(), point) == points.end()) points.push_back(point);
  }
  return points;
}

}  // namespace tamis
