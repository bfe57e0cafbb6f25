// What is wrong with a command line, in the words of the program.
#pragma once

#include <CLI/CLI.hpp>

#include "tamis/status.h"

namespace tamis {

// `error` came of parsing; `verb` is what was being parsed. Options that the verb does not have come first, with what
// was probably meant: the parser would rather say what is missing because of them.
Status ParseProblem(const CLI::App& verb, const CLI::ParseError& error);

// What the parser lets through: whole numbers that are negative or too large where it wraps them around, and - as a
// file to write.
Status CheckValues(const CLI::App& verb);

}  // namespace tamis
