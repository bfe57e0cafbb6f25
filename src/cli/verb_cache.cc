#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "src/base/cpu.h"
#include "src/base/json_writer.h"
#include "src/cli/verb.h"
#include "src/kernels/kernel.h"
#include "src/tuner/timing_cache.h"
#include "src/tuner/tuner.h"

namespace tamis {
namespace {

struct Flags {
  std::string action, output;
  std::vector<std::string> files;
  bool other_devices = false;
  double noisier_than = 0;
};

Result<std::string> OnlyFile(const Flags& flags) {
  if (flags.files.size() > 1) return UserError("cache {} takes one file", flags.action);
  if (!flags.files.empty()) return flags.files[0];
  const std::string path = TimingCache::DefaultPath();
  if (path.empty()) return UserError("neither XDG_CACHE_HOME nor HOME is set; name the timing cache");
  return path;
}

// A file that is named must be there; this machine's own need not be yet.
Result<TimingCache> OpenOnly(const Flags& flags) {
  TAMIS_ASSIGN_OR_RETURN(const std::string path, OnlyFile(flags));
  if (flags.files.empty() && !std::filesystem::exists(path)) return TimingCache(path);
  return TimingCache::Open(path);
}

Status Path(const Flags& flags, const CommonFlags& common) {
  TAMIS_ASSIGN_OR_RETURN(const std::string path, OnlyFile(flags));
  if (common.json) {
    JsonWriter json;
    fmt::print("{}\n", json.BeginObject().Field("path", path).EndObject().text());
  } else {
    fmt::print("{}\n", path);
  }
  return {};
}

// Entries by device and problem, for people.
std::vector<const TimingEntry*> Sorted(const TimingCache& cache) {
  std::vector<const TimingEntry*> entries;
  for (const auto& [key, entry] : cache.entries()) entries.push_back(&entry);
  std::stable_sort(entries.begin(), entries.end(), [](const TimingEntry* a, const TimingEntry* b) {
    return std::tie(a->device, a->problem) < std::tie(b->device, b->problem);
  });
  return entries;
}

Status List(const Flags& flags, const CommonFlags& common) {
  TAMIS_ASSIGN_OR_RETURN(const TimingCache cache, OpenOnly(flags));
  const auto entries = Sorted(cache);
  if (common.json) {
    JsonWriter json;
    json.BeginObject().Field("path", cache.path()).Key("entries").BeginArray();
    for (const TimingEntry* entry : entries) {
      json.BeginObject().Field("device", entry->device).Field("problem", entry->problem);
      json.Field("spread", entry->Spread()).Field("samples", entry->Samples());
      json.Field("attempts", static_cast<int64_t>(entry->attempts)).Key("kernels").BeginArray();
      for (const auto& [name, timed] : entry->kernels) {
        json.BeginObject().Field("kernel", name).Field("ms", timed.seconds * 1e3).Field("spread", timed.spread);
        json.Field("reason", timed.reason).EndObject();
      }
      json.EndArray().EndObject();
    }
    fmt::print("{}\n", json.EndArray().EndObject().text());
    return {};
  }
  std::string device = "-";
  for (const TimingEntry* entry : entries) {
    if (entry->device != device) {
      device = entry->device;
      fmt::print("{}\n", device.empty() ? "a device that an older version did not write down" : device);
    }
    fmt::print("  {}  (noise {:.0f} %, {} runs)\n", entry->problem, entry->Spread() * 100, entry->Samples());
    for (const auto& [name, timed] : entry->kernels) {
      if (timed.seconds > 0) {
        fmt::print("    {:>10.4f} ms  {}\n", timed.seconds * 1e3, name);
      } else {
        fmt::print("             -     {}: {}\n", name, timed.reason);
      }
    }
  }
  if (entries.empty() && !std::filesystem::exists(cache.path())) {
    fmt::print("{}: no times are kept yet; builds write them\n", cache.path());
  } else {
    fmt::print("{}: {} problems\n", cache.path(), entries.size());
  }
  return {};
}

Status Merge(const Flags& flags, const CommonFlags& common) {
  if (flags.files.empty()) return UserError("cache merge takes the files to merge: tamis cache merge A B -o OUT");
  const std::string target = flags.output.empty() ? TimingCache::DefaultPath() : flags.output;
  if (target.empty()) return UserError("neither XDG_CACHE_HOME nor HOME is set; name the result with -o");
  TimingCache merged(target);
  size_t changed = 0;
  for (const std::string& file : flags.files) {
    TAMIS_ASSIGN_OR_RETURN(const TimingCache cache, TimingCache::Open(file));
    changed += merged.Merge(cache);
  }
  TAMIS_RETURN_IF_ERROR(merged.Save());
  if (common.json) {
    JsonWriter json;
    json.BeginObject().Field("path", target).Field("problems", static_cast<int64_t>(merged.entries().size()));
    fmt::print("{}\n", json.Field("changed", static_cast<int64_t>(changed)).EndObject().text());
  } else {
    fmt::print("{}: {} problems, {} new or replaced\n", target, merged.entries().size(), changed);
  }
  return {};
}

Status Prune(const Flags& flags, const CommonFlags& common) {
  TAMIS_ASSIGN_OR_RETURN(TimingCache cache, OpenOnly(flags));
  const size_t gone = cache.Prune([&](const TimingEntry& entry, const TimedKernel& timed) {
    if (FindKernel(timed.kernel) == nullptr && timed.kernel != kCutRecord) return true;
    if (flags.other_devices && entry.device != Cpu().Fingerprint()) return true;
    return flags.noisier_than > 0 && entry.Spread() * 100 > flags.noisier_than;
  });
  if (gone > 0) TAMIS_RETURN_IF_ERROR(cache.Rewrite());
  if (common.json) {
    JsonWriter json;
    json.BeginObject().Field("path", cache.path()).Field("removed", static_cast<int64_t>(gone));
    fmt::print("{}\n", json.Field("problems", static_cast<int64_t>(cache.entries().size())).EndObject().text());
  } else {
    fmt::print("{}: {} times removed, {} problems left\n", cache.path(), gone, cache.entries().size());
  }
  return {};
}

Status Run(const Flags& flags, const CommonFlags& common) {
  if (flags.action == "path") return Path(flags, common);
  if (flags.action == "list") return List(flags, common);
  if (flags.action == "merge") return Merge(flags, common);
  if (flags.action == "prune") return Prune(flags, common);
  return UserError("cache '{}' is unknown; it takes list, merge, prune or path", flags.action);
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("ACTION", flags->action,
                 "list: what was timed; path: where the cache is;\n"
                 "merge: add the files' times to -o (by default this machine's cache), of equal problems the calmer;\n"
                 "prune: drop the times of kernels that this program does not have")
      ->required();
  app.add_option("FILE", flags->files, "Timing caches; by default this machine's");
  app.add_option("-o,--output", flags->output, "Of merge: the file that the times are added to");
  app.add_flag("--other-devices", flags->other_devices, "Of prune: drop what other machines timed, too");
  app.add_option("--noisier-than", flags->noisier_than, "Of prune: drop problems of more noise than so many percent");
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_cache = {"cache", "List, merge and prune the times that builds keep",
                                "tamis cache merge build-server.tsv -o ~/.cache/tamis/timings-0.1.0.tsv", Declare};

}  // namespace tamis
