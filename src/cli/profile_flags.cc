#include "src/cli/profile_flags.h"

#include <map>

namespace tamis {
namespace {
constexpr const char* kFlags[] = {"--profile", "--minShapes", "--optShapes", "--maxShapes"};
}

void DeclareProfileFlags(CLI::App& app, ProfileOptions* options) {
  options->app = &app;
  app.add_option("--profile", options->profiles,
                 "input=MIN:OPT:MAX, once an input with dynamic dimensions; requests outside are refused.\n"
                 "A number begins another profile: --profile 0 --minShapes ... --profile 1 --minShapes ...");
  app.add_option("--minShapes", options->min_shapes, "As trtexec: input:1x16,other:1x16");
  app.add_option("--optShapes", options->opt_shapes, "As trtexec");
  app.add_option("--maxShapes", options->max_shapes, "As trtexec");
}

Result<std::vector<InputRanges>> ProfileOptions::Read() const {
  const std::vector<std::string>* const values[] = {&profiles, &min_shapes, &opt_shapes, &max_shapes};
  ProfileFlags flags;
  // The parser keeps the values by flag; which belong together, the order of all of them says.
  std::map<const CLI::Option*, size_t> used;
  for (const CLI::Option* option : app->parse_order()) {
    for (size_t i = 0; i < std::size(kFlags); ++i) {
      if (option != app->get_option(kFlags[i])) continue;
      const size_t at = used[option]++;
      if (at < values[i]->size()) TAMIS_RETURN_IF_ERROR(flags.Add(kFlags[i], (*values[i])[at]));
    }
  }
  return flags.Take();
}

}  // namespace tamis
