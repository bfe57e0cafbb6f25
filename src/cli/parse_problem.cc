#include "src/cli/parse_problem.h"

#include <charconv>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/nearest.h"
#include "src/base/request_problems.h"

namespace tamis {
namespace {

std::vector<std::string> OptionNames(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

// "Could not convert: --threads = two"
std::string OfConversion(const CLI::App& verb, std::string_view message) {
  const size_t name = message.find(": "), value = message.find(" = ");
  if (name == std::string_view::npos || value == std::string_view::npos) return std::string(message);
  const std::string option(message.substr(name + 2, value - name - 2));
  const CLI::Option* found = verb.get_option_no_throw(option);
  const std::string type = found == nullptr ? "" : found->get_type_name();
  return fmt::format("{} is '{}'; it takes a {}", option, message.substr(value + 3),
                     type == "INT" || type == "UINT" ? "whole number" : "number");
}

}  // namespace

Status ParseProblem(const CLI::App& verb, const CLI::ParseError& error) {
  RequestProblems problems;
  const std::vector<std::string> names = OptionNames(verb);
  for (const std::string& word : verb.remaining()) {
    if (word.size() < 2 || word[0] != '-') continue;
    const std::string option = word.substr(0, word.find('='));
    const auto meant = Nearest(option, names);
    problems.Add(
        UserError("{} is no option of '{}'{}", option, verb.get_name(), meant ? ", did you mean " + *meant + "?" : ""));
  }
  for (const CLI::Option* option : verb.get_options()) {
    const auto given = static_cast<int>(option->count()), most = option->get_items_expected_max();
    problems.Need(most == 0 || given <= most, "{} is given {} times; it takes one value", option->get_name(), given);
  }
  if (problems.status().ok()) {
    const bool conversion = dynamic_cast<const CLI::ConversionError*>(&error) != nullptr;
    problems.Add(UserError("{}", conversion ? OfConversion(verb, error.what()) : error.what()));
  }
  return UserError("{} ('tamis {} --help' explains all options)", problems.status().message(), verb.get_name());
}

Status CheckValues(const CLI::App& verb) {
  RequestProblems problems;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& text : option->results()) {
      if (option->get_type_name() == "UINT") {
        uint64_t value = 0;
        const char* end = text.data() + text.size();
        const auto [at, error] = std::from_chars(text.data(), end, value);
        problems.Need(error == std::errc() && at == end, "{} is '{}'; it takes a whole number from 0 to {}",
                      option->get_name(), text, std::numeric_limits<uint64_t>::max());
      }
      problems.Need(
          text != "-" || option->get_lnames() != std::vector<std::string>{"output"},
          "--output is '-', but files are written whole or not at all, not to standard output; a file of that "
          "name is ./-");
    }
  }
  return problems.status();
}

}  // namespace tamis
