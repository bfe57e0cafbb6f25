#include "src/compiler/verbs/output_targets.h"

#include <filesystem>

#include "src/base/atomic_file.h"
#include "src/base/request_problems.h"
#include "src/compiler/verbs/model_source.h"

namespace tamis {
namespace {

// Links followed; a name without a file is one with itself only.
bool IsOneFile(const std::string& a, const std::string& b) {
  std::error_code ignored;
  if (std::filesystem::equivalent(a, b, ignored)) return true;
  const auto whole = std::filesystem::weakly_canonical(a, ignored);
  return !whole.empty() && whole == std::filesystem::weakly_canonical(b, ignored);
}

}  // namespace

Status CheckTargets(const std::vector<std::string>& targets, const std::vector<std::string>& models) {
  RequestProblems problems;
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i].empty()) continue;
    for (const std::string& model : models) {
      problems.Need(model.empty() || !IsOneFile(targets[i], model) || LooksLikeEngine(model),
                    "'{}' is the model that is read, which writing there would destroy; name another file", targets[i]);
    }
    for (size_t other = 0; other < i; ++other) {
      problems.Need(targets[other].empty() || !IsOneFile(targets[i], targets[other]),
                    "'{}' is to be written twice, with different contents; name another file", targets[i]);
    }
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  for (const std::string& target : targets) {
    if (!target.empty()) TAMIS_RETURN_IF_ERROR(AtomicFile::CheckTarget(target));
  }
  return {};
}

Status CheckWeightsStay(const std::vector<std::string>& targets, const std::vector<std::string>& weight_files) {
  RequestProblems problems;
  for (const std::string& target : targets) {
    for (const std::string& file : weight_files) {
      problems.Need(target.empty() || !IsOneFile(target, file),
                    "'{}' holds weights of the model that is read, which writing there would destroy; name another "
                    "file",
                    target);
    }
  }
  return problems.status();
}

}  // namespace tamis
